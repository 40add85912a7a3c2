/* The registry of services: its order, its searches, what the model says of every row; and each row beside IANA's XML
 * where that is there. */
#include "unit/unit.h"

#include <stdlib.h>

#include "base/words.h"
#include "ports/model.h"
#include "ports/registry.h"

enum { SERVICE_ALL = SERVICE_UDP | SERVICE_TCP | SERVICE_SCTP | SERVICE_DCCP };

static size_t count_rows(void)
{
	size_t count = 0;
	while (registry_row(count) != NULL)
		count++;
	return count;
}

/* --- known rows --- */

struct known {
	const char *name;
	uint16_t port, rfc;
	uint8_t transports;
};

static const struct service *find(const struct known *known)
{
	const struct service *s;
	for (size_t i = 0; (s = registry_of_port(known->port, i)) != NULL; i++)
		if (strcmp(s->name, known->name) == 0 && s->rfc == known->rfc)
			return s;
	return NULL;
}

static void test_known(void **state)
{
	static const struct known cases[] = {
		{"domain", 53, 0, SERVICE_UDP | SERVICE_TCP},
		{"domain-s", 853, 7858, SERVICE_TCP},
		{"domain-s", 853, 9250, SERVICE_UDP},
		{"https", 443, 9110, SERVICE_UDP | SERVICE_TCP},
		{"https", 443, 9260, SERVICE_SCTP},
		{"mdns", 5353, 6762, SERVICE_UDP | SERVICE_TCP},
		{"x11", 6000, 0, SERVICE_UDP | SERVICE_TCP},
		{"x11", 6063, 0, SERVICE_UDP | SERVICE_TCP},
		{"ircu", 6669, 0, SERVICE_TCP},
		{"swx", 7359, 0, 0},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct service *s = find(&cases[i]);
		if (s == NULL)
			fail_msg("%s at %u is not there", cases[i].name, cases[i].port);
		assert_int_equal(s->transports, cases[i].transports);
		assert_false(s->is_alias);
	}
	assert_null(registry_of_port(0, 0)); /* reserved, though rows without a port say 0 */
	assert_null(registry_of_port(230, 0));
	assert_null(registry_of_port(24, 0)); /* "any private mail system" is nobody's name */
	assert_null(registry_of_port(53, 1));
	assert_string_equal(registry_of_port(80, 0)->name, "http");
	assert_false(registry_of_port(80, 0)->is_alias);
	assert_string_equal(registry_of_port(66, 0)->name, "sql-net");
	assert_string_equal(registry_of_port(66, 1)->name, "sql*net");
	assert_true(registry_of_port(66, 1)->is_alias);
}

static void test_names(void **state)
{
	static const uint16_t http_alt[] = {591, 8008, 8080};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(http_alt); i++)
		assert_int_equal(registry_of_name("HTTP-alt", i)->port, http_alt[i]);
	assert_null(registry_of_name("http-alt", COUNT_OF(http_alt)));
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(registry_of_name("x11", i)->port, 6000 + i);
	assert_null(registry_of_name("x11", 64));
	assert_int_equal(registry_of_name("airplay", 0)->port, 0);
	static const char *const none[] = {"", "domai", "domainn", "zzzz", "-", "\xff", "wireguard"};
	for (size_t i = 0; i < COUNT_OF(none); i++)
		assert_null(registry_of_name(none[i], 0));
}

static void test_nearest(void **state)
{
	(void)state;
	assert_string_equal(registry_nearest("domian"), "domain");
	assert_string_equal(registry_nearest("HTPS"), "https");
	assert_string_equal(registry_nearest("mdsn"), "mdns");
	assert_null(registry_nearest("entirely-else"));
	assert_null(registry_nearest(""));
}

/* --- all rows --- */

static void test_order(void **state)
{
	const struct service *s, *before = NULL;
	(void)state;
	for (size_t i = 0; (s = registry_row(i)) != NULL; before = s, i++) {
		assert_in_range(strlen(s->name), 1, SERVICE_NAME - 1);
		assert_int_equal(s->transports & ~SERVICE_ALL, 0);
		/* RFC 6335 6: a dynamic port is never assigned. */
		assert_int_not_equal(port_class(s->port), PORT_DYNAMIC);
		if (before == NULL || s->port != before->port)
			continue;
		assert_true(s->is_alias >= before->is_alias);
		if (s->is_alias == before->is_alias) {
			int order = word_compare(before->name, s->name);
			assert_true(order < 0 || (order == 0 && before->rfc < s->rfc));
		}
	}
	assert_true(count_rows() > 7000);
	assert_int_equal(strlen(registry_date()), strlen("2026-08-17"));
}

/* By port every row with a port is found, once; by name every row. */
static void test_searches(void **state)
{
	const struct service *s, *found;
	size_t with_port = 0, seen = 0, count = count_rows();
	(void)state;
	for (unsigned port = 0; port < PORTS_ALL; port++)
		for (size_t i = 0; (s = registry_of_port((uint16_t)port, i)) != NULL; i++, seen++)
			assert_int_equal(s->port, port);
	for (size_t i = 0; i < count; i++) {
		s = registry_row(i);
		with_port += s->port != 0;
		size_t nth = 0;
		uint16_t before = 0;
		while ((found = registry_of_name(s->name, nth)) != NULL && found != s) {
			assert_true(found->port >= before);
			before = found->port;
			nth++;
		}
		assert_ptr_equal(found, s);
	}
	assert_int_equal(seen, with_port);
}

static void test_udp_ports(void **state)
{
	static struct port_set set;
	(void)state;
	registry_udp_ports(&set);
	for (unsigned port = 0; port < PORTS_ALL; port++) {
		const struct service *s;
		bool wanted = false;
		for (size_t i = 0; (s = registry_of_port((uint16_t)port, i)) != NULL; i++)
			wanted |= s->transports == 0 || (s->transports & SERVICE_UDP) != 0;
		assert_int_equal(port_set_has(&set, (uint16_t)port), wanted);
	}
	assert_true(port_set_has(&set, 53) && port_set_has(&set, 5353) && port_set_has(&set, 7300));
	assert_false(port_set_has(&set, 0));    /* rows without a port are no port 0 */
	assert_false(port_set_has(&set, 2377)); /* swarm is registered for TCP; UDP is reserved beside it */
	assert_true(port_set_count(&set) > 5000);
}

static void test_transport_words(void **state)
{
	char text[SERVICE_WORDS];
	(void)state;
	assert_string_equal(service_transport_words(0, text), "");
	assert_string_equal(service_transport_words(SERVICE_TCP, text), "TCP");
	assert_string_equal(service_transport_words(SERVICE_ALL, text), "UDP, TCP, SCTP and DCCP");
	assert_string_equal(service_transport_words(SERVICE_UDP | SERVICE_TCP, text), "UDP and TCP");
}

/* --- beside the XML --- */

enum { FIELD = 256 };

/* What the XML says of one record, read line by line without an idea of XML. */
struct record {
	char name[FIELD], protocol[FIELD], number[FIELD], date[FIELD];
	unsigned rfc;
	bool is_alias, in_prose; /* in_prose: inside of an element whose references are not the record's own */
};

/* The text between `before` and the next "<" when the line begins with `before`. */
static bool field(const char *line, const char *before, char out[static FIELD])
{
	if (strncmp(line, before, strlen(before)) != 0)
		return false;
	line += strlen(before);
	size_t len = strcspn(line, "<\n");
	assert_true(len < FIELD);
	memcpy(out, line, len);
	out[len] = '\0';
	return true;
}

static void follow_prose(struct record *r, const char *line)
{
	static const char *const prose[][2] = {{"<assignee>", "</assignee>"}, {"<description>", "</description>"},
		{"<note>", "</note>"}, {"<unauthorized>", "</unauthorized>"}};
	for (size_t i = 0; i < COUNT_OF(prose); i++) {
		if (strncmp(line, prose[i][0], strlen(prose[i][0])) == 0)
			r->in_prose = true;
		if (strstr(line, prose[i][1]) != NULL)
			r->in_prose = false;
	}
}

static void read_line(struct record *r, const char *line)
{
	static const char reference[] = "<xref type=\"rfc\" data=\"rfc";
	line += strspn(line, " \t");
	follow_prose(r, line);
	if (!r->in_prose && strncmp(line, reference, strlen(reference)) == 0) {
		unsigned rfc = (unsigned)atoi(line + strlen(reference));
		r->rfc = rfc > r->rfc ? rfc : r->rfc;
	}
	if (strstr(line, "This entry is an alias to ") != NULL || strstr(line, "This is a duplicate of the ") != NULL)
		r->is_alias = true;
	(void)(field(line, "<name>", r->name) || field(line, "<protocol>", r->protocol) ||
		field(line, "<number>", r->number) || field(line, "<updated>", r->date));
}

static uint8_t transport_of(const struct record *r)
{
	static const char *const words[] = {"udp", "tcp", "sctp", "dccp"};
	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (strcmp(r->protocol, words[i]) == 0)
			return (uint8_t)(1 << i);
	assert_string_equal(r->protocol, "");
	return 0;
}

static size_t row_of(const struct record *r, uint16_t port)
{
	const struct service *s;
	for (size_t i = 0; (s = registry_of_name(r->name, i)) != NULL; i++)
		if (s->port == port && s->rfc == r->rfc && strcmp(s->name, r->name) == 0 && s->is_alias == r->is_alias)
			return (size_t)(s - registry_row(0));
	fail_msg("\"%s\", port %u, RFC %u has no row", r->name, port, r->rfc);
	return 0;
}

/* Notes what a record with a name says of each of its rows. */
static void compare(const struct record *r, uint8_t *said, bool *met)
{
	unsigned first = 0, last = 0;
	int read = sscanf(r->number, "%u-%u", &first, &last);
	if (read < 2)
		last = first;
	for (unsigned port = first; port <= last; port++) {
		size_t row = row_of(r, (uint16_t)port);
		said[row] |= transport_of(r);
		met[row] = true;
	}
}

/* berth's own repository holds the facts alone; BERTH_DATA names a folder with the XML they are from. */
static FILE *open_xml(char date[static FIELD])
{
	char path[1024], line[4096];
	struct record head = {.date = ""};
	const char *folder = getenv("BERTH_DATA");
	snprintf(path, sizeof(path), "%s/service-names-port-numbers.xml", folder != NULL ? folder : ".");
	FILE *f = fopen(path, "r");
	while (f != NULL && head.date[0] == '\0' && fgets(line, sizeof(line), f) != NULL)
		read_line(&head, line);
	strcpy(date, head.date);
	return f;
}

static void test_beside_xml(void **state)
{
	char line[4096], date[FIELD];
	size_t rows = count_rows(), records = 0;
	(void)state;
	FILE *f = open_xml(date);
	if (f == NULL || strcmp(date, registry_date()) != 0) {
		printf("skipped: the registry beside IANA's XML: BERTH_DATA names no folder with that of %s\n",
			registry_date());
		if (f != NULL)
			fclose(f);
		skip();
	}
	uint8_t *said = calloc(rows, 1);
	bool *met = calloc(rows, sizeof(*met));
	struct record r = {.rfc = 0};
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strstr(line, "<record ") != NULL || strstr(line, "<record>") != NULL)
			r = (struct record){.rfc = 0};
		read_line(&r, line);
		if (strstr(line, "</record>") != NULL) {
			if (r.name[0] != '\0')
				compare(&r, said, met);
			records++;
		}
	}
	fclose(f);
	assert_true(records > 14000);
	for (size_t i = 0; i < rows; i++) {
		if (!met[i])
			fail_msg("\"%s\", port %u, is in no record", registry_row(i)->name, registry_row(i)->port);
		if (said[i] != registry_row(i)->transports)
			fail_msg("\"%s\", port %u: transports %d, not %d", registry_row(i)->name, registry_row(i)->port,
				said[i], registry_row(i)->transports);
	}
	free(said);
	free(met);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_searches),
		cmocka_unit_test(test_udp_ports),
		cmocka_unit_test(test_transport_words),
		cmocka_unit_test(test_beside_xml),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
