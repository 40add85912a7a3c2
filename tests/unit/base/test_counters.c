#include "unit/unit.h"

#include <pthread.h>

#include "base/check.h"
#include "base/counters.h"

enum { THREADS = 4, ADDS = 100000 };

static struct counters blocks[THREADS];

static void *count(void *arg)
{
	counters_attach(arg);
	for (int i = 0; i < ADDS; i++)
		counters_add(COUNT_LOANS, 1);
	counters_add(COUNT_QUERIES_TCP, 3);
	return NULL;
}

static void test_each_thread_its_block(void **state)
{
	struct counters *all[THREADS];
	uint64_t total[COUNTERS];
	pthread_t thread[THREADS];
	(void)state;
	for (int i = 0; i < THREADS; i++) {
		all[i] = &blocks[i];
		pthread_create(&thread[i], NULL, count, &blocks[i]);
	}
	counters_add(COUNT_LOANS, 5); /* no block: the common one */
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	counters_sum(all, THREADS, total);
	assert_int_equal(total[COUNT_LOANS], THREADS * ADDS + 5);
	assert_int_equal(total[COUNT_QUERIES_TCP], THREADS * 3);
	assert_int_equal(total[COUNT_QUERIES_UDP], 0);
	assert_int_equal(counters_get(&blocks[0], COUNT_LOANS), ADDS);
}

static void test_peak(void **state)
{
	static struct counters a, b;
	struct counters *all[] = {&a, &b};
	uint64_t total[COUNTERS];
	(void)state;
	counters_attach(&a);
	counters_max(COUNT_FIBERS_PEAK_STACK, 700);
	counters_max(COUNT_FIBERS_PEAK_STACK, 300);
	counters_attach(&b);
	counters_max(COUNT_FIBERS_PEAK_STACK, 500);
	counters_attach(NULL);
	counters_sum(all, 2, total);
	assert_int_equal(total[COUNT_FIBERS_PEAK_STACK], 700); /* the highest, not the sum */
}

static void test_times_by_length(void **state)
{
	static struct counters block;
	struct counters *all[] = {&block};
	static const struct {
		uint64_t us;
		unsigned bucket;
	} rows[] = {{0, 0}, {63, 0}, {64, 1}, {127, 1}, {128, 2}, {1000, 4}, {1 << 22, 17}, {UINT64_MAX / 2, 17}};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct timing_sum before, after;
		counters_sum_timing(all, 1, TIME_UPSTREAM_RTT, &before);
		counters_attach(i % 2 ? &block : NULL);
		counters_time(TIME_UPSTREAM_RTT, rows[i].us);
		counters_attach(NULL);
		counters_sum_timing(all, 1, TIME_UPSTREAM_RTT, &after);
		for (unsigned b = 0; b < TIMING_BUCKETS; b++)
			assert_int_equal(after.bucket[b] - before.bucket[b], b == rows[i].bucket);
		assert_int_equal(after.us - before.us, rows[i].us);
		if (timing_limit_us(rows[i].bucket) != 0)
			assert_true(rows[i].us < timing_limit_us(rows[i].bucket));
	}
}

static void test_extended_errors(void **state)
{
	static struct counters block;
	struct counters *all[] = {&block};
	uint64_t total[COUNTED_EDES];
	(void)state;
	counters_attach(&block);
	counters_ede(22);
	counters_ede(-1);
	counters_ede(COUNTED_EDES);
	counters_ede(22);
	counters_attach(NULL);
	counters_sum_ede(all, 1, total);
	for (int i = 0; i < COUNTED_EDES; i++)
		assert_int_equal(total[i], i == 22 ? 2 : 0);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < COUNTERS; i++) {
		assert_true(counter_key((enum counter)i)[0] != '\0' && counter_help((enum counter)i)[0] != '\0');
		for (int j = 0; j < i; j++)
			assert_string_not_equal(counter_key((enum counter)i), counter_key((enum counter)j));
	}
	assert_string_equal(counter_key(COUNT_QUERIES_UDP), "queries.udp");
}

static void test_expect_counts(void **state)
{
	static struct counters mine;
	(void)state;
	counters_attach(&mine);
	assert_true(expect(1 + 1 == 2));
	assert_int_equal(counters_get(&mine, COUNT_EXPECT_FAILED), 0);
	assert_false(expect(1 + 1 == 3));
	assert_int_equal(counters_get(&mine, COUNT_EXPECT_FAILED), 1);
	counters_attach(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_thread_its_block),
		cmocka_unit_test(test_peak),
		cmocka_unit_test(test_times_by_length),
		cmocka_unit_test(test_extended_errors),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_expect_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
