#include "unit/unit.h"

#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "resolve/anchors.h"
#include "unit/sets.h"

#define DS "DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"

static struct arena arena;
static struct anchors *anchors;
static char why[200];

static int begin(void **state)
{
	(void)state;
	hash_init();
	arena_init(&arena);
	anchors = anchors_new();
	return 0;
}

static int end(void **state)
{
	(void)state;
	anchors_unref(anchors);
	arena_deinit(&arena);
	return 0;
}

static int read_text(const char *text)
{
	return anchors_read_text(anchors, text, strlen(text), why, sizeof(why));
}

/* The zone of the closest anchor, with "-" before a negative one's; "" when there is none. */
static const char *closest(const char *name, uint32_t now_s)
{
	static char out[NAME_TEXT + 1];
	char text[NAME_TEXT];
	const struct anchor *anchor = anchors_find(anchors, set_name(&arena, name), now_s);
	snprintf(out, sizeof(out), "%s%s", anchor != NULL && anchor->is_negative ? "-" : "",
		anchor != NULL ? name_text(anchor->zone, text) : "");
	return out;
}

static void test_closest(void **state)
{
	(void)state;
	assert_string_equal(closest("www.example.org", 1), "");
	assert_int_equal(read_text("Example.ORG. " DS "deep.example.org. " DS), 0);
	assert_int_equal(anchors_add_negative(anchors, set_name(&arena, "bad.example.org"), 100), 0);
	assert_int_equal(anchors_add_negative(anchors, set_name(&arena, "net"), 0), 0);
	assert_string_equal(closest("org", 1), "");
	assert_string_equal(closest("example.org", 1), "example.org.");
	assert_string_equal(closest("www.example.org", 1), "example.org.");
	assert_string_equal(closest("a.b.deep.example.org", 1), "deep.example.org.");
	assert_string_equal(closest("x.bad.example.org", 99), "-bad.example.org.");
	assert_string_equal(closest("x.bad.example.org", 100), "example.org."); /* its time is up */
	assert_string_equal(closest("www.example.net", UINT32_MAX), "-net.");
	assert_null(anchors_find(NULL, set_name(&arena, "net"), 0));
}

static void test_what_cannot_be(void **state)
{
	static const struct {
		const char *text, *complaint;
	} cases[] = {
		{"", "holds no trust anchor"},
		{"; nothing\n", "holds no trust anchor"},
		{"example. A 192.0.2.1\n", ":1: neither a DS nor the DNSKEY of a zone"},
		{"example. " DS "example. TXT x\n", ":2: neither"},
		{"example. DNSKEY 0 3 8 AwEAAQ==\n", ":1: neither"},   /* no zone key */
		{"example. DNSKEY 385 3 8 AwEAAQ==\n", ":1: neither"}, /* revoked */
		{"example. DNSKEY 257 2 8 AwEAAQ==\n", ":1: neither"}, /* protocol */
		{"example. DS garbage\n", "trust anchor:1:"},
		{"net. " DS, "negative trust anchor"},
	};
	(void)state;
	assert_int_equal(anchors_add_negative(anchors, set_name(&arena, "net"), 0), 0);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		if (read_text(cases[i].text) != E_MALFORMED)
			fail_msg("believed: %s", cases[i].text);
		if (strstr(why, cases[i].complaint) == NULL)
			fail_msg("%s: %s", cases[i].text, why);
	}
	assert_int_equal(anchors_read(anchors, "/nowhere/anchors", why, sizeof(why)), E_NOENT);
	assert_non_null(strstr(why, "/nowhere/anchors"));
	assert_int_equal(anchors_add_negative(anchors, set_name(&arena, "net"), 0), E_EXIST);
	assert_int_equal(read_text("org. " DS), 0);
	assert_int_equal(anchors_add_negative(anchors, set_name(&arena, "org"), 0), E_EXIST);
}

static void test_equal(void **state)
{
	struct anchors *other = anchors_new();
	(void)state;
	anchors_add_builtin(anchors);
	assert_false(anchors_are_equal(anchors, other));
	assert_false(anchors_are_equal(anchors, NULL));
	assert_true(anchors_are_equal(NULL, NULL));
	anchors_add_builtin(other);
	anchors_add_builtin(other); /* each once */
	assert_true(anchors_are_equal(anchors, other));
	assert_int_equal(anchors_next(anchors, NULL)->ds.count, 2);
	assert_int_equal(read_text("org. " DS), 0);
	assert_false(anchors_are_equal(anchors, other));
	assert_int_equal(anchors_add_negative(other, set_name(&arena, "org"), 0), 0);
	assert_false(anchors_are_equal(anchors, other));
	anchors_unref(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_closest, begin, end),
		cmocka_unit_test_setup_teardown(test_what_cannot_be, begin, end),
		cmocka_unit_test_setup_teardown(test_equal, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
