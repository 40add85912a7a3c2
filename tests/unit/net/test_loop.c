#include "unit/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/loop.h"

static struct loop loop;

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

/* --- timers --- */

enum { TIMERS = 3000 };

static struct timer timers[TIMERS], stopper;
static unsigned fired;
static uint64_t last_us;
static bool in_order;

static void on_stop(struct timer *timer)
{
	(void)timer;
	loop_stop(&loop);
}

static void on_in_order(struct timer *timer)
{
	in_order &= timer->at_us >= last_us && timer->at_us <= loop.now_us && timer->place == 0;
	last_us = timer->at_us;
	fired++;
}

static void run_for_us(uint64_t us)
{
	stopper.on_timer = on_stop;
	loop_timer_set(&loop, &stopper, clock_mono_us() + us);
	loop_run(&loop);
	loop_timer_cancel(&loop, &stopper);
	atomic_store(&loop.stop, false);
}

static void test_timers_in_order(void **state)
{
	uint64_t now_us = clock_mono_us();
	(void)state;
	fired = 0;
	last_us = 0;
	in_order = true;
	unsigned wanted = 0;
	for (unsigned i = 0; i < TIMERS; i++) {
		timers[i] = (struct timer){.on_timer = on_in_order};
		loop_timer_set(&loop, &timers[i], now_us + (i * 7919u) % 20011);
	}
	for (unsigned i = 0; i < TIMERS; i += 3) /* moved, some of them twice, some to the past */
		loop_timer_set(&loop, &timers[i], now_us + (i * 104729u) % 20011 - (i % 2 ? 0 : 5));
	for (unsigned i = 1; i < TIMERS; i += 3) {
		loop_timer_cancel(&loop, &timers[i]);
		loop_timer_cancel(&loop, &timers[i]); /* twice is harmless */
	}
	for (unsigned i = 0; i < TIMERS; i++)
		wanted += i % 3 != 1;
	run_for_us(30000);
	assert_int_equal(fired, wanted);
	assert_true(in_order);
	assert_int_equal(loop.heap_count, 0);
}

static void on_cancel_others(struct timer *timer)
{
	fired++;
	for (unsigned i = 0; i < 10; i++)
		if (&timers[i] != timer)
			loop_timer_cancel(&loop, &timers[i]);
	loop_timer_cancel(&loop, timer); /* itself, too */
}

static void on_again(struct timer *timer)
{
	if (++fired < 5)
		loop_timer_set(&loop, timer, loop.now_us + 100);
	else
		loop_stop(&loop);
}

static void test_cancel_in_callback(void **state)
{
	uint64_t now_us = clock_mono_us();
	(void)state;
	fired = 0;
	for (unsigned i = 0; i < 10; i++) {
		timers[i] = (struct timer){.on_timer = on_cancel_others};
		loop_timer_set(&loop, &timers[i], now_us);
	}
	run_for_us(3000);
	assert_int_equal(fired, 1);
	fired = 0;
	timers[0] = (struct timer){.on_timer = on_again};
	loop_timer_set(&loop, &timers[0], now_us);
	run_for_us(5000000); /* or until the fifth */
	assert_int_equal(fired, 5);
}

/* --- mail --- */

enum { LETTERS = 20000, SENDERS = 2 };

struct letter {
	struct mail mail;
	int sender, number;
};

static int next_number[SENDERS];
static unsigned received;

static void on_letter(struct mail *mail)
{
	struct letter *letter = container_of(mail, struct letter, mail);
	in_order &= letter->number == next_number[letter->sender]++;
	free(letter);
	if (++received == LETTERS * SENDERS)
		loop_stop(&loop);
}

static void *send_letters(void *arg)
{
	for (int i = 0; i < LETTERS; i++) {
		struct letter *letter = malloc(sizeof(*letter));
		*letter = (struct letter){.mail = {.on_mail = on_letter}, .sender = (int)(intptr_t)arg, .number = i};
		loop_post(&loop, &letter->mail);
		if (i % 1000 == 0)
			usleep(100); /* lets the loop fall asleep now and then */
	}
	return NULL;
}

static void test_mail_in_order(void **state)
{
	pthread_t thread[SENDERS];
	(void)state;
	in_order = true;
	received = 0;
	memset(next_number, 0, sizeof(next_number));
	for (intptr_t i = 0; i < SENDERS; i++)
		pthread_create(&thread[i], NULL, send_letters, (void *)i);
	loop_run(&loop); /* without a timer: a lost wake-up would hang here */
	for (int i = 0; i < SENDERS; i++)
		pthread_join(thread[i], NULL);
	assert_true(in_order);
	assert_int_equal(received, LETTERS * SENDERS);
	assert_false(loop_drain(&loop));
}

static void test_drain(void **state)
{
	(void)state;
	in_order = true;
	received = 0;
	memset(next_number, 0, sizeof(next_number));
	for (int i = 0; i < 3; i++) {
		struct letter *letter = malloc(sizeof(*letter));
		*letter = (struct letter){.mail = {.on_mail = on_letter}, .number = i};
		loop_post(&loop, &letter->mail);
	}
	assert_true(loop_drain(&loop));
	assert_false(loop_drain(&loop));
	assert_true(in_order && received == 3);
}

/* --- descriptors --- */

static struct watch watches[8];
static int ends[8];
static unsigned woken;

/* All are ready in the same batch; the first that is told takes the others out. */
static void on_unwatch_others(struct watch *watch, uint32_t events)
{
	(void)watch;
	(void)events;
	woken++;
	for (int i = 0; i < 8; i++) {
		loop_unwatch(&loop, &watches[i]);
		memset(&watches[i].on_ready, 0, sizeof(watches[i].on_ready)); /* a call now would crash */
	}
}

static void on_close_others(struct watch *watch, uint32_t events)
{
	(void)watch;
	(void)events;
	woken++;
	for (int i = 0; i < 8; i++) {
		close(watches[i].fd);
		loop_forget(&loop, &watches[i]);
		watches[i].on_ready = NULL;
	}
}

static void test_unwatch_in_callback(void **state)
{
	(void)state;
	for (int closing = 0; closing < 2; closing++) {
		woken = 0;
		for (int i = 0; i < 8; i++) {
			int fds[2];
			assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
			watches[i] =
				(struct watch){.fd = fds[0], .on_ready = closing ? on_close_others : on_unwatch_others};
			ends[i] = fds[1];
			assert_int_equal(loop_watch(&loop, &watches[i], EPOLLIN), 0);
			assert_int_equal(write(fds[1], "x", 1), 1);
		}
		run_for_us(3000);
		assert_int_equal(woken, 1);
		for (int i = 0; i < 8; i++) {
			if (!closing)
				close(watches[i].fd);
			close(ends[i]);
		}
	}
	struct watch bad = {.fd = -1};
	assert_int_not_equal(loop_watch(&loop, &bad, EPOLLIN), 0);
}

/* --- stopping --- */

/* Not before the loop has fallen asleep. */
static void *stop_soon(void *arg)
{
	struct loop *stopped = arg;
	for (int i = 0; i < 1000 && !atomic_load(&stopped->asleep); i++)
		usleep(5000);
	usleep(5000);
	loop_stop(stopped);
	return NULL;
}

static unsigned turns;

static void on_turn(void *arg)
{
	turns += *(unsigned *)arg;
}

static void test_stop_from_outside(void **state)
{
	pthread_t thread;
	unsigned one = 1;
	(void)state;
	turns = 0;
	loop.on_turn = on_turn;
	loop.on_turn_arg = &one;
	pthread_create(&thread, NULL, stop_soon, &loop);
	loop_run(&loop);
	pthread_join(thread, NULL);
	assert_true(turns >= 1 && turns < 10); /* it slept, it did not spin */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_timers_in_order),
		TEST(test_cancel_in_callback),
		TEST(test_mail_in_order),
		TEST(test_drain),
		TEST(test_unwatch_in_callback),
		TEST(test_stop_from_outside),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
