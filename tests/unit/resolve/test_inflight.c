#include "unit/unit.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "net/fiber.h"
#include "resolve/inflight.h"
#include "unit/sets.h"

static struct loop loop;
static struct inflight inflight;
static struct arena arena;

static int begin(void **state)
{
	(void)state;
	hash_init();
	arena_init(&arena);
	inflight_init(&inflight);
	return loop_init(&loop);
}

static int end(void **state)
{
	(void)state;
	loop_deinit(&loop);
	arena_deinit(&arena);
	return 0;
}

static struct flight_key key_of(const char *server, const char *name, uint16_t type, uint16_t rclass)
{
	struct addr addr;
	struct flight_key key;
	assert_int_equal(addr_parse(&addr, server, 53), 0);
	flight_key_make(&key, &addr, set_name(&arena, name), type, rclass);
	return key;
}

/* Each part of a question makes another flight. */
static void test_key(void **state)
{
	static const struct {
		const char *server, *name;
		uint16_t type, rclass;
		bool same;
	} cases[] = {
		{"192.0.2.1", "www.example", 1, 1, true},
		{"192.0.2.1@53", "WWW.Example.", 1, 1, true},
		{"192.0.2.2", "www.example", 1, 1, false},
		{"192.0.2.1@54", "www.example", 1, 1, false},
		{"2001:db8::1", "www.example", 1, 1, false},
		{"192.0.2.1", "ww.example", 1, 1, false},
		{"192.0.2.1", "www.example", 28, 1, false},
		{"192.0.2.1", "www.example", 1, 3, false},
	};
	struct flight flight;
	struct flight_key key = key_of("192.0.2.1", "www.example", 1, 1);
	(void)state;
	inflight_begin(&inflight, &flight, &key);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct flight_key other = key_of(cases[i].server, cases[i].name, cases[i].type, cases[i].rclass);
		assert_ptr_equal(inflight_find(&inflight, &other), cases[i].same ? &flight : NULL);
	}
	inflight_end(&flight, 0, (const uint8_t *)"", 0);
	assert_null(inflight_find(&inflight, &key));
}

struct joining {
	struct flight *flight;
	struct arena arena;
	uint64_t deadline_us;
	struct fiber *self;
	int ret;
	const uint8_t *wire;
	size_t len;
};

static void join(void *arg)
{
	struct joining *j = arg;
	j->self = fiber_self();
	j->ret = inflight_join_await(j->flight, &j->arena, j->deadline_us, &j->wire, &j->len);
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
	inflight_end(&flight, result, wire, 5);
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
		struct flight_key key = key_of("192.0.2.1", "www.example", 1, 1);
		result = results[r];
		inflight_begin(&inflight, &flight, &key);
		for (int i = 0; i < 5; i++) {
			joining[i] = (struct joining){.flight = &flight, .deadline_us = UINT64_MAX};
			if (i == 2)
				joining[i].deadline_us = clock_mono_us() + 1000;
			arena_init(&joining[i].arena);
			fiber_spawn(&loop, join, &joining[i]);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_key, begin, end),
		cmocka_unit_test_setup_teardown(test_join, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
