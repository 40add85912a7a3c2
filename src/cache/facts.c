/* Decides how experience with a server is smoothed and how long it counts. */
#include "cache/facts.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/hash.h"
#include "base/limits.h"

enum { SETS = 8192, WAYS = 4, LOCKS = 64, HASH_SEED = 0xfac7 };

struct slot {
	struct addr addr;
	uint64_t touched_us; /* 0: empty */
	struct facts facts;
};

struct facts_table {
	pthread_mutex_t lock[LOCKS]; /* lock i guards the sets with index % LOCKS == i */
	struct slot slot[SETS][WAYS];
};

struct facts_table *facts_new(void)
{
	struct facts_table *table = xzalloc(1, sizeof(*table));
	for (int i = 0; i < LOCKS; i++)
		pthread_mutex_init(&table->lock[i], NULL);
	return table;
}

void facts_free(struct facts_table *table)
{
	for (int i = 0; i < LOCKS; i++)
		pthread_mutex_destroy(&table->lock[i]);
	free(table);
}

static unsigned set_of(const struct addr *addr)
{
	size_t len;
	const uint8_t *bytes = addr_bytes(addr, &len);
	return (unsigned)(hash_bytes(HASH_SEED + addr_port(addr), bytes, len) % SETS);
}

/* The address's slot; with `make` the oldest of its set is given up for it. NULL when it is not known. */
static struct slot *find_locked(struct facts_table *table, unsigned set, const struct addr *addr, bool make)
{
	struct slot *oldest = &table->slot[set][0];
	uint64_t now_us = clock_mono_us();
	for (int i = 0; i < WAYS; i++) {
		struct slot *slot = &table->slot[set][i];
		bool known = slot->touched_us != 0 && addr_equal(&slot->addr, addr);
		if (known && now_us - slot->touched_us < LIMIT_FACTS_S * 1000000ull)
			return slot;
		if (known || slot->touched_us < oldest->touched_us)
			oldest = slot;
		if (known)
			break;
	}
	if (!make)
		return NULL;
	*oldest = (struct slot){.addr = *addr, .touched_us = now_us};
	return oldest;
}

void facts_get(struct facts_table *table, const struct addr *addr, struct facts *out)
{
	unsigned set = set_of(addr);
	pthread_mutex_lock(&table->lock[set % LOCKS]);
	const struct slot *slot = find_locked(table, set, addr, false);
	*out = slot != NULL ? slot->facts : (struct facts){0};
	pthread_mutex_unlock(&table->lock[set % LOCKS]);
}

static void smooth(struct facts *facts, uint32_t rtt_us)
{
	if (facts->srtt_us == 0) {
		facts->srtt_us = rtt_us > 0 ? rtt_us : 1;
		facts->rttvar_us = rtt_us / 2;
		return;
	}
	uint32_t off = facts->srtt_us > rtt_us ? facts->srtt_us - rtt_us : rtt_us - facts->srtt_us;
	facts->rttvar_us += off / 4 - facts->rttvar_us / 4;
	facts->srtt_us += rtt_us / 8 - facts->srtt_us / 8;
	if (facts->srtt_us == 0)
		facts->srtt_us = 1;
}

/* Applies one change to what is known of the address, as the only one at that time. */
static void change(struct facts_table *table, const struct addr *addr, void (*apply)(struct facts *, void *), void *arg)
{
	unsigned set = set_of(addr);
	pthread_mutex_lock(&table->lock[set % LOCKS]);
	struct slot *slot = find_locked(table, set, addr, true);
	apply(&slot->facts, arg);
	slot->touched_us = clock_mono_us();
	pthread_mutex_unlock(&table->lock[set % LOCKS]);
}

static void apply_reply(struct facts *facts, void *rtt_us)
{
	smooth(facts, *(const uint32_t *)rtt_us);
	facts->silences = 0;
}

void facts_note_reply(struct facts_table *table, const struct addr *addr, uint32_t rtt_us)
{
	counters_time(TIME_UPSTREAM_RTT, rtt_us);
	change(table, addr, apply_reply, &rtt_us);
}

static void apply_silence(struct facts *facts, void *now_us)
{
	if (facts->silences < UINT16_MAX)
		facts->silences++;
	facts->silent_us = *(const uint64_t *)now_us;
}

void facts_note_silence(struct facts_table *table, const struct addr *addr)
{
	uint64_t now_us = clock_mono_us();
	change(table, addr, apply_silence, &now_us);
}

struct mismatch {
	uint64_t now_us;
	bool tcp_only;
};

static void apply_mismatch(struct facts *facts, void *arg)
{
	struct mismatch *mismatch = arg;
	if (mismatch->now_us - facts->mismatch_us > LIMIT_MISMATCH_S * 1000000ull) {
		facts->mismatch_us = mismatch->now_us;
		facts->mismatches = 0;
	}
	if (facts->mismatches < UINT8_MAX)
		facts->mismatches++;
	mismatch->tcp_only = facts->mismatches >= LIMIT_MISMATCHES && facts->tcp_only_until_us < mismatch->now_us;
	if (mismatch->tcp_only)
		facts->tcp_only_until_us = mismatch->now_us + LIMIT_TCP_ONLY_S * 1000000ull;
}

bool facts_note_mismatch(struct facts_table *table, const struct addr *addr)
{
	struct mismatch mismatch = {.now_us = clock_mono_us()};
	change(table, addr, apply_mismatch, &mismatch);
	return mismatch.tcp_only;
}

static void apply_no_edns(struct facts *facts, void *until_us)
{
	facts->no_edns_until_us = *(const uint64_t *)until_us;
}

void facts_note_no_edns(struct facts_table *table, const struct addr *addr)
{
	uint64_t until_us = clock_mono_us() + LIMIT_FACTS_S * 1000000ull;
	change(table, addr, apply_no_edns, &until_us);
}

static void apply_no_case(struct facts *facts, void *arg)
{
	(void)arg;
	facts->no_case = true;
}

void facts_note_no_case(struct facts_table *table, const struct addr *addr)
{
	change(table, addr, apply_no_case, NULL);
}

static void apply_cookie(struct facts *facts, void *cookie)
{
	facts->cookie = *(const struct cookie *)cookie;
}

void facts_note_cookie(struct facts_table *table, const struct addr *addr, const struct cookie *cookie)
{
	change(table, addr, apply_cookie, (void *)cookie);
}
