/* The worked numbers of RFC 5452 section 7, and some of our own by hand. */
#include "unit/unit.h"

#include <math.h>

#include "tools/forge.h"

#define DAY  86400.0
#define YEAR 31557600.0

static void assert_near(double found, double wanted, double within)
{
	if (!(fabs(found - wanted) <= within))
		fail_msg("%.9g is not %.9g (within %.3g)", found, wanted, within);
}

/* 7.1: N = 2.5 servers, one port, 65,536 IDs, W = 0.1 s, one question at a time: each attempt succeeds with
 * R / 1,638,400. Section 7.2 goes on with 7,000 packets a second. */
static struct forge of_rfc(double ttl_s)
{
	return (struct forge){.space = 2.5 * 65536, .tries = 7000 * FORGE_WINDOW_S, .every_s = ttl_s};
}

static void test_rfc_window(void **state)
{
	(void)state;
	struct forge f = of_rfc(3600);
	assert_near(forge_chance(&f, 3600), 7000 / 1638400.0, 1e-12);
	f.space *= 64000; /* unknown ports: "the problem space expands by a factor of 64000" */
	assert_near(forge_chance(&f, 3600) * 64000, 7000 / 1638400.0, 1e-8);
}

/* "an RRSet with a 3600 second TTL ...: a 10% chance in the first 24 hours, which rises to 50% after a week" */
static void test_rfc_hour(void **state)
{
	(void)state;
	struct forge f = of_rfc(3600);
	assert_near(forge_chance(&f, DAY), 0.0977, 0.0001);
	assert_near(forge_chance(&f, 7 * DAY), 0.513, 0.001);
	assert_near(forge_time_s(&f, 0.5), 161.9 * 3600, 0.1 * 3600); /* ln 2 / 0.0042817 attempts */
}

/* "TTL of 60 seconds: 10% after 24 minutes, 50% after less than 3 hours, 90% after around 9 hours" */
static void test_rfc_minute(void **state)
{
	(void)state;
	struct forge f = of_rfc(60);
	assert_near(forge_time_s(&f, 0.1), 24.6 * 60, 6);
	assert_near(forge_time_s(&f, 0.5), 161.9 * 60, 6);
	assert_near(forge_time_s(&f, 0.9), 8.96 * 3600, 36);
	assert_near(forge_chance(&f, forge_time_s(&f, 0.25)), 0.25, 1e-12);
}

/* Back to back, 16,384 ports and 65,536 IDs are 2^30 replies: ln 2 * 2^30 = 744,261,117 packets, and at 7,000 a second
 * 106,323 s, 29 hours and a half. */
static void test_back_to_back(void **state)
{
	(void)state;
	struct forge f = {.space = exp2(30), .tries = 7000 * FORGE_WINDOW_S, .every_s = FORGE_WINDOW_S};
	assert_near(forge_packets(&f, 0.5), 744261117, 1000);
	assert_near(forge_time_s(&f, 0.5), 106323, 1);
	f.tries = 1e6 * FORGE_WINDOW_S;
	assert_near(forge_time_s(&f, 0.5), 744.2, 0.1);
	f.space = exp2(94); /* so small a chance must not be lost in rounding */
	assert_near(forge_packets(&f, 0.5) / exp2(94), 0.693147, 1e-6);
}

/* Three guesses at 65,536 IDs each minute: 65,536 / 3 * ln 2 = 15,142 minutes, ten days and a half. */
static void test_cap(void **state)
{
	(void)state;
	struct forge f = {.space = 65536, .tries = 3, .every_s = 60};
	assert_near(forge_time_s(&f, 0.5) / DAY, 10.515, 0.001);
	f.space = 65536 * exp2(12); /* and the case of twelve letters */
	assert_near(forge_time_s(&f, 0.5) / YEAR, 117.9, 0.1);
}

static void test_edges(void **state)
{
	(void)state;
	struct forge f = {.space = 65536, .tries = 0, .every_s = 1};
	assert_true(isinf(forge_time_s(&f, 0.5)) && isinf(forge_packets(&f, 0.5)));
	assert_near(forge_chance(&f, 1e9), 0, 0);
	f.tries = 100000; /* more than there are replies: the first window does it, half of one on average */
	assert_near(forge_chance(&f, 0.01), 1, 0);
	assert_near(forge_time_s(&f, 0.5), 0.5, 1e-12);
	assert_near(forge_packets(&f, 0.5), 32768, 1e-6);
}

static void test_words(void **state)
{
	static const struct {
		double value;
		const char *text;
	} times[] = {{0.01, "at once"}, {0.74, "0.7 s"}, {12, "12 s"}, {99.4, "99 s"}, {744, "12 min"},
		{5969, "99 min"}, {7200, "2.0 h"}, {106323, "30 h"}, {10.515 * DAY, "11 days"}, {3.5 * DAY, "3.5 days"},
		{2.5 * YEAR, "2.5 years"}, {117.9 * YEAR, "118 years"}, {99999 * YEAR, "99999 years"},
		{3.14e12 * YEAR, "3.1e12 years"}, {9.99e12 * YEAR, "1.0e13 years"}, {INFINITY, "never"}},
	  counts[] = {{7, "7"}, {999, "999"}, {1000, "1,000"}, {45426, "45,426"}, {744261117, "744 million"},
		  {2.9773e12, "3.0e12"}, {1.9e11, "190 billion"}, {1.2e28, "1.2e28"}, {9.96e15, "1.0e16"}};
	char text[FORGE_WORDS];
	(void)state;
	for (size_t i = 0; i < COUNT_OF(times); i++)
		assert_string_equal(forge_time_words(times[i].value, text), times[i].text);
	for (size_t i = 0; i < COUNT_OF(counts); i++)
		assert_string_equal(forge_count_words(counts[i].value, text), counts[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rfc_window), cmocka_unit_test(test_rfc_hour),
		cmocka_unit_test(test_rfc_minute), cmocka_unit_test(test_back_to_back), cmocka_unit_test(test_cap),
		cmocka_unit_test(test_edges), cmocka_unit_test(test_words)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
