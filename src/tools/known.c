/* Decides how registered services and known uses of a port are told. */
#include "tools/known.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ports/model.h"

enum { USES = 11 }; /* the column after the labels of `berth port` */

/* --- services --- */

struct line {
	char *text;
	size_t len;
};

static void add(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What does not fit is cut. */
static void add(struct line *line, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int len = vsnprintf(line->text + line->len, KNOWN_WORDS - line->len, format, args);
	va_end(args);
	line->len += len > 0 ? (size_t)len : 0;
	if (line->len >= KNOWN_WORDS)
		line->len = KNOWN_WORDS - 1;
}

/* Rows of one name stand together; an alias is a name alone: it is what the others are. */
static void add_service(struct line *line, const struct service *s, const struct service *before)
{
	char transports[SERVICE_WORDS];
	if (s->is_alias) {
		if (before == NULL || strcmp(before->name, s->name) != 0)
			add(line, "%s%s", before == NULL ? "" : before->is_alias ? ", " : "; also ", s->name);
		return;
	}
	if (before == NULL || strcmp(before->name, s->name) != 0)
		add(line, "%s%s", before != NULL ? "; " : "", s->name);
	if (s->transports != 0)
		add(line, ", on %s", service_transport_words(s->transports, transports));
	if (s->rfc != 0)
		add(line, " (RFC %u)", s->rfc);
}

const char *known_services_words(uint16_t port, char out[static KNOWN_WORDS])
{
	struct line line = {out, 0};
	const struct service *s, *before = NULL;
	out[0] = '\0';
	for (size_t i = 0; (s = registry_of_port(port, i)) != NULL; i++, before = s)
		add_service(&line, s, before);
	return out;
}

const char *known_description(uint16_t port)
{
	const struct service *s = registry_of_port(port, 0);
	return s != NULL ? registry_description(s) : "";
}

const char *known_short(uint16_t port, char out[static KNOWN_WORDS])
{
	const struct service *s = registry_of_port(port, 0);
	const struct known_use *use = clash_of_port(port, 0);
	if (s != NULL)
		snprintf(out, KNOWN_WORDS, "%s", s->name);
	else if (use != NULL && use->is_clash)
		snprintf(out, KNOWN_WORDS, "(%.*s)", (int)strcspn(use->who, ","), use->who);
	else
		out[0] = '\0';
	return out;
}

/* --- uses --- */

const char *known_range_words(struct port_range range, char out[static PRINT_NUMBER])
{
	if (range.first == range.last)
		snprintf(out, PRINT_NUMBER, "%u", range.first);
	else
		snprintf(out, PRINT_NUMBER, "%u-%u", range.first, range.last);
	return out;
}

static bool is_whole_range(const struct known_use *use)
{
	struct port_range all = port_class_range(PORT_DYNAMIC);
	return use->ports.first <= all.first && use->ports.last >= all.last;
}

static const char *label_of(bool *is_first)
{
	const char *label = *is_first ? "known" : "";
	*is_first = false;
	return label;
}

/* Of no port in particular: their names are enough. */
static void print_whole_range(uint16_t port, bool *is_first)
{
	char text[KNOWN_WORDS];
	struct line line = {text, 0};
	const struct known_use *use;
	for (size_t i = 0; (use = clash_of_port(port, i)) != NULL; i++)
		if (is_whole_range(use))
			add(&line, "%s%s", line.len > 0 ? ", " : "any dynamic port: ", use->who);
	if (line.len > 0)
		print_item(label_of(is_first), USES, text);
}

void known_print_uses(uint16_t port)
{
	char range[PRINT_NUMBER], transports[SERVICE_WORDS], text[KNOWN_WORDS];
	const struct known_use *use;
	bool is_first = true;
	for (size_t i = 0; (use = clash_of_port(port, i)) != NULL; i++) {
		if (is_whole_range(use))
			continue;
		print_label(label_of(&is_first), USES);
		printf("%-11s  %-11s  ", known_range_words(use->ports, range),
			service_transport_words(use->transports, transports));
		snprintf(text, sizeof(text), "%s: %s", use->who, use->why);
		print_wrapped(text, USES + 11 + 2 + 11 + 2);
	}
	print_whole_range(port, &is_first);
}

/* --- JSON --- */

static json_t *transports_json(uint8_t transports)
{
	static const char *const words[] = {"udp", "tcp", "sctp", "dccp"};
	json_t *list = json_array();
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (transports >> i & 1)
			json_array_append_new(list, json_string(words[i]));
	return list;
}

json_t *known_service_json(const struct service *s)
{
	const char *description = registry_description(s);
	json_t *object = json_pack("{s:s, s:o, s:o, s:o, s:b}", "name", s->name, "port",
		s->port != 0 ? json_integer(s->port) : json_null(), "transports", transports_json(s->transports), "rfc",
		s->rfc != 0 ? json_integer(s->rfc) : json_null(), "alias", (int)s->is_alias);
	if (*description != '\0')
		json_object_set_new(object, "description", json_string(description));
	return object;
}

json_t *known_services_json(uint16_t port)
{
	const struct service *s;
	json_t *list = json_array();
	for (size_t i = 0; (s = registry_of_port(port, i)) != NULL; i++)
		json_array_append_new(list, known_service_json(s));
	return list;
}

static json_t *make_use_json(const struct known_use *use)
{
	char range[PRINT_NUMBER];
	return json_pack("{s:s, s:o, s:b, s:s, s:s, s:s}", "ports", known_range_words(use->ports, range), "transports",
		transports_json(use->transports), "clash", (int)use->is_clash, "who", use->who, "why", use->why,
		"source", use->source);
}

/* Of a wide range each port has the same row: it is made once, or all ports would take 200 MB. */
json_t *known_use_json(const struct known_use *use)
{
	enum { KEPT = 64 };
	static json_t *kept[KEPT];
	size_t index = (size_t)(use - clash_row(0));
	if (index >= KEPT)
		return make_use_json(use);
	if (kept[index] == NULL)
		kept[index] = make_use_json(use);
	return json_incref(kept[index]);
}

json_t *known_uses_json(uint16_t port)
{
	const struct known_use *use;
	json_t *list = json_array();
	for (size_t i = 0; (use = clash_of_port(port, i)) != NULL; i++)
		json_array_append_new(list, known_use_json(use));
	return list;
}
