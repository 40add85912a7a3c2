/* One port for all exchanges (ports/single.c): real sockets on loopback. */
#include "unit/unit.h"

#include <pthread.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "ports/single.h"
#include "unit/sockets.h"

enum { FIRST = 50000, LAST = 50099, SERVERS = 8, ANOTHER_USER = 65534, SKIPPED = 77 };

/* Of this program alone, and below those that are lent. */
enum { SERVER_PORT = 5300 };

static struct port_space *space;
static struct port_set set;
static struct single *single;
static struct addr address[SERVERS], address6;
static int server[SERVERS], server6;

static void begin_with(uint16_t first, uint16_t last)
{
	space = port_space_new();
	port_set_fill(&set, first, last);
	port_space_set_usable(space, &set);
	single = single_new(space, true, true);
	/* The port is always the same, and nobody called hash_init: no two of these servers share a place by chance. */
	for (int i = 0; i < SERVERS; i++) {
		char text[16];
		snprintf(text, sizeof(text), "127.0.0.%d", i + 1);
		server[i] = sockets_listen(text, SERVER_PORT, &address[i]);
		assert_true(server[i] >= 0);
	}
	server6 = sockets_listen("::1", SERVER_PORT, &address6);
}

static int end(void **state)
{
	(void)state;
	if (single != NULL)
		single_free(single);
	assert_int_equal(port_space_lent(space), 0);
	port_space_free(space);
	for (int i = 0; i < SERVERS; i++)
		close(server[i]);
	if (server6 >= 0)
		close(server6);
	return 0;
}

static int take(const struct addr *at)
{
	int fd = -1;
	assert_int_equal(single_take(single, at, &fd), 0);
	assert_true(sockets_is_connected_to(fd, at));
	assert_int_equal(sockets_port(fd), single_port(single));
	return fd;
}

static void give(int fd, const struct addr *at)
{
	close(fd);
	single_give(single, at);
}

/* Takes the one datagram there is; its first byte. */
static char receive(int fd)
{
	char text[8] = "";
	sockets_wait(fd);
	assert_int_equal(recv(fd, text, sizeof(text), MSG_DONTWAIT), 1);
	assert_true(recv(fd, text + 1, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
	return text[0];
}

/* Several servers asked at once from the one port: each exchange hears its own server, in whatever order they answer. */
static void test_each_its_own_reply(void **state)
{
	int fd[SERVERS];
	(void)state;
	begin_with(FIRST, LAST);
	struct addr to = address[0];
	addr_set_port(&to, single_port(single));
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < SERVERS; i++)
			fd[i] = take(&address[i]);
		for (int i = 0; i < SERVERS; i++) {
			int who = (i * 3 + round) % SERVERS;
			char text = (char)('a' + who);
			assert_int_equal(sendto(server[who], &text, 1, 0, &to.sa, addr_socklen(&to)), 1);
		}
		for (int i = 0; i < SERVERS; i++) {
			assert_int_equal(receive(fd[i]), 'a' + i);
			give(fd[i], &address[i]);
		}
	}
}

/* A second question to a server has to wait until the first is done. */
static void test_one_at_a_time(void **state)
{
	int none = -1;
	(void)state;
	begin_with(FIRST, LAST);
	int fd = take(&address[0]);
	assert_int_equal(single_take(single, &address[0], &none), E_BUSY);
	int other = take(&address[1]);
	give(other, &address[1]);
	assert_int_equal(single_take(single, &address[0], &none), E_BUSY);
	assert_int_equal(none, -1);
	give(fd, &address[0]);
	give(take(&address[0]), &address[0]);
}

/* The next exchange with the same server does not hear what came for the one before. */
static void test_late_datagrams_die(void **state)
{
	char byte;
	(void)state;
	begin_with(FIRST, LAST);
	struct addr to = address[0];
	addr_set_port(&to, single_port(single));
	for (int i = 0; i < 10; i++) {
		int fd = take(&address[0]);
		assert_int_equal(sendto(server[0], "x", 1, 0, &to.sa, addr_socklen(&to)), 1);
		give(fd, &address[0]);
		(void)sendto(server[0], "y", 1, 0, &to.sa, addr_socklen(&to));
		fd = take(&address[0]);
		assert_true(recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
		give(fd, &address[0]);
	}
}

static void test_both_families(void **state)
{
	(void)state;
	begin_with(FIRST, LAST);
	if (server6 < 0)
		skip();
	int fd4 = take(&address[0]), fd6 = take(&address6);
	struct addr to = address6;
	addr_set_port(&to, single_port(single));
	assert_int_equal(sendto(server6, "6", 1, 0, &to.sa, addr_socklen(&to)), 1);
	assert_int_equal(receive(fd6), '6');
	give(fd4, &address[0]);
	give(fd6, &address6);
}

/* From outside, the idle port is as closed as any. */
static void test_idle_is_dark(void **state)
{
	struct addr at;
	int stranger = sockets_listen("127.0.0.1", SERVER_PORT + 1, &at);
	(void)state;
	begin_with(FIRST, LAST);
	assert_false(sockets_send_to(stranger, &address[0], single_port(single), "anyone?"));
	int fd = take(&address[1]);
	assert_false(sockets_send_to(stranger, &address[0], single_port(single), "anyone?"));
	give(fd, &address[1]);
	close(stranger);
}

/* A port that somebody has in one family only is not taken for the other. */
static void test_taken_in_one_family(void **state)
{
	struct addr any;
	int fd[2];
	(void)state;
	begin_with(FIRST, LAST);
	if (server6 < 0)
		skip();
	end(state);
	for (uint16_t i = 0; i < 2; i++) {
		int only = 1;
		assert_int_equal(addr_parse(&any, i == 0 ? "0.0.0.0" : "::", (uint16_t)(FIRST + i)), 0);
		fd[i] = socket(any.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (i == 1)
			assert_int_equal(setsockopt(fd[i], IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)), 0);
		assert_int_equal(bind(fd[i], &any.sa, addr_socklen(&any)), 0);
	}
	begin_with(FIRST, FIRST + 2);
	assert_non_null(single);
	assert_int_equal(single_port(single), FIRST + 2);
	give(take(&address[0]), &address[0]);
	give(take(&address6), &address6);
	close(fd[0]);
	close(fd[1]);
}

/* No port at all: NULL, and nothing is held. */
static void test_none_to_be_had(void **state)
{
	(void)state;
	int held = sockets_hold(FIRST);
	begin_with(FIRST, FIRST);
	close(held);
	/* IPv6 alone could have had it; but then IPv4 questions would have no port. */
	assert_null(single);
}

static void test_no_descriptors(void **state)
{
	struct rlimit old;
	int fd = -1;
	(void)state;
	begin_with(FIRST, LAST);
	sockets_limit(0, &old);
	int ret = single_take(single, &address[0], &fd);
	sockets_unlimit(&old);
	assert_int_equal(ret, E_NOPORT);
	give(take(&address[0]), &address[0]); /* the server is not held to be busy */
}

static void test_no_route(void **state)
{
	struct addr far;
	int fd = -1;
	(void)state;
	begin_with(FIRST, LAST);
	assert_int_equal(addr_parse(&far, "198.51.100.1", 53), 0);
	int ret = single_take(single, &far, &fd);
	if (ret == 0) { /* not alone in a namespace: there is a route */
		give(fd, &far);
		skip();
	}
	assert_int_equal(ret, E_UNREACH);
	assert_int_equal(single_take(single, &far, &fd), E_UNREACH);
}

/* --- other users --- */

/* How a program of another user fares that wants to share the port: an exit status, 0 when it could not. */
static int try_as_another(uint16_t port, int option, const char *host)
{
	struct addr any;
	int one = 1;
	if (setgid(ANOTHER_USER) != 0 || setuid(ANOTHER_USER) != 0)
		return SKIPPED;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (addr_parse(&any, host, port) != 0 || fd < 0)
		return SKIPPED;
	if (option != 0 && setsockopt(fd, SOL_SOCKET, option, &one, sizeof(one)) != 0)
		return SKIPPED;
	return bind(fd, &any.sa, addr_socklen(&any)) != 0 && errno == EADDRINUSE ? 0 : 1;
}

static int as_another(uint16_t port, int option, const char *host)
{
	int status;
	fflush(NULL);
	pid_t child = fork();
	if (child == 0)
		_exit(try_as_another(port, option, host));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The port is shared by SO_REUSEPORT, but not with another user's programs, whichever way they try. */
static void test_other_users_are_kept_out(void **state)
{
	static const int options[] = {0, SO_REUSEPORT, SO_REUSEADDR};
	(void)state;
	begin_with(FIRST, LAST);
	if (geteuid() != 0) {
		print_message("skipped: only root can become another user\n");
		skip();
	}
	for (int lent = 0; lent < 2; lent++) {
		int fd = lent ? take(&address[0]) : -1;
		for (size_t i = 0; i < COUNT_OF(options); i++) {
			int any = as_another(single_port(single), options[i], "0.0.0.0");
			if (any == SKIPPED) {
				print_message("skipped: no other user to become in this user namespace\n");
				skip();
			}
			assert_int_equal(any, 0);
			assert_int_equal(as_another(single_port(single), options[i], "127.0.0.1"), 0);
		}
		if (lent)
			give(fd, &address[0]);
	}
	assert_int_equal(as_another(LAST + 1, 0, "0.0.0.0"), 1); /* a free one can be had: the test bites */
}

/* --- threads --- */

enum { THREADS = 8 };

static _Atomic int at_server[SERVERS];

static void *work(void *arg)
{
	uintptr_t met = 0, done = 0;
	(void)arg;
	for (uint64_t until_us = clock_mono_us() + 500000; clock_mono_us() < until_us; done++) {
		int i = (int)(done % SERVERS), fd;
		if (single_take(single, &address[i], &fd) != 0)
			continue;
		met += atomic_fetch_add(&at_server[i], 1) != 0;
		sched_yield();
		atomic_fetch_sub(&at_server[i], 1);
		give(fd, &address[i]);
	}
	return (void *)met;
}

static void test_threads_never_meet_at_a_server(void **state)
{
	pthread_t thread[THREADS];
	void *met;
	(void)state;
	begin_with(FIRST, LAST);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, work, NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], &met);
		assert_int_equal((uintptr_t)met, 0);
	}
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_its_own_reply),
		TEST(test_one_at_a_time),
		TEST(test_late_datagrams_die),
		TEST(test_both_families),
		TEST(test_idle_is_dark),
		TEST(test_taken_in_one_family),
		TEST(test_none_to_be_had),
		TEST(test_no_descriptors),
		TEST(test_no_route),
		TEST(test_other_users_are_kept_out),
		TEST(test_threads_never_meet_at_a_server),
	};
	sockets_enter_namespace();
	log_init(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
