/* The table below the rrset cache: entries in shards, each with a lock for those who change it; who only looks takes none.
 * For cache/rr*.c only.
 *
 *	struct shard *shard = shard_of(cache, hash);
 *	rcu_begin();
 *	struct entry *entry = shard_find(shard, hash, &key);         look, and copy before rcu_end
 *	rcu_end();
 *
 *	pthread_mutex_lock(&shard->lock);
 *	shard_sweep(shard, now_s, stale_s);
 *	shard_make_room(shard, entry, limit);
 *	shard_insert(shard, entry);                                   the shard owns it now
 *	pthread_mutex_unlock(&shard->lock);
 *
 * An entry never changes once it is in, but for `was_used` and its places in list and queue. A reader that meets the split
 * of a bucket may miss what is there, as if it had been thrown out a moment before. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/rcu.h"
#include "cache/rrcache.h"

struct entry {
	_Atomic(struct entry *) next; /* in the bucket */
	union {
		struct link queue;     /* in the shard, oldest first */
		struct rcu_head later; /* once it is out */
	};
	uint32_t hash;
	uint32_t stored_s, expire_s;   /* wall clock */
	uint32_t size : 24, count : 8; /* of `bytes`, and of the packed rrsets in it, which follow the name */
	uint16_t type;
	uint16_t kind : 2, rank : 2, space : 3, security : 3;
	uint8_t name_len;
	_Atomic uint8_t was_used; /* since the hand came by; readers write it */
	uint8_t bytes[];
};

enum { ENTRY_BYTES_MAX = (1 << 24) - 1, ENTRY_SETS_MAX = 255 };

/* What a reader has to see as one: it goes from table to table with a single pointer. */
struct buckets {
	struct rcu_head later;
	size_t room;           /* a power of two */
	_Atomic size_t in_use; /* room / 2 < in_use <= room, but for the first */
	_Atomic(struct entry *) head[];
};

struct shard {
	pthread_mutex_t lock; /* of all that follows; `buckets` and the lists are read without it */
	_Atomic(struct buckets *) buckets;
	size_t entries, bytes; /* bytes: of the entries and of the buckets */
	size_t broom;          /* the bucket to be swept next */
	struct link queue;
	struct link *hand; /* the entry that is looked at next when room is needed; the queue itself: its oldest */
};

enum { RR_SHARDS = 64 };

struct rrcache {
	_Atomic size_t shard_bytes;
	_Atomic uint32_t ttl_min_s, ttl_max_s, stale_s;
	struct shard shard[RR_SHARDS];
};

/* --- keys --- */

/* The hash of a key; the name's part is made once for all that is asked of it (rrcache.h). */
uint32_t key_hash(struct cache_key *key);

static inline struct shard *shard_of(struct rrcache *cache, uint32_t hash)
{
	return &cache->shard[hash % RR_SHARDS];
}

/* --- entries --- */

/* With room for `size` bytes, ENTRY_BYTES_MAX at most. */
struct entry *entry_new(size_t size);
void entry_free(struct entry *entry);
/* A clock that was set back must not make entries eternal: what was stored "in the future" has expired. */
static inline bool entry_is_fresh(const struct entry *entry, uint32_t now_s)
{
	return now_s < entry->expire_s && now_s >= entry->stored_s;
}
/* Of no use any more, not even when nothing better can be had. */
static inline bool entry_is_waste(const struct entry *entry, uint32_t now_s, uint32_t stale_s)
{
	return now_s < entry->stored_s || (now_s >= entry->expire_s && now_s - entry->expire_s >= stale_s);
}

/* --- shards --- */

void shard_init(struct shard *shard);
/* Nobody reads any more. */
void shard_deinit(struct shard *shard);

/* NULL when it is not there. Under rcu_begin or the lock. */
struct entry *shard_find(const struct shard *shard, uint32_t hash, const struct cache_key *key);

/* With the lock, all of them: */
void shard_drop(struct shard *shard, struct entry *entry);
void shard_drop_all(struct shard *shard);
/* What the shard grows by when the entry comes in. */
size_t shard_growth(const struct shard *shard, const struct entry *entry);
/* Throws out what was not used of late, until the entry fits into so many bytes; false when it does not yet, or never can.
 * After the limit was lowered each call throws out some more. */
bool shard_make_room(struct shard *shard, const struct entry *entry, size_t limit);
void shard_insert(struct shard *shard, struct entry *entry);
/* What has expired goes sooner or later, though nobody asks for it: a bucket for each entry that comes. */
void shard_sweep(struct shard *shard, uint32_t now_s, uint32_t stale_s);
