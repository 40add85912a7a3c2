#include "unit/unit.h"

#include <stdio.h>

#include "daemon/web_tries.h"

static struct tries tries;

static struct addr addr_of(const char *text)
{
	struct addr addr;
	assert_int_equal(addr_parse(&addr, text, 0), 0);
	return addr;
}

static void count(const char *who, unsigned times, uint64_t now_us)
{
	struct addr addr = addr_of(who);
	for (unsigned i = 0; i < times; i++)
		tries_count(&tries, &addr, now_us);
}

static bool has_room(const char *who, unsigned limit, uint64_t now_us)
{
	struct addr addr = addr_of(who);
	return tries_have_room(&tries, &addr, limit, now_us);
}

static void test_each_for_itself(void **state)
{
	(void)state;
	tries = (struct tries){0};
	count("192.0.2.1", 6, 1000);
	assert_false(has_room("192.0.2.1", 6, 2000));
	assert_true(has_room("192.0.2.1", 7, 2000));
	assert_true(has_room("192.0.2.2", 6, 2000));
	assert_true(has_room("192.0.2.1", 6, 60001000));
	count("2001:db8::1", 6, 1000);
	assert_false(has_room("2001:db8::ffff:2", 6, 2000)); /* the same /64 */
	assert_true(has_room("2001:db8:0:1::1", 6, 2000));
}

static void test_all(void **state)
{
	(void)state;
	tries = (struct tries){0};
	assert_true(tries_have_room(&tries, NULL, 1, 1000));
	tries_count(&tries, NULL, 1000);
	assert_false(tries_have_room(&tries, NULL, 1, 2000));
	assert_true(tries_have_room(&tries, NULL, 1, 60001000));
}

static void test_bounded(void **state)
{
	char text[32];
	(void)state;
	tries = (struct tries){0};
	for (unsigned i = 0; i < 2 * TRIES_ADDRESSES; i++) {
		snprintf(text, sizeof(text), "10.0.%u.%u", i / 256, i % 256);
		count(text, 1, 1000 + i);
	}
	assert_true(has_room("10.0.0.0", 1, 2000));
	assert_false(has_room("10.0.1.255", 1, 2000));
	assert_false(has_room("10.0.1.0", 1, 2000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_for_itself), cmocka_unit_test(test_all), cmocka_unit_test(test_bounded)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
