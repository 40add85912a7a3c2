/* Held ports (ports/reserve.c): real sockets on loopback, in a network namespace of the test's own where possible. */
#include "unit/unit.h"

#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/random.h"
#include "ports/reserve.h"
#include "unit/chi.h"
#include "unit/sockets.h"

enum { FIRST = 50000, LAST = 50999, SIZE_MAX_HERE = 300 };

/* Of this program alone, and below those that are lent. */
enum { SERVER_PORT = 5320 };

static struct port_space *space;
static struct port_set set;
static struct port_draw draw;
static struct reserve *reserve;
static struct hand hand;
static int server4 = -1, server6 = -1;
static struct addr address4, address6, dark4, dark6;

static void use_ports(uint16_t first, uint16_t last)
{
	port_set_fill(&set, first, last);
	port_space_set_usable(space, &set);
}

static void begin_with(unsigned size, unsigned uses, unsigned age_s)
{
	space = port_space_new();
	use_ports(FIRST, LAST);
	draw = (struct port_draw){.space = space};
	struct reserve_conf conf = {
		.space = space, .size = size, .uses = uses, .age_s = age_s, .ipv4 = true, .ipv6 = true};
	reserve = reserve_new(&conf);
	hand_init(&hand, reserve, &draw);
	server4 = sockets_listen("127.0.0.1", SERVER_PORT, &address4);
	server6 = sockets_listen("::1", SERVER_PORT, &address6);
	assert_true(server4 >= 0);
}

static int end(void **state)
{
	(void)state;
	reserve_free(reserve);
	assert_int_equal(port_space_lent(space), 0); /* whatever happened, all ports are free again */
	port_draw_deinit(&draw);
	port_space_free(space);
	close(server4);
	if (server6 >= 0)
		close(server6);
	return 0;
}

static const struct addr *some_server(int i)
{
	return i % 2 == 1 && server6 >= 0 ? &address6 : &address4;
}

static struct berth *take(const struct addr *server)
{
	struct berth *berth = NULL;
	assert_int_equal(hand_take(&hand, server, &berth), 0);
	return berth;
}

static bool is_dark(const struct berth *berth, bool v6)
{
	return sockets_is_connected_to(berth->fd, v6 ? &dark6 : &dark4);
}

/* After this every berth that was returned has been looked at. */
static void pass_dusk(void)
{
	hand_tend(&hand, clock_mono_us() + LIMIT_DUSK_MS * 1000);
}

/* --- lending --- */

/* The server hears the loan from its port, and the loan hears the server. */
static void talk(const struct berth *berth, bool v6)
{
	struct addr from = {0};
	socklen_t len = sizeof(from);
	char buffer[8];
	int server = v6 ? server6 : server4;
	assert_int_equal(send(berth->fd, "hello", 5, 0), 5);
	sockets_wait(server);
	assert_int_equal(recvfrom(server, buffer, sizeof(buffer), 0, &from.sa, &len), 5);
	assert_int_equal(addr_port(&from), berth->port);
	assert_int_equal(sendto(server, "yes", 3, 0, &from.sa, len), 3);
	sockets_wait(berth->fd);
	assert_int_equal(recv(berth->fd, buffer, sizeof(buffer), MSG_DONTWAIT), 3);
}

/* Without a route at the start, a family's ports are opened when it is first asked for. */
static void open_both(void)
{
	for (int v6 = 0; v6 < 2; v6++)
		if (v6 == 0 || server6 >= 0)
			hand_give(&hand, take(some_server(v6)), true);
}

static void note_held(struct port_set *held)
{
	memset(held, 0, sizeof(*held));
	for (unsigned port = FIRST; port <= LAST; port++)
		if (port_space_is_lent(space, (uint16_t)port))
			port_set_add(held, (uint16_t)port);
}

/* Each loan is on a port that was held before, and connected to its server; both families at once. */
static void test_loans_are_on_held_ports(void **state)
{
	static struct port_set held;
	(void)state;
	begin_with(32, 0, 0);
	open_both();
	note_held(&held);
	unsigned families = server6 >= 0 ? 2 : 1;
	assert_int_equal(reserve_held(reserve), 32 * families);
	assert_int_equal(port_set_count(&held), 32 * families); /* no number twice, not even for the two families */
	for (int i = 0; i < 600; i++) {
		struct berth *berth = take(some_server(i));
		assert_true(port_set_has(&held, berth->port));
		assert_int_equal(sockets_port(berth->fd), berth->port);
		assert_true(sockets_is_connected_to(berth->fd, some_server(i)));
		talk(berth, addr_is_v6(some_server(i)));
		hand_give(&hand, berth, i % 3 != 0);
		if (i % 50 == 0)
			pass_dusk();
	}
	assert_int_equal(port_space_lent(space), 32 * families); /* uses: any number; none was swapped */
}

/* All of them can be out at once, each another one; then there is none, and one that comes back is lent again. */
static void test_all_out(void **state)
{
	struct berth *out[40], *none;
	(void)state;
	begin_with(40, 0, 0);
	for (int i = 0; i < 40; i++) {
		out[i] = take(&address4);
		for (int j = 0; j < i; j++)
			assert_true(out[j]->port != out[i]->port && out[j] != out[i]);
	}
	assert_int_equal(hand_take(&hand, &address4, &none), E_NOPORT);
	for (int round = 0; round < 20; round++) {
		struct berth *last = out[random_below(40)];
		hand_give(&hand, last, round % 2);
		assert_ptr_equal(take(&address4), last);
		assert_int_equal(hand_take(&hand, &address4, &none), E_NOPORT);
	}
	for (int i = 0; i < 40; i++)
		hand_give(&hand, out[i], true);
}

/* Where no way leads, no port is opened, none is lent, and the next one who asks is served. */
static void test_no_route(void **state)
{
	struct addr far;
	struct berth *berth;
	(void)state;
	begin_with(8, 0, 0);
	assert_int_equal(addr_parse(&far, "198.51.100.1", 53), 0);
	int ret = hand_take(&hand, &far, &berth);
	if (ret == 0) { /* not alone in a namespace: there is a route */
		hand_give(&hand, berth, false);
		skip();
	}
	assert_int_equal(ret, E_UNREACH);
	assert_int_equal(port_space_lent(space), 0);
	hand_give(&hand, take(&address4), true);
	for (int i = 0; i < 20; i++)
		assert_int_equal(hand_take(&hand, &far, &berth), E_UNREACH);
	assert_int_equal(reserve_held(reserve), 8);
}

/* --- from outside --- */

/* From its return to LIMIT_DUSK_MS later the port may still listen to its server, and to nobody else; then to nobody. */
static void test_idle_ports_go_dark(void **state)
{
	struct addr stranger_address;
	int stranger = sockets_listen("127.0.0.1", SERVER_PORT + 1, &stranger_address);
	(void)state;
	begin_with(8, 0, 0);
	for (int i = 0; i < 40; i++) {
		struct berth *berth = take(some_server(i));
		bool v6 = addr_is_v6(some_server(i));
		talk(berth, v6);
		uint64_t given_us = clock_mono_us();
		hand_give(&hand, berth, true);
		uint64_t due_us = hand_tend(&hand, given_us);
		assert_true(due_us <= clock_mono_us() + LIMIT_DUSK_MS * 1000);
		assert_false(sockets_send_to(stranger, &address4, berth->port, "anyone?"));
		assert_true(is_dark(berth, v6) || sockets_is_connected_to(berth->fd, some_server(i)));
		hand_tend(&hand, due_us);
		pass_dusk();
		assert_true(is_dark(berth, v6));
		assert_int_equal(sockets_port(berth->fd), berth->port); /* still held */
		assert_false(sockets_send_to(v6 ? server6 : server4, some_server(i), berth->port, "still there?"));
	}
	close(stranger);
}

/* A loan that did not end with its reply: something may still come for it, so it is dark at once. */
static void test_unclean_ports_are_dark_at_once(void **state)
{
	(void)state;
	begin_with(8, 0, 0);
	for (int i = 0; i < 40; i++) {
		struct berth *berth = take(some_server(i));
		hand_give(&hand, berth, false);
		assert_true(is_dark(berth, addr_is_v6(some_server(i))));
	}
}

/* More returns than the ring of those in the dusk can hold. */
static void test_many_in_the_dusk(void **state)
{
	(void)state;
	begin_with(2, 0, 0);
	for (int i = 0; i < HAND_RING + 100; i++)
		hand_give(&hand, take(&address4), true);
	assert_true(hand.count <= HAND_RING);
	pass_dusk();
	assert_int_equal(hand.count, 0);
	for (int i = 0; i < 2; i++)
		talk(take(&address4), false);
}

/* --- one loan hears nothing of another --- */

static void send_late(const struct berth *berth, int copies)
{
	struct addr to = address4;
	addr_set_port(&to, berth->port);
	for (int i = 0; i < copies; i++)
		(void)sendto(server4, "late", 4, 0, &to.sa, addr_socklen(&to));
}

/* From the server, that is; what comes from others is passed over by who receives (test_pool). */
static void assert_nothing_waits(const struct berth *berth, const struct addr *server)
{
	struct addr from = {0};
	socklen_t len = sizeof(from);
	char byte;
	while (recvfrom(berth->fd, &byte, 1, MSG_DONTWAIT, &from.sa, &len) >= 0)
		assert_false(addr_equal(&from, server));
	assert_int_equal(errno, EAGAIN);
}

/* What the server sends before or after the return of one loan never is the next one's, at the same server or another:
 * the pool is one port. In between, a loan at yet another server. */
static void test_late_datagrams_die(void **state)
{
	struct addr other_address;
	int other = sockets_listen("127.0.0.2", SERVER_PORT, &other_address);
	(void)state;
	begin_with(1, 0, 0);
	for (int i = 0; i < 128; i++) {
		struct berth *berth = take(&address4);
		send_late(berth, i & 1 ? 3 : 0);
		hand_give(&hand, berth, i & 2);
		send_late(berth, i & 4 ? 3 : 0);
		if (i & 8)
			pass_dusk();
		send_late(berth, i & 16 ? 3 : 0);
		const struct addr *next = i & 32 ? &other_address : &address4;
		berth = take(next);
		assert_nothing_waits(berth, next);
		assert_int_equal(send(berth->fd, "x", 1, 0), 1); /* nor an error of before */
		hand_give(&hand, berth, i & 64);
	}
	close(other);
}

/* The server's port was closed (ICMP): the next loan meets no error. */
static void test_errors_die_too(void **state)
{
	struct addr gone = {0};
	(void)state;
	begin_with(1, 0, 0);
	close(sockets_listen("127.0.0.1", SERVER_PORT + 1, &gone));
	for (int i = 0; i < 8; i++) {
		struct berth *berth = take(&gone);
		assert_int_equal(send(berth->fd, "x", 1, 0), 1);
		hand_give(&hand, berth, i & 1);
		if (i & 2)
			pass_dusk();
		berth = take(&address4);
		/* After a clean return, which needs two replies to one question, the first send may fetch it. */
		ssize_t sent = send(berth->fd, "x", 1, 0);
		assert_true(sent == 1 || ((i & 1) && send(berth->fd, "x", 1, 0) == 1));
		assert_nothing_waits(berth, &address4);
		hand_give(&hand, berth, false);
	}
}

/* --- swapping --- */

static void test_swapped_after_uses(void **state)
{
	(void)state;
	begin_with(1, 3, 0);
	struct berth *berth = take(&address4);
	for (uint32_t swaps = 0; swaps < 20; swaps++) {
		uint16_t port = berth->port;
		uint32_t serial = berth->serial;
		for (int use = 1; use <= 3; use++) {
			assert_int_equal(berth->serial, serial);
			assert_int_equal(berth->port, port);
			hand_give(&hand, berth, use % 2);
			assert_ptr_equal(take(&address4), berth);
		}
		assert_int_equal(berth->serial, serial + 1);
		assert_int_equal(sockets_port(berth->fd), berth->port);
		assert_true(port_space_is_lent(space, berth->port));
		assert_int_equal(port_space_lent(space), 1); /* the old one was given back */
	}
	hand_give(&hand, berth, true);
}

/* Idle ones are swapped too when they are of age; ages are spread from the start, so that not all go at once. */
static void test_swapped_after_age(void **state)
{
	struct berth *berth[40];
	uint32_t serial[40];
	unsigned swapped = 0;
	(void)state;
	begin_with(40, 0, 100);
	for (int i = 0; i < 40; i++) {
		berth[i] = take(&address4);
		serial[i] = berth[i]->serial;
	}
	for (int i = 0; i < 40; i++)
		hand_give(&hand, berth[i], true);
	uint64_t now_us = clock_mono_us();
	hand_tend(&hand, now_us + 50 * 1000000ull);
	for (int i = 0; i < 40; i++)
		swapped += berth[i]->serial != serial[i];
	assert_true(swapped > 0 && swapped < 40); /* by chance all or none: 2 of 2^40 */
	hand_tend(&hand, now_us + 101 * 1000000ull);
	for (int i = 0; i < 40; i++)
		assert_true(berth[i]->serial != serial[i]);
	assert_int_equal(port_space_lent(space), 40);
}

/* Excluded ports are not lent again, whether idle or out at that time, and are let go of. */
static void test_swapped_when_excluded(void **state)
{
	struct berth *out[10];
	(void)state;
	begin_with(40, 0, 0);
	for (int i = 0; i < 10; i++)
		out[i] = take(&address4);
	use_ports(FIRST + 500, LAST);
	for (int i = 0; i < 10; i++) {
		assert_true(port_space_is_lent(space, out[i]->port)); /* a loan is finished in peace */
		talk(out[i], false);
		hand_give(&hand, out[i], true);
	}
	for (int i = 0; i < 200; i++) {
		struct berth *berth = take(&address4);
		assert_true(berth->port >= FIRST + 500);
		hand_give(&hand, berth, true);
	}
	use_ports(FIRST, FIRST + 499);
	hand_tend(&hand, clock_mono_us() + 2000000); /* the idle ones, 64 at a time */
	for (unsigned port = FIRST + 500; port <= LAST; port++)
		assert_false(port_space_is_lent(space, (uint16_t)port));
	assert_int_equal(reserve_held(reserve), 40);
}

/* Ports that another program has are passed over. */
static void test_taken_by_another(void **state)
{
	int held[20];
	(void)state;
	begin_with(10, 0, 0);
	use_ports(FIRST, FIRST + 29);
	for (int i = 0; i < 20; i++)
		held[i] = sockets_hold((uint16_t)(FIRST + i));
	for (int i = 0; i < 100; i++) {
		struct berth *berth = take(&address4);
		assert_true(berth->port >= FIRST + 20);
		hand_give(&hand, berth, true);
	}
	for (int i = 0; i < 20; i++)
		close(held[i]);
}

/* --- running short --- */

/* With too few descriptors some are held and lent; the others are opened once there is room. */
static void test_no_descriptors(void **state)
{
	struct berth *out[20], *none;
	struct rlimit old;
	(void)state;
	begin_with(20, 0, 0);
	sockets_limit(6, &old);
	unsigned had = 0;
	while (had < 20 && hand_take(&hand, &address4, &out[had]) == 0)
		had++;
	int ret = hand_take(&hand, &address4, &none);
	unsigned held = reserve_held(reserve), lent = port_space_lent(space);
	sockets_unlimit(&old);
	assert_int_equal(had, 6);
	assert_int_equal(ret, E_NOPORT);
	assert_int_equal(held, 6);
	assert_int_equal(lent, 6); /* those that were drawn in vain are not lost */
	while (had < 20)
		out[had++] = take(&address4);
	assert_int_equal(reserve_held(reserve), 20);
	while (had > 0)
		hand_give(&hand, out[--had], true);
}

/* Berths that cannot be filled do not keep those behind them from being swapped. */
static void test_empty_ones_hide_nothing(void **state)
{
	(void)state;
	begin_with(SIZE_MAX_HERE, 0, 0);
	use_ports(FIRST, FIRST + 149);
	hand_give(&hand, take(&address4), true); /* now some are held, and the other places are empty */
	assert_int_equal(reserve_held(reserve), reserve_quota(150, 2));
	use_ports(FIRST + 100, FIRST + 149); /* the first hundred must go */
	for (int i = 1; i <= 8; i++)
		hand_tend(&hand, clock_mono_us() + i * 2000000ull);
	for (unsigned port = FIRST; port < FIRST + 100; port++)
		assert_false(port_space_is_lent(space, (uint16_t)port));
	assert_int_equal(reserve_held(reserve), reserve_quota(50, 2)); /* and TCP has some, too */
}

/* What is held leaves an eighth of the ports to others of this process: TCP has to leave from somewhere. */
static void test_some_ports_are_left(void **state)
{
	uint16_t port[LAST - FIRST + 1];
	unsigned left = 0;
	(void)state;
	begin_with(600, 0, 0);
	open_both();
	assert_int_equal(reserve_size(reserve), 437); /* (1000 - 125) / 2 */
	while (left < COUNT_OF(port) && port_draw(&draw, &port[left]) == 0)
		left++;
	assert_int_equal(left, 1000 - reserve_held(reserve));
	assert_true(left >= 125);
	while (left > 0)
		port_space_release(space, port[--left]);
}

static void test_free_closes_all(void **state)
{
	int before = sockets_lowest();
	(void)state;
	begin_with(100, 0, 0);
	open_both();
	reserve_free(reserve);
	assert_int_equal(port_space_lent(space), 0);
	close(server4);
	close(server6);
	assert_int_equal(sockets_lowest(), before);
	struct reserve_conf conf = {.space = space, .size = 1};
	reserve = reserve_new(&conf);
	server4 = server6 = -1;
}

/* --- chance --- */

/* Draws among those that are idle, by their places; `out`: that many stay lent all the while. */
static double p_of_draws(unsigned out, unsigned draws)
{
	static uint32_t count[SIZE_MAX_HERE], cells[SIZE_MAX_HERE];
	static bool is_out[SIZE_MAX_HERE];
	struct berth *kept[SIZE_MAX_HERE];
	memset(count, 0, sizeof(count));
	memset(is_out, 0, sizeof(is_out));
	for (unsigned i = 0; i < out; i++) {
		kept[i] = take(&address4);
		is_out[kept[i]->at] = true;
	}
	for (unsigned i = 0; i < draws; i++) {
		struct berth *berth = take(&address4);
		count[berth->at]++;
		hand_give(&hand, berth, true);
		if (i % 4096 == 0)
			pass_dusk();
	}
	size_t used = 0;
	for (unsigned at = 0; at < SIZE_MAX_HERE; at++)
		if (!is_out[at])
			cells[used++] = count[at];
		else
			assert_int_equal(count[at], 0);
	for (unsigned i = 0; i < out; i++)
		hand_give(&hand, kept[i], true);
	return chi_square_p(cells, used);
}

static void test_uniform(void **state)
{
	(void)state;
	begin_with(SIZE_MAX_HERE, 0, 0);
	assert_true(CHI_IS_UNIFORM(p_of_draws(0, 60000)));
	assert_true(CHI_IS_UNIFORM(p_of_draws(SIZE_MAX_HERE / 2, 60000)));
	assert_true(CHI_IS_UNIFORM(p_of_draws(SIZE_MAX_HERE * 99 / 100, 20000)));
}

/* --- threads --- */

enum { THREADS = 8, OUT_EACH = 12 };

static _Atomic(uint16_t) holder[PORTS_ALL];

struct worker {
	pthread_t thread;
	struct hand *hand; /* 128 KiB */
	uint16_t number;
	unsigned shared, loans;
};

static void take_and_give(struct worker *me)
{
	struct berth *out[OUT_EACH];
	unsigned have = 0;
	while (have < OUT_EACH && hand_take(me->hand, &address4, &out[have]) == 0) {
		me->shared += atomic_exchange(&holder[out[have]->port], me->number) != 0;
		have++;
		me->loans++;
	}
	while (have > 0) {
		struct berth *berth = out[--have];
		me->shared += atomic_exchange(&holder[berth->port], 0) != me->number;
		me->shared += sockets_port(berth->fd) != berth->port;
		hand_give(me->hand, berth, have % 3 != 0);
	}
}

static void *work(void *arg)
{
	struct worker *me = arg;
	struct port_draw mine = {.space = space};
	uint64_t begin_us = clock_mono_us(), now_us;
	hand_init(me->hand, reserve, &mine);
	while ((now_us = clock_mono_us()) < begin_us + 1000000) {
		take_and_give(me);
		/* As if time went faster: dusk and ages pass. */
		hand_tend(me->hand, begin_us + (now_us - begin_us) * 20);
	}
	port_draw_deinit(&mine);
	return NULL;
}

/* 8 threads want 96 of 60 ports, which are swapped all the time, while the set of usable ports changes. */
static void test_threads_never_share(void **state)
{
	struct worker worker[THREADS];
	(void)state;
	begin_with(60, 50, 5);
	memset(holder, 0, sizeof(holder));
	for (uint16_t i = 0; i < THREADS; i++) {
		worker[i] = (struct worker){.number = (uint16_t)(i + 1), .hand = malloc(sizeof(struct hand))};
		assert_int_equal(pthread_create(&worker[i].thread, NULL, work, &worker[i]), 0);
	}
	for (int i = 0; i < 200; i++) {
		nanosleep(&(struct timespec){.tv_nsec = 4000000}, NULL);
		use_ports((uint16_t)(FIRST + i % 7 * 30), (uint16_t)(LAST - i % 5 * 40));
	}
	unsigned loans = 0;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(worker[i].thread, NULL);
		free(worker[i].hand);
		assert_int_equal(worker[i].shared, 0);
		loans += worker[i].loans;
	}
	print_message("%u loans by %d threads\n", loans, THREADS);
	assert_true(loans > 1000);
	assert_int_equal(port_space_lent(space), reserve_held(reserve));
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_loans_are_on_held_ports),
		TEST(test_all_out),
		TEST(test_no_route),
		TEST(test_idle_ports_go_dark),
		TEST(test_unclean_ports_are_dark_at_once),
		TEST(test_many_in_the_dusk),
		TEST(test_late_datagrams_die),
		TEST(test_errors_die_too),
		TEST(test_swapped_after_uses),
		TEST(test_swapped_after_age),
		TEST(test_swapped_when_excluded),
		TEST(test_taken_by_another),
		TEST(test_no_descriptors),
		TEST(test_empty_ones_hide_nothing),
		TEST(test_some_ports_are_left),
		TEST(test_free_closes_all),
		TEST(test_uniform),
		TEST(test_threads_never_share),
	};
	sockets_enter_namespace();
	log_init(LOG_LEVEL_ERROR);
	assert_int_equal(addr_parse(&dark4, "127.0.0.1", 1), 0);
	assert_int_equal(addr_parse(&dark6, "::1", 1), 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
