/* What single pieces cost: an exchange on a re-moored socket and on a fresh one, a switch of fibers, reading a
 * referral, reading the rrset cache, a snapshot of it. On loopback; CPU time of a thread; medians of five rounds. Prints a table.
 *
 *	micro [ROUNDS]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "cache/rrcache.h"
#include "cache/snapshot.h"
#include "dns/message.h"
#include "net/fiber.h"
#include "net/fiber_pool.h"
#include "ports/kernel.h"
#include "ports/pool.h"

enum { ROUNDS_MAX = 25, EXCHANGES = 50000, SWITCHES = 2000000, READS = 200000, LATE_MS = 1000 };

static double cpu_us(void)
{
	struct rusage usage;
	getrusage(RUSAGE_THREAD, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* --- exchanges; the server's part runs in between, in the same thread, and is the same for all three --- */

static void echo(int fd)
{
	char data[64];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t got = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &len);
	if (got < 0 || sendto(fd, data, (size_t)got, 0, (struct sockaddr *)&from, len) != got)
		abort();
}

static struct addr server_addr(int fd)
{
	struct addr addr;
	socklen_t len = sizeof(addr);
	addr_parse(&addr, "127.0.0.1", 1);
	addr_set_port(&addr, 0);
	if (bind(fd, &addr.sa, sizeof(addr.v4)) != 0 || getsockname(fd, &addr.sa, &len) != 0)
		abort();
	return addr;
}

static void talk(const struct loan *loan, int server)
{
	uint8_t data[40] = {0};
	enum datagram kind;
	if (send(loan->fd, data, sizeof(data), 0) != (ssize_t)sizeof(data))
		abort();
	echo(server);
	ssize_t got = loan_receive(loan, data, sizeof(data), &kind);
	if (got < 0 && errno == EAGAIN) { /* a busy kernel hands it over a little later, in a thread of its own */
		struct pollfd wait = {.fd = loan->fd, .events = POLLIN};
		if (poll(&wait, 1, LATE_MS) == 1)
			got = loan_receive(loan, data, sizeof(data), &kind);
	}
	if (got != (ssize_t)sizeof(data) || kind != DATAGRAM_WHOLE)
		abort();
}

static struct loan *lend(struct pool *pool, const struct addr *to)
{
	struct loan_tag tag = {0};
	struct loan *loan;
	if (pool_lend(pool, to, TRANSPORT_UDP, &tag, &loan) != 0)
		abort();
	return loan;
}

/* `stay`: one loan for all exchanges: what sending and receiving cost without any mooring. */
static double exchange_us(uint16_t first, uint16_t last, bool stay)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct addr to = server_addr(fd);
	struct port_space *space = port_space_new();
	struct port_set *set = xalloc(sizeof(*set));
	port_set_fill(set, first, last);
	port_space_set_usable(space, set);
	struct pool_conf conf = {.space = space, .ledger = ledger_new(1000), .size = 100, .max = 100, .ipv4 = true};
	struct pool *pool = pool_new(&conf);
	struct loan *kept = stay ? lend(pool, &to) : NULL;
	double begin = cpu_us();
	for (int i = 0; i < EXCHANGES; i++) {
		struct loan *loan = stay ? kept : lend(pool, &to);
		talk(loan, fd);
		if (!stay)
			pool_return(pool, loan, LOAN_REPLY);
	}
	double us = (cpu_us() - begin) / EXCHANGES;
	pool_free(pool);
	ledger_free(conf.ledger);
	port_space_free(space);
	free(set);
	close(fd);
	return us;
}

static double moored_on_us(bool stay)
{
	struct port_range range;
	kernel_local_range(&range);
	return kernel_can_moor() ? exchange_us(range.last > 49152 ? 49152 : range.first, range.last, stay) : 0;
}

static double staying_us(void)
{
	return moored_on_us(true);
}

static double moored_us(void)
{
	return moored_on_us(false);
}

static double fresh_us(void)
{
	struct port_range range;
	kernel_local_range(&range);
	return range.last < 65000 ? exchange_us((uint16_t)(range.last + 1), 65535, false)
				  : exchange_us(1024, range.first, false);
}

/* --- fibers --- */

static void yield_often(void *arg)
{
	for (int i = 0; i < SWITCHES; i++)
		if (fiber_yield_await() != 0)
			break;
	loop_stop(arg);
}

static double switch_us(void)
{
	struct loop loop;
	if (loop_init(&loop) != 0 || fiber_spawn(&loop, yield_often, &loop) != 0)
		abort();
	double begin = cpu_us();
	/* Without the loop's epoll_wait: the switch there and back, and the run queue. */
	while (fiber_count(&loop) > 0)
		fiber_run_ready(&loop);
	double us = (cpu_us() - begin) / SWITCHES;
	loop_deinit(&loop);
	return us;
}

/* --- reading --- */

static size_t make_referral(uint8_t *wire, size_t room)
{
	knot_pkt_t *pkt = knot_pkt_new(wire, (uint16_t)room, NULL);
	uint8_t name[NAME_MAX_LEN], zone[NAME_MAX_LEN], ns[NAME_MAX_LEN];
	name_from_text(name, "www.example.com");
	name_from_text(zone, "example.com");
	knot_pkt_put_question(pkt, name, KNOT_CLASS_IN, KNOT_RRTYPE_A);
	knot_wire_set_qr(wire);
	for (int section = KNOT_AUTHORITY; section <= KNOT_ADDITIONAL; section++) {
		knot_pkt_begin(pkt, (knot_section_t)section);
		for (int i = 0; i < 2; i++) {
			char text[] = "ns?.example.com";
			text[2] = (char)('1' + i);
			name_from_text(ns, text);
			knot_rrset_t rr;
			bool glue = section == KNOT_ADDITIONAL;
			knot_rrset_init(
				&rr, glue ? ns : zone, glue ? KNOT_RRTYPE_A : KNOT_RRTYPE_NS, KNOT_CLASS_IN, 300);
			knot_rrset_add_rdata(
				&rr, glue ? (uint8_t *)"\xc0\0\2\1" : ns, glue ? 4 : (uint16_t)name_len(ns), NULL);
			knot_pkt_put(pkt, KNOT_COMPR_HINT_NONE, &rr, 0);
			knot_rdataset_clear(&rr.rrs, NULL);
		}
	}
	size_t len = pkt->size;
	knot_pkt_free(pkt);
	return len;
}

static double read_us(void)
{
	uint8_t wire[512] = {0};
	size_t len = make_referral(wire, sizeof(wire));
	struct arena arena;
	arena_init(&arena);
	double begin = cpu_us();
	for (int i = 0; i < READS; i++) {
		struct message msg;
		if (message_read(&msg, &arena, wire, len) != 0 || msg.count[SECTION_AUTHORITY] != 1)
			abort();
		arena_reset(&arena);
	}
	double us = (cpu_us() - begin) / READS;
	arena_deinit(&arena);
	return us;
}

/* --- the rrset cache --- */

enum { CACHED = 100000, GETS = 1000000 };

static struct rrcache *cache;

static const uint8_t *number_name(uint8_t *name, unsigned number)
{
	char text[32];
	snprintf(text, sizeof(text), "n%u.example", number);
	name_from_text(name, text);
	return name;
}

static void fill_cache(unsigned count)
{
	uint8_t name[NAME_MAX_LEN], data[8] = {4, 0, 192, 0, 2, 1};
	struct rrcache_conf conf = {.bytes = 256 << 20, .ttl_max_s = 86400};
	cache = rrcache_new(&conf);
	for (unsigned i = 0; i < count; i++) {
		struct rrset set = {.owner = number_name(name, i), .type = KNOT_RRTYPE_A, .rclass = KNOT_CLASS_IN};
		const struct rrset *one = &set;
		set.data = (knot_rdataset_t){.count = 1, .size = 6, .rdata = (knot_rdata_t *)(void *)data};
		struct cache_key key = {.name = set.owner, .type = KNOT_RRTYPE_A};
		rrcache_put(cache, &key,
			&(struct cache_value){
				.kind = CACHE_POSITIVE, .rank = RANK_ANSWER, .ttl_s = 3600, .count = 1, .set = &one});
	}
}

/* Every thread reads the same few names, as all ask for the servers of com. */
static void *get_often(void *arg)
{
	static uint8_t names[64][NAME_MAX_LEN];
	struct arena arena;
	double *us = arg;
	arena_init(&arena);
	for (unsigned i = 0; i < 64; i++)
		number_name(names[i], i);
	double begin = cpu_us();
	for (unsigned i = 0; i < GETS; i++) {
		struct cached found;
		struct cache_key key = {.name = names[i % 64], .type = KNOT_RRTYPE_A};
		if (rrcache_get(cache, &arena, &key, RANK_GLUE, &found) != 0)
			abort();
		arena_reset(&arena);
	}
	*us = (cpu_us() - begin) / GETS;
	arena_deinit(&arena);
	return NULL;
}

static double get_us(void)
{
	double us;
	get_often(&us);
	return us;
}

static double get_beside_us(void)
{
	pthread_t other;
	double us, others;
	pthread_create(&other, NULL, get_often, &others);
	get_often(&us);
	pthread_join(other, NULL);
	return (us + others) / 2;
}

/* --- a snapshot --- */

enum { KEPT = 1000000 };

static char snapshot_path[] = "/tmp/berth-micro-XXXXXX";

static double save_us(void)
{
	struct snapshot_result result;
	double begin = cpu_us();
	if (snapshot_save(cache, snapshot_path, &result) != 0 || result.records != KEPT)
		abort();
	return cpu_us() - begin;
}

static double load_us(void)
{
	struct rrcache_conf conf = {.bytes = 256 << 20, .ttl_max_s = 86400};
	struct rrcache *other = rrcache_new(&conf);
	struct snapshot_result result;
	atomic_bool stop = false;
	double begin = cpu_us();
	if (snapshot_load(other, snapshot_path, &stop, &result) != 0 || result.records != KEPT)
		abort();
	double us = cpu_us() - begin;
	rrcache_free(other);
	return us;
}

/* --- the table --- */

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;
	return left < right ? -1 : left > right;
}

static void measure(const char *what, double (*one)(void), int rounds)
{
	double us[ROUNDS_MAX];
	for (int i = 0; i < rounds; i++)
		us[i] = one();
	qsort(us, (size_t)rounds, sizeof(us[0]), compare);
	printf("%-44s %8.3f us  (%.3f-%.3f)\n", what, us[rounds / 2], us[0], us[rounds - 1]);
}

static void measure_snapshot(int rounds)
{
	int fd = mkstemp(snapshot_path);
	if (fd < 0)
		abort();
	close(fd);
	fill_cache(KEPT);
	measure("writing a snapshot of 1,000,000 records", save_us, rounds);
	measure("reading it into an empty cache", load_us, rounds);
	rrcache_free(cache);
	unlink(snapshot_path);
}

int main(int argc, char *argv[])
{
	int rounds = argc > 1 ? atoi(argv[1]) : 5;
	if (rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	hash_init();
	measure("exchange, socket stays moored (the floor)", staying_us, rounds);
	measure("exchange, re-moored socket", moored_us, rounds);
	measure("exchange, fresh bound socket", fresh_us, rounds);
	measure("switch of a fiber, there and back", switch_us, rounds);
	measure("reading a referral of 2 servers with glue", read_us, rounds);
	fill_cache(CACHED);
	measure("reading the rrset cache", get_us, rounds);
	measure("the same, by two threads at once", get_beside_us, rounds);
	rrcache_free(cache);
	measure_snapshot(rounds);
	return 0;
}
