/* The file itself is included: what is wiped can only be seen from inside. */
#include "unit/unit.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/random.c"

#include "unit/chi.h"

enum { DRAWS = 1000000 };

static void test_chi_square_itself(void **state)
{
	static const struct {
		double x, freedom, p;
	} cases[] = {
		/* Tables: NIST/SEMATECH e-Handbook 1.3.6.7.4; the last one by the normal limit. */
		{3.841, 1, 0.05},
		{18.307, 10, 0.05},
		{29.588, 10, 0.001},
		{124.342, 100, 0.05},
		{77.929, 100, 0.95},
		{16383 + 181.01 * 3.0902, 16383, 0.00105},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		double p = chi_square_tail(cases[i].x, cases[i].freedom);
		assert_true(p > cases[i].p * 0.97 && p < cases[i].p * 1.1);
	}
}

/* Draws below the bound, in equal parts of it. */
static double p_of_draws(uint32_t bound, uint32_t cells, int draws)
{
	uint32_t *count = calloc(cells, sizeof(*count));
	for (int n = 0; n < draws; n++) {
		uint32_t value = random_below(bound);
		assert_true(value < bound);
		count[(uint64_t)value * cells / bound]++;
	}
	double p = chi_square_p(count, cells);
	free(count);
	return p;
}

static void test_below_is_uniform(void **state)
{
	static const uint32_t bounds[] = {3, 1000, 16384, 65536};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(bounds); i++)
		assert_true(CHI_IS_UNIFORM(p_of_draws(bounds[i], bounds[i], DRAWS)));
}

/* Two thirds of 2^32: taking the remainder alone would draw the lower half twice as often. An odd number of draws never
 * parts into equal halves, which would be taken for too even. */
static void test_below_has_no_modulo_bias(void **state)
{
	(void)state;
	assert_true(CHI_IS_UNIFORM(p_of_draws(0xaaaaaaaa, 2, DRAWS / 4 + 1)));
}

static void test_below_small(void **state)
{
	bool seen[2] = {false, false};
	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(random_below(1), 0);
		seen[random_below(2)] = true;
	}
	assert_true(seen[0] && seen[1]);
}

static void test_bytes_are_wiped(void **state)
{
	static const uint8_t zeros[POOL_BYTES];
	uint8_t out[POOL_BYTES];
	(void)state;
	for (size_t len = 1; len < 40; len++) {
		random_bytes(out, len);
		assert_memory_equal(
			pool + pool_left, zeros, POOL_BYTES - pool_left < len ? POOL_BYTES - pool_left : len);
		for (size_t at = pool_left; at < POOL_BYTES; at++)
			assert_int_equal(pool[at], 0);
	}
	random_below(65536);
	assert_memory_equal(pool + pool_left, zeros, POOL_BYTES - pool_left);
}

/* Every length is filled to its last byte and not further, across the buffer's end. */
static void test_bytes_fill(void **state)
{
	(void)state;
	for (size_t len = 0; len < 1200; len += 7) {
		uint8_t out[1201], all = 0;
		bool last_changes = len == 0;
		out[len] = 0x5a;
		for (int i = 0; i < 20; i++) {
			random_bytes(out, len);
			all |= len > 0 ? out[len - 1] : 0;
			assert_int_equal(out[len], 0x5a);
		}
		last_changes |= all != 0;
		assert_true(last_changes);
	}
}

static void *draw_some(void *out)
{
	random_bytes(out, 64);
	return NULL;
}

static void test_threads_differ(void **state)
{
	uint8_t drawn[4][64];
	pthread_t thread[4];
	(void)state;
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, draw_some, drawn[i]);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < i; j++)
			assert_memory_not_equal(drawn[i], drawn[j], 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chi_square_itself),
		cmocka_unit_test(test_below_is_uniform),
		cmocka_unit_test(test_below_has_no_modulo_bias),
		cmocka_unit_test(test_below_small),
		cmocka_unit_test(test_bytes_are_wiped),
		cmocka_unit_test(test_bytes_fill),
		cmocka_unit_test(test_threads_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
