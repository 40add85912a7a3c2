/* A stream over a socketpair; the test is the other side. */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/stream.h"

enum { IN_MAX = 10000, OUT_MAX = 200000 };

static struct loop loop;
static struct timer stopper;
static struct stream stream;
static int peer;
static unsigned closed, calls, expect_in_data;
static char got[100000];
static size_t got_len, unit;
static bool close_in_data, echo;

static size_t on_data(struct stream *s, const uint8_t *data, size_t len)
{
	calls++;
	for (; expect_in_data > 0; expect_in_data--)
		stream_expect(s);
	if (close_in_data) {
		stream_close(s);
		stream_close(s); /* twice is harmless, and nothing may follow */
		stream_write(s, "x", 1);
		return len;
	}
	if (len < unit)
		return 0;
	size_t use = unit > 0 ? unit : len;
	if (echo) {
		stream_write(s, data, use);
		return use;
	}
	memcpy(got + got_len, data, use);
	got_len += use;
	return use;
}

static void on_closed(struct stream *s)
{
	assert_ptr_equal(s, &stream);
	closed++;
	memset(s, 0xee, sizeof(*s)); /* the owner frees it here: nobody may look at it again */
}

static const struct stream_ops ops = {.on_data = on_data, .on_closed = on_closed, .in_max = IN_MAX, .out_max = OUT_MAX};

static void on_stop(struct timer *timer)
{
	(void)timer;
	loop_stop(&loop);
}

static void run_ms(unsigned ms)
{
	stopper.on_timer = on_stop;
	loop_timer_set(&loop, &stopper, clock_mono_us() + ms * 1000ull);
	loop_run(&loop);
	atomic_store(&loop.stop, false);
}

/* Or for five seconds. */
static void run_until_closed(void)
{
	for (int i = 0; i < 1000 && closed == 0 && !stream.closed; i++)
		run_ms(5);
}

/* Or for five seconds, or the stream's end. */
static void run_until_got(size_t len)
{
	for (int i = 0; i < 1000 && closed == 0 && got_len < len; i++)
		run_ms(5);
}

static void begin_with(unsigned idle_ms)
{
	int fds[2];
	closed = calls = expect_in_data = 0;
	got_len = unit = 0;
	close_in_data = echo = false;
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	peer = fds[1];
	assert_int_equal(stream_init(&stream, &loop, fds[0], &ops, idle_ms), 0);
}

static int end(void **state)
{
	(void)state;
	if (!closed)
		stream_close(&stream);
	assert_int_equal(closed, 1); /* once, always */
	close(peer);
	loop_deinit(&loop);
	return 0;
}

static void send_text(const char *text)
{
	assert_int_equal(send(peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What is not used is offered again with more behind it; several units in one packet are offered one by one. */
static void test_partial(void **state)
{
	(void)state;
	begin_with(60000);
	unit = 4;
	send_text("ab");
	run_ms(2);
	assert_int_equal(got_len, 0);
	assert_int_equal(calls, 1);
	send_text("c");
	run_ms(2);
	send_text("defghijkl12");
	run_ms(2);
	assert_int_equal(got_len, 12);
	assert_memory_equal(got, "abcdefghijkl", 12);
	send_text("34");
	run_ms(2);
	assert_memory_equal(got + 12, "1234", 4);
	assert_int_equal(closed, 0);
}

static void test_input_overflow(void **state)
{
	static char junk[3 * IN_MAX];
	(void)state;
	begin_with(60000);
	unit = sizeof(junk) + 1; /* never enough for it */
	assert_true(send(peer, junk, sizeof(junk), MSG_NOSIGNAL) > 2 * IN_MAX);
	run_until_closed();
	assert_int_equal(closed, 1);
}

/* One unit of the largest size is no overflow. */
static void test_input_largest(void **state)
{
	static char junk[IN_MAX];
	(void)state;
	begin_with(60000);
	unit = IN_MAX;
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(send(peer, junk, IN_MAX, MSG_NOSIGNAL), IN_MAX);
		run_until_got((i + 1) * IN_MAX);
	}
	assert_int_equal(got_len, 5 * IN_MAX);
	assert_int_equal(closed, 0);
}

/* More than the socket takes waits; more than allowed ends it: a client that does not read is cut off. */
static void test_output(void **state)
{
	static char text[OUT_MAX + 1], back[OUT_MAX];
	(void)state;
	begin_with(60000);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	int small = 4096;
	assert_int_equal(setsockopt(stream.watch.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	stream_write(&stream, text, OUT_MAX / 2);
	stream_write(&stream, text + OUT_MAX / 2, OUT_MAX / 4);
	assert_int_equal(closed, 0);
	size_t have = 0;
	for (int i = 0; i < 1000 && have < OUT_MAX * 3 / 4; i++) {
		ssize_t more = recv(peer, back + have, sizeof(back) - have, MSG_DONTWAIT);
		have += more > 0 ? (size_t)more : 0;
		run_ms(1);
	}
	assert_int_equal(have, OUT_MAX * 3 / 4);
	assert_memory_equal(back, text, have);
	stream_write(&stream, text, OUT_MAX + 1);
	assert_int_equal(closed, 1);
}

/* The other side has said all: open until what is expected was answered, then closed. */
static void test_half_close(void **state)
{
	char back[8];
	(void)state;
	begin_with(60000);
	expect_in_data = 2;
	send_text("ask");
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	run_ms(5);
	assert_int_equal(closed, 0);
	stream_write(&stream, "one", 3);
	stream_done(&stream);
	run_ms(2);
	assert_int_equal(closed, 0);
	assert_int_equal(recv(peer, back, 8, 0), 3);
	stream_write(&stream, "two", 3);
	stream_done(&stream);
	assert_int_equal(closed, 1);
	assert_int_equal(recv(peer, back, 8, 0), 3);
	assert_int_equal(recv(peer, back, 8, 0), 0);
}

static void test_end_without_expectations(void **state)
{
	(void)state;
	begin_with(60000);
	send_text("ask");
	shutdown(peer, SHUT_WR);
	run_until_closed();
	assert_int_equal(got_len, 3);
	assert_int_equal(closed, 1);
}

/* Gone for good while an answer is expected: closed, but the owner's struct stays until whoever has the answer is done;
 * the late answer goes nowhere. */
static void test_peer_gone(void **state)
{
	(void)state;
	begin_with(60000);
	expect_in_data = 1;
	send_text("ask");
	run_ms(2);
	close(peer);
	peer = dup(0);
	run_until_closed();
	assert_true(stream.closed);
	assert_int_equal(closed, 0);
	stream_write(&stream, "late", 4);
	stream_done(&stream);
	assert_int_equal(closed, 1);
}

static void test_close_in_callback(void **state)
{
	(void)state;
	begin_with(60000);
	close_in_data = true;
	unit = 1;
	send_text("many units, but only the first is looked at");
	run_ms(5);
	assert_int_equal(calls, 1);
	assert_int_equal(closed, 1);
}

/* The client stops reading while it is answered from within on_data. */
static void test_overflow_in_callback(void **state)
{
	static char junk[IN_MAX];
	(void)state;
	begin_with(60000);
	echo = true;
	int small = 4096;
	setsockopt(stream.watch.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	for (int i = 0; i < 1000 && !closed; i++) {
		(void)!send(peer, junk, IN_MAX, MSG_NOSIGNAL | MSG_DONTWAIT);
		run_ms(1);
	}
	assert_int_equal(closed, 1);
}

static void test_idle(void **state)
{
	(void)state;
	/* Longer than any step by so much that a busy machine does not end it. */
	begin_with(800);
	for (int i = 0; i < 4; i++) { /* data keeps it */
		run_ms(250);
		send_text("x");
	}
	run_ms(2);
	assert_int_equal(closed, 0);
	expect_in_data = 1;
	send_text("x");
	run_ms(1000); /* so does an answer to come */
	assert_int_equal(closed, 0);
	stream_done(&stream);
	uint64_t done_us = loop.now_us;
	run_until_closed();
	assert_int_equal(closed, 1);
	assert_true(loop.now_us >= done_us + 800000); /* from its end the time ran anew */
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_partial),
		TEST(test_input_overflow),
		TEST(test_input_largest),
		TEST(test_output),
		TEST(test_half_close),
		TEST(test_end_without_expectations),
		TEST(test_peer_gone),
		TEST(test_close_in_callback),
		TEST(test_overflow_in_callback),
		TEST(test_idle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
