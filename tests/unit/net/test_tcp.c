/* A fiber speaks over a socketpair or loopback; a second one, or nobody, answers. */
#include "unit/unit.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "net/fiber.h"
#include "net/tcp.h"

static struct loop loop;
static struct timer stopper;
static int fds[2];
static unsigned patience_ms;

static void on_stop(struct timer *timer)
{
	(void)timer;
	loop_stop(&loop);
}

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

static int begin(void **state)
{
	(void)state;
	patience_ms = 4000; /* less than run() has */
	assert_int_equal(loop_init(&loop), 0);
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);
}

static int end(void **state)
{
	(void)state;
	close(fds[0]);
	close(fds[1]);
	loop_deinit(&loop);
	return 0;
}

static uint64_t soon(void)
{
	return clock_mono_us() + patience_ms * 1000ull;
}

/* --- receiving --- */

struct receiving {
	size_t room, len;
	int ret;
	uint8_t wire[65535];
};

static void receive(void *arg)
{
	struct receiving *r = arg;
	r->len = r->room;
	r->ret = tcp_receive_await(fds[0], r->wire, &r->len, soon());
}

struct piece {
	const char *bytes;
	size_t len;
};

static const struct piece *next_piece;

static void send_pieces(void *arg)
{
	(void)arg;
	for (; next_piece->bytes != NULL; next_piece++) {
		(void)!write(fds[1], next_piece->bytes, next_piece->len);
		if (fiber_wait_await(clock_mono_us() + 500) != E_TIMEOUT)
			return;
	}
	if (next_piece->len == 1)
		shutdown(fds[1], SHUT_WR);
}

static void test_receive(void **state)
{
	static const struct {
		struct piece piece[6];
		size_t room;
		int ret;
		const char *message;
	} cases[] = {
#define CLOSE {NULL, 1}
		{{{"\0\5hello", 7}}, 100, 0, "hello"},
		{{{"\0", 1}, {"\5", 1}, {"h", 1}, {"ell", 3}, {"o", 1}}, 100, 0, "hello"},
		{{{"\0\5he", 4}, {"llo\0\3abc", 8}}, 100, 0, "hello"}, /* the next message stays for the next call */
		{{{"\0\5hello", 7}}, 5, 0, "hello"},
		{{{"\0\0", 2}}, 100, 0, ""},
		{{{"\0\5hello", 7}}, 4, E_SPACE, NULL},
		{{{"\xff\xff", 2}}, 100, E_SPACE, NULL},
		{{{"\0\5hell", 6}}, 100, E_TIMEOUT, NULL},
		{{{"\0", 1}}, 100, E_TIMEOUT, NULL},
		{{{NULL, 0}}, 100, E_TIMEOUT, NULL},
		{{CLOSE}, 100, E_CLOSED, NULL},
		{{{"\0", 1}, CLOSE}, 100, E_CLOSED, NULL},
		{{{"\0\5hell", 6}, CLOSE}, 100, E_CLOSED, NULL},
	};
	static struct receiving r;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		end(NULL);
		begin(NULL);
		if (cases[i].ret == E_TIMEOUT)
			patience_ms = 100;
		r.room = cases[i].room;
		next_piece = cases[i].piece;
		fiber_spawn(&loop, receive, &r);
		fiber_spawn(&loop, send_pieces, NULL);
		run();
		if (r.ret != cases[i].ret)
			print_error("case %zu\n", i);
		assert_int_equal(r.ret, cases[i].ret);
		if (r.ret == 0) {
			assert_int_equal(r.len, strlen(cases[i].message));
			assert_memory_equal(r.wire, cases[i].message, r.len);
		}
	}
}

/* --- sending --- */

static uint8_t large[65535];
static int sent;

static void send_large(void *arg)
{
	sent = tcp_send_await(fds[1], large, *(size_t *)arg, soon());
}

/* Larger than the socket's buffer: in parts, and all of it. */
static void test_send_and_receive(void **state)
{
	static const size_t sizes[] = {0, 1, 511, 65535};
	static struct receiving r;
	(void)state;
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (uint8_t)(i * 31);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		size_t size = sizes[i];
		int small = 1;
		setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
		r.room = sizeof(r.wire);
		fiber_spawn(&loop, send_large, &size);
		fiber_spawn(&loop, receive, &r);
		run();
		assert_int_equal(sent, 0);
		assert_int_equal(r.ret, 0);
		assert_int_equal(r.len, size);
		assert_memory_equal(r.wire, large, size);
	}
}

static void test_send_to_nobody(void **state)
{
	size_t size = sizeof(large);
	int small = 1;
	(void)state;
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	patience_ms = 100;
	fiber_spawn(&loop, send_large, &size);
	run();
	assert_int_equal(sent, E_TIMEOUT); /* nobody reads */
	close(fds[0]);
	fiber_spawn(&loop, send_large, &size);
	run();
	assert_int_equal(sent, E_CLOSED); /* and no SIGPIPE */
	fds[0] = dup(fds[1]);
}

/* --- connecting, and being cancelled --- */

struct connecting {
	struct addr to;
	int fd, ret;
	struct fiber *self;
};

static void connect_to(void *arg)
{
	struct connecting *c = arg;
	c->self = fiber_self();
	c->ret = tcp_connect_await(c->fd, &c->to, soon());
}

static void test_connect(void **state)
{
	struct connecting c = {0};
	socklen_t len = sizeof(c.to);
	(void)state;
	assert_int_equal(addr_parse(&c.to, "127.0.0.1", 53), 0);
	addr_set_port(&c.to, 0);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, &c.to.sa, addr_socklen(&c.to)), 0);
	assert_int_equal(getsockname(listener, &c.to.sa, &len), 0);
	for (int i = 0; i < 2; i++) {
		if (i == 1)
			assert_int_equal(listen(listener, 5), 0);
		c.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		fiber_spawn(&loop, connect_to, &c);
		run();
		assert_int_equal(c.ret, i == 0 ? E_REFUSED : 0);
		close(c.fd);
	}
	close(listener);
}

static void cancel_other(void *arg)
{
	fiber_cancel(((struct connecting *)arg)->self);
}

static void receive_cancelled(void *arg)
{
	struct connecting *c = arg;
	uint8_t wire[10];
	size_t len = sizeof(wire);
	c->self = fiber_self();
	c->ret = tcp_receive_await(fds[0], wire, &len, UINT64_MAX);
}

static void test_cancel(void **state)
{
	struct connecting c = {0};
	(void)state;
	fiber_spawn(&loop, receive_cancelled, &c);
	fiber_spawn(&loop, cancel_other, &c);
	run();
	assert_int_equal(c.ret, E_CANCELED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_receive),
		TEST(test_send_and_receive),
		TEST(test_send_to_nobody),
		TEST(test_connect),
		TEST(test_cancel),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
