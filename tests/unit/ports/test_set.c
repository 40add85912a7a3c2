#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/error.h"
#include "ports/set.h"

static void test_fill_and_remove(void **state)
{
	static struct port_set set;
	(void)state;
	port_set_fill(&set, 49152, 65535);
	assert_int_equal(port_set_count(&set), 16384);
	assert_true(port_set_has(&set, 49152) && port_set_has(&set, 65535));
	assert_false(port_set_has(&set, 49151) || port_set_has(&set, 0));
	port_set_remove(&set, 60100, 60199);
	port_set_remove(&set, 60150, 60299);
	assert_int_equal(port_set_count(&set), 16384 - 200);
	port_set_remove(&set, 65535, 65535);
	assert_false(port_set_has(&set, 65535));
	port_set_remove(&set, 0, 65535);
	assert_int_equal(port_set_count(&set), 0);
	port_set_fill(&set, 7, 7);
	assert_int_equal(port_set_count(&set), 1);
	port_set_fill(&set, 0, 65535);
	assert_int_equal(port_set_count(&set), PORTS_ALL);
}

/* Ranges begin and end anywhere in a word, and at the ends of the space. */
static void test_ranges(void **state)
{
	static const uint16_t ends[] = {0, 1, 62, 63, 64, 65, 127, 128, 129, 1000, 65471, 65472, 65534, 65535};
	const size_t count = sizeof(ends) / sizeof(ends[0]);
	static struct port_set set, rest;
	(void)state;
	for (size_t i = 0; i < count; i++)
		for (size_t j = i; j < count; j++) {
			unsigned wanted = ends[j] - ends[i] + 1u;
			port_set_fill(&set, ends[i], ends[j]);
			assert_int_equal(port_set_count(&set), wanted);
			assert_true(port_set_has(&set, ends[i]) && port_set_has(&set, ends[j]));
			port_set_fill(&rest, 0, 65535);
			port_set_remove(&rest, ends[i], ends[j]);
			assert_int_equal(port_set_count(&rest), PORTS_ALL - wanted);
			assert_false(port_set_has(&rest, ends[i]) || port_set_has(&rest, ends[j]));
			port_set_join(&rest, &set);
			assert_int_equal(port_set_count(&rest), PORTS_ALL);
			port_set_subtract(&rest, &set);
			assert_int_equal(port_set_count(&rest), PORTS_ALL - wanted);
		}
	port_set_fill(&set, 9, 8); /* nothing */
	assert_int_equal(port_set_count(&set), 0);
	port_set_add(&set, 65535);
	port_set_add(&set, 65535);
	assert_int_equal(port_set_count(&set), 1);
}

static void test_range_parse(void **state)
{
	static const struct {
		const char *text;
		int ret;
		uint16_t first, last;
	} cases[] = {
		{"51820", 0, 51820, 51820},
		{"60100-60199", 0, 60100, 60199},
		{"1-65535", 0, 1, 65535},
		{"7-7", 0, 7, 7},
		{"007", 0, 7, 7},
		{"0", E_INVAL, 0, 0},
		{"0-5", E_INVAL, 0, 0},
		{"9-8", E_INVAL, 0, 0},
		{"65536", E_INVAL, 0, 0},
		{"1-65536", E_INVAL, 0, 0},
		{"99999999999999999999", E_INVAL, 0, 0},
		{"", E_INVAL, 0, 0},
		{"-", E_INVAL, 0, 0},
		{"-5", E_INVAL, 0, 0},
		{"5-", E_INVAL, 0, 0},
		{"5-6-7", E_INVAL, 0, 0},
		{" 5", E_INVAL, 0, 0},
		{"5 ", E_INVAL, 0, 0},
		{"+5", E_INVAL, 0, 0},
		{"0x5", E_INVAL, 0, 0},
		{"5,6", E_INVAL, 0, 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct port_range range = {0, 0};
		assert_int_equal(port_range_parse(&range, cases[i].text), cases[i].ret);
		assert_int_equal(range.first, cases[i].first);
		assert_int_equal(range.last, cases[i].last);
	}
}

static void test_remove_list(void **state)
{
	static const struct {
		const char *text;
		unsigned took;
	} cases[] = {
		{"", 0},
		{"\n", 0},
		{"50000\n", 1},
		{"1-3,50000,50010-50019\n", 11},
		{"50000,50000,49999-50001\n", 3},
		{"0-65535", 16384},
		{"50000, 50001", 2},
		{"x,50000,9-8,70000,50002", 2},
		{"50000x,50001", 1},
		{",,50000,", 1},
	};
	static struct port_set set;
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		port_set_fill(&set, 49152, 65535);
		assert_int_equal(port_set_remove_list(&set, cases[i].text), cases[i].took);
		assert_int_equal(port_set_count(&set), 16384 - cases[i].took);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fill_and_remove),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_range_parse),
		cmocka_unit_test(test_remove_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
