/* Decides on which socket a loan is made, and what becomes of the socket afterwards. */
#include "ports/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "ports/kernel.h"
#include "ports/moor.h"

enum { LOOK_ONE_IN = 32, RANGE_EVERY_US = 5000000 };
enum { FAMILY_V4, FAMILY_V6, FAMILIES };

struct pool {
	struct pool_conf conf;
	struct port_draw draw;
	struct port_range moorable;
	uint64_t range_read_us; /* monotonic */
	unsigned moorings;
	struct link idle[FAMILIES]; /* last in, first out: warm in the caches */
	struct link lent;
	unsigned idle_count, lent_count;
};

static int family_of(const struct addr *addr)
{
	return addr_is_v6(addr) ? FAMILY_V6 : FAMILY_V4;
}

static struct loan *new_slot(const struct pool *pool)
{
	struct loan *loan = xzalloc(1, sizeof(*loan) + pool->conf.user_size);
	loan->fd = -1;
	link_init(&loan->link);
	return loan;
}

static void free_slot(struct loan *loan)
{
	if (loan->fd >= 0)
		close(loan->fd);
	link_remove(&loan->link);
	free(loan);
}

static void push_idle(struct pool *pool, struct loan *loan, int family)
{
	link_append(&pool->idle[family], &loan->link);
	pool->idle_count++;
}

static struct loan *pop_idle(struct pool *pool, int family)
{
	if (link_is_empty(&pool->idle[family]))
		return NULL;
	struct loan *loan = container_of(pool->idle[family].prev, struct loan, link);
	link_remove(&loan->link);
	pool->idle_count--;
	return loan;
}

/* Idle sockets of one family are opened ahead; the other family's replace them as they are needed. */
static void open_ahead(struct pool *pool)
{
	int family = pool->conf.ipv4 ? FAMILY_V4 : FAMILY_V6;
	for (unsigned i = 0; i < pool->conf.size; i++) {
		int fd = moor_open(family == FAMILY_V4 ? AF_INET : AF_INET6, false);
		if (fd < 0) {
			log_warning(
				"only %u of %u sockets of the pool could be opened (%s); raise the descriptor limit "
				"(ulimit -n, LimitNOFILE=)",
				i, pool->conf.size, strerror(errno));
			return;
		}
		struct loan *slot = new_slot(pool);
		slot->fd = fd;
		push_idle(pool, slot, family);
	}
}

struct pool *pool_new(const struct pool_conf *conf)
{
	struct pool *pool = xzalloc(1, sizeof(*pool));
	pool->conf = *conf;
	pool->draw.space = conf->space;
	for (int i = 0; i < FAMILIES; i++)
		link_init(&pool->idle[i]);
	link_init(&pool->lent);
	if (kernel_can_moor()) {
		kernel_local_range(&pool->moorable);
		open_ahead(pool);
	}
	return pool;
}

void pool_free(struct pool *pool)
{
	while (!link_is_empty(&pool->lent))
		pool_return(pool, container_of(pool->lent.next, struct loan, link), LOAN_CANCELED);
	for (int i = 0; i < FAMILIES; i++)
		for (struct loan *loan; (loan = pop_idle(pool, i)) != NULL;)
			free_slot(loan);
	port_draw_deinit(&pool->draw);
	free(pool);
}

static bool can_moor(const struct pool *pool, uint16_t port)
{
	return port >= pool->moorable.first && port <= pool->moorable.last && pool->moorable.last > 0;
}

/* What an errno says depends on the call that gave it: only some of them speak of the port. E_EXIST: the port is
 * another program's, the next draw may do better. */
static int judge_open(int error)
{
	counters_add(COUNT_PORTS_NOFILES, 1);
	return error == EAFNOSUPPORT ? E_UNREACH : E_NOPORT;
}

static int judge_bind(int error)
{
	if (error == EADDRINUSE || error == EACCES || error == EPERM) {
		counters_add(error == EADDRINUSE ? COUNT_PORTS_TAKEN : COUNT_PORTS_DENIED, 1);
		return E_EXIST;
	}
	return error == EADDRNOTAVAIL ? E_UNREACH : E_SYSTEM;
}

/* `moored`: the kernel had to find the port in this call, and says EAGAIN when [p,p] is full. Everything else is about
 * the way to the server: no route, no address of that family, broadcast, a rule that forbids it. */
static int judge_connect(int error, bool moored)
{
	if (moored && (error == EAGAIN || error == EADDRINUSE)) {
		counters_add(COUNT_PORTS_TAKEN, 1);
		return E_EXIST;
	}
	return error == ENOBUFS || error == ENOMEM ? E_NOPORT : E_UNREACH;
}

/* An idle socket of the family: one that waits, one opened in place of the other family's, or none. */
static struct loan *take_idle(struct pool *pool, int family)
{
	struct loan *loan = pop_idle(pool, family);
	if (loan != NULL)
		return loan;
	loan = pop_idle(pool, !family);
	if (loan == NULL)
		return NULL;
	close(loan->fd);
	loan->watched = false;
	loan->fd = moor_open(family == FAMILY_V4 ? AF_INET : AF_INET6, false);
	if (loan->fd >= 0)
		return loan;
	free_slot(loan);
	return NULL;
}

/* The operator may narrow ip_local_port_range while we run; outside of it the kernel ignores [p,p] and chooses by
 * itself. So the range is read again now and then, and some of the moorings are looked at. */
static bool is_on_port(struct pool *pool, const struct loan *loan, uint16_t port)
{
	struct addr local;
	socklen_t len = sizeof(local);
	if (++pool->moorings % LOOK_ONE_IN != 0 || getsockname(loan->fd, &local.sa, &len) != 0)
		return true;
	if (addr_port(&local) == port)
		return true;
	kernel_local_range(&pool->moorable);
	return false;
}

static void refresh_range(struct pool *pool)
{
	uint64_t now_us = clock_mono_us();
	if (pool->moorable.last == 0 || now_us - pool->range_read_us < RANGE_EVERY_US)
		return;
	pool->range_read_us = now_us;
	kernel_local_range(&pool->moorable);
}

static int moor(struct pool *pool, const struct addr *server, uint16_t port, struct loan **out)
{
	struct loan *loan = take_idle(pool, family_of(server));
	if (loan == NULL)
		return E_BUSY;
	int ret = E_SYSTEM;
	if (moor_set_port(loan->fd, port) == 0) {
		ret = connect(loan->fd, &server->sa, addr_socklen(server)) == 0 ? 0 : judge_connect(errno, true);
		if (ret == 0 && !is_on_port(pool, loan, port))
			ret = E_EXIST;
	}
	if (ret == 0) {
		loan->moored = true;
		*out = loan;
		return 0;
	}
	moor_release(loan->fd);
	push_idle(pool, loan, family_of(server));
	return ret;
}

static int bind_fresh(
	struct pool *pool, const struct addr *server, enum transport transport, uint16_t port, struct loan **out)
{
	bool tcp = transport == TRANSPORT_TCP;
	struct loan *loan = new_slot(pool);
	int ret = 0;
	loan->fd = moor_open(server->sa.sa_family, tcp);
	if (loan->fd < 0)
		ret = judge_open(errno);
	else if (moor_bind(loan->fd, server->sa.sa_family, port) != 0)
		ret = judge_bind(errno);
	else if (!tcp && connect(loan->fd, &server->sa, addr_socklen(server)) != 0)
		ret = judge_connect(errno, false);
	if (ret == 0)
		*out = loan;
	else
		free_slot(loan);
	return ret;
}

static int lend_port(
	struct pool *pool, const struct addr *server, enum transport transport, uint16_t port, struct loan **out)
{
	if (transport == TRANSPORT_UDP && can_moor(pool, port)) {
		int ret = moor(pool, server, port, out);
		if (ret != E_BUSY)
			return ret;
		counters_add(COUNT_LOANS_GROWN, 1);
	}
	return bind_fresh(pool, server, transport, port, out);
}

static void begin_loan(struct pool *pool, struct loan *loan, uint16_t port, const struct addr *server,
	enum transport transport, const struct loan_tag *tag)
{
	loan->port = port;
	loan->server = *server;
	loan->transport = (uint8_t)transport;
	loan->tag = *tag;
	loan->begin_us = clock_mono_us();
	loan->begin_wall_us = clock_wall_us();
	link_append(&pool->lent, &loan->link);
	pool->lent_count++;
	counters_add(COUNT_LOANS, 1);
	counters_add(loan->moored ? COUNT_LOANS_MOORED : COUNT_LOANS_FRESH, 1);
}

int pool_lend(struct pool *pool, const struct addr *server, enum transport transport, const struct loan_tag *tag,
	struct loan **out)
{
	int ret = E_NOPORT;
	refresh_range(pool);
	for (int i = 0; i < LIMIT_LEND_TRIES; i++) {
		uint16_t port;
		ret = port_draw(&pool->draw, &port);
		if (ret != 0)
			break;
		ret = lend_port(pool, server, transport, port, out);
		if (ret == 0) {
			begin_loan(pool, *out, port, server, transport, tag);
			return 0;
		}
		if (ret != E_EXIST) {
			port_space_release(pool->draw.space, port);
			break;
		}
		port_space_taken(pool->draw.space, port);
	}
	if (ret == E_EXIST)
		ret = E_NOPORT;
	if (ret == E_UNREACH)
		return ret; /* the port was not the problem */
	counters_add(COUNT_LOANS_FAILED, 1);
	if (ret == E_NOPORT)
		log_warning(
			"no port could be borrowed: %u of %u usable ports are lent; see `berth stats` for the causes",
			port_space_lent(pool->draw.space), pool->draw.count);
	return ret;
}

static void fill_entry(struct ledger_entry *entry, const struct loan *loan, enum loan_outcome outcome)
{
	*entry = (struct ledger_entry){
		.server = loan->server,
		.begin_us = loan->begin_wall_us,
		.took_us = (uint32_t)(clock_mono_us() - loan->begin_us),
		.port = loan->port,
		.transport = loan->transport,
		.outcome = (uint8_t)outcome,
		.tag = loan->tag,
	};
}

void pool_return(struct pool *pool, struct loan *loan, enum loan_outcome outcome)
{
	struct ledger_entry entry;
	fill_entry(&entry, loan, outcome);
	ledger_add(pool->conf.ledger, &entry);
	link_remove(&loan->link);
	pool->lent_count--;
	uint16_t port = loan->port;
	if (loan->moored) {
		moor_release(loan->fd);
		loan->moored = false;
		push_idle(pool, loan, family_of(&loan->server));
	} else {
		free_slot(loan);
	}
	/* Last: before, the kernel may still hold the port for us. */
	port_space_release(pool->draw.space, port);
}

ssize_t loan_receive(const struct loan *loan, uint8_t *data, size_t room, enum datagram *kind)
{
	struct addr from = {0};
	bool fragmented;
	ssize_t got = moor_receive(loan->fd, data, room, &from, &fragmented);
	*kind = DATAGRAM_WHOLE;
	if (got >= 0 && !addr_equal(&from, &loan->server))
		*kind = DATAGRAM_FOREIGN;
	else if (fragmented)
		*kind = DATAGRAM_FRAGMENTED;
	return got;
}

void pool_state(const struct pool *pool, struct pool_state *out)
{
	unsigned all = pool->idle_count + pool->lent_count;
	*out = (struct pool_state){
		.size = pool->conf.size,
		.idle = pool->idle_count,
		.lent = pool->lent_count,
		.grown = all > pool->conf.size ? all - pool->conf.size : 0,
	};
}

struct port_range pool_moorable(const struct pool *pool)
{
	return pool->moorable;
}

bool pool_find_lent(const struct pool *pool, uint16_t port, struct ledger_entry *out)
{
	for (const struct link *l = pool->lent.next; l != &pool->lent; l = l->next) {
		const struct loan *loan = container_of(l, struct loan, link);
		if (loan->port == port) {
			fill_entry(out, loan, LOAN_LENT);
			return true;
		}
	}
	return false;
}
