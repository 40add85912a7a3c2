#include "unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "net/fiber.h"
#include "resolve/inflight.h"
#include "unit/sets.h"

static struct loop loop;
static struct inflight *inflight;
static struct arena arena;

static int begin(void **state)
{
	(void)state;
	hash_init();
	arena_init(&arena);
	inflight = inflight_new();
	return loop_init(&loop);
}

static int end(void **state)
{
	(void)state;
	inflight_free(inflight);
	loop_deinit(&loop);
	arena_deinit(&arena);
	return 0;
}

static struct flight_key key_of(const char *server, const char *name, uint16_t type, uint16_t rclass, bool edns)
{
	struct addr addr;
	struct flight_key key;
	assert_int_equal(addr_parse(&addr, server, 53), 0);
	flight_key_make(&key, &addr, set_name(&arena, name), type, rclass, edns);
	return key;
}

/* Each part of a question makes another flight. */
static void test_key(void **state)
{
	static const struct {
		const char *server, *name;
		uint16_t type, rclass;
		bool edns, same;
	} cases[] = {
		{"192.0.2.1", "www.example", 1, 1, true, true},
		{"192.0.2.1@53", "WWW.Example.", 1, 1, true, true},
		{"192.0.2.2", "www.example", 1, 1, true, false},
		{"192.0.2.1@54", "www.example", 1, 1, true, false},
		{"2001:db8::1", "www.example", 1, 1, true, false},
		{"192.0.2.1", "ww.example", 1, 1, true, false},
		{"192.0.2.1", "www.example", 28, 1, true, false},
		{"192.0.2.1", "www.example", 1, 3, true, false},
		{"192.0.2.1", "www.example", 1, 1, false, false},
	};
	static struct flight first, second; /* still in the table when it is freed */
	struct flight_key key = key_of("192.0.2.1", "www.example", 1, 1, true);
	(void)state;
	assert_null(inflight_enter(inflight, &key, &first, &loop));
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct flight_key other =
			key_of(cases[i].server, cases[i].name, cases[i].type, cases[i].rclass, cases[i].edns);
		struct join *join = inflight_enter(inflight, &other, &second, &loop);
		assert_int_equal(join != NULL, cases[i].same);
		if (join == NULL)
			inflight_end(inflight, &second, 0, (const uint8_t *)"", 0, &loop);
	}
	/* Joins that nobody waited for are freed with the table, as those of fibers that never ran again. */
}

struct joining {
	struct arena arena;
	uint64_t deadline_us;
	struct fiber *self;
	int ret;
	uint8_t *wire;
	size_t len;
};

static void join_one(void *arg)
{
	struct joining *j = arg;
	struct flight_key key = key_of("192.0.2.1", "www.example", 1, 1, true);
	struct flight mine;
	j->self = fiber_self();
	struct join *join = inflight_enter(inflight, &key, &mine, &loop);
	assert_non_null(join);
	j->ret = inflight_wait_await(inflight, join, &j->arena, j->deadline_us, &j->wire, &j->len);
}

static struct joining joining[5];
static struct flight flight;
static int result;

static void land(void *arg)
{
	uint8_t wire[5] = "hello"; /* gone when the others read theirs */
	(void)arg;
	if (fiber_wait_await(clock_mono_us() + 5000) != E_TIMEOUT)
		return;
	inflight_end(inflight, &flight, result, wire, 5, &loop);
	memset(wire, 0xee, 5);
}

static void cancel_one(void *arg)
{
	(void)arg;
	fiber_cancel(joining[1].self);
}

static void on_turn(void *arg)
{
	(void)arg;
	if (fiber_count(&loop) == 0)
		loop_stop(&loop);
}

/* Everybody gets the sender's result and a copy of his own; who was cancelled or is too late gets that. */
static void test_join(void **state)
{
	static const int results[] = {0, E_TIMEOUT, E_MALFORMED};
	(void)state;
	loop.on_turn = on_turn;
	for (size_t r = 0; r < COUNT_OF(results); r++) {
		struct flight_key key = key_of("192.0.2.1", "www.example", 1, 1, true);
		result = results[r];
		assert_null(inflight_enter(inflight, &key, &flight, &loop));
		for (int i = 0; i < 5; i++) {
			joining[i] = (struct joining){.deadline_us = UINT64_MAX};
			if (i == 2)
				joining[i].deadline_us = clock_mono_us() + 1000;
			arena_init(&joining[i].arena);
			fiber_spawn(&loop, join_one, &joining[i]);
		}
		fiber_spawn(&loop, land, NULL);
		fiber_spawn(&loop, cancel_one, NULL);
		loop_run(&loop);
		atomic_store(&loop.stop, false);
		for (int i = 0; i < 5; i++) {
			assert_int_equal(joining[i].ret, i == 1 ? E_CANCELED : i == 2 ? E_TIMEOUT : result);
			if (joining[i].ret == 0) {
				assert_int_equal(joining[i].len, 5);
				assert_memory_equal(joining[i].wire, "hello", 5);
			}
			arena_deinit(&joining[i].arena);
		}
	}
}

/* --- two workers --- */

enum { ROUNDS = 2000, ASKERS = 20 };

struct asker {
	struct loop *loop;
	struct arena arena;
};

struct side {
	struct loop loop;
	pthread_t thread;
	struct asker asker[ASKERS];
};

static atomic_int flying, landed, joined, wrong;

/* Asks the same few questions again and again; who flies waits a little, some joiners not long enough. */
static void ask_often(void *arg)
{
	struct asker *asker = arg;
	for (int i = 0; i < ROUNDS; i++) {
		uint8_t *wire = NULL;
		size_t len = 0;
		struct flight_key key;
		struct addr server;
		addr_parse(&server, i % 2 ? "192.0.2.1" : "192.0.2.2", 53);
		flight_key_make(&key, &server, (const uint8_t *)"\1a", 1, 1, true);
		struct flight mine;
		struct join *join = inflight_enter(inflight, &key, &mine, asker->loop);
		if (join == NULL) {
			wrong += flying++ >= 2;
			(void)!fiber_wait_await(clock_mono_us() + 50);
			flying--;
			inflight_end(inflight, &mine, 0, (const uint8_t *)"hello", 5, asker->loop);
			landed++;
		} else if (inflight_wait_await(
				   inflight, join, &asker->arena, clock_mono_us() + 20 + i % 100, &wire, &len) == 0) {
			wrong += len != 5 || memcmp(wire, "hello", 5) != 0;
			joined++;
		}
		arena_reset(&asker->arena);
	}
}

static void stop_when_done(void *arg)
{
	struct loop *own = arg;
	if (fiber_count(own) == 0)
		loop_stop(own);
}

static void *run_side(void *arg)
{
	struct side *side = arg;
	side->loop.on_turn = stop_when_done;
	side->loop.on_turn_arg = &side->loop;
	for (int i = 0; i < ASKERS; i++) {
		side->asker[i].loop = &side->loop;
		arena_init(&side->asker[i].arena);
		fiber_spawn(&side->loop, ask_often, &side->asker[i]);
	}
	loop_run(&side->loop);
	return NULL;
}

/* Never two flights of one question, whoever asks; replies cross between threads whole, in time or too late. */
static void test_two_workers(void **state)
{
	static struct side side[2];
	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(loop_init(&side[i].loop), 0);
	for (int i = 0; i < 2; i++)
		pthread_create(&side[i].thread, NULL, run_side, &side[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(side[i].thread, NULL);
	for (int i = 0; i < 2; i++) {
		while (loop_drain(&side[i].loop))
			continue;
		for (int k = 0; k < ASKERS; k++)
			arena_deinit(&side[i].asker[k].arena);
		loop_deinit(&side[i].loop);
	}
	assert_int_equal(wrong, 0);
	assert_true(landed > 0 && joined > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_key, begin, end),
		cmocka_unit_test_setup_teardown(test_join, begin, end),
		cmocka_unit_test_setup_teardown(test_two_workers, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
