/* Decides how experience with a server is smoothed and how long it counts. */
#include "cache/facts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/hash.h"
#include "base/limits.h"

enum { SETS = 8192, WAYS = 4, LOCKS = 64, HASH_SEED = 0xfac7 };

/* What a slot tells, as it is copied out of it and into it. */
struct known {
	struct addr addr;
	uint64_t touched_us; /* by the coarse clock; 0: empty */
	struct facts facts;
};

enum { WORDS = (sizeof(struct known) + 7) / 8, ADDR_WORDS = (sizeof(struct addr) + 7) / 8, READ_TRIES = 16 };

union words {
	struct known known;
	uint64_t word[WORDS];
};

/* Read without a lock, for every lookup looks at all servers of com: a reader that finds the version odd, or another one
 * afterwards, has met a writer and reads again (a sequence lock; each word in order, which on most machines costs nothing). */
struct slot {
	_Atomic uint32_t version;
	_Atomic uint64_t word[WORDS];
};

struct facts_table {
	pthread_mutex_t lock[LOCKS]; /* of writers: lock i guards the sets with index % LOCKS == i */
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

/* --- slots --- */

static void copy_words(union words *out, const struct slot *slot, size_t count)
{
	for (size_t i = 0; i < count; i++)
		out->word[i] = atomic_load_explicit(&slot->word[i], memory_order_acquire);
}

/* False when writers were always in the way. */
static bool read_slot(const struct slot *slot, union words *out)
{
	for (int i = 0; i < READ_TRIES; i++) {
		uint32_t before = atomic_load_explicit(&slot->version, memory_order_acquire);
		copy_words(out, slot, WORDS);
		if (before % 2 == 0 && atomic_load_explicit(&slot->version, memory_order_relaxed) == before)
			return true;
	}
	return false;
}

static void write_slot(struct slot *slot, const union words *words)
{
	uint32_t before = atomic_load_explicit(&slot->version, memory_order_relaxed);
	atomic_store_explicit(&slot->version, before + 1, memory_order_relaxed);
	for (size_t i = 0; i < WORDS; i++)
		atomic_store_explicit(&slot->word[i], words->word[i], memory_order_release);
	atomic_store_explicit(&slot->version, before + 2, memory_order_release);
}

static bool is_of(const union words *words, const struct addr *addr)
{
	return words->known.addr.sa.sa_family != 0 && addr_equal(&words->known.addr, addr);
}

static bool is_fresh(const struct known *known, uint64_t now_us)
{
	return known->touched_us != 0 && now_us - known->touched_us < LIMIT_FACTS_S * 1000000ull;
}

/* The address alone may be torn: it is looked at again when it seems to be the one. */
void facts_get(struct facts_table *table, const struct addr *addr, struct facts *out)
{
	union words words;
	const struct slot *set = table->slot[set_of(addr)];
	for (int i = 0; i < WAYS; i++) {
		copy_words(&words, &set[i], ADDR_WORDS);
		if (!is_of(&words, addr) || !read_slot(&set[i], &words) || !is_of(&words, addr))
			continue;
		if (is_fresh(&words.known, clock_mono_coarse_us())) {
			*out = words.known.facts;
			return;
		}
	}
	*out = (struct facts){0};
}

/* The address's slot, else the oldest of its set, which is given up for it; `words` is what it tells from now on. */
static struct slot *take_slot_locked(struct slot *set, const struct addr *addr, union words *words)
{
	struct slot *oldest = set;
	uint64_t now_us = clock_mono_coarse_us(), oldest_us = UINT64_MAX;
	for (int i = 0; i < WAYS; i++) {
		copy_words(words, &set[i], WORDS);
		bool known = is_of(words, addr);
		if (known && is_fresh(&words->known, now_us))
			return &set[i];
		if (known || words->known.touched_us < oldest_us) {
			oldest = &set[i];
			oldest_us = known ? 0 : words->known.touched_us;
		}
	}
	memset(words, 0, sizeof(*words));
	words->known.addr = *addr;
	return oldest;
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
	union words words;
	pthread_mutex_lock(&table->lock[set % LOCKS]);
	struct slot *slot = take_slot_locked(table->slot[set], addr, &words);
	apply(&words.known.facts, arg);
	words.known.touched_us = clock_mono_coarse_us();
	write_slot(slot, &words);
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
