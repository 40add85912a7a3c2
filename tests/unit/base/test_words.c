#include "unit/unit.h"

#include "base/words.h"

static void test_compare(void **state)
{
	(void)state;
	assert_int_equal(word_compare("Mdns", "mDNS"), 0);
	assert_int_equal(word_compare("", ""), 0);
	assert_true(word_compare("a", "B") < 0 && word_compare("B", "a") > 0);
	assert_true(word_compare("a", "ab") < 0 && word_compare("ab", "a") > 0);
	assert_true(word_compare("a_b", "a-b") > 0);
	assert_true(word_compare("a", "\xff") < 0); /* bytes, without a sign */
}

/* Every way to be wrong once or twice, and what is too far. */
static void test_near(void **state)
{
	static const struct {
		const char *to, *word;
		bool is_near;
	} cases[] = {
		{"range", "range", true},
		{"Range", "range", true},
		{"rang", "range", true},
		{"rannge", "range", true},
		{"ramge", "range", true},
		{"ragne", "range", true},
		{"argne", "range", true},
		{"agnre", "range", false},
		{"rg", "range", false},
		{"ab", "abcd", true},
		{"ab", "abc", true},
		{"xy", "x", false}, /* one letter is not half of a word */
		{"", "ab", false},
		{"", "", true},
		{"aaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaa", false}, /* 24: too long */
		{"aaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaa", true},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct near near = near_to(cases[i].to);
		near_try(&near, cases[i].word);
		if ((near.word == cases[i].word) != cases[i].is_near)
			fail_msg("\"%s\" and \"%s\"", cases[i].to, cases[i].word);
	}
}

/* The nearest wins, of equals the first. */
static void test_nearest(void **state)
{
	struct near near = near_to("ports");
	(void)state;
	near_try(&near, "parts");
	near_try(&near, "sorts");
	assert_string_equal(near.word, "parts");
	near_try(&near, "Ports");
	near_try(&near, "ports");
	assert_string_equal(near.word, "Ports");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_near),
		cmocka_unit_test(test_nearest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
