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
