#include "unit/unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "resolve/hints.h"

static void test_builtin(void **state)
{
	static struct hints hints;
	char name[NAME_TEXT];
	unsigned v6 = 0;
	(void)state;
	hints_builtin(&hints);
	assert_int_equal(hints.count, 26);
	for (size_t i = 0; i < hints.count; i++) {
		const struct hint *hint = &hints.hint[i];
		char wanted[] = "?.root-servers.net.";
		wanted[0] = (char)('a' + i / 2);
		assert_string_equal(name_text(hint->name, name), wanted);
		assert_int_equal(addr_port(&hint->addr), 53);
		assert_false(addr_is_bogus(&hint->addr) || addr_is_loopback(&hint->addr));
		v6 += addr_is_v6(&hint->addr);
		for (size_t k = 0; k < i; k++)
			assert_false(addr_equal(&hints.hint[k].addr, &hint->addr));
	}
	assert_int_equal(v6, 13);
}

static const char *write_file(const char *text)
{
	static char path[64];
	strcpy(path, "/tmp/berth-hints-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return path;
}

static void test_file(void **state)
{
	static const struct {
		const char *text;
		int ret;
		size_t count;
		const char *line; /* in the complaint, behind the path */
	} cases[] = {
		{". 3600000 NS A.Root-Servers.Net.\nA.Root-Servers.Net. 3600000 A 198.41.0.4\n"
		 "A.Root-Servers.Net. 3600000 AAAA 2001:503:ba3e::2:30\n",
			0, 2, NULL},
		{"; only a comment\nns. A 192.0.2.1\n", 0, 1, NULL},
		{". NS ns.\n", E_MALFORMED, 0, ": holds no address"},
		{"", E_MALFORMED, 0, ": holds no address"},
		{"ns. A 192.0.2.1\nns. A 192.0.2.256\n", E_MALFORMED, 0, ":2: "},
		{"ns. A 192.0.2.1\n\n\nns. A\nns. A 192.0.2.1\nns. A 192.0.2.1\n", E_MALFORMED, 0, ":4: "},
		{"this is no zone file at all\n", E_MALFORMED, 0, ":1: "},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		static struct hints hints;
		char why[300] = "", wanted[100];
		const char *path = write_file(cases[i].text);
		hints_builtin(&hints);
		int ret = hints_read(&hints, path, why, sizeof(why));
		unlink(path);
		assert_int_equal(ret, cases[i].ret);
		if (ret == 0) {
			assert_int_equal(hints.count, cases[i].count);
			continue;
		}
		assert_int_equal(hints.count, 26); /* the old ones stay */
		snprintf(wanted, sizeof(wanted), "%s%s", path, cases[i].line);
		if (strncmp(why, wanted, strlen(wanted)) != 0)
			print_error("said: %s\n", why);
		assert_memory_equal(why, wanted, strlen(wanted));
	}
}

static void test_names_and_limit(void **state)
{
	static struct hints hints;
	static char text[8000];
	char why[200], name[NAME_TEXT];
	(void)state;
	for (size_t i = 0, at = 0; i < HINTS_MAX + 5; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "NS%zu.Example. A 192.0.2.%zu\n", i, i);
	const char *path = write_file(text);
	assert_int_equal(hints_read(&hints, path, why, sizeof(why)), 0);
	unlink(path);
	assert_int_equal(hints.count, HINTS_MAX);
	assert_string_equal(name_text(hints.hint[HINTS_MAX - 1].name, name), "ns31.example.");
}

static void test_no_file(void **state)
{
	static struct hints hints;
	char why[200] = "";
	(void)state;
	assert_int_equal(hints_read(&hints, "/nonexistent/root.hints", why, sizeof(why)), E_NOENT);
	assert_non_null(strstr(why, "/nonexistent/root.hints: cannot be read"));
	assert_int_not_equal(hints_read(&hints, "/", why, sizeof(why)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_builtin),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_names_and_limit),
		cmocka_unit_test(test_no_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
