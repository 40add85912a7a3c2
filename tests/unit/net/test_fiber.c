/* Checks inside fibers are noted and asserted outside: cmocka jumps out of a test by longjmp. */
#include "unit/unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/limits.h"
#include "net/fiber.h"

static struct loop loop;
static struct timer stopper;

static void on_stop(struct timer *timer)
{
	(void)timer;
	loop_stop(&loop);
}

static int begin(void **state)
{
	(void)state;
	return loop_init(&loop);
}

static int end(void **state)
{
	(void)state;
	loop_deinit(&loop);
	return 0;
}

/* Until no fiber is left, or for five seconds. */
static void on_turn(void *arg)
{
	(void)arg;
	if (fiber_count(&loop) == 0)
		loop_stop(&loop);
}

static void run(void)
{
	loop.on_turn = on_turn;
	stopper.on_timer = on_stop;
	loop_timer_set(&loop, &stopper, clock_mono_us() + 5000000);
	loop_run(&loop);
	loop_timer_cancel(&loop, &stopper);
	atomic_store(&loop.stop, false);
	assert_int_equal(fiber_count(&loop), 0);
}

/* --- waiting --- */

struct wait {
	struct fiber *self;
	uint64_t deadline_us, woke_us;
	int first, second;
	struct timer waker;
	int say;
	bool cancel;
};

static void wait_twice(void *arg)
{
	struct wait *wait = arg;
	wait->self = fiber_self();
	wait->first = fiber_wait_await(wait->deadline_us);
	wait->woke_us = clock_mono_us();
	wait->second = fiber_wait_await(wait->woke_us + 1000);
}

static void on_wake(struct timer *timer)
{
	struct wait *wait = container_of(timer, struct wait, waker);
	if (wait->self == NULL) { /* a busy machine: the fiber has not begun yet */
		loop_timer_set(&loop, timer, loop.now_us + 1000);
		return;
	}
	if (wait->cancel) {
		fiber_cancel(wait->self);
		return;
	}
	fiber_wake(wait->self, wait->say);
	fiber_wake(wait->self, E_BUSY); /* without effect: it was woken already */
}

static void test_wait(void **state)
{
	static const struct {
		bool waker, cancel;
		int say;
		bool deadline;
		int first, second;
	} cases[] = {
		{true, false, 0, false, 0, E_TIMEOUT},
		{true, false, E_REFUSED, false, E_REFUSED, E_TIMEOUT},
		{true, false, 7, true, 7, E_TIMEOUT},
		{false, false, 0, true, E_TIMEOUT, E_TIMEOUT},
		{true, true, 0, false, E_CANCELED, E_CANCELED},
		{true, true, 0, true, E_CANCELED, E_CANCELED},
	};
	(void)state;
	assert_null(fiber_self());
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint64_t now_us = clock_mono_us();
		/* Where something wakes it the deadline is far, so that a busy machine does not make it the first. */
		uint64_t deadline_us = now_us + (cases[i].waker ? 60000000 : 4000);
		struct wait wait = {.deadline_us = cases[i].deadline ? deadline_us : UINT64_MAX,
			.say = cases[i].say,
			.cancel = cases[i].cancel,
			.waker = {.on_timer = on_wake}};
		assert_int_equal(fiber_spawn(&loop, wait_twice, &wait), 0);
		assert_int_equal(fiber_count(&loop), 1);
		if (cases[i].waker)
			loop_timer_set(&loop, &wait.waker, now_us + 2000);
		run();
		assert_int_equal(wait.first, cases[i].first);
		assert_int_equal(wait.second, cases[i].second);
		assert_true(wait.woke_us >= now_us + (cases[i].waker ? 2000 : 4000));
		assert_int_equal(loop.heap_count, 0); /* no timer is left behind */
		assert_null(fiber_self());
	}
}

static void cancelled_before(void *arg)
{
	int *results = arg;
	fiber_cancel(fiber_self());
	results[0] = fiber_wait_await(UINT64_MAX);
	results[1] = fiber_yield_await();
	results[2] = fiber_wait_fd_await(0, EPOLLIN, UINT64_MAX);
}

static void test_cancel_sticks(void **state)
{
	int fds[2], saved = dup(0), results[3] = {0};
	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	dup2(fds[0], 0);
	fiber_spawn(&loop, cancelled_before, results);
	run();
	dup2(saved, 0);
	close(saved);
	close(fds[0]);
	close(fds[1]);
	for (int i = 0; i < 3; i++)
		assert_int_equal(results[i], E_CANCELED);
	/* The next fiber on the same stack is not cancelled. */
	struct wait wait = {.deadline_us = 0};
	fiber_spawn(&loop, wait_twice, &wait);
	run();
	assert_int_equal(wait.first, E_TIMEOUT);
}

/* --- descriptors --- */

struct fd_wait {
	int fd, ret, again;
};

static void wait_fd(void *arg)
{
	struct fd_wait *wait = arg;
	wait->ret = fiber_wait_fd_await(wait->fd, EPOLLIN, clock_mono_us() + 20000);
	wait->again = fiber_wait_fd_await(wait->fd, EPOLLIN, clock_mono_us() + 1000);
}

static void test_fd(void **state)
{
	int fds[2];
	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	struct fd_wait wait = {.fd = fds[0]};
	fiber_spawn(&loop, wait_fd, &wait);
	run();
	assert_true(wait.ret == E_TIMEOUT && wait.again == E_TIMEOUT);
	assert_int_equal(write(fds[1], "x", 1), 1);
	fiber_spawn(&loop, wait_fd, &wait);
	run();
	assert_true(wait.ret == 0 && wait.again == 0);
	close(fds[0]);
	close(fds[1]);
	wait.fd = fds[0];
	fiber_spawn(&loop, wait_fd, &wait);
	run();
	assert_int_equal(wait.ret, E_SYSTEM);
}

/* --- yielding --- */

static char trace[64];

static void append(const char *text)
{
	strncat(trace, text, sizeof(trace) - strlen(trace) - 1);
}

static void yielding(void *arg)
{
	for (int i = 0; i < 3; i++) {
		append(arg);
		if (fiber_yield_await() != 0)
			return;
	}
}

static void plain(void *arg)
{
	append(arg);
}

static void spawning(void *arg)
{
	append("s");
	fiber_spawn(&loop, plain, arg);
	append("S");
}

static void test_yield(void **state)
{
	(void)state;
	trace[0] = '\0';
	fiber_spawn(&loop, yielding, "a");
	fiber_spawn(&loop, yielding, "b");
	fiber_spawn(&loop, plain, "c");
	fiber_spawn(&loop, spawning, "n");
	run();
	assert_string_equal(trace, "abcsSabnab");
}

/* --- many --- */

enum { MANY = 5000 };

static unsigned ended;

static void sleep_a_little(void *arg)
{
	volatile uint64_t mine[16];
	for (int i = 0; i < 16; i++)
		mine[i] = (uintptr_t)arg;
	if (fiber_wait_await(clock_mono_us() + (uintptr_t)arg % 5000) != E_TIMEOUT)
		return;
	for (int i = 0; i < 16; i++)
		if (mine[i] != (uintptr_t)arg)
			return;
	ended++;
}

static void test_thousands(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) {
		ended = 0;
		for (uintptr_t i = 0; i < MANY; i++)
			assert_int_equal(fiber_spawn(&loop, sleep_a_little, (void *)i), 0);
		assert_int_equal(fiber_count(&loop), MANY);
		run();
		assert_int_equal(ended, MANY);
	}
}

static void end_soon(void *arg)
{
	(void)arg;
	ended++;
}

static void count_turn(void *arg)
{
	unsigned *turns = arg;
	(*turns)++;
	on_turn(NULL);
}

/* Hundreds that are ready together do not keep descriptors and timers waiting until the last one ran. */
static void test_turns_are_short(void **state)
{
	unsigned turns = 0;
	(void)state;
	ended = 0;
	for (int i = 0; i < MANY / 10; i++)
		assert_int_equal(fiber_spawn(&loop, end_soon, NULL), 0);
	loop.on_turn = count_turn;
	loop.on_turn_arg = &turns;
	loop_run(&loop);
	atomic_store(&loop.stop, false);
	assert_int_equal(ended, MANY / 10);
	assert_true(turns >= 10);
}

/* Ended with fibers waiting: their stacks go with the loop (ASan would tell of a leak). */
static void test_abandoned(void **state)
{
	struct wait waits[10];
	(void)state;
	for (int i = 0; i < 10; i++) {
		waits[i] = (struct wait){.deadline_us = UINT64_MAX};
		fiber_spawn(&loop, wait_twice, &waits[i]);
	}
	stopper.on_timer = on_stop;
	loop_timer_set(&loop, &stopper, clock_mono_us() + 1000);
	loop_run(&loop);
	assert_int_equal(fiber_count(&loop), 10);
}

/* --- depth --- */

/* Each level looks at the frame above it, so that no compiler makes a loop of it. */
static __attribute__((noinline)) uint64_t dig(unsigned depth, const volatile uint8_t *above)
{
	volatile uint8_t room[1024];
	for (size_t i = 0; i < sizeof(room); i += 64)
		room[i] = (uint8_t)depth;
	return depth == 0 ? above[64] - 1u : dig(depth - 1, room) + above[64] - 1u;
}

static void deep(void *arg)
{
	*(uint64_t *)arg = dig(40, (const volatile uint8_t[65]){[64] = 41}); /* some 45 of 128 KiB; with ASan more */
}

static void test_deep(void **state)
{
	static struct counters counters;
	uint64_t sum = 0;
	(void)state;
	counters_attach(&counters);
	assert_int_equal(fiber_spawn(&loop, deep, &sum), 0);
	run();
	assert_int_equal(sum, 40 * 41 / 2);
	uint64_t peak = counters_get(&counters, COUNT_FIBERS_PEAK_STACK);
	assert_true(peak > 40 * 1024 && peak <= LIMIT_FIBER_STACK);
	counters_attach(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wait),
		TEST(test_cancel_sticks),
		TEST(test_fd),
		TEST(test_yield),
		TEST(test_thousands),
		TEST(test_turns_are_short),
		TEST(test_abandoned),
		TEST(test_deep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
