/* NATs of every kind, as series of ports; chance comes from a small generator, so that each run is the same. */
#include "unit/unit.h"

#include <math.h>

#include "tools/reflect.h"

enum { COUNT = 256, WORLDS = 200 };
#define LENT_BITS 14.0

static uint64_t chance;

/* splitmix64's step */
static unsigned draw(unsigned below)
{
	uint64_t z = chance += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (unsigned)((z ^ z >> 31) % below);
}

static struct reflect judge(unsigned (*port)(unsigned at, unsigned lent), size_t count, uint64_t world)
{
	struct port_pair pairs[COUNT];
	struct reflect out;
	chance = world << 32;
	for (unsigned i = 0; i < count; i++) {
		pairs[i].lent = (uint16_t)(49152 + draw(16384));
		pairs[i].seen = (uint16_t)port(i, pairs[i].lent);
	}
	reflect_judge(&out, pairs, count, LENT_BITS);
	return out;
}

static unsigned keep(unsigned at, unsigned lent)
{
	(void)at;
	return lent;
}

static unsigned keep_most(unsigned at, unsigned lent)
{
	return at % 20 == 7 ? 1024 + draw(64512) : lent;
}

static unsigned fixed(unsigned at, unsigned lent)
{
	(void)at, (void)lent;
	return 53;
}

static unsigned next_one(unsigned at, unsigned lent)
{
	(void)lent;
	return 1024 + at;
}

/* Others use the NAT as well, and it wraps at its end. */
static unsigned next_ones(unsigned at, unsigned lent)
{
	static unsigned port;
	(void)lent;
	port = at == 0 ? 64000 : port + 1 + draw(16);
	return 1024 + port % 64512;
}

static unsigned downwards(unsigned at, unsigned lent)
{
	(void)lent;
	return 40000 - 2 * at;
}

static unsigned two_series(unsigned at, unsigned lent)
{
	(void)lent;
	return draw(2) == 0 ? 10000 + at : 50000 + at;
}

static unsigned anywhere(unsigned at, unsigned lent)
{
	(void)at, (void)lent;
	return 1024 + draw(64512);
}

static unsigned block(unsigned at, unsigned lent)
{
	(void)at, (void)lent;
	return 20480 + draw(512);
}

/* Sixteen ports all over the range. */
static unsigned few(unsigned at, unsigned lent)
{
	(void)at, (void)lent;
	return 2000 + draw(16) * 3999;
}

static void test_kinds(void **state)
{
	static const struct {
		unsigned (*port)(unsigned at, unsigned lent);
		enum reflect_kind kind;
		double from, to; /* bits */
	} nats[] = {
		{keep, REFLECT_KEPT, LENT_BITS, LENT_BITS},
		{keep_most, REFLECT_MOSTLY, LENT_BITS, LENT_BITS},
		{fixed, REFLECT_FIXED, 0, 0},
		{next_one, REFLECT_SEQUENTIAL, 0, 0},
		{next_ones, REFLECT_SEQUENTIAL, 3.5, 4},
		{downwards, REFLECT_SEQUENTIAL, 1, 1},
		{two_series, REFLECT_SEQUENTIAL, 3, 6.5},
		{block, REFLECT_RANDOM, 8.5, 9.5},
		{few, REFLECT_RANDOM, 3.5, 4.5},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(nats); i++)
		for (uint64_t world = 1; world <= WORLDS; world++) {
			struct reflect found = judge(nats[i].port, COUNT, world);
			if (found.kind != nats[i].kind || found.bits < nats[i].from || found.bits > nats[i].to)
				fail_msg("nat %zu, world %d: %s, %.2f bits, within %u of %u", i, (int)world,
					reflect_kind_key(found.kind), found.bits, found.within, found.of);
		}
}

/* Of a wide range the estimate is right to half a bit nearly always, the bound below it 95 times of 100. */
static void test_random_over_all(void **state)
{
	unsigned near = 0, held = 0;
	(void)state;
	for (uint64_t world = 1; world <= WORLDS; world++) {
		struct reflect found = judge(anywhere, COUNT, world);
		assert_int_equal(found.kind, REFLECT_RANDOM);
		near += fabs(found.bits - log2(64512)) < 0.5;
		held += found.at_least <= log2(64512);
		assert_true(found.at_least <= found.bits && found.at_least > 11.5);
	}
	assert_in_range(near, WORLDS * 9 / 10, WORLDS);
	assert_in_range(held, WORLDS * 9 / 10, WORLDS);
}

/* 256 questions without a repeat: 32,640 pairs, of which fewer than 2.97 were to be expected, so 10,990 ports at least,
 * 13.4 bits. Sixteen show 5.3 bits and no more. */
static void test_what_a_sample_can_show(void **state)
{
	(void)state;
	struct port_pair pairs[COUNT];
	struct reflect out;
	for (unsigned i = 0; i < COUNT; i++)
		pairs[i] = (struct port_pair){.lent = 50000, .seen = (uint16_t)(1024 + i * 40503 % 64512)};
	reflect_judge(&out, pairs, COUNT, LENT_BITS);
	assert_int_equal(out.repeats, 0);
	assert_true(fabs(out.at_least - 13.42) < 0.02);
	for (uint64_t world = 1; world <= WORLDS; world++) {
		struct reflect found = judge(anywhere, 16, world);
		assert_true(found.kind == REFLECT_RANDOM && found.at_least < 5.4);
	}
}

static void test_counts(void **state)
{
	static const struct port_pair pairs[] = {{50000, 700}, {50001, 700}, {50002, 50002}, {50003, 700}, {50004, 9}};
	struct reflect out;
	(void)state;
	reflect_judge(&out, pairs, COUNT_OF(pairs), LENT_BITS);
	assert_int_equal(out.count, 5);
	assert_int_equal(out.kept, 1);
	assert_int_equal(out.distinct, 3);
	assert_int_equal(out.repeats, 3); /* 1-2, 1-4, 2-4 */
	assert_int_equal(out.lowest, 9);
	assert_int_equal(out.highest, 50002);
	reflect_judge(&out, pairs, 2, LENT_BITS); /* the least there can be */
	assert_int_equal(out.kind, REFLECT_FIXED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds), cmocka_unit_test(test_random_over_all),
		cmocka_unit_test(test_what_a_sample_can_show), cmocka_unit_test(test_counts)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
