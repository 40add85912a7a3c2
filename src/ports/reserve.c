/* Decides which held port is lent, when it goes dark, and when it is swapped for another. */
#include "ports/reserve.h"

#include <errno.h>
#include <ifaddrs.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/random.h"
#include "ports/kernel.h"
#include "ports/lack.h"
#include "ports/moor.h"

enum { LOOK_EVERY_US = 1000000, LOOK_AT_ADDRESSES_US = 5000000, SWAPS_PER_LOOK = 64 };

/* A connected socket keeps its source address when it is connected elsewhere. That is right as long as this machine
 * would choose the same one again. */
enum source { SOURCE_NONE, SOURCE_LOOPBACK, SOURCE_OTHER };

struct family {
	struct berth *berth; /* [size] */
	/* A set bit is the berth of whose thread clears it. */
	_Atomic uint64_t idle[(RESERVE_MAX + 63) / 64], empty[(RESERVE_MAX + 63) / 64];
	_Atomic uint32_t held;
	_Atomic bool is_open;
	_Atomic bool one_source; /* this machine has one address of the family but loopback's */
	int domain;
};

struct reserve {
	struct reserve_conf conf;
	struct family family[2];
	pthread_mutex_t opening;
	_Atomic uint64_t quota_generation; /* of the space, when */
	_Atomic uint32_t quota;            /* was computed */
	_Atomic uint64_t addresses_us;     /* when this machine's addresses were counted last */
};

/* --- who has a berth --- */

static bool try_claim(_Atomic uint64_t bits[], unsigned at)
{
	uint64_t bit = UINT64_C(1) << at % 64;
	_Atomic uint64_t *word = &bits[at / 64];
	return (atomic_load_explicit(word, memory_order_relaxed) & bit) &&
	       (atomic_fetch_and_explicit(word, ~bit, memory_order_acquire) & bit);
}

static void unclaim(struct family *f, const struct berth *berth)
{
	_Atomic uint64_t *bits = berth->fd >= 0 ? f->idle : f->empty;
	atomic_fetch_or_explicit(&bits[berth->at / 64], UINT64_C(1) << berth->at % 64, memory_order_release);
}

/* When few are idle, they are listed and one of them is drawn. Still uniform. */
static struct berth *claim_of_rest(const struct reserve *reserve, struct family *f)
{
	unsigned *rest = xalloc(reserve->conf.size * sizeof(*rest)), count = 0;
	struct berth *found = NULL;
	for (unsigned at = 0; at < reserve->conf.size; at++)
		if (atomic_load_explicit(&f->idle[at / 64], memory_order_relaxed) >> at % 64 & 1)
			rest[count++] = at;
	while (count > 0 && found == NULL) {
		unsigned i = random_below(count), at = rest[i];
		rest[i] = rest[--count];
		if (try_claim(f->idle, at))
			found = &f->berth[at];
	}
	free(rest);
	return found;
}

static struct berth *claim_random(const struct reserve *reserve, struct family *f)
{
	for (int i = 0; i < LIMIT_PORT_DRAWS; i++) {
		unsigned at = random_below(reserve->conf.size);
		if (try_claim(f->idle, at))
			return &f->berth[at];
	}
	return claim_of_rest(reserve, f);
}

/* One that could not be opened before. */
static struct berth *claim_empty(const struct reserve *reserve, struct family *f)
{
	for (unsigned at = 0; at < reserve->conf.size; at++)
		if (try_claim(f->empty, at))
			return &f->berth[at];
	return NULL;
}

/* --- opening and swapping ports; the berth is claimed --- */

static int open_port(const struct family *f, uint16_t port)
{
	int fd = moor_open(f->domain, false);
	if (fd < 0)
		return -1;
	if (moor_bind(fd, f->domain, port) == 0 && moor_darken(fd, f->domain) == 0) {
		moor_drain(fd); /* for a moment it heard everybody */
		return fd;
	}
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

unsigned reserve_quota(unsigned usable, unsigned families)
{
	unsigned most = families > 0 ? (usable - (usable + 7) / 8) / families : usable;
	return most > 0 ? most : 1;
}

/* How many ports each family may hold of those that are usable now. */
static unsigned quota_now(struct reserve *reserve)
{
	uint64_t generation = port_space_generation(reserve->conf.space);
	if (atomic_load(&reserve->quota_generation) != generation) {
		unsigned usable = port_space_usable(reserve->conf.space, 1, PORTS_ALL - 1);
		atomic_store(&reserve->quota, reserve_quota(usable, reserve->conf.ipv4 + reserve->conf.ipv6));
		atomic_store(&reserve->quota_generation, generation);
	}
	return atomic_load(&reserve->quota);
}

static void fill(struct reserve *reserve, struct family *f, struct berth *berth, struct port_draw *draw)
{
	if (atomic_load(&f->held) >= quota_now(reserve))
		return;
	for (int i = 0; i < LIMIT_LEND_TRIES; i++) {
		uint16_t port;
		if (port_draw(draw, &port) != 0)
			return;
		berth->fd = open_port(f, port);
		if (berth->fd >= 0) {
			berth->port = port;
			berth->serial++;
			berth->source = SOURCE_LOOPBACK;
			berth->server = (struct addr){0};
			berth->uses = 0;
			berth->given_us = 0;
			berth->born_us = clock_mono_us();
			atomic_fetch_add(&f->held, 1);
			return;
		}
		lack_count(lack_of_errno(errno));
		if (errno != EADDRINUSE && errno != EACCES) {
			port_space_release(reserve->conf.space, port);
			return;
		}
		port_space_taken(reserve->conf.space, port);
	}
}

static void empty(struct reserve *reserve, struct family *f, struct berth *berth)
{
	if (berth->fd < 0)
		return;
	close(berth->fd);
	berth->fd = -1;
	port_space_release(reserve->conf.space, berth->port);
	atomic_fetch_sub(&f->held, 1);
}

static void swap(struct reserve *reserve, struct family *f, struct berth *berth, struct port_draw *draw)
{
	empty(reserve, f, berth);
	fill(reserve, f, berth, draw);
}

/* Ages are spread from the start, or all ports would be swapped at once. */
static void open_family(struct reserve *reserve, struct family *f, struct port_draw *draw)
{
	unsigned size = reserve->conf.size, opened = 0;
	uint64_t now_us = clock_mono_us();
	pthread_mutex_lock(&reserve->opening);
	for (unsigned at = 0; at < size && !f->is_open; at++) {
		struct berth *berth = &f->berth[at];
		fill(reserve, f, berth, draw);
		if (reserve->conf.age_s > 0)
			berth->born_us = now_us - random_below(reserve->conf.age_s) * 1000000ull;
		opened += berth->fd >= 0;
		unclaim(f, berth);
	}
	if (!f->is_open && opened < size)
		log_warning(
			"only %u of %u ports could be reserved for IPv%d; raise the descriptor limit (LimitNOFILE=), "
			"widen ports.range, or make ports.pool smaller",
			opened, size, f->domain == AF_INET ? 4 : 6);
	f->is_open = true;
	pthread_mutex_unlock(&reserve->opening);
}

/* --- addresses of this machine --- */

/* Addresses of services often stand on the loopback interface, and are as good a source as any. */
static bool is_other(const struct ifaddrs *i, int domain)
{
	if (i->ifa_addr == NULL || i->ifa_addr->sa_family != domain)
		return false;
	const struct addr *addr = (const struct addr *)(const void *)i->ifa_addr;
	return !addr_is_loopback(addr) && (domain == AF_INET || !IN6_IS_ADDR_LINKLOCAL(&addr->v6.sin6_addr));
}

static void count_addresses(struct reserve *reserve)
{
	struct ifaddrs *all = NULL;
	unsigned count[2] = {0, 0};
	if (getifaddrs(&all) != 0)
		count[0] = count[1] = 2; /* unknown: as if there were several */
	for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next)
		for (int v6 = 0; v6 < 2; v6++)
			count[v6] += is_other(i, reserve->family[v6].domain);
	for (int v6 = 0; v6 < 2; v6++)
		atomic_store(&reserve->family[v6].one_source, count[v6] == 1);
	if (all != NULL)
		freeifaddrs(all);
}

/* --- the reserve --- */

/* Not all usable ports are held: questions over TCP and loans beyond the pool need some as well. */
static unsigned affordable(const struct reserve_conf *conf)
{
	unsigned usable = port_space_usable(conf->space, 1, PORTS_ALL - 1);
	unsigned most = reserve_quota(usable, conf->ipv4 + conf->ipv6);
	return conf->size < most ? conf->size : most;
}

struct reserve *reserve_new(const struct reserve_conf *conf)
{
	struct reserve *reserve = xzalloc(1, sizeof(*reserve));
	struct port_draw draw = {.space = conf->space};
	struct addr far;
	reserve->conf = *conf;
	reserve->conf.size = affordable(conf);
	pthread_mutex_init(&reserve->opening, NULL);
	for (int v6 = 0; v6 < 2; v6++) {
		struct family *f = &reserve->family[v6];
		f->domain = v6 ? AF_INET6 : AF_INET;
		f->berth = xzalloc(reserve->conf.size, sizeof(*f->berth));
		for (unsigned at = 0; at < reserve->conf.size; at++)
			f->berth[at] = (struct berth){.fd = -1, .at = at};
		/* An address that nobody has (RFC 5737, RFC 3849): is there a way out? Else the family is opened when it
		 * is asked for. */
		(void)addr_parse(&far, v6 ? "2001:db8::1" : "192.0.2.1", 53);
		if ((v6 ? conf->ipv6 : conf->ipv4) && kernel_has_route(&far))
			open_family(reserve, f, &draw);
	}
	count_addresses(reserve);
	port_draw_deinit(&draw);
	return reserve;
}

void reserve_free(struct reserve *reserve)
{
	for (int v6 = 0; v6 < 2; v6++) {
		for (unsigned at = 0; at < reserve->conf.size; at++)
			empty(reserve, &reserve->family[v6], &reserve->family[v6].berth[at]);
		free(reserve->family[v6].berth);
	}
	pthread_mutex_destroy(&reserve->opening);
	free(reserve);
}

unsigned reserve_held(const struct reserve *reserve)
{
	return atomic_load(&reserve->family[0].held) + atomic_load(&reserve->family[1].held);
}

unsigned reserve_among(const struct reserve *reserve)
{
	unsigned least = 0;
	for (int v6 = 0; v6 < 2; v6++) {
		const struct family *f = &reserve->family[v6];
		unsigned held = atomic_load(&f->is_open) ? atomic_load(&f->held) : 0;
		if (held > 0 && (least == 0 || held < least))
			least = held;
	}
	return least;
}

unsigned reserve_size(const struct reserve *reserve)
{
	return reserve->conf.size;
}

/* --- lending --- */

void hand_init(struct hand *hand, struct reserve *reserve, struct port_draw *draw)
{
	memset(hand, 0, sizeof(*hand));
	hand->reserve = reserve;
	hand->draw = draw;
}

static bool keeps_source(const struct family *f, const struct berth *berth, enum source wanted)
{
	if (berth->source != wanted)
		return false;
	return wanted == SOURCE_LOOPBACK || atomic_load_explicit(&f->one_source, memory_order_relaxed);
}

/* Letting go first costs a sixth of an exchange, so it is left out where it changes nothing. */
static int connect_to(const struct family *f, struct berth *berth, const struct addr *server)
{
	enum source wanted = addr_is_loopback(server) ? SOURCE_LOOPBACK : SOURCE_OTHER;
	if (keeps_source(f, berth, wanted) && connect(berth->fd, &server->sa, addr_socklen(server)) == 0)
		return 0;
	moor_unconnect(berth->fd);
	berth->source = SOURCE_NONE;
	if (connect(berth->fd, &server->sa, addr_socklen(server)) != 0)
		return lack_judge_way(errno);
	berth->source = (uint8_t)wanted;
	return 0;
}

/* The source address stays, so that the next loan need not let go of it first; this machine may have lost it, though. */
static void darken(struct reserve *reserve, struct family *f, struct berth *berth)
{
	berth->given_us = 0;
	if (moor_darken(berth->fd, f->domain) != 0) {
		moor_unconnect(berth->fd);
		berth->source = SOURCE_LOOPBACK;
		if (moor_darken(berth->fd, f->domain) != 0) {
			empty(reserve, f, berth); /* better no port than an open one */
			return;
		}
	}
	/* What its server sent after the reply would cost memory for as long as the port is idle. */
	moor_drain(berth->fd);
}

/* One call for most loans. What waits in the queue is the last server's, because each loan has read up to its reply and
 * the socket was connected all the while: thrown away if this is the same server, else passed over by loan_receive. */
static int ready_for(struct reserve *reserve, struct family *f, struct berth *berth, const struct addr *server)
{
	bool again = addr_equal(&berth->server, server), still = berth->given_us != 0;
	int ret = again && still ? 0 : connect_to(f, berth, server);
	if (ret != 0) {
		darken(reserve, f, berth);
		return ret;
	}
	if (again)
		moor_drain(berth->fd);
	berth->server = *server;
	return 0;
}

int hand_take(struct hand *hand, const struct addr *server, struct berth **out)
{
	struct reserve *reserve = hand->reserve;
	struct family *f = &reserve->family[addr_is_v6(server)];
	if (!atomic_load_explicit(&f->is_open, memory_order_acquire)) {
		if (!kernel_has_route(server))
			return E_UNREACH;
		open_family(reserve, f, hand->draw);
	}
	for (int i = 0; i < LIMIT_LEND_TRIES; i++) {
		struct berth *berth = claim_random(reserve, f);
		if (berth == NULL)
			berth = claim_empty(reserve, f);
		if (berth == NULL)
			return E_NOPORT;
		bool was_empty = berth->fd < 0;
		if (was_empty || !port_space_is_usable(reserve->conf.space, berth->port))
			swap(reserve, f, berth, hand->draw);
		if (berth->fd < 0) {
			unclaim(f, berth);
			if (was_empty)
				return E_NOPORT;
			continue;
		}
		int ret = ready_for(reserve, f, berth, server);
		if (ret != 0) {
			unclaim(f, berth);
			return ret;
		}
		*out = berth;
		return 0;
	}
	return E_NOPORT;
}

static bool is_worn(const struct reserve *reserve, const struct berth *berth, uint64_t now_us)
{
	const struct reserve_conf *conf = &reserve->conf;
	return (conf->uses > 0 && berth->uses >= conf->uses) ||
	       (conf->age_s > 0 && now_us - berth->born_us >= conf->age_s * 1000000ull) ||
	       !port_space_is_usable(conf->space, berth->port);
}

static struct family *family_of(struct reserve *reserve, const struct berth *berth)
{
	return &reserve->family[berth >= reserve->family[1].berth &&
				berth < reserve->family[1].berth + reserve->conf.size];
}

/* It stays connected to its server for a moment, during which it may well be lent again: that saves a system call. Who
 * could see it as open meanwhile is who can speak in the server's name, as during the exchange. */
void hand_give(struct hand *hand, struct berth *berth, bool clean)
{
	struct reserve *reserve = hand->reserve;
	struct family *f = family_of(reserve, berth);
	uint64_t now_us = clock_mono_us();
	berth->uses++;
	if (is_worn(reserve, berth, now_us)) {
		swap(reserve, f, berth, hand->draw);
	} else if (!clean || hand->count == HAND_RING) {
		darken(reserve, f, berth);
	} else {
		berth->given_us = now_us;
		hand->ring[(hand->first + hand->count++) % HAND_RING] = (struct dusk){berth, now_us};
	}
	unclaim(f, berth);
}

/* --- tending --- */

static void darken_due(struct hand *hand, uint64_t now_us)
{
	for (; hand->count > 0; hand->count--, hand->first = (hand->first + 1) % HAND_RING) {
		const struct dusk *dusk = &hand->ring[hand->first];
		if (now_us < dusk->given_us + LIMIT_DUSK_MS * 1000ull)
			return;
		struct family *f = family_of(hand->reserve, dusk->berth);
		if (!try_claim(f->idle, dusk->berth->at))
			continue; /* lent again */
		if (dusk->berth->given_us == dusk->given_us)
			darken(hand->reserve, f, dusk->berth);
		unclaim(f, dusk->berth);
	}
}

/* Where one empty berth cannot be filled the others are left alone, or they would use up the swaps of this look. */
static void swap_worn(struct hand *hand, struct family *f, uint64_t now_us)
{
	struct reserve *reserve = hand->reserve;
	unsigned swaps = 0;
	bool fills = true;
	for (unsigned at = 0; at < reserve->conf.size && swaps < SWAPS_PER_LOOK; at++) {
		if (!try_claim(f->idle, at) && !(fills && try_claim(f->empty, at)))
			continue;
		struct berth *berth = &f->berth[at];
		if (berth->fd >= 0 && atomic_load(&f->held) > quota_now(reserve)) {
			empty(reserve, f, berth); /* the others want some, too */
		} else if (berth->fd < 0 || is_worn(reserve, berth, now_us)) {
			swap(reserve, f, berth, hand->draw);
			fills = berth->fd >= 0;
			swaps++;
		} else if (berth->given_us != 0 && now_us - berth->given_us > 2 * LIMIT_DUSK_MS * 1000ull) {
			darken(reserve, f, berth); /* its dusk was missed: somebody looked at it just then */
		}
		unclaim(f, berth);
	}
}

static void look_at_all(struct hand *hand, uint64_t now_us)
{
	struct reserve *reserve = hand->reserve;
	hand->looked_us = now_us;
	for (int v6 = 0; v6 < 2; v6++)
		if (atomic_load(&reserve->family[v6].is_open))
			swap_worn(hand, &reserve->family[v6], now_us);
	uint64_t counted_us = atomic_load(&reserve->addresses_us);
	if (now_us - counted_us >= LOOK_AT_ADDRESSES_US &&
		atomic_compare_exchange_strong(&reserve->addresses_us, &counted_us, now_us))
		count_addresses(reserve);
}

uint64_t hand_tend(struct hand *hand, uint64_t now_us)
{
	darken_due(hand, now_us);
	if (now_us - hand->looked_us >= LOOK_EVERY_US)
		look_at_all(hand, now_us);
	uint64_t due_us = hand->looked_us + LOOK_EVERY_US;
	if (hand->count > 0 && hand->ring[hand->first].given_us + LIMIT_DUSK_MS * 1000ull < due_us)
		due_us = hand->ring[hand->first].given_us + LIMIT_DUSK_MS * 1000ull;
	return due_us;
}
