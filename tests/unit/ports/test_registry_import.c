/* The IANA's files become the rows that scripts/make-registry makes of them; a file that is anything else changes
 * nothing. */
#include "unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "ports/registry_import.h"

#define OPEN                                                                                                           \
	"<?xml version='1.0'?><registry xmlns=\"x\" id=\"service-names-port-numbers\"><updated>2026-01-02</updated>"
#define DONE "</registry>"

static struct registry *import(const char *text)
{
	struct registry *registry;
	char why[REGISTRY_WHY] = "";
	if (registry_import(&registry, text, strlen(text), why) != 0)
		fail_msg("%s", why);
	return registry;
}

static void assert_rows(const struct registry *r, const struct service *rows, size_t count)
{
	assert_int_equal(r->count, count);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(r->rows[i].name, rows[i].name);
		assert_int_equal(r->rows[i].port, rows[i].port);
		assert_int_equal(r->rows[i].rfc, rows[i].rfc);
		assert_int_equal(r->rows[i].transports, rows[i].transports);
		assert_int_equal(r->rows[i].is_alias, rows[i].is_alias);
	}
}

static const struct service wanted[] = {
	{"dns-only", 0, 0, SERVICE_TCP, false},
	{"sql-net", 66, 0, SERVICE_UDP | SERVICE_TCP, false},
	{"sql*net", 66, 0, SERVICE_TCP, true},
	{"https", 443, 9110, SERVICE_TCP, false},
	{"x", 6000, 0, SERVICE_TCP, false},
	{"x", 6001, 0, SERVICE_TCP, false},
};

static const char xml[] =
	OPEN "<record><name>x</name><protocol>tcp</protocol><number>6000-6001</number></record>"
	     "<record><description>Reserved</description><number>9</number><protocol>tcp</protocol></record>"
	     "<record><name>sql-net</name><protocol>tcp</protocol><description>Oracle\n   &amp; "
	     "more</description><number>66</number></record>"
	     "<record><name> sql-net </name><protocol>udp</protocol><number>66</number></record>"
	     "<record><name>sql*net</name><protocol>tcp</protocol><number>66</number><note>This entry is an alias to "
	     "\"sql-net\".</note></record>"
	     "<record><name>https</name><protocol>tcp</protocol><number>443</number><xref type='rfc' data='rfc2818'/>"
	     "<xref type='rfc' data='rfc9110'/><xref type='person' data='rfc9999'/></record>"
	     "<record><name>dns-only</name><protocol>tcp</protocol></record>"
	     "<record><name>a-name-that-is-too-long</name><protocol>tcp</protocol><number>7</number></record>"
	     "<record><name>bad-number</name><protocol>tcp</protocol><number>70000</number></record>"
	     "<record><name>bad-way</name><protocol>smoke</protocol><number>7</number></record>" DONE;

static const char csv[] =
	"Service Name,Port Number,Transport Protocol,Description,Assignee,Contact,Registration Date,Modification "
	"Date,Reference,Service Code,Unauthorized Use Reported,Assignment Notes\r\n"
	"x,6000-6001,tcp,,,,2020-01-01,2026-01-02,,,,\r\n"
	",9,tcp,Reserved,,,,,,,,\r\n"
	"sql-net,66,tcp,\"Oracle\n   & more\",,,,,,,,\r\n"
	"sql-net,66,udp,,,,,,,,,\r\n"
	"sql*net,66,tcp,,,,,,,,,\"This entry is an alias to \"\"sql-net\"\".\nIt is older.\"\r\n"
	"https,443,tcp,,,,,,[RFC2818][RFC9110],,,\r\n"
	"dns-only,,tcp,,,,,,,,,\r\n"
	"a-name-that-is-too-long,7,tcp,,,,,,,,,\r\n"
	"bad-number,70000,tcp,,,,,,,,,\n"
	"bad-way,7,smoke,,,,,,,,,";

static void test_small(void **state)
{
	(void)state;
	const char *const texts[] = {xml, csv};
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct registry *r = import(texts[i]);
		assert_rows(r, wanted, COUNT_OF(wanted));
		assert_string_equal(r->date, "2026-01-02");
		registry_use(r);
		assert_string_equal(registry_description(registry_of_port(66, 0)), "Oracle & more");
		assert_string_equal(registry_description(registry_of_port(66, 1)), "");
		assert_string_equal(registry_date(), "2026-01-02");
		assert_int_equal(registry_of_name("SQL-NET", 0)->port, 66);
		assert_int_equal(registry_of_name("x", 1)->port, 6001);
		assert_null(registry_of_port(53, 0)); /* the built-in one is out of use */
		registry_use(NULL);
		assert_string_equal(registry_of_port(53, 0)->name, "domain");
		assert_string_equal(registry_description(registry_of_port(53, 0)), "");
		registry_free(r);
	}
}

/* Names and descriptions may not drive a terminal. */
static void test_hostile_words(void **state)
{
	(void)state;
	struct registry *r = import(OPEN "<record><name>a</name><number>1</number><description>x\xc2\x9b"
					 "31m&#x202e;y</description></record>" DONE);
	const char *text = r->texts + r->descriptions[0];
	for (const char *c = text; *c != '\0'; c++)
		assert_true(*c >= ' ' && *c <= '~');
	assert_int_equal(text[0], 'x');
	registry_free(r);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"", "neither the IANA's XML nor its CSV"},
		{"hello\n", "neither the IANA's XML nor its CSV"},
		{"Service Name,Port Number\na,1\n", "neither the IANA's XML nor its CSV"},
		{"Service Name,Port Number,Transport Protocol\n", "no service with a name"},
		{"Service Name,Port Number,Transport Protocol\na,1,tcp\nb,\"2,tcp\n",
			"line 3: a quote that does not end"},
		{"<html><body/></html>", "not the registry"},
		{"<registry id='other'/>", "not the registry"},
		{OPEN DONE, "no service with a name"},
		{OPEN "<record><name>a</name>", "line 1"},
		{"<!DOCTYPE registry [<!ENTITY a \"aaaa\">]>"
		 "<registry id='service-names-port-numbers'><record>"
		 "<name>&a;</name><number>1</number></record></registry>",
			"document type"},
		{OPEN "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>", "elements within elements"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct registry *r;
		char why[REGISTRY_WHY] = "";
		if (registry_import(&r, cases[i].text, strlen(cases[i].text), why) == 0)
			fail_msg("case %zu is taken", i);
		assert_null(r);
		if (strstr(why, cases[i].words) == NULL)
			fail_msg("case %zu: %s", i, why);
	}
}

static void test_too_many(void **state)
{
	(void)state;
	char *text = malloc(1 << 20), why[REGISTRY_WHY];
	struct registry *r;
	size_t len = (size_t)sprintf(text, "Service Name,Port Number,Transport Protocol\n");
	for (unsigned i = 0; i < 100; i++)
		len += (size_t)sprintf(text + len, "s%u,0-65535,tcp\n", i);
	assert_int_equal(registry_import(&r, text, len, why), E_SPACE);
	assert_null(r);
	free(text);
}

/* Every cut of both files ends well, whatever it says; copied, so that a sanitizer sees a step too far. */
static void test_cut(void **state)
{
	(void)state;
	const char *const texts[] = {xml, csv};
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		for (size_t len = 0; len < strlen(texts[i]); len++) {
			char *copy = malloc(len + 1), why[REGISTRY_WHY];
			struct registry *r;
			memcpy(copy, texts[i], len);
			(void)!registry_import(&r, copy, len, why);
			registry_free(r);
			free(copy);
		}
}

/* --- on the disk --- */

static void test_file(void **state)
{
	char path[] = "/tmp/berth-registry-XXXXXX", why[REGISTRY_WHY] = "";
	struct registry *r = import(xml), *again;
	struct stat st;
	(void)state;
	close(mkstemp(path));
	assert_int_equal(registry_file_write(r, path, why), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(registry_file_load(&again, path, why), 0);
	assert_rows(again, wanted, COUNT_OF(wanted));
	assert_string_equal(again->date, "2026-01-02");
	for (size_t i = 0; i < r->count; i++) {
		assert_int_equal(again->by_name[i], r->by_name[i]);
		assert_string_equal(again->texts + again->descriptions[i], r->texts + r->descriptions[i]);
	}
	registry_free(again);
	/* A byte of it changed, one after the other, and every cut: sound or refused, never a step out of it. */
	int fd = open(path, O_RDWR);
	for (off_t at = 0; at < st.st_size; at++) {
		char byte, other;
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		other = (char)(byte ^ 0xff);
		assert_int_equal(pwrite(fd, &other, 1, at), 1);
		if (registry_file_load(&again, path, why) == 0) {
			registry_use(again);
			for (size_t i = 0; registry_row(i) != NULL; i++)
				assert_true(strlen(registry_description(registry_row(i))) < REGISTRY_DESCRIPTION);
			(void)registry_of_name("x", 0);
			registry_use(NULL);
		}
		registry_free(again);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	for (off_t len = st.st_size - 1; len >= 0; len -= 7) {
		assert_int_equal(ftruncate(fd, len), 0);
		assert_int_equal(registry_file_load(&again, path, why), E_MALFORMED);
	}
	close(fd);
	unlink(path);
	assert_int_equal(registry_file_load(&again, path, why), E_NOENT);
	assert_int_not_equal(registry_file_write(r, "/proc/x/registry", why), 0);
	registry_free(r);
}

/* Where the bytes stand in the file; they are there once. */
static void patch(const char *path, const char *old, const char *with)
{
	static char bytes[65536];
	size_t len = strlen(old), at = 0;
	int fd = open(path, O_RDWR);
	ssize_t got = read(fd, bytes, sizeof(bytes));
	assert_int_equal(strlen(with), len);
	while (at + len <= (size_t)got && memcmp(bytes + at, old, len) != 0)
		at++;
	assert_true(at + len <= (size_t)got);
	assert_int_equal(pwrite(fd, with, len, (off_t)at), len);
	close(fd);
}

/* A file that somebody else wrote must not speak to the terminal. */
static void test_hostile_file(void **state)
{
	static const struct {
		const char *old, *with;
	} rows[] = {{"2026-01-02", "\x1b[31mEVIL!"}, {"Oracle", "\x1b]0;x\x07"},
		{"Oracle", "\xe2\x80\xae"
			   "abc"},
		{"Oracle", "Ora\xff"
			   "le"},
		{"2026-01-02", "2026-01/02"}};
	char path[] = "/tmp/berth-registry-XXXXXX", why[REGISTRY_WHY] = "";
	struct registry *r = import(xml), *again;
	(void)state;
	close(mkstemp(path));
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_int_equal(registry_file_write(r, path, why), 0);
		patch(path, rows[i].old, rows[i].with);
		assert_int_equal(registry_file_load(&again, path, why), E_MALFORMED);
	}
	assert_int_equal(registry_file_write(r, path, why), 0);
	assert_int_equal(registry_file_load(&again, path, why), 0);
	registry_free(again);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 65534, 65534), 0);
		assert_int_equal(registry_file_load(&again, path, why), E_MALFORMED);
		assert_non_null(strstr(why, "neither yours nor root's"));
	}
	unlink(path);
	registry_free(r);
}

static void test_xml_date(void **state)
{
	struct registry *r =
		import("<?xml version='1.0'?><registry xmlns=\"x\" id=\"service-names-port-numbers\"><updated>"
		       "today, &#x9b;31m</updated><record><name>x</name><number>6</number></record>" DONE);
	(void)state;
	assert_string_equal(r->date, "");
	registry_free(r);
}

/* --- the real one --- */

static void test_as_built_in(void **state)
{
	char path[600], why[REGISTRY_WHY] = "";
	const char *data = getenv("BERTH_DATA");
	struct stat st;
	(void)state;
	snprintf(path, sizeof(path), "%s/service-names-port-numbers.xml", data != NULL ? data : "../shared/data");
	int fd = open(path, O_RDONLY);
	if (fd < 0 || fstat(fd, &st) != 0) {
		printf("skipped: the IANA's XML is not there (BERTH_DATA)\n");
		skip();
	}
	char *text = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
	close(fd);
	struct registry *r;
	assert_int_equal(registry_import(&r, text, (size_t)st.st_size, why), 0);
	free(text);
	const struct service *row;
	size_t count = 0, described = 0;
	for (; (row = registry_row(count)) != NULL; count++)
		continue;
	if (strcmp(r->date, registry_date()) == 0)
		assert_int_equal(r->count, count);
	for (size_t i = 0; i < count && strcmp(r->date, registry_date()) == 0; i++) {
		row = registry_row(i);
		if (strcmp(row->name, r->rows[i].name) != 0 || memcmp(&row->port, &r->rows[i].port, 5) != 0)
			fail_msg("row %zu: %s %u beside %s %u", i, row->name, row->port, r->rows[i].name,
				r->rows[i].port);
		described += r->descriptions[i] != 0;
	}
	assert_true(described > count / 2);
	/* And both orders of names are the same. */
	registry_use(r);
	assert_int_equal(registry_of_name("http-alt", 2)->port, 8080);
	registry_use(NULL);
	registry_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_small), cmocka_unit_test(test_hostile_words),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_too_many), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_file), cmocka_unit_test(test_hostile_file), cmocka_unit_test(test_xml_date),
		cmocka_unit_test(test_as_built_in)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
