#include "unit/unit.h"

#include <stdlib.h>

#include "base/error.h"
#include "dns/name.h"

#define LABEL63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LABEL61 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_text(void **state)
{
	static const struct {
		const char *text, *out; /* NULL: refused */
		unsigned labels;
	} cases[] = {
		{".", ".", 0},
		{"org", "org.", 1},
		{"WWW.Example.ORG.", "www.example.org.", 3},
		{"_sip._tcp.example.org", "_sip._tcp.example.org.", 4},
		{"a\\.b.c", "a\\.b.c.", 2},
		{"\\065.c", "a.c.", 2},
		{"\\000.c", "\\000.c.", 2},
		{"\\255.c", "\\255.c.", 2},
		{"*.example", "*.example.", 2},
		{LABEL63 ".x", LABEL63 ".x.", 2},
		{LABEL63 "." LABEL63 "." LABEL63 "." LABEL61, LABEL63 "." LABEL63 "." LABEL63 "." LABEL61 ".", 4},
		{"", NULL, 0},
		{"..", NULL, 0},
		{".a", NULL, 0},
		{"a..b", NULL, 0},
		{"\\256.c", NULL, 0},
		{"\\1.c", NULL, 0},
		{"a\\", NULL, 0},
		{"a" LABEL63, NULL, 0},
		{LABEL63 "." LABEL63 "." LABEL63 ".a" LABEL61, NULL, 0},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint8_t name[NAME_MAX_LEN];
		char text[NAME_TEXT];
		int ret = name_from_text(name, cases[i].text);
		assert_int_equal(ret, cases[i].out != NULL ? 0 : E_INVAL);
		if (ret != 0)
			continue;
		assert_string_equal(name_text(name, text), cases[i].out);
		assert_int_equal(name_labels(name), cases[i].labels);
		assert_int_equal(name_wire_len(name, sizeof(name)), name_len(name));
	}
	char *huge = malloc(100000);
	uint8_t name[NAME_MAX_LEN];
	memset(huge, '.', 99999);
	huge[99999] = '\0';
	assert_int_equal(name_from_text(name, huge), E_INVAL);
	free(huge);
}

/* The longest text that a name can have: 255 bytes of which none prints. */
static void test_longest_text(void **state)
{
	uint8_t name[NAME_MAX_LEN];
	char text[NAME_TEXT];
	(void)state;
	memset(name, 1, sizeof(name));
	for (size_t at = 0; at < 192; at += 64)
		name[at] = 63;
	name[192] = 61;
	name[254] = 0;
	assert_int_equal(name_wire_len(name, sizeof(name)), 255);
	assert_int_equal(strlen(name_text(name, text)), 250 * 4 + 4);
	uint8_t back[NAME_MAX_LEN];
	assert_int_equal(name_from_text(back, text), 0);
	assert_memory_equal(back, name, 255);
}

static void test_within_and_below(void **state)
{
	static const struct {
		const char *name, *zone;
		bool within, below;
	} cases[] = {
		{".", ".", true, false},
		{"org", ".", true, true},
		{".", "org", false, false},
		{"example.org", "example.org", true, false},
		{"www.example.org", "example.org", true, true},
		{"a.b.example.org", "example.org", true, true},
		{"example.org", "www.example.org", false, false},
		{"example.org", "example.net", false, false},
		{"wwwexample.org", "example.org", false, false},
		{"example.org.evil", "example.org", false, false},
		{"xexample.org", "example.org", false, false},
		{"example\\.org", "org", false, false},
		{"\\007example\\003org", "example.org", false, false},
		{"x\\007example\\003org\\000", "example.org", false, false},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint8_t name[NAME_MAX_LEN], zone[NAME_MAX_LEN];
		assert_int_equal(name_from_text(name, cases[i].name), 0);
		assert_int_equal(name_from_text(zone, cases[i].zone), 0);
		assert_int_equal(name_is_within(name, zone), cases[i].within);
		assert_int_equal(name_is_below(name, zone), cases[i].below);
		assert_int_equal(name_is_equal(name, zone), cases[i].within && !cases[i].below);
	}
}

static void test_parts(void **state)
{
	uint8_t name[NAME_MAX_LEN], other[NAME_MAX_LEN];
	char text[NAME_TEXT];
	struct arena arena;
	(void)state;
	assert_int_equal(name_from_text(name, "a.bc.def"), 0);
	assert_string_equal(name_text(name_parent(name), text), "bc.def.");
	assert_null(name_parent((const uint8_t *)""));
	assert_string_equal(name_text(name_suffix(name, 0), text), ".");
	assert_string_equal(name_text(name_suffix(name, 1), text), "def.");
	assert_ptr_equal(name_suffix(name, 3), name);
	assert_ptr_equal(name_suffix(name, 99), name);

	memcpy(other, "\1A\2bC\3DEF", 10);
	assert_false(name_is_equal(name, other));
	assert_true(name_is_equal_nocase(name, other));
	arena_init(&arena);
	assert_memory_equal(name_copy(&arena, other), "\1A\2bC\3DEF", 10);
	assert_memory_equal(name_copy_lower(&arena, other), name, 10);
	name_lower(other);
	assert_true(name_is_equal(name, other));
	arena_deinit(&arena);
}

static void test_wire_len(void **state)
{
	static const struct {
		const char *wire;
		size_t room, len;
	} cases[] = {
		{"", 1, 1},
		{"", 0, 0},
		{"\1a", 3, 3},
		{"\1a", 2, 0},
		{"\1a", 1, 0},
		{"\1a\0junk", 7, 3},
		{"\3abc\2de", 8, 8},
		{"\3abc\2de", 7, 0},
		{"\3abc\2de", 6, 0},
		{"\xc0\x0c", 2, 0},
		{"\1a\xc0\x0c", 4, 0},
		{"\x40" LABEL63 "a", 66, 0},
		{"\x80", 2, 0},
		{"\x3f" LABEL63, 65, 65},
		{"\x3f" LABEL63, 64, 0},
		{"\xff\xff\xff", 3, 0},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		/* A copy without a byte more than it says, for ASan. */
		uint8_t *exact = malloc(cases[i].room ? cases[i].room : 1);
		char padded[80] = "";
		memcpy(padded, cases[i].wire, cases[i].room < 70 ? cases[i].room : 70);
		memcpy(exact, padded, cases[i].room);
		assert_int_equal(name_wire_len(exact, cases[i].room), cases[i].len);
		free(exact);
	}
}

static void test_wire_len_limit(void **state)
{
	uint8_t wire[400];
	(void)state;
	/* 1-byte labels: 127 of them and the root are 255 bytes, the most; 128 are too long. */
	for (size_t i = 0; i < sizeof(wire); i += 2) {
		wire[i] = 1;
		wire[i + 1] = 'a';
	}
	wire[254] = 0;
	assert_int_equal(name_wire_len(wire, sizeof(wire)), 255);
	wire[254] = 1;
	wire[256] = 0;
	assert_int_equal(name_wire_len(wire, sizeof(wire)), 0);
	/* A last label that steps over the limit. */
	wire[252] = 2;
	wire[255] = 0;
	assert_int_equal(name_wire_len(wire, sizeof(wire)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_longest_text),
		cmocka_unit_test(test_within_and_below),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_wire_len),
		cmocka_unit_test(test_wire_len_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
