/* Real sockets on loopback, in a network namespace of the test's own where that is possible. */
#include "unit/unit.h"

#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "ports/kernel.h"
#include "ports/pool.h"
#include "ports/reserve.h"
#include "ports/single.h"
#include "unit/sockets.h"

/* Of this program alone, and below those that are lent. */
enum { SERVER_PORT = 5310 };

static struct port_space *space;
static struct ledger *ledger;
static struct pool *pool;
static struct reserve *reserve; /* most tests have none */
static struct single *single;
static struct port_set set;
static struct counters counters;
static int server4 = -1, server6 = -1; /* bound, so that what is sent there arrives */
static struct addr address4, address6;
static bool can_moor;
static const struct loan_tag tag = {.len = 3, .bytes = "abc"};

static void make_space(uint16_t first, uint16_t last)
{
	space = port_space_new();
	ledger = ledger_new(64);
	port_set_fill(&set, first, last);
	port_space_set_usable(space, &set);
}

static void make_pool(unsigned size, unsigned max, bool alone)
{
	struct pool_conf conf = {.space = space,
		.ledger = ledger,
		.reserve = reserve,
		.single = single,
		.alone = alone,
		.size = size,
		.max = max,
		.ipv4 = true,
		.ipv6 = true,
		.user_size = 64};
	pool = pool_new(&conf);
	memset(&counters, 0, sizeof(counters));
	counters_attach(&counters);
	server4 = sockets_listen("127.0.0.1", SERVER_PORT, &address4);
	server6 = sockets_listen("::1", SERVER_PORT, &address6);
	assert_true(server4 >= 0);
}

static void begin_with(unsigned size, uint16_t first, uint16_t last)
{
	make_space(first, last);
	make_pool(size, 60000, false);
}

static void begin_reserved(unsigned size, unsigned uses, bool alone)
{
	make_space(50000, 50999);
	struct reserve_conf conf = {.space = space, .size = size, .uses = uses, .ipv4 = true, .ipv6 = true};
	reserve = reserve_new(&conf);
	make_pool(size, 60000, alone);
}

static int end(void **state)
{
	(void)state;
	counters_attach(NULL);
	pool_free(pool);
	if (reserve != NULL)
		reserve_free(reserve);
	if (single != NULL)
		single_free(single);
	reserve = NULL;
	single = NULL;
	assert_int_equal(port_space_lent(space), 0);
	port_space_free(space);
	ledger_free(ledger);
	close(server4);
	if (server6 >= 0)
		close(server6);
	return 0;
}

/* How many sockets of this port the kernel lists. */
static unsigned listed(const char *table, uint16_t port)
{
	char line[512], wanted[16];
	unsigned found = 0;
	FILE *file = fopen(table, "re");
	snprintf(wanted, sizeof(wanted), ":%04X ", port);
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line + strspn(line, " "), " ") + 40] = '\0'; /* the local address stands first */
		found += strstr(line, wanted) != NULL;
	}
	if (file != NULL)
		fclose(file);
	return found;
}

static struct loan *lend(const struct addr *server, enum transport transport)
{
	struct loan *loan = NULL;
	assert_int_equal(pool_lend(pool, server, transport, &tag, &loan), 0);
	return loan;
}

static uint64_t counted(enum counter which)
{
	return counters_get(&counters, which);
}

/* A loan has exactly the port drawn, whatever the family, the transport and the way it was had. */
static void test_exactly_the_port(void **state)
{
	(void)state;
	begin_with(4, 50000, 65535);
	for (int i = 0; i < 600; i++) {
		bool v6 = i % 3 == 1 && server6 >= 0, tcp = i % 5 == 0;
		const struct addr *server = v6 ? &address6 : &address4;
		struct loan *loan = lend(server, tcp ? TRANSPORT_TCP : TRANSPORT_UDP);
		uint16_t port = loan->port;
		assert_int_equal(sockets_port(loan->fd), port);
		assert_true(port >= 50000 && port_space_is_lent(space, port));
		assert_int_equal((loan->kind == LOAN_MOORED), !tcp && can_moor && port <= 60999);
		if (!tcp) {
			struct addr from;
			socklen_t len = sizeof(from);
			char buffer[8];
			assert_int_equal(send(loan->fd, "hello", 5, 0), 5);
			sockets_wait(v6 ? server6 : server4);
			assert_int_equal(recvfrom(v6 ? server6 : server4, buffer, 8, 0, &from.sa, &len), 5);
			assert_int_equal(addr_port(&from), port);
		}
		pool_return(pool, loan, LOAN_REPLY);
		assert_false(port_space_is_lent(space, port));
	}
	assert_int_equal(counted(COUNT_LOANS), 600);
	assert_int_equal(counted(COUNT_LOANS_MOORED) + counted(COUNT_LOANS_FRESH), 600);
	assert_int_equal(counted(COUNT_LOANS_FAILED), 0);
}

/* Idle, a socket holds no port, and the kernel knows of none. */
static void test_idle_hold_nothing(void **state)
{
	struct loan *loans[8];
	uint16_t ports[8];
	int fds[8];
	(void)state;
	if (!can_moor) {
		print_message("this kernel cannot re-moor: no idle sockets\n");
		skip();
	}
	begin_with(8, 50000, 50999);
	for (int i = 0; i < 8; i++) {
		loans[i] = lend(&address4, TRANSPORT_UDP);
		assert_true(loans[i]->kind == LOAN_MOORED);
		ports[i] = loans[i]->port;
		fds[i] = loans[i]->fd;
		assert_int_equal(listed("/proc/self/net/udp", ports[i]), 1);
	}
	struct pool_state now;
	pool_state(pool, &now);
	assert_true(now.idle == 0 && now.lent == 8 && now.size == 8 && now.grown == 0);
	for (int i = 0; i < 8; i++)
		pool_return(pool, loans[i], LOAN_REPLY);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(sockets_port(fds[i]), 0);
		assert_int_equal(listed("/proc/self/net/udp", ports[i]), 0);
	}
	pool_state(pool, &now);
	assert_true(now.idle == 8 && now.lent == 0);
}

/* What comes for one loan is never seen by the next on the same socket. */
static void test_late_datagrams_die(void **state)
{
	(void)state;
	begin_with(1, 50000, 50009);
	for (int i = 0; i < 50; i++) {
		struct addr to = {0};
		char buffer[8];
		struct loan *loan = lend(&address4, TRANSPORT_UDP);
		assert_int_equal(addr_parse(&to, "127.0.0.1", loan->port), 0);
		for (int n = 0; n < 5; n++)
			assert_int_equal(sendto(server4, "late", 4, 0, &to.sa, addr_socklen(&to)), 4);
		pool_return(pool, loan, LOAN_TIMEOUT);
		loan = lend(&address4, TRANSPORT_UDP);
		assert_true(recv(loan->fd, buffer, 8, MSG_DONTWAIT) < 0 && errno == EAGAIN);
		pool_return(pool, loan, LOAN_TIMEOUT);
	}
}

/* Only the server's own datagrams arrive: the socket is connected. */
static void test_strangers_are_not_heard(void **state)
{
	struct addr stranger_address, to = {0};
	char buffer[8];
	(void)state;
	begin_with(1, 50000, 50009);
	int stranger = sockets_listen("127.0.0.1", SERVER_PORT + 1, &stranger_address);
	struct loan *loan = lend(&address4, TRANSPORT_UDP);
	assert_int_equal(addr_parse(&to, "127.0.0.1", loan->port), 0);
	assert_true(sendto(stranger, "forged", 6, 0, &to.sa, addr_socklen(&to)) == 6 || errno == ECONNREFUSED);
	assert_true(recv(loan->fd, buffer, 8, MSG_DONTWAIT) < 0);
	assert_int_equal(sendto(server4, "right", 5, 0, &to.sa, addr_socklen(&to)), 5);
	sockets_wait(loan->fd);
	assert_int_equal(recv(loan->fd, buffer, 8, MSG_DONTWAIT), 5);
	pool_return(pool, loan, LOAN_REPLY);
	close(stranger);
}

/* A port closed by its server (ICMP) leaves no error behind for the next loan. */
static void test_errors_die_too(void **state)
{
	(void)state;
	begin_with(1, 50000, 50009);
	close(server4);
	struct loan *loan = lend(&address4, TRANSPORT_UDP);
	assert_int_equal(send(loan->fd, "x", 1, 0), 1);
	pool_return(pool, loan, LOAN_ERROR);
	server4 = sockets_listen("127.0.0.1", SERVER_PORT, &address4);
	loan = lend(&address4, TRANSPORT_UDP);
	assert_int_equal(send(loan->fd, "x", 1, 0), 1);
	pool_return(pool, loan, LOAN_REPLY);
}

/* Above the kernel's range the port cannot be moored to: a fresh socket is bound, and closed afterwards. */
static void test_outside_the_range(void **state)
{
	(void)state;
	begin_with(2, 65000, 65100);
	struct loan *loan = lend(&address4, TRANSPORT_UDP);
	uint16_t port = loan->port;
	assert_false((loan->kind == LOAN_MOORED));
	assert_int_equal(sockets_port(loan->fd), port);
	assert_int_equal(counted(COUNT_LOANS_FRESH), 1);
	pool_return(pool, loan, LOAN_REPLY);
	assert_int_equal(listed("/proc/self/net/udp", port), 0);
}

/* A port of another program is passed over, counted, and not tried again for a while; below and above the range. */
static void test_taken_by_another(void **state)
{
	static const uint16_t firsts[] = {50100, 65100};
	(void)state;
	for (size_t f = 0; f < COUNT_OF(firsts); f++) {
		begin_with(2, firsts[f], (uint16_t)(firsts[f] + 3));
		int held[3];
		for (uint16_t i = 0; i < 3; i++)
			held[i] = sockets_hold((uint16_t)(firsts[f] + i));
		for (int i = 0; i < 20; i++) {
			struct loan *loan = lend(&address4, TRANSPORT_UDP);
			assert_int_equal(loan->port, firsts[f] + 3);
			assert_int_equal(sockets_port(loan->fd), firsts[f] + 3);
			pool_return(pool, loan, LOAN_REPLY);
		}
		uint64_t taken = counted(COUNT_PORTS_TAKEN);
		assert_true(taken >= 1 && taken <= 3); /* each at most once in ten seconds */
		assert_int_equal(counted(COUNT_LOANS), 20);
		struct loan *last = lend(&address4, TRANSPORT_UDP), *none;
		assert_int_equal(pool_lend(pool, &address4, TRANSPORT_UDP, &tag, &none), E_BUSY);
		assert_int_equal(port_space_lent(space), 1);
		pool_return(pool, last, LOAN_REPLY);
		for (int i = 0; i < 3; i++)
			close(held[i]);
		end(state);
	}
	begin_with(0, 50000, 50000);
}

/* Somebody just took nearly all of them: the first loan finds what is left. */
static void test_nearly_all_taken(void **state)
{
	enum { HELD = 800 };
	int held[HELD];
	(void)state;
	begin_with(2, 50000, 50000 + HELD);
	for (uint16_t i = 0; i < HELD; i++)
		held[i] = sockets_hold(50000 + i);
	struct loan *loan = lend(&address4, TRANSPORT_UDP);
	assert_int_equal(loan->port, 50000 + HELD);
	assert_true(counted(COUNT_PORTS_TAKEN) <= HELD);
	pool_return(pool, loan, LOAN_REPLY);
	for (int i = 0; i < HELD; i++)
		close(held[i]);
}

/* More loans than sockets: it grows, and shrinks again when they come back. */
static void test_grows(void **state)
{
	struct loan *loans[10];
	struct pool_state now;
	(void)state;
	begin_with(2, 50000, 50099);
	for (int i = 0; i < 10; i++)
		loans[i] = lend(&address4, TRANSPORT_UDP);
	pool_state(pool, &now);
	assert_int_equal(now.lent, 10);
	assert_int_equal(now.grown, 8);
	for (int i = 0; i < 10; i++)
		for (int j = 0; j < i; j++)
			assert_int_not_equal(loans[i]->port, loans[j]->port);
	for (int i = 0; i < 10; i++)
		pool_return(pool, loans[i], LOAN_REPLY);
	pool_state(pool, &now);
	assert_int_equal(now.lent, 0);
	assert_int_equal(now.idle, can_moor ? 2 : 0);
}

/* No more loans at once than are allowed; the next one can be had when one is back. */
static void test_max(void **state)
{
	struct loan *loans[3], *none;
	(void)state;
	make_space(50000, 50099);
	make_pool(2, 3, false);
	for (int i = 0; i < 3; i++)
		loans[i] = lend(&address4, i == 2 ? TRANSPORT_TCP : TRANSPORT_UDP);
	for (int i = 0; i < 5; i++)
		assert_int_equal(pool_lend(pool, &address4, TRANSPORT_UDP, &tag, &none), E_BUSY);
	assert_int_equal(counted(COUNT_LOANS_FAILED), 0);
	pool_return(pool, loans[0], LOAN_REPLY);
	loans[0] = lend(&address4, TRANSPORT_UDP);
	assert_int_equal(pool_lend(pool, &address4, TRANSPORT_UDP, &tag, &none), E_BUSY);
	for (int i = 0; i < 3; i++)
		pool_return(pool, loans[i], LOAN_REPLY);
}

/* --- ports that are held --- */

/* Held ports first, then drawn ones beyond them, which are given back; over TCP drawn ones always. */
static void test_reserved_then_drawn(void **state)
{
	for (int alone = 0; alone < 2; alone++) {
		struct loan *loans[7];
		struct pool_state now;
		begin_reserved(4, 0, alone);
		for (int i = 0; i < 7; i++) {
			loans[i] = lend(&address4, i == 0 ? TRANSPORT_TCP : TRANSPORT_UDP);
			assert_int_equal(loans[i]->kind == LOAN_RESERVED, i >= 1 && i <= 4);
			assert_int_equal(sockets_port(loans[i]->fd), loans[i]->port);
			assert_true(loans[i]->kind != LOAN_RESERVED || loans[i]->keeps_watch == alone);
			for (int j = 0; j < i; j++)
				assert_int_not_equal(loans[i]->port, loans[j]->port);
		}
		pool_state(pool, &now);
		assert_true(now.size == 4 && now.lent == 7 && now.grown == 3 && now.idle == 0);
		assert_int_equal(counted(COUNT_LOANS_RESERVED), 4);
		assert_int_equal(counted(COUNT_LOANS_FRESH), 3);
		for (int i = 0; i < 7; i++)
			pool_return(pool, loans[i], i % 2 ? LOAN_REPLY : LOAN_TIMEOUT);
		assert_int_equal(port_space_lent(space), reserve_held(reserve));
		if (alone == 0)
			end(state);
	}
}

/* Where the reserve is this pool's alone, what the borrower noted stays with the descriptor, and ends with it. */
static void test_reserved_keeps_watch(void **state)
{
	(void)state;
	begin_reserved(1, 3, true);
	for (int i = 0; i < 12; i++) {
		struct loan *loan = lend(&address4, TRANSPORT_UDP);
		assert_int_equal(loan->watched, i % 3 != 0); /* each third use another socket */
		assert_int_equal(loan->user[0], i);
		loan->watched = true;
		loan->user[0]++;
		pool_return(pool, loan, LOAN_REPLY);
	}
}

static void test_reserved_freed_with_loans_out(void **state)
{
	(void)state;
	begin_reserved(8, 0, true);
	for (int i = 0; i < 12; i++)
		lend(i % 2 && server6 >= 0 ? &address6 : &address4, i % 3 ? TRANSPORT_UDP : TRANSPORT_TCP);
}

/* What comes for a loan, in time or late, is not seen by the next of the same port, at the same server or another. */
static void test_reserved_hears_nothing_of_before(void **state)
{
	struct addr other_address, to = address4;
	int other = sockets_listen("127.0.0.2", SERVER_PORT, &other_address);
	uint8_t buffer[8];
	enum datagram kind;
	(void)state;
	begin_reserved(1, 0, true);
	for (int i = 0; i < 64; i++) {
		struct loan *loan = lend(&address4, TRANSPORT_UDP);
		to = address4;
		addr_set_port(&to, loan->port);
		assert_int_equal(sendto(server4, "reply", 5, 0, &to.sa, addr_socklen(&to)), 5);
		sockets_wait(loan->fd);
		assert_int_equal(loan_receive(loan, buffer, sizeof(buffer), &kind), 5);
		assert_int_equal(kind, DATAGRAM_WHOLE);
		pool_return(pool, loan, i & 1 ? LOAN_REPLY : LOAN_MISMATCH);
		/* In the dusk more than one call would pass over. */
		for (int copy = 0; copy < (i & 2 ? 100 : 3); copy++)
			(void)sendto(server4, "again", 5, 0, &to.sa, addr_socklen(&to));
		if (i & 4)
			pool_tend(pool, clock_mono_us() + LIMIT_DUSK_MS * 1000);
		bool same = i & 8;
		loan = lend(same ? &address4 : &other_address, TRANSPORT_UDP);
		for (int look = 0; look < 3; look++)
			assert_true(loan_receive(loan, buffer, sizeof(buffer), &kind) < 0 && errno == EAGAIN);
		assert_int_equal(sendto(same ? server4 : other, "mine", 4, 0, &to.sa, addr_socklen(&to)), 4);
		sockets_wait(loan->fd);
		assert_int_equal(loan_receive(loan, buffer, sizeof(buffer), &kind), 4);
		pool_return(pool, loan, LOAN_REPLY);
	}
	close(other);
}

/* A reserve is tended through its pool: dark after the dusk, and due again. */
static void test_reserved_is_tended(void **state)
{
	struct addr dark;
	(void)state;
	begin_reserved(1, 0, true);
	struct loan *loan = lend(&address4, TRANSPORT_UDP);
	int fd = loan->fd;
	pool_return(pool, loan, LOAN_REPLY);
	assert_true(sockets_is_connected_to(fd, &address4));
	assert_true(pool_tend(pool, clock_mono_us() + LIMIT_DUSK_MS * 1000) > clock_mono_us());
	assert_int_equal(addr_parse(&dark, "127.0.0.1", 1), 0);
	assert_true(sockets_is_connected_to(fd, &dark));
}

/* One port for all: a server at a time, TCP from drawn ports. */
static void test_shared(void **state)
{
	struct loan *none;
	(void)state;
	make_space(50000, 50099);
	single = single_new(space, true, true);
	make_pool(0, 100, false);
	assert_true(pool_shares_port(pool));
	struct loan *loan = lend(&address4, TRANSPORT_UDP), *tcp = lend(&address4, TRANSPORT_TCP);
	assert_int_equal(loan->kind, LOAN_SHARED_PORT);
	assert_int_equal(sockets_port(loan->fd), single_port(single));
	assert_int_not_equal(tcp->port, single_port(single));
	assert_int_equal(pool_lend(pool, &address4, TRANSPORT_UDP, &tag, &none), E_BUSY);
	if (server6 >= 0)
		pool_return(pool, lend(&address6, TRANSPORT_UDP), LOAN_REPLY);
	pool_return(pool, loan, LOAN_TIMEOUT);
	pool_return(pool, lend(&address4, TRANSPORT_UDP), LOAN_REPLY);
	pool_return(pool, tcp, LOAN_REPLY);
	assert_int_equal(port_space_lent(space), 1); /* the one */
}

/* --- all --- */

/* The user's bytes: zeroed, aligned, and the slot's own. */
static void test_user_bytes(void **state)
{
	static const uint8_t zeros[64];
	(void)state;
	begin_with(1, 50000, 50099);
	struct loan *loan = lend(&address4, TRANSPORT_UDP);
	assert_memory_equal(loan->user, zeros, 64);
	assert_int_equal((uintptr_t)loan->user % 16, 0);
	memset(loan->user, 0xee, 64);
	pool_return(pool, loan, LOAN_REPLY);
}

static void test_ledger_and_state(void **state)
{
	struct ledger_entry entry;
	(void)state;
	begin_with(1, 50000, 50099);
	struct loan *loan = lend(&address4, TRANSPORT_UDP);
	uint16_t port = loan->port;
	assert_true(pool_find_lent(pool, port, &entry));
	assert_int_equal(entry.outcome, LOAN_LENT);
	assert_false(pool_find_lent(pool, (uint16_t)(port + 1), &entry));
	assert_int_equal(ledger_find(ledger, port, &entry, 1), 0); /* in flight it is a secret */
	pool_return(pool, loan, LOAN_TIMEOUT);
	assert_false(pool_find_lent(pool, port, &entry));
	assert_int_equal(ledger_find(ledger, port, &entry, 1), 1);
	assert_int_equal(entry.outcome, LOAN_TIMEOUT);
	assert_true(addr_equal(&entry.server, &address4));
	assert_true(entry.tag.len == 3 && memcmp(entry.tag.bytes, "abc", 3) == 0);
}

/* Ended with loans out: everything is closed and given back (ASan and the descriptors say so). */
static void test_free_with_loans_out(void **state)
{
	(void)state;
	begin_with(3, 50000, 65535);
	int first = dup(server4);
	close(first);
	for (int i = 0; i < 20; i++)
		lend(i % 2 ? &address4 : (server6 >= 0 ? &address6 : &address4), i % 3 ? TRANSPORT_UDP : TRANSPORT_TCP);
	assert_int_equal(port_space_lent(space), 20);
	pool_free(pool);
	assert_int_equal(port_space_lent(space), 0);
	int after = dup(server4);
	assert_true(after <= first); /* the lowest free descriptor is where it was, or below: the pool's own */
	close(after);
	struct pool_conf conf = {.space = space, .ledger = ledger};
	pool = pool_new(&conf);
}

/* Out of descriptors: told so, nothing lost, and well again afterwards. */
static void test_no_descriptors(void **state)
{
	struct rlimit old, none;
	struct loan *loan;
	(void)state;
	begin_with(2, 65000, 65100); /* fresh sockets only */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	int lowest = dup(server4);
	close(lowest);
	none = (struct rlimit){.rlim_cur = (rlim_t)lowest, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(
			pool_lend(pool, &address4, i % 2 ? TRANSPORT_UDP : TRANSPORT_TCP, &tag, &loan), E_NOPORT);
		assert_int_equal(port_space_lent(space), 0);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(counted(COUNT_PORTS_NOFILES), 20);
	assert_int_equal(counted(COUNT_LOANS_FAILED), 20);
	assert_int_equal(counted(COUNT_PORTS_TAKEN), 0); /* the ports are not to blame */
	pool_return(pool, lend(&address4, TRANSPORT_UDP), LOAN_REPLY);
	pool_return(pool, lend(&address4, TRANSPORT_TCP), LOAN_REPLY);
}

/* A family's idle socket is opened in place of the other's even then; without room for it, that is told. */
static void test_no_descriptors_for_the_other_family(void **state)
{
	struct rlimit old, none;
	struct loan *held[2], *loan;
	(void)state;
	if (!can_moor) {
		print_message("this kernel cannot re-moor: no idle sockets\n");
		skip();
	}
	begin_with(2, 50000, 50099);
	if (server6 < 0)
		skip();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	int lowest = dup(server4);
	close(lowest);
	none = (struct rlimit){.rlim_cur = (rlim_t)lowest, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	held[0] = lend(&address6, TRANSPORT_UDP);
	held[1] = lend(&address6, TRANSPORT_UDP);
	assert_int_equal(pool_lend(pool, &address6, TRANSPORT_UDP, &tag, &loan), E_BUSY); /* until one comes back */
	pool_return(pool, held[0], LOAN_REPLY);
	pool_return(pool, held[1], LOAN_REPLY);
	loan = lend(&address4, TRANSPORT_UDP);
	assert_int_equal(sockets_port(loan->fd), loan->port);
	pool_return(pool, loan, LOAN_REPLY);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void test_no_route(void **state)
{
	struct addr far;
	struct loan *loan;
	(void)state;
	begin_with(2, 50000, 65535);
	assert_int_equal(addr_parse(&far, "198.51.100.1", 53), 0);
	for (int i = 0; i < 10; i++) {
		int ret = pool_lend(pool, &far, TRANSPORT_UDP, &tag, &loan);
		if (ret == 0) { /* not alone in a namespace: there is a route */
			pool_return(pool, loan, LOAN_CANCELED);
			skip();
		}
		assert_int_equal(ret, E_UNREACH);
		assert_int_equal(port_space_lent(space), 0);
	}
	assert_int_equal(counted(COUNT_PORTS_TAKEN), 0);
	pool_return(pool, lend(&address4, TRANSPORT_UDP), LOAN_REPLY);
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_exactly_the_port),
		TEST(test_idle_hold_nothing),
		TEST(test_late_datagrams_die),
		TEST(test_strangers_are_not_heard),
		TEST(test_errors_die_too),
		TEST(test_outside_the_range),
		TEST(test_taken_by_another),
		TEST(test_nearly_all_taken),
		TEST(test_grows),
		TEST(test_max),
		TEST(test_reserved_then_drawn),
		TEST(test_reserved_keeps_watch),
		TEST(test_reserved_freed_with_loans_out),
		TEST(test_reserved_hears_nothing_of_before),
		TEST(test_reserved_is_tended),
		TEST(test_shared),
		TEST(test_user_bytes),
		TEST(test_ledger_and_state),
		TEST(test_free_with_loans_out),
		TEST(test_no_descriptors),
		TEST(test_no_descriptors_for_the_other_family),
		TEST(test_no_route),
	};
	sockets_enter_namespace();
	log_init(LOG_LEVEL_ERROR);
	can_moor = kernel_can_moor();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
