/* The property on which everything rests: a draw is uniform over the usable ports that are not lent. */
#include "unit/unit.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/random.h"
#include "ports/space.h"
#include "unit/chi.h"

/* ThreadSanitizer makes a draw fifteen times as slow, and looks for something else. */
#ifdef __SANITIZE_THREAD__
enum { DRAWS = 1000000, MANY_DRAWS = 1000000 };
#else
enum { DRAWS = 1000000, MANY_DRAWS = 10000000 };
#endif

static struct port_space *space;
static struct port_draw draw;
static struct port_set set;
static uint32_t count[PORTS_ALL];

static int begin(void **state)
{
	(void)state;
	space = port_space_new();
	draw = (struct port_draw){.space = space};
	memset(count, 0, sizeof(count));
	return 0;
}

static int end(void **state)
{
	(void)state;
	port_draw_deinit(&draw);
	port_space_free(space);
	return 0;
}

static void use_range(uint16_t first, uint16_t last)
{
	port_set_fill(&set, first, last);
	port_space_set_usable(space, &set);
}

/* The counts of the usable ports that are free, side by side. */
static size_t squeeze(uint32_t *out)
{
	size_t cells = 0;
	for (unsigned port = 1; port < PORTS_ALL; port++) {
		if (port_set_has(&set, (uint16_t)port) && !port_space_is_lent(space, (uint16_t)port))
			out[cells++] = count[port];
		else
			assert_int_equal(count[port], 0);
	}
	return cells;
}

static double p_of_draws(unsigned draws)
{
	static uint32_t cells[PORTS_ALL];
	memset(count, 0, sizeof(count));
	for (unsigned i = 0; i < draws; i++) {
		uint16_t port;
		assert_int_equal(port_draw(&draw, &port), 0);
		count[port]++;
		port_space_release(space, port);
	}
	return chi_square_p(cells, squeeze(cells));
}

static void test_uniform(void **state)
{
	(void)state;
	use_range(49152, 65535);
	assert_true(CHI_IS_UNIFORM(p_of_draws(DRAWS)));
}

static void test_uniform_with_exclusions(void **state)
{
	(void)state;
	for (int round = 0; round < 4; round++) {
		port_set_fill(&set, 49152, 65535);
		for (unsigned i = 0, holes = 1 + random_below(300); i < holes; i++) {
			unsigned first = 49152 + random_below(16384), len = random_below(100);
			port_set_remove(&set, (uint16_t)first, (uint16_t)(first + len > 65535 ? 65535 : first + len));
		}
		port_space_set_usable(space, &set);
		assert_true(CHI_IS_UNIFORM(p_of_draws(DRAWS)));
	}
}

/* Draws with holes at random places: every port of the set comes, and no other. */
static double p_of_many(void)
{
	port_set_fill(&set, 49152, 65535);
	for (unsigned i = 0, holes = 1 + random_below(300); i < holes; i++) {
		unsigned first = 49152 + random_below(16384), len = random_below(100);
		port_set_remove(&set, (uint16_t)first, (uint16_t)(first + len > 65535 ? 65535 : first + len));
	}
	port_space_set_usable(space, &set);
	double p = p_of_draws(MANY_DRAWS);
	for (unsigned port = 0; port < PORTS_ALL; port++)
		assert_int_equal(count[port] > 0, port_set_has(&set, (uint16_t)port)); /* all: but for e^-60 */
	return p;
}

/* Ten million draws must give p above 0.01, at either tail. Sound ones miss that one time in fifty, so there are up to
 * seven rounds, of which three have to pass: with a 50th each, five of seven miss by chance once in fifteen million.
 * Unsound ones do not pass by trying again: one port in sixteen drawn a twentieth too often is off by nine sigma. */
static void test_ten_million_draws(void **state)
{
	unsigned good = 0, bad = 0;
	(void)state;
	while (good < 3 && bad < 5) {
		double p = p_of_many();
		good += p > 0.01;
		bad += p <= 0.01;
	}
	assert_int_equal(good, 3);
}

static void test_uniform_over_all(void **state)
{
	(void)state;
	use_range(1, 65535);
	assert_true(CHI_IS_UNIFORM(p_of_draws(DRAWS)));
}

/* 99 % lent: still uniform over the rest, and the lent ones never come. */
static void test_uniform_when_nearly_full(void **state)
{
	(void)state;
	use_range(49152, 65535);
	for (int i = 0; i < 16384 - 164; i++) {
		uint16_t port;
		assert_int_equal(port_draw(&draw, &port), 0);
	}
	assert_true(CHI_IS_UNIFORM(p_of_draws(DRAWS / 10)));
}

static double p_of_ids(void)
{
	memset(count, 0, sizeof(count));
	for (int i = 0; i < DRAWS; i++)
		count[random_below(65536)]++;
	return chi_square_p(count, 65536);
}

/* IDs come from the same source, by the same call. */
static void test_ids_are_uniform(void **state)
{
	(void)state;
	assert_true(CHI_IS_UNIFORM(p_of_ids()));
}

static double p_of_pairs(void)
{
	static uint32_t pairs[64 * 64];
	unsigned last = 0;
	memset(pairs, 0, sizeof(pairs));
	for (int i = 0; i < DRAWS; i++) {
		uint16_t port;
		assert_int_equal(port_draw(&draw, &port), 0);
		port_space_release(space, port);
		unsigned cell = (port - 49152u) / 256;
		if (i % 2 == 1)
			pairs[last * 64 + cell]++;
		last = cell;
	}
	return chi_square_p(pairs, 64 * 64);
}

/* Successive draws are independent: pairs of (this, next) in 64 x 64 coarse cells. */
static void test_pairs_are_uniform(void **state)
{
	(void)state;
	use_range(49152, 65535);
	assert_true(CHI_IS_UNIFORM(p_of_pairs()));
}

static void test_exact_set(void **state)
{
	static const uint16_t ports[] = {1, 2, 53, 1023, 32767, 32768, 49152, 65535};
	uint16_t port;
	(void)state;
	assert_int_equal(port_draw(&draw, &port), E_NOPORT); /* nothing usable yet */
	memset(&set, 0, sizeof(set));
	for (size_t i = 0; i < COUNT_OF(ports); i++)
		set.word[ports[i] / 64] |= 1ull << ports[i] % 64;
	set.word[0] |= 1; /* port 0 is no port, whoever says so */
	port_space_set_usable(space, &set);
	assert_int_equal(port_space_usable(space, 1, 65535), COUNT_OF(ports));
	assert_int_equal(port_space_usable(space, 53, 1023), 2);
	assert_true(port_space_is_usable(space, 53));
	assert_false(port_space_is_usable(space, 54));
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < COUNT_OF(ports); i++) {
			assert_int_equal(port_draw(&draw, &port), 0);
			count[port]++;
			assert_true(port_space_is_lent(space, port));
		}
		assert_int_equal(port_draw(&draw, &port), E_NOPORT);
		assert_int_equal(port_space_lent(space), COUNT_OF(ports));
		for (size_t i = 0; i < COUNT_OF(ports); i++) {
			assert_int_equal(count[ports[i]], round + 1); /* each once: never twice while lent */
			port_space_release(space, ports[i]);
		}
		assert_int_equal(port_space_lent(space), 0);
	}
	assert_int_equal(count[0], 0);
}

/* A port excluded while lent finishes its loan and is not drawn again; an included one comes at once. */
static void test_usable_changes_while_lent(void **state)
{
	uint16_t port;
	(void)state;
	use_range(50000, 50000);
	assert_int_equal(port_draw(&draw, &port), 0);
	assert_int_equal(port, 50000);
	use_range(50001, 50001);
	assert_true(port_space_is_lent(space, 50000));
	assert_int_equal(port_draw(&draw, &port), 0);
	assert_int_equal(port, 50001);
	port_space_release(space, 50000);
	assert_int_equal(port_draw(&draw, &port), E_NOPORT);
	use_range(50000, 50001); /* back again: the lent one is still lent */
	assert_int_equal(port_draw(&draw, &port), 0);
	assert_int_equal(port, 50000);
	assert_int_equal(port_draw(&draw, &port), E_NOPORT);
	memset(&set, 0, sizeof(set));
	port_space_set_usable(space, &set);
	port_space_release(space, 50000);
	port_space_release(space, 50001);
	assert_int_equal(port_draw(&draw, &port), E_NOPORT);
}

static void *draw_and_check(void *arg)
{
	static _Atomic(uint16_t) holder[PORTS_ALL];
	struct port_draw mine = {.space = space};
	uint16_t held[12], me = (uint16_t)(uintptr_t)arg;
	uintptr_t shared = 0;
	for (uint64_t until_us = clock_mono_us() + 1000000; clock_mono_us() < until_us;) {
		size_t have = 0;
		while (have < COUNT_OF(held) && port_draw(&mine, &held[have]) == 0) {
			shared += atomic_exchange(&holder[held[have]], me) != 0;
			have++;
		}
		while (have > 0) {
			shared += atomic_exchange(&holder[held[--have]], 0) != me;
			port_space_release(space, held[have]);
		}
	}
	port_draw_deinit(&mine);
	return (void *)shared;
}

/* 8 threads fight over fewer ports than they want, while the set changes. */
static void test_threads_never_share(void **state)
{
	pthread_t thread[8];
	void *shared;
	(void)state;
	use_range(50000, 50079);
	for (uintptr_t i = 0; i < COUNT_OF(thread); i++)
		assert_int_equal(pthread_create(&thread[i], NULL, draw_and_check, (void *)(i + 1)), 0);
	for (int i = 0; i < 200; i++) {
		nanosleep(&(struct timespec){.tv_nsec = 4000000}, NULL);
		use_range((uint16_t)(50000 + i % 3), (uint16_t)(50079 - i % 5));
	}
	for (size_t i = 0; i < COUNT_OF(thread); i++) {
		pthread_join(thread[i], &shared);
		assert_int_equal((uintptr_t)shared, 0);
	}
	assert_int_equal(port_space_lent(space), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_uniform, begin, end),
		cmocka_unit_test_setup_teardown(test_uniform_with_exclusions, begin, end),
		cmocka_unit_test_setup_teardown(test_ten_million_draws, begin, end),
		cmocka_unit_test_setup_teardown(test_uniform_over_all, begin, end),
		cmocka_unit_test_setup_teardown(test_uniform_when_nearly_full, begin, end),
		cmocka_unit_test_setup_teardown(test_ids_are_uniform, begin, end),
		cmocka_unit_test_setup_teardown(test_pairs_are_uniform, begin, end),
		cmocka_unit_test_setup_teardown(test_exact_set, begin, end),
		cmocka_unit_test_setup_teardown(test_usable_changes_while_lent, begin, end),
		cmocka_unit_test_setup_teardown(test_threads_never_share, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
