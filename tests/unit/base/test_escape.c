#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/escape.h"

static void test_escape(void **state)
{
	static const struct {
		const char *text, *safe;
	} cases[] = {
		{"", ""},
		{"www.example. A", "www.example. A"},
		{"\x1b[31mred\r\n", "\\x1b[31mred\\x0d\\x0a"},
		{"\x7f\t", "\\x7f\\x09"},
		{"m\xc3\xbcnchen \xe2\x86\x92", "m\xc3\xbcnchen \xe2\x86\x92"},
		{"\xc2\x9b"
		 "31m",
			"\\u009b31m"},
		{"\xe2\x80\xae", "\\u202e"},
		{"\xf3\xa0\x80\x81", "\\U000e0001"},
		{"\xff\xc0\x80\xed\xa0\x80\xc3", "\\xff\\xc0\\x80\\xed\\xa0\\x80\\xc3"},
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char out[64];
		assert_string_equal(escape_text(out, sizeof(out), cases[i].text), cases[i].safe);
	}
}

/* Whatever the size, the result fits, ends, and is the start of the whole with "..." where something is missing. */
static void test_cut(void **state)
{
	const char *text = "ab\x1b\xc3\xbc"
			   "cd\xe2\x80\xae!",
		   *whole = "ab\\x1b\xc3\xbc"
			    "cd\\u202e!";
	(void)state;
	for (size_t size = 4; size < 32; size++) {
		char out[33];
		memset(out, '#', sizeof(out));
		escape_text(out, size, text);
		size_t len = strlen(out);
		assert_true(len < size);
		assert_int_equal(out[size], '#');
		if (size > strlen(whole)) {
			assert_string_equal(out, whole);
			continue;
		}
		assert_string_equal(out + len - 3, "...");
		assert_memory_equal(out, whole, len - 3);
	}
	char out[16];
	assert_string_equal(escape_bytes(out, sizeof(out), "a\0b", 3), "a\\x00b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_escape), cmocka_unit_test(test_cut)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
