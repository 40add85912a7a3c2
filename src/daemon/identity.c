/* Decides what is said to who asks who we are: nothing, unless a text was set for it. */
#include "daemon/identity.h"

#include <stdio.h>
#include <string.h>

void identity_set(struct identity *identity, const char *version, const char *name)
{
	snprintf(identity->version, sizeof(identity->version), "%s", version != NULL ? version : "");
	snprintf(identity->name, sizeof(identity->name), "%s", name != NULL ? name : "");
}

static const char *text_for(const struct identity *identity, const uint8_t *raw_name)
{
	static const struct {
		const char *name;
		bool is_version;
	} names[] = {{"version.bind", true}, {"version.server", true}, {"id.server", false}, {"hostname.bind", false}};
	uint8_t name[NAME_MAX_LEN];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (name_from_text(name, names[i].name) == 0 && name_is_equal_nocase(name, raw_name))
			return names[i].is_version ? identity->version : identity->name;
	return "";
}

size_t identity_answer(const struct identity *identity, const struct query *query, const uint8_t *wire, uint8_t *out)
{
	if (query->rclass != KNOT_CLASS_CH || (query->type != KNOT_RRTYPE_TXT && query->type != KNOT_RRTYPE_ANY))
		return 0;
	const char *text = text_for(identity, query->raw_name);
	size_t len = strlen(text), at = query->question_end;
	if (len == 0)
		return 0;
	memcpy(out, wire, at);
	at = query_write_error(out, query, KNOT_RCODE_NOERROR);
	knot_wire_set_ancount(out, 1);
	knot_wire_write_u16(out + at, 0xc000 | MESSAGE_HEADER); /* the question's name */
	knot_wire_write_u16(out + at + 2, KNOT_RRTYPE_TXT);
	knot_wire_write_u16(out + at + 4, KNOT_CLASS_CH);
	knot_wire_write_u32(out + at + 6, 0);
	knot_wire_write_u16(out + at + 10, (uint16_t)(len + 1));
	out[at + 12] = (uint8_t)len;
	memcpy(out + at + 13, text, len);
	return at + 13 + len;
}
