/* Decides in which way a loan is made, and what becomes of its socket afterwards. */
#include "ports/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/limits.h"
#include "ports/lack.h"
#include "ports/moor.h"
#include "ports/moorings.h"
#include "ports/reserve.h"
#include "ports/single.h"

/* Datagrams of an earlier loan of a held port that one call passes over. */
enum { EARLIER_MAX = 64 };

struct pool {
	struct pool_conf conf;
	struct port_draw draw;
	struct moorings moorings;
	struct hand hand;         /* in the reserve, if there is one */
	struct loan **berth_loan; /* of a reserve of ours alone: by family and place; they keep their watch */
	struct link lent;
	unsigned lent_count;
	enum lack lack; /* why the last draw came to nothing */
};

struct pool *pool_new(const struct pool_conf *conf)
{
	struct pool *pool = xzalloc(1, sizeof(*pool));
	pool->conf = *conf;
	pool->draw.space = conf->space;
	link_init(&pool->lent);
	if (conf->reserve != NULL) {
		hand_init(&pool->hand, conf->reserve, &pool->draw);
		pool->berth_loan = xzalloc(2 * (size_t)reserve_size(conf->reserve), sizeof(struct loan *));
	}
	struct pool_conf moored = *conf;
	if (conf->reserve != NULL || conf->single != NULL)
		moored.size = 0;
	moorings_init(&pool->moorings, &moored);
	return pool;
}

void pool_free(struct pool *pool)
{
	while (!link_is_empty(&pool->lent))
		pool_return(pool, container_of(pool->lent.next, struct loan, link), LOAN_CANCELED);
	moorings_deinit(&pool->moorings);
	for (unsigned i = 0; pool->conf.reserve != NULL && i < 2 * reserve_size(pool->conf.reserve); i++)
		free(pool->berth_loan[i]); /* the descriptor is the reserve's */
	free(pool->berth_loan);
	port_draw_deinit(&pool->draw);
	free(pool);
}

/* --- a port drawn for the loan --- */

/* A loan whose port was taken keeps its socket for the next draw. */
static int bind_fresh(
	struct pool *pool, const struct addr *server, enum transport transport, uint16_t port, struct loan **out)
{
	bool tcp = transport == TRANSPORT_TCP;
	if (*out == NULL) {
		*out = loan_new(pool->conf.user_size);
		(*out)->kind = LOAN_FRESH;
	}
	struct loan *loan = *out;
	if (loan->fd < 0)
		loan->fd = moor_open(server->sa.sa_family, tcp);
	if (loan->fd < 0 || moor_bind(loan->fd, server->sa.sa_family, port) != 0)
		return lack_judge(errno, &pool->lack);
	if (tcp || connect(loan->fd, &server->sa, addr_socklen(server)) == 0)
		return 0;
	int ret = lack_judge_way(errno);
	pool->lack = ret == E_NOPORT ? LACK_MEMORY : LACKS;
	lack_count(pool->lack);
	return ret;
}

static int moor(struct pool *pool, const struct addr *server, uint16_t port, struct loan **out)
{
	int ret = moorings_moor(&pool->moorings, server, port, out);
	if (ret == 0) {
		(*out)->kind = LOAN_MOORED;
		(*out)->keeps_watch = true;
	}
	return ret;
}

/* Asking the kernel for a taken port by its range costs it a search through all of them; bind() says so at once. So
 * only the first draw is moored. */
static int lend_drawn(struct pool *pool, const struct addr *server, enum transport transport, struct loan **out)
{
	struct loan *loan = NULL;
	int ret = E_EXIST;
	for (int i = 0; i < LIMIT_LEND_TRIES && ret == E_EXIST; i++) {
		uint16_t port;
		if (port_draw(&pool->draw, &port) != 0) {
			pool->lack = LACK_PORTS;
			ret = E_NOPORT;
			break;
		}
		ret = E_BUSY;
		if (i == 0 && transport == TRANSPORT_UDP && moorings_can(&pool->moorings, port))
			ret = moor(pool, server, port, &loan);
		if (ret == E_BUSY)
			ret = bind_fresh(pool, server, transport, port, &loan);
		if (ret == 0)
			loan->port = port;
		else if (ret == E_EXIST)
			port_space_taken(pool->draw.space, port);
		else
			port_space_release(pool->draw.space, port);
	}
	if (ret == 0)
		*out = loan;
	else if (loan != NULL)
		loan_free(loan);
	return ret == E_EXIST ? E_NOPORT : ret;
}

/* --- ports that are held --- */

static struct loan *loan_of_berth(struct pool *pool, const struct berth *berth, bool v6)
{
	if (!pool->conf.alone)
		return loan_new(pool->conf.user_size);
	struct loan **place = &pool->berth_loan[v6 * reserve_size(pool->conf.reserve) + berth->at];
	if (*place == NULL)
		*place = loan_new(pool->conf.user_size);
	struct loan *loan = *place;
	if (loan->serial != berth->serial)
		loan->watched = false; /* another socket than last time */
	loan->serial = berth->serial;
	return loan;
}

static int lend_reserved(struct pool *pool, const struct addr *server, struct loan **out)
{
	struct berth *berth;
	int ret = hand_take(&pool->hand, server, &berth);
	if (ret != 0)
		return ret;
	struct loan *loan = loan_of_berth(pool, berth, addr_is_v6(server));
	loan->berth = berth;
	loan->fd = berth->fd;
	loan->port = berth->port;
	loan->kind = LOAN_RESERVED;
	loan->keeps_watch = pool->conf.alone;
	*out = loan;
	return 0;
}

static void return_reserved(struct pool *pool, struct loan *loan, enum loan_outcome outcome)
{
	struct berth *berth = loan->berth;
	loan->berth = NULL;
	if (!pool->conf.alone) {
		loan->fd = -1; /* the reserve's */
		loan_free(loan);
	}
	hand_give(&pool->hand, berth, outcome == LOAN_REPLY);
}

static int lend_shared(struct pool *pool, const struct addr *server, struct loan **out)
{
	int fd, ret = single_take(pool->conf.single, server, &fd);
	if (ret == E_NOPORT)
		pool->lack = LACK_FILES;
	if (ret != 0)
		return ret;
	struct loan *loan = loan_new(pool->conf.user_size);
	loan->fd = fd;
	loan->port = single_port(pool->conf.single);
	loan->kind = LOAN_SHARED_PORT;
	*out = loan;
	return 0;
}

/* --- loans --- */

static int lend(struct pool *pool, const struct addr *server, enum transport transport, struct loan **out)
{
	int ret = E_NOPORT;
	pool->lack = LACK_PORTS;
	if (pool->conf.single != NULL && transport == TRANSPORT_UDP)
		return lend_shared(pool, server, out);
	if (pool->conf.reserve != NULL && transport == TRANSPORT_UDP)
		ret = lend_reserved(pool, server, out);
	return ret == E_NOPORT ? lend_drawn(pool, server, transport, out) : ret;
}

static void begin_loan(struct pool *pool, struct loan *loan, const struct addr *server, enum transport transport)
{
	static const enum counter kinds[] = {[LOAN_FRESH] = COUNT_LOANS_FRESH,
		[LOAN_MOORED] = COUNT_LOANS_MOORED,
		[LOAN_RESERVED] = COUNT_LOANS_RESERVED,
		[LOAN_SHARED_PORT] = COUNT_LOANS_RESERVED};
	loan->server = *server;
	loan->transport = (uint8_t)transport;
	loan->begin_us = clock_mono_us();
	loan->begin_wall_us = clock_wall_us();
	link_append(&pool->lent, &loan->link);
	pool->lent_count++;
	counters_add(COUNT_LOANS, 1);
	counters_add(kinds[loan->kind], 1);
	bool is_drawn = loan->kind == LOAN_FRESH || loan->kind == LOAN_MOORED;
	counters_add(COUNT_LOANS_GROWN, is_drawn && pool->lent_count > pool->conf.size);
}

int pool_lend(struct pool *pool, const struct addr *server, enum transport transport, const struct loan_tag *tag,
	struct loan **out)
{
	if (pool->lent_count >= pool->conf.max) {
		lack_tell(LACK_MAX, pool->conf.space);
		return E_BUSY;
	}
	int ret = lend(pool, server, transport, out);
	if (ret == 0) {
		(*out)->tag = *tag;
		begin_loan(pool, *out, server, transport);
	} else if (ret == E_NOPORT || ret == E_SYSTEM) {
		lack_tell(pool->lack, pool->conf.space);
		if (pool->lent_count > 0 && (pool->lack == LACK_PORTS || pool->lack == LACK_FILES))
			return E_BUSY; /* our own loans are in the way, and will come back */
		counters_add(COUNT_LOANS_FAILED, 1);
	}
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
	struct addr server = loan->server;
	switch ((enum loan_kind)loan->kind) {
	case LOAN_MOORED: moorings_release(&pool->moorings, loan); break;
	case LOAN_FRESH: loan_free(loan); break;
	case LOAN_RESERVED: return_reserved(pool, loan, outcome); return;
	case LOAN_SHARED_PORT:
		loan_free(loan);
		single_give(pool->conf.single, &server);
		return;
	}
	/* Last: before, the kernel may still hold the port for us. */
	port_space_release(pool->draw.space, port);
}

uint64_t pool_tend(struct pool *pool, uint64_t now_us)
{
	return pool->conf.reserve != NULL ? hand_tend(&pool->hand, now_us) : 0;
}

ssize_t loan_receive(const struct loan *loan, uint8_t *data, size_t room, enum datagram *kind)
{
	struct addr from = {0};
	bool fragmented = false, foreign = true;
	ssize_t got = 0;
	for (int i = 0; i < EARLIER_MAX && got >= 0 && foreign; i++) {
		got = moor_receive(loan->fd, data, room, &from, &fragmented);
		foreign = got >= 0 && !addr_equal(&from, &loan->server);
		if (loan->kind != LOAN_RESERVED)
			break;
	}
	if (foreign && loan->kind == LOAN_RESERVED) {
		errno = EAGAIN; /* there may be more; the event loop knows */
		return -1;
	}
	*kind = foreign ? DATAGRAM_FOREIGN : fragmented ? DATAGRAM_FRAGMENTED : DATAGRAM_WHOLE;
	return got;
}

unsigned pool_max(const struct pool *pool)
{
	return pool->conf.max;
}

bool pool_shares_port(const struct pool *pool)
{
	return pool->conf.single != NULL;
}

bool pool_can_spare(const struct pool *pool)
{
	const struct pool_conf *conf = &pool->conf;
	if (conf->single != NULL || pool->lent_count > conf->max / 2)
		return false;
	if (conf->reserve != NULL) /* what is held counts as lent in the space */
		return pool->lent_count <= conf->size / 2;
	return port_space_lent(conf->space) <= pool->draw.count / 2;
}

void pool_state(const struct pool *pool, struct pool_state *out)
{
	*out = (struct pool_state){
		.size = pool->conf.size,
		.max = pool->conf.max,
		.idle = pool->moorings.idle_count,
		.lent = pool->lent_count,
		.grown = pool->lent_count > pool->conf.size ? pool->lent_count - pool->conf.size : 0,
	};
}

struct port_range pool_moorable(const struct pool *pool)
{
	return pool->moorings.range;
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

void pool_mark_lent(const struct pool *pool, struct port_set *set)
{
	for (const struct link *l = pool->lent.next; l != &pool->lent; l = l->next)
		port_set_add(set, container_of(l, struct loan, link)->port);
}
