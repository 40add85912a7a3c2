/* Decides how an rrset is held, copied and put into words. */
#include "dns/rrset.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/random.h"

const knot_rdata_t *rrset_rdata(const struct rrset *set, uint16_t index)
{
	return knot_rdataset_at(&set->data, index);
}

const uint8_t *rrset_target(struct arena *arena, const struct rrset *set, uint16_t index)
{
	if (index >= set->data.count)
		return NULL;
	const knot_rdata_t *rdata = rrset_rdata(set, index);
	if (name_wire_len(rdata->data, rdata->len) == 0)
		return NULL;
	return name_copy_lower(arena, rdata->data);
}

struct rrset *rrset_of_one(struct arena *arena, const struct rrset *head, const uint8_t *rdata, uint16_t len)
{
	struct rrset *set = arena_alloc(arena, sizeof(*set));
	knot_rdata_t *one = arena_alloc(arena, knot_rdata_size(len));
	knot_rdata_init(one, len, rdata);
	*set = *head;
	set->sigs = (knot_rdataset_t){0};
	set->data = (knot_rdataset_t){.count = 1, .size = (uint32_t)knot_rdata_size(len), .rdata = one};
	return set;
}

const struct rrset *rrset_sample(struct arena *arena, const struct rrset *set, uint16_t count)
{
	if (count >= set->data.count)
		return set;
	const knot_rdata_t **drawn = arena_alloc(arena, count * sizeof(*drawn)), *rdata = set->data.rdata;
	struct rrset *sample = arena_copy(arena, set, sizeof(*set));
	sample->sigs = sample->data = (knot_rdataset_t){0};
	for (uint16_t left = set->data.count; sample->data.count < count; left--) {
		if (random_below(left) < (uint32_t)(count - sample->data.count)) {
			drawn[sample->data.count++] = rdata;
			sample->data.size += (uint32_t)knot_rdata_size(rdata->len);
		}
		rdata = knot_rdataset_next((knot_rdata_t *)rdata);
	}
	uint8_t *to = arena_alloc(arena, sample->data.size);
	sample->data.rdata = (knot_rdata_t *)to;
	for (uint16_t i = 0; i < count; i++, to += knot_rdata_size(drawn[i - 1]->len))
		memcpy(to, drawn[i], knot_rdata_size(drawn[i]->len));
	return sample;
}

struct rrset *rrset_dname_alias(struct arena *arena, const struct rrset *dname, const uint8_t *name)
{
	const uint8_t *target = rrset_target(arena, dname, 0);
	size_t kept = name_len(name) - name_len(dname->owner), target_len = target != NULL ? name_len(target) : 0;
	if (target == NULL || kept + target_len > NAME_MAX_LEN)
		return NULL;
	uint8_t alias[NAME_MAX_LEN];
	memcpy(alias, name, kept);
	memcpy(alias + kept, target, target_len);
	struct rrset head = {.owner = name, .type = KNOT_RRTYPE_CNAME, .rclass = dname->rclass, .ttl_s = dname->ttl_s};
	return rrset_of_one(arena, &head, alias, (uint16_t)(kept + target_len));
}

uint32_t rrset_negative_ttl(const struct rrset *soa)
{
	if (soa->data.count == 0)
		return 0;
	const knot_rdata_t *rdata = rrset_rdata(soa, 0);
	size_t mname = name_wire_len(rdata->data, rdata->len);
	size_t rname = mname > 0 ? name_wire_len(rdata->data + mname, rdata->len - mname) : 0;
	if (rname == 0 || rdata->len != mname + rname + 20)
		return 0;
	uint32_t minimum = knot_wire_read_u32(rdata->data + rdata->len - 4);
	return minimum < soa->ttl_s ? minimum : soa->ttl_s;
}

uint32_t rrset_least_ttl(const struct rrset *const *set, uint16_t count)
{
	uint32_t ttl_s = UINT32_MAX;
	for (uint16_t i = 0; i < count; i++)
		if (set[i]->ttl_s < ttl_s)
			ttl_s = set[i]->ttl_s;
	return ttl_s;
}

const struct rrset *rrset_limit_ttl(struct arena *arena, const struct rrset *set, uint32_t ttl_s)
{
	if (set->ttl_s <= ttl_s)
		return set;
	struct rrset *limited = arena_copy(arena, set, sizeof(*set));
	limited->ttl_s = ttl_s;
	return limited;
}

const char *type_text(uint16_t type, char out[static TYPE_TEXT])
{
	/* Nearly all that is asked for: the history writes a question for each loan. */
	if (type == KNOT_RRTYPE_A || type == KNOT_RRTYPE_AAAA || type == KNOT_RRTYPE_NS)
		return strcpy(out, type == KNOT_RRTYPE_A ? "A" : type == KNOT_RRTYPE_NS ? "NS" : "AAAA");
	if (knot_rrtype_to_string(type, out, TYPE_TEXT) < 0)
		snprintf(out, TYPE_TEXT, "TYPE%u", type);
	return out;
}

int type_from_text(const char *text, uint16_t *type)
{
	return knot_rrtype_from_string(text, type) == 0 ? 0 : E_INVAL;
}

const char *rcode_text(uint16_t rcode)
{
	static _Thread_local char other[16];
	const knot_lookup_t *item = knot_lookup_by_id(knot_rcode_names, rcode);
	if (item != NULL)
		return item->name;
	snprintf(other, sizeof(other), "RCODE%u", rcode);
	return other;
}

const char *question_text(const struct question *q, char *out, size_t size)
{
	char name[NAME_TEXT + TYPE_TEXT];
	size_t len = strlen(name_text(q->name, name));
	name[len++] = ' ';
	type_text(q->type, name + len);
	len += strlen(name + len);
	if (size == 0)
		return out;
	len = len < size ? len : size - 1;
	memcpy(out, name, len);
	out[len] = '\0';
	return out;
}

const char *rrset_rdata_text(struct arena *arena, const struct rrset *set, uint16_t index)
{
	/* Presentation never needs more than four bytes for one, plus words for types and times. */
	const knot_rdata_t *rdata = rrset_rdata(set, index);
	size_t size = (size_t)rdata->len * 4 + 512;
	char *out = arena_alloc(arena, size);
	knot_rrset_t one;
	knot_rrset_init(&one, (knot_dname_t *)set->owner, set->type, set->rclass, set->ttl_s);
	one.rrs = (knot_rdataset_t){.count = 1, .size = knot_rdata_size(rdata->len), .rdata = (knot_rdata_t *)rdata};
	if (knot_rrset_txt_dump_data(&one, 0, out, size, &KNOT_DUMP_STYLE_DEFAULT) < 0)
		snprintf(out, size, "\\# %u", rdata->len);
	return out;
}
