/* Decides how the IANA's CSV is read: RFC 4180, columns found by their titles. It has no date of its own; the newest
 * date of a record stands for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/words.h"
#include "ports/registry_rows.h"

enum { COLUMNS = 32, FIELD = 2048 };

enum column { NAME, NUMBER, TRANSPORT, DESCRIPTION, REFERENCE, NOTES, REGISTERED, MODIFIED, WANTED };

static const char *const titles[WANTED] = {"Service Name", "Port Number", "Transport Protocol", "Description",
	"Reference", "Assignment Notes", "Registration Date", "Modification Date"};

struct reader {
	const char *at, *end;
	unsigned long line;
	char field[COLUMNS][FIELD];
	unsigned count;    /* fields of the row */
	int place[WANTED]; /* column of each title; -1: there is none */
};

/* --- rows --- */

/* A field up to its comma or the end of the row. What does not fit is cut. False: a quote that never ends. */
static bool read_field(struct reader *r, char *out)
{
	size_t len = 0;
	bool quoted = r->at < r->end && *r->at == '"', open = quoted;
	r->at += quoted;
	for (; r->at < r->end; r->at++) {
		char c = *r->at;
		if (c == '\n')
			r->line++;
		if (open && c == '"' && r->at + 1 < r->end && r->at[1] == '"')
			r->at++;
		else if (open && c == '"') {
			open = false;
			continue;
		} else if (!open && (c == ',' || c == '\n'))
			break;
		if (len + 1 < FIELD && c != '\0')
			out[len++] = c;
	}
	while (len > 0 && strchr(" \t\r\n", out[len - 1]) != NULL)
		len--;
	out[len] = '\0';
	return !open;
}

/* False: the row is not well formed. Columns beyond those that the registry has are read over. */
static bool read_row(struct reader *r)
{
	char *spare = r->field[COLUMNS - 1];
	for (r->count = 0;;) {
		char *out = r->count < COLUMNS - 1 ? r->field[r->count] : spare;
		if (!read_field(r, out))
			return false;
		r->count += r->count < COLUMNS - 1;
		if (r->at == r->end || *r->at++ == '\n')
			return true;
	}
}

static const char *value(const struct reader *r, enum column column)
{
	int place = r->place[column];
	const char *text = place >= 0 && place < (int)r->count ? r->field[place] : "";
	return text + strspn(text, " \t");
}

/* --- what they say --- */

static bool find_columns(struct reader *r)
{
	for (int c = 0; c < WANTED; c++) {
		r->place[c] = -1;
		for (unsigned i = 0; i < r->count; i++)
			if (word_compare(r->field[i], titles[c]) == 0)
				r->place[c] = (int)i;
	}
	return r->place[NAME] >= 0 && r->place[NUMBER] >= 0 && r->place[TRANSPORT] >= 0;
}

/* "[RFC6335][RFC9110]": the newest. */
static unsigned newest_rfc(const char *text)
{
	unsigned long newest = 0;
	for (; (text = strstr(text, "[RFC")) != NULL; text += 4) {
		unsigned long number = strtoul(text + 4, NULL, 10);
		if (number > newest && number < 65536)
			newest = number;
	}
	return (unsigned)newest;
}

static void note_date(char date[static 12], const char *text)
{
	if (registry_is_date(text) && strcmp(text, date) > 0)
		snprintf(date, 12, "%.10s", text);
}

static int take_row(struct reader *r, struct registry_rows *rows, char date[static 12])
{
	struct registry_record record = {
		.name = value(r, NAME),
		.number = value(r, NUMBER),
		.transport = value(r, TRANSPORT),
		.description = value(r, DESCRIPTION),
		.rfc = newest_rfc(value(r, REFERENCE)),
		.is_alias = registry_is_alias(value(r, NOTES)),
	};
	note_date(date, value(r, REGISTERED));
	note_date(date, value(r, MODIFIED));
	return registry_rows_add(rows, &record);
}

static int read_all(struct reader *r, struct registry_rows *rows, char date[static 12], char why[static REGISTRY_WHY])
{
	if (!read_row(r) || !find_columns(r)) {
		snprintf(why, REGISTRY_WHY,
			"neither the IANA's XML nor its CSV, whose first line has \"%s\", \"%s\" and \"%s\"",
			titles[NAME], titles[NUMBER], titles[TRANSPORT]);
		return E_MALFORMED;
	}
	while (r->at < r->end) {
		unsigned long line = r->line;
		if (!read_row(r)) {
			snprintf(why, REGISTRY_WHY, "line %lu: a quote that does not end", line);
			return E_MALFORMED;
		}
		if (take_row(r, rows, date) != 0) {
			snprintf(why, REGISTRY_WHY, "line %lu: more services than a registry can have", line);
			return E_SPACE;
		}
	}
	return 0;
}

int registry_read_csv(
	struct registry_rows *rows, const char *text, size_t len, char date[static 12], char why[static REGISTRY_WHY])
{
	struct reader *r = xzalloc(1, sizeof(*r));
	r->at = text;
	r->end = text + len;
	r->line = 1;
	int ret = read_all(r, rows, date, why);
	free(r);
	return ret;
}
