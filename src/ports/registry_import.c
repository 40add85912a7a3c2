/* Decides which records of the IANA's file become rows, and which rows are one: those of one name, port and RFC, with
 * all of their transports. The same rules stand in scripts/make-registry, and a test holds both beside each other. */
#include "ports/registry_import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/escape.h"
#include "base/words.h"
#include "ports/registry_rows.h"

/* --- records --- */

bool registry_is_alias(const char *note)
{
	static const char *const begins[] = {"This entry is an alias to \"", "This is a duplicate of the \""};
	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		if (strstr(note, begins[i]) != NULL)
			return true;
	return false;
}

bool registry_is_date(const char *text)
{
	static const char form[] = "dddd-dd-dd";
	if (strlen(text) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return false;
	return true;
}

/* RFC 6335 5.1, and what older names have: printable, without blanks, quotes and backslashes. */
static bool is_name(const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '"' || name[i] == '\\')
			return false;
	return len > 0 && len < SERVICE_NAME;
}

static bool read_range(const char *text, unsigned *first, unsigned *last)
{
	char *end;
	*first = *last = 0;
	if (*text == '\0')
		return true;
	if (*text < '0' || *text > '9')
		return false;
	unsigned long low = strtoul(text, &end, 10), high = low;
	if (*end == '-' && end[1] >= '0' && end[1] <= '9')
		high = strtoul(end + 1, &end, 10);
	*first = (unsigned)low;
	*last = (unsigned)high;
	return *end == '\0' && low <= high && high < PORTS_ALL;
}

static bool read_transport(const char *text, uint8_t *out)
{
	static const struct {
		const char *word;
		uint8_t bit;
	} known[] = {
		{"", 0}, {"udp", SERVICE_UDP}, {"tcp", SERVICE_TCP}, {"sctp", SERVICE_SCTP}, {"dccp", SERVICE_DCCP}};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (word_compare(text, known[i].word) == 0) {
			*out = known[i].bit;
			return true;
		}
	return false;
}

/* Blanks and line ends become one blank, and what is no text for a terminal is made harmless. */
static uint32_t add_text(struct registry_rows *rows, const char *text)
{
	char plain[REGISTRY_DESCRIPTION], safe[REGISTRY_DESCRIPTION];
	size_t len = 0;
	for (; *text != '\0' && len + 1 < sizeof(plain); text++) {
		bool blank = strchr(" \t\r\n", *text) != NULL;
		if (!blank || (len > 0 && plain[len - 1] != ' '))
			plain[len++] = blank ? ' ' : *text;
	}
	while (len > 0 && plain[len - 1] == ' ')
		len--;
	plain[len] = '\0';
	if (len == 0)
		return 0;
	escape_text(safe, sizeof(safe), plain);
	size_t size = strlen(safe) + 1;
	while (rows->texts_len + size > rows->texts_room) {
		rows->texts_room = rows->texts_room * 2 + 65536;
		rows->texts = xrealloc(rows->texts, rows->texts_room);
	}
	memcpy(rows->texts + rows->texts_len, safe, size);
	rows->texts_len += size;
	return (uint32_t)(rows->texts_len - size);
}

static void begin_texts(struct registry_rows *rows)
{
	if (rows->texts != NULL)
		return;
	rows->texts_room = 65536;
	rows->texts = xalloc(rows->texts_room);
	rows->texts[0] = '\0'; /* of rows without a description */
	rows->texts_len = 1;
}

static int add_row(struct registry_rows *rows, const struct service *row, uint32_t description)
{
	enum { RAW_MOST = 4 * REGISTRY_ROWS };
	if (rows->count == RAW_MOST)
		return E_SPACE;
	if (rows->count == rows->room) {
		rows->room = rows->room == 0 ? 4096 : rows->room * 2;
		rows->raw = xrealloc(rows->raw, rows->room * sizeof(rows->raw[0]));
	}
	rows->raw[rows->count++] = (struct registry_raw){*row, description};
	return 0;
}

int registry_rows_add(struct registry_rows *rows, const struct registry_record *record)
{
	unsigned first, last;
	struct service row = {.rfc = (uint16_t)(record->rfc < 65536 ? record->rfc : 0), .is_alias = record->is_alias};
	begin_texts(rows);
	if (record->name[0] == '\0')
		return 0;
	if (!is_name(record->name) || !read_range(record->number, &first, &last) ||
		!read_transport(record->transport, &row.transports)) {
		rows->passed_over++;
		return 0;
	}
	memcpy(row.name, record->name, strlen(record->name) + 1);
	uint32_t description = add_text(rows, record->description);
	int ret = 0;
	for (unsigned port = first; port <= last && ret == 0; port++) {
		row.port = (uint16_t)port;
		ret = add_row(rows, &row, description);
	}
	return ret;
}

/* --- rows --- */

static int compare_rows(const struct service *a, const struct service *b)
{
	int rank = (int)a->port - (int)b->port;
	if (rank == 0)
		rank = (int)a->is_alias - (int)b->is_alias;
	if (rank == 0)
		rank = word_compare(a->name, b->name);
	if (rank == 0)
		rank = strcmp(a->name, b->name);
	return rank != 0 ? rank : (int)a->rfc - (int)b->rfc;
}

/* In the order in which they were read where they are alike: the first one's description stays. */
static int compare_raw(const void *a, const void *b)
{
	const struct registry_raw *x = a, *y = b;
	int rank = compare_rows(&x->row, &y->row);
	return rank != 0 ? rank : (x->description > y->description) - (x->description < y->description);
}

struct named {
	const struct service *row;
	uint16_t index;
};

static int compare_named(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int rank = word_compare(x->row->name, y->row->name);
	return rank != 0 ? rank : (int)x->index - (int)y->index;
}

static void sort_names(const struct service *rows, uint16_t *by_name, size_t count)
{
	struct named *named = xzalloc(count + 1, sizeof(*named));
	for (size_t i = 0; i < count; i++)
		named[i] = (struct named){&rows[i], (uint16_t)i};
	qsort(named, count, sizeof(*named), compare_named);
	for (size_t i = 0; i < count; i++)
		by_name[i] = named[i].index;
	free(named);
}

static size_t join_rows(const struct registry_rows *from, struct service *rows, uint32_t *descriptions)
{
	size_t count = 0;
	for (size_t i = 0; i < from->count; i++) {
		if (count > 0 && compare_rows(&rows[count - 1], &from->raw[i].row) == 0) {
			rows[count - 1].transports |= from->raw[i].row.transports;
			if (descriptions[count - 1] == 0)
				descriptions[count - 1] = from->raw[i].description;
			continue;
		}
		rows[count] = from->raw[i].row;
		descriptions[count++] = from->raw[i].description;
	}
	return count;
}

struct registry *registry_rows_end(struct registry_rows *rows, const char *date)
{
	struct registry *registry = xzalloc(1, sizeof(*registry));
	struct service *all = xzalloc(rows->count + 1, sizeof(*all));
	uint32_t *descriptions = xzalloc(rows->count + 1, sizeof(*descriptions));
	begin_texts(rows);
	if (rows->count > 0)
		qsort(rows->raw, rows->count, sizeof(rows->raw[0]), compare_raw);
	size_t count = join_rows(rows, all, descriptions);
	uint16_t *by_name = xzalloc(count + 1, sizeof(*by_name));
	if (count <= REGISTRY_ROWS)
		sort_names(all, by_name, count);
	*registry = (struct registry){
		strcpy(xalloc(12), date), count, all, by_name, descriptions, rows->texts, rows->texts_len};
	free(rows->raw);
	*rows = (struct registry_rows){0};
	return registry;
}

void registry_rows_free(struct registry_rows *rows)
{
	free(rows->raw);
	free(rows->texts);
	*rows = (struct registry_rows){0};
}

void registry_free(struct registry *registry)
{
	if (registry == NULL)
		return;
	free((void *)(uintptr_t)registry->date);
	free((void *)(uintptr_t)registry->rows);
	free((void *)(uintptr_t)registry->by_name);
	free((void *)(uintptr_t)registry->descriptions);
	free((void *)(uintptr_t)registry->texts);
	free(registry);
}

/* --- the file --- */

int registry_import(struct registry **out, const char *text, size_t len, char why[static REGISTRY_WHY])
{
	struct registry_rows rows = {0};
	char date[12] = "";
	size_t at = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	while (at < len && strchr(" \t\r\n", text[at]) != NULL && text[at] != '\0')
		at++;
	bool is_xml = at < len && text[at] == '<';
	*out = NULL;
	int ret = is_xml ? registry_read_xml(&rows, text + at, len - at, date, why)
			 : registry_read_csv(&rows, text + at, len - at, date, why);
	if (ret == 0 && rows.count == 0) {
		snprintf(why, REGISTRY_WHY, "holds no service with a name");
		ret = E_MALFORMED;
	}
	if (ret != 0) {
		registry_rows_free(&rows);
		return ret;
	}
	struct registry *registry = registry_rows_end(&rows, date);
	if (registry->count > REGISTRY_ROWS) {
		snprintf(why, REGISTRY_WHY, "holds more than %d services", REGISTRY_ROWS);
		registry_free(registry);
		return E_SPACE;
	}
	*out = registry;
	return 0;
}
