/* Moments of the past: every form, what is none, and the day before where the clock has not come so far. */
#include "unit/unit.h"

#include <stdlib.h>
#include <time.h>

#include "base/error.h"
#include "tools/when.h"

static const uint64_t now_us = 1795694400000000ull; /* 2026-11-26 12:00:00 UTC */

static void test_forms(void **state)
{
	static const struct {
		const char *text;
		int64_t from_s, length_s; /* before or after noon; length 0: a span */
	} cases[] = {
		{"1h", -3600, 0},
		{"90s", -90, 0},
		{"30m", -1800, 0},
		{"2d", -172800, 0},
		{"0s", 0, 0},
		{"11:30", -1800, 60},
		{"11:30:05", -1795, 1},
		{"12:00", 0, 60},
		{"12:01", 60 - 86400, 60},
		{"23:59", 43140 - 86400, 60}, /* yesterday's */
		{"2026-11-26", -43200, 86400},
		{"2026-11-25T23:00", -46800, 60},
		{"2026-11-26 00:00:01", -43199, 1},
		{"2024-02-29T12:00", -86486400, 60},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct when when;
		if (when_parse(&when, cases[i].text, now_us) != 0)
			fail_msg("%s is refused", cases[i].text);
		assert_int_equal((int64_t)when.from_us - (int64_t)now_us, cases[i].from_s * 1000000);
		uint64_t length_us = cases[i].length_s > 0 ? (uint64_t)cases[i].length_s * 1000000 - 1 : 0;
		assert_int_equal(when.until_us - when.from_us, length_us);
	}
}

static void test_refused(void **state)
{
	static const char *const texts[] = {"", "h", "1", "1w", "-1h", "1h ", "14", "7:30", "24:00", "11:60",
		"11:30:61", "2026-02-30", "2025-02-29T12:00", "2027-01-01", "2026-11-26T12:01", "2026-11-26T",
		"2026-11-26X11:00", "26-11-2026", "now", "9999999999h", "11:30x", " 11:30", "2026-1-1"};
	struct when when;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (when_parse(&when, texts[i], now_us) == 0)
			fail_msg("\"%s\" is taken", texts[i]);
}

static int set_zone(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms), cmocka_unit_test(test_refused)};
	return cmocka_run_group_tests(tests, set_zone, NULL);
}
