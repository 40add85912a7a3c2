/* Decides which elements of the IANA's XML are read. Expat parses; a document type is refused, so there are no entities
 * but the five of XML itself. */
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "ports/registry_rows.h"

enum { DEPTH = 16, FIELD = 1024, CHUNK = 1 << 20 };

enum field { NAME, NUMBER, PROTOCOL, DESCRIPTION, NOTE, UPDATED, FIELDS };

static const char *const field_names[FIELDS] = {"name", "number", "protocol", "description", "note", "updated"};

struct reader {
	XML_Parser parser;
	struct registry_rows *rows;
	unsigned depth;       /* of the element that is open */
	unsigned record;      /* the depth of the record that is open; 0: none */
	int field;            /* that the text goes to; -1: none */
	unsigned field_depth; /* text of elements within is its own too */
	char text[FIELDS][FIELD];
	size_t len[FIELDS];
	unsigned rfc;
	char *date, *why;
	int ret;
};

/* Expat 2.8 wants to be asked for 64 bits, older ones cannot be. */
static unsigned long line_of(XML_Parser parser)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	return (unsigned long)XML_GetCurrentLineNumber(parser);
#pragma GCC diagnostic pop
}

static void stop(struct reader *r, int ret, const char *what)
{
	if (r->ret != 0)
		return;
	r->ret = ret;
	snprintf(r->why, REGISTRY_WHY, "line %lu: %s", line_of(r->parser), what);
	(void)XML_StopParser(r->parser, XML_FALSE);
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *system, const XML_Char *public, int has)
{
	(void)name;
	(void)system;
	(void)public;
	(void)has;
	stop(arg, E_MALFORMED, "a document type definition, which the IANA's file has not");
}

static const char *attribute(const XML_Char **attributes, const char *name)
{
	for (; attributes[0] != NULL; attributes += 2)
		if (strcmp(attributes[0], name) == 0)
			return attributes[1];
	return "";
}

static void begin_record(struct reader *r)
{
	r->record = r->depth;
	r->rfc = 0;
	for (int f = 0; f < UPDATED; f++)
		r->len[f] = 0;
}

/* The newest that the registry names. */
static void take_reference(struct reader *r, const XML_Char **attributes)
{
	const char *data = attribute(attributes, "data");
	if (strcmp(attribute(attributes, "type"), "rfc") != 0 || strncmp(data, "rfc", 3) != 0)
		return;
	unsigned long number = strtoul(data + 3, NULL, 10);
	if (number > r->rfc && number < 65536)
		r->rfc = (unsigned)number;
}

static void choose_field(struct reader *r, const char *name)
{
	bool in_record = r->record != 0 && r->depth == r->record + 1, at_top = r->record == 0 && r->depth == 2;
	for (int f = 0; f < FIELDS; f++) {
		if (strcmp(name, field_names[f]) != 0 || (f == UPDATED ? !at_top : !in_record))
			continue;
		/* Of two of a kind the first counts. */
		if (r->len[f] == 0) {
			r->field = f;
			r->field_depth = r->depth;
		}
	}
}

static void XMLCALL on_begin(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct reader *r = arg;
	if (++r->depth > DEPTH) {
		stop(r, E_MALFORMED, "elements within elements, deeper than the IANA's file has them");
		return;
	}
	if (r->depth == 1 && (strcmp(name, "registry") != 0 ||
				     strcmp(attribute(attributes, "id"), "service-names-port-numbers") != 0))
		stop(r, E_MALFORMED,
			"not the registry of service names and port numbers; get service-names-port-numbers.xml or "
			".csv from "
			"www.iana.org");
	if (r->record == 0 && r->depth > 1 && strcmp(name, "record") == 0)
		begin_record(r);
	else if (r->record != 0 && r->depth == r->record + 1 && strcmp(name, "xref") == 0)
		take_reference(r, attributes);
	if (r->field < 0)
		choose_field(r, name);
}

/* What does not fit is cut: names and numbers that long are refused later. */
static void XMLCALL on_text(void *arg, const XML_Char *text, int len)
{
	struct reader *r = arg;
	if (r->field < 0)
		return;
	size_t room = FIELD - 1 - r->len[r->field], take = (size_t)len < room ? (size_t)len : room;
	memcpy(r->text[r->field] + r->len[r->field], text, take);
	r->len[r->field] += take;
}

static const char *trimmed(struct reader *r, enum field f)
{
	char *text = r->text[f];
	size_t len = r->len[f];
	while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
		len--;
	text[len] = '\0';
	return text + strspn(text, " \t\r\n");
}

static void end_record(struct reader *r)
{
	struct registry_record record = {
		.name = trimmed(r, NAME),
		.number = trimmed(r, NUMBER),
		.transport = trimmed(r, PROTOCOL),
		.description = trimmed(r, DESCRIPTION),
		.rfc = r->rfc,
		.is_alias = registry_is_alias(trimmed(r, NOTE)),
	};
	r->record = 0;
	if (registry_rows_add(r->rows, &record) != 0)
		stop(r, E_SPACE, "more services than a registry can have");
}

static void XMLCALL on_finish(void *arg, const XML_Char *name)
{
	struct reader *r = arg;
	(void)name;
	if (r->field >= 0 && r->depth == r->field_depth)
		r->field = -1;
	if (r->record != 0 && r->depth == r->record)
		end_record(r);
	r->depth--;
}

static int parse(struct reader *r, const char *text, size_t len)
{
	for (size_t at = 0; r->ret == 0; at += CHUNK) {
		size_t part = len - at < CHUNK ? len - at : CHUNK;
		bool is_last = at + part == len;
		if (XML_Parse(r->parser, text + at, (int)part, is_last) != XML_STATUS_OK && r->ret == 0)
			stop(r, E_MALFORMED, XML_ErrorString(XML_GetErrorCode(r->parser)));
		if (is_last)
			break;
	}
	return r->ret;
}

int registry_read_xml(
	struct registry_rows *rows, const char *text, size_t len, char date[static 12], char why[static REGISTRY_WHY])
{
	struct reader *r = calloc(1, sizeof(*r));
	XML_Parser parser = XML_ParserCreate(NULL);
	if (r == NULL || parser == NULL) {
		XML_ParserFree(parser); /* NULL is allowed */
		free(r);
		snprintf(why, REGISTRY_WHY, "no memory left to read it");
		return E_NOMEM;
	}
	*r = (struct reader){.parser = parser, .rows = rows, .field = -1, .why = why};
	XML_SetUserData(parser, r);
	XML_SetElementHandler(parser, on_begin, on_finish);
	XML_SetCharacterDataHandler(parser, on_text);
	XML_SetStartDoctypeDeclHandler(parser, on_doctype);
	int ret = parse(r, text, len);
	if (ret == 0 && registry_is_date(trimmed(r, UPDATED)))
		snprintf(date, 12, "%.10s", trimmed(r, UPDATED));
	XML_ParserFree(parser);
	free(r);
	return ret;
}
