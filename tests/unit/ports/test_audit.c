/* The statistics of draws (ports/audit.c): sound draws pass, each kind of unsound ones is caught by its number. */
#include "unit/unit.h"

#include <math.h>

#include "base/random.h"
#include "ports/audit.h"

/* By chance a sound generator fails one look in ten thousand (p) or sixteen thousand (serial: four sigma). So three
 * looks are taken, and it is unsound when none is good: a false alarm in 10^12. */
enum { LOOKS = 3 };

static struct port_set set;
static uint16_t list[PORTS_ALL];
static unsigned list_count;

static void use_set(uint16_t first, uint16_t last)
{
	port_set_fill(&set, first, last);
}

static void list_set(void)
{
	list_count = 0;
	for (unsigned port = 0; port < PORTS_ALL; port++)
		if (port_set_has(&set, (uint16_t)port))
			list[list_count++] = (uint16_t)port;
}

static uint16_t sound(void *arg)
{
	(void)arg;
	return list[random_below(list_count)];
}

static bool is_good(const struct audit *audit)
{
	return audit->p > 0.0001 && fabs(audit->serial) < 4 / sqrt(audit->draws);
}

static bool is_sound(uint16_t (*draw)(void *), void *arg, struct audit *audit)
{
	bool good = false;
	list_set();
	for (int look = 0; look < LOOKS && !good; look++) {
		audit_draws(audit, draw, arg, &set);
		good = is_good(audit);
	}
	return good;
}

/* --- the chance of a chi-square --- */

/* From printed tables of the distribution; the approximation is good to a few percent of p. */
static void test_p_of_tables(void **state)
{
	static const struct {
		unsigned degrees;
		double chi_square, p;
	} rows[] = {
		{1, 3.841, 0.05},
		{1, 6.635, 0.01},
		{2, 5.991, 0.05},
		{5, 11.070, 0.05},
		{10, 3.940, 0.95},
		{10, 18.307, 0.05},
		{10, 23.209, 0.01},
		{30, 43.773, 0.05},
		{30, 59.703, 0.001},
		{100, 77.929, 0.95},
		{100, 124.342, 0.05},
		{100, 149.449, 0.001},
		{1000, 927.594, 0.95},
		{1000, 1074.679, 0.05},
		{1000, 1143.917, 0.001},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		double p = chi_square_p(rows[i].chi_square, rows[i].degrees);
		double tolerance = rows[i].degrees < 5 ? 0.15 : 0.03;
		if (fabs(p - rows[i].p) > tolerance * rows[i].p)
			fail_msg("chi-square %f of %u: p is %f, not %f", rows[i].chi_square, rows[i].degrees, p,
				rows[i].p);
	}
	assert_true(chi_square_p(0, 100) > 0.9999);
	assert_true(chi_square_p(1000, 100) < 1e-9);
	assert_true(chi_square_p(0, 0) >= 1); /* one port: nothing can be uneven */
}

/* --- sound draws --- */

static void test_sound_draws(void **state)
{
	static const struct port_range ranges[] = {{49152, 65535}, {1, 65535}, {50000, 50003}, {65534, 65535}};
	struct audit audit;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(ranges); i++) {
		use_set(ranges[i].first, ranges[i].last);
		if (!is_sound(sound, NULL, &audit))
			fail_msg("%u-%u: p %f, serial %f", ranges[i].first, ranges[i].last, audit.p, audit.serial);
		assert_int_equal(audit.kinds, list_count);
		assert_int_equal(audit.degrees, list_count - 1);
		assert_true(audit.draws >= 65536);
	}
}

/* Where ports are few and their numbers large, the correlation is still that of the draws: six sigma, each time. */
static void test_few_ports(void **state)
{
	struct audit audit;
	(void)state;
	for (int look = 0; look < 40; look++) {
		use_set((uint16_t)(65535 - 1 - look % 8), 65535);
		list_set();
		audit_draws(&audit, sound, NULL, &set);
		assert_true(fabs(audit.serial) < 6 / sqrt(audit.draws));
	}
}

static void test_sound_draws_among_holes(void **state)
{
	struct audit audit;
	(void)state;
	use_set(49152, 65535);
	for (int i = 0; i < 100; i++) {
		uint16_t at = (uint16_t)(49152 + random_below(16000));
		port_set_remove(&set, at, (uint16_t)(at + random_below(100)));
	}
	assert_true(is_sound(sound, NULL, &audit));
}

/* p itself has to be even between 0 and 1: else the threshold means nothing. */
static void test_p_is_uniform(void **state)
{
	enum { TIMES = 120 };
	unsigned low = 0;
	double sum = 0;
	(void)state;
	use_set(50000, 50099);
	list_set();
	for (int i = 0; i < TIMES; i++) {
		struct audit audit;
		audit_draws(&audit, sound, NULL, &set);
		low += audit.p < 0.5;
		sum += audit.p;
	}
	assert_true(low > TIMES / 2 - 33 && low < TIMES / 2 + 33); /* six sigma of 5.5 */
	assert_true(fabs(sum / TIMES - 0.5) < 0.16);               /* six sigma of 0.026 */
}

/* --- unsound ones --- */

static uint16_t one_twice_as_often(void *arg)
{
	uint32_t at = random_below(list_count + list_count / 16);
	(void)arg;
	return list[at < list_count ? at : at % (list_count / 16)];
}

static uint16_t modulo(void *arg)
{
	(void)arg;
	return list[random_below(65536) % 10000 % list_count];
}

static uint16_t some_never(void *arg)
{
	(void)arg;
	return list[random_below(list_count - list_count / 64)];
}

static uint16_t always_one(void *arg)
{
	(void)arg;
	return list[0];
}

static uint16_t outside(void *arg)
{
	uint16_t port = sound(arg);
	return random_below(100) == 0 ? (uint16_t)(port - 20000) : port;
}

static uint16_t one_after_the_other(void *arg)
{
	unsigned *at = arg;
	return list[(*at)++ % list_count];
}

/* Evenly spread, but near the one before. */
static uint16_t wandering(void *arg)
{
	unsigned *at = arg;
	*at += random_below(list_count / 8);
	return list[*at % list_count];
}

static uint16_t low_then_high(void *arg)
{
	unsigned *at = arg, half = list_count / 2;
	return list[(*at)++ % 2 * half + random_below(half)];
}

static void test_unsound_draws(void **state)
{
	static const struct {
		uint16_t (*draw)(void *);
		bool by_p;
	} rows[] = {
		{one_twice_as_often, true},
		{modulo, true},
		{some_never, true},
		{always_one, true},
		{outside, true},
		{one_after_the_other, false},
		{wandering, false},
		{low_then_high, false},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct audit audit;
		unsigned at = 0;
		use_set(49152, 65535);
		if (is_sound(rows[i].draw, &at, &audit))
			fail_msg("row %zu passes: p %f, serial %f", i, audit.p, audit.serial);
		assert_true(rows[i].by_p ? audit.p < 0.0001 : fabs(audit.serial) > 4 / sqrt(audit.draws));
	}
}

/* --- the edges --- */

static uint16_t every_second(void *arg)
{
	unsigned *at = arg;
	return (*at)++ % 2 ? 0 : sound(NULL);
}

static uint16_t nothing(void *arg)
{
	(void)arg;
	return 0;
}

static void test_edges(void **state)
{
	struct audit audit;
	unsigned at = 0;
	(void)state;
	memset(&set, 0, sizeof(set));
	audit_draws(&audit, nothing, NULL, &set);
	assert_true(audit.draws == 0 && audit.kinds == 0 && audit.p >= 1);
	use_set(50000, 50099);
	audit_draws(&audit, nothing, NULL, &set);
	assert_true(audit.draws == 0 && audit.kinds == 100 && audit.chi_square <= 0);
	/* A draw that found none is left out, and nothing else changes. */
	assert_true(is_sound(every_second, &at, &audit));
	assert_int_equal(audit.draws, 32768);
	/* One port can be guessed, and each draw tells the next. */
	use_set(50000, 50000);
	list_set();
	audit_draws(&audit, sound, NULL, &set);
	assert_true(audit.kinds == 1 && audit.degrees == 0 && audit.p >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_p_of_tables),
		cmocka_unit_test(test_sound_draws),
		cmocka_unit_test(test_few_ports),
		cmocka_unit_test(test_sound_draws_among_holes),
		cmocka_unit_test(test_p_is_uniform),
		cmocka_unit_test(test_unsound_draws),
		cmocka_unit_test(test_edges),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
