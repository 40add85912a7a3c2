/* Decides what of the rrset cache is given to whom, for how long, and what replaces what. The table and what is thrown out of it:
 * cache/rrtable.c. */
#include "cache/rrcache.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "cache/rrpack.h"
#include "cache/rrtable.h"

void rrcache_configure(struct rrcache *cache, const struct rrcache_conf *conf)
{
	cache->shard_bytes = conf->bytes / RR_SHARDS;
	cache->ttl_min_s = conf->ttl_min_s;
	cache->ttl_max_s = conf->ttl_max_s;
	cache->stale_s = conf->stale_s;
}

struct rrcache *rrcache_new(const struct rrcache_conf *conf)
{
	struct rrcache *cache = xzalloc(1, sizeof(*cache));
	rrcache_configure(cache, conf);
	for (int i = 0; i < RR_SHARDS; i++)
		shard_init(&cache->shard[i]);
	return cache;
}

void rrcache_free(struct rrcache *cache)
{
	rcu_settle();
	for (int i = 0; i < RR_SHARDS; i++)
		shard_deinit(&cache->shard[i]);
	free(cache);
}

static void copy_out(struct arena *arena, const struct entry *entry, uint32_t now_s, struct cached *out)
{
	*out = (struct cached){
		.kind = (enum cache_kind)entry->kind,
		.rank = (enum rank)entry->rank,
		.security = (enum security)entry->security,
		.age_s = now_s - entry->stored_s,
		.is_stale = !entry_is_fresh(entry, now_s),
		.count = entry->count,
		.set = arena_alloc(arena, entry->count * sizeof(*out->set)),
	};
	const uint8_t *at = entry->bytes + entry->name_len;
	uint32_t left_s = out->is_stale ? LIMIT_STALE_TTL_S : entry->expire_s - now_s;
	struct packed_for packed = {arena_copy(arena, entry->bytes, entry->name_len), entry->type, 0};
	for (uint16_t i = 0; i < entry->count; i++)
		at = unpack(arena, at, &packed, left_s, &out->set[i]);
}

/* Written once in a round of the hand: what is read by all stays in all caches. */
static void mark_used(struct entry *entry)
{
	if (atomic_load_explicit(&entry->was_used, memory_order_relaxed) == 0)
		atomic_store_explicit(&entry->was_used, 1, memory_order_relaxed);
}

static int get(struct rrcache *cache, struct arena *arena, struct cache_key *key, enum rank least, struct cached *out,
	bool may_be_stale)
{
	uint32_t hash = key_hash(key);
	uint32_t now_s = clock_wall_s(), stale_s = cache->stale_s;
	int ret = E_NOENT;
	rcu_begin();
	struct entry *entry = shard_find(shard_of(cache, hash), hash, key);
	if (entry != NULL && (enum rank)entry->rank >= least &&
		(entry_is_fresh(entry, now_s) || (may_be_stale && !entry_is_waste(entry, now_s, stale_s)))) {
		mark_used(entry);
		copy_out(arena, entry, now_s, out);
		ret = 0;
	}
	rcu_end();
	return ret;
}

int rrcache_get(struct rrcache *cache, struct arena *arena, struct cache_key *key, enum rank least, struct cached *out)
{
	return get(cache, arena, key, least, out, false);
}

int rrcache_get_stale(
	struct rrcache *cache, struct arena *arena, struct cache_key *key, enum rank least, struct cached *out)
{
	return get(cache, arena, key, least, out, true);
}

uint32_t rrcache_ttl_left(struct rrcache *cache, struct cache_key *key)
{
	uint32_t hash = key_hash(key);
	uint32_t now_s = clock_wall_s(), left_s = 0;
	rcu_begin();
	const struct entry *entry = shard_find(shard_of(cache, hash), hash, key);
	if (entry != NULL && entry_is_fresh(entry, now_s))
		left_s = entry->expire_s - now_s;
	rcu_end();
	return left_s;
}

/* NULL when it would be larger than any message gives cause for. */
static struct entry *make_entry(
	const struct packed_for *packed, const struct rrset *const *sets, uint16_t count, uint8_t len)
{
	size_t size = len;
	for (uint16_t i = 0; i < count; i++)
		size += packed_size(packed, sets[i]);
	if (count > ENTRY_SETS_MAX || size > ENTRY_BYTES_MAX)
		return NULL;
	struct entry *entry = entry_new(size);
	entry->count = (uint8_t)count;
	entry->name_len = len;
	memcpy(entry->bytes, packed->name, len);
	uint8_t *at = entry->bytes + len;
	for (uint16_t i = 0; i < count; i++)
		at = pack(at, packed, sets[i]);
	return entry;
}

uint32_t rrcache_clamp(const struct rrcache *cache, uint32_t ttl_s)
{
	uint32_t least = cache->ttl_min_s, most = cache->ttl_max_s;
	ttl_s = ttl_s < least ? least : ttl_s;
	return ttl_s > most ? most : ttl_s;
}

/* Ranks decide (RFC 2181 5.4.1), and what is proved is not given up for what somebody says. */
static bool is_better(const struct entry *old, const struct entry *entry)
{
	if (!entry_is_fresh(old, entry->stored_s))
		return false;
	return old->rank > entry->rank ||
	       (old->security == SECURITY_SECURE &&
		       (entry->security == SECURITY_UNCHECKED || entry->security == SECURITY_BOGUS));
}

/* How long it is kept; 0: not at all. */
static uint32_t life_s(const struct rrcache *cache, const struct cache_key *key, const struct cache_value *value)
{
	/* What a parent says of its child ends when the parent says so: else ttl-min would make ghosts. */
	bool is_bound = key->space == CACHE_CUT || key->space == CACHE_GLUE || key->space == CACHE_CHAIN;
	/* What is proved lives no longer than its signatures (RFC 4035 5.3.3). */
	is_bound |= value->security == SECURITY_SECURE;
	uint32_t clamped_s = rrcache_clamp(cache, value->ttl_s);
	return is_bound && value->ttl_s < clamped_s ? value->ttl_s : clamped_s;
}

static struct entry *entry_of_value(struct cache_key *key, const struct cache_value *value, uint32_t ttl_s)
{
	uint32_t hash = key_hash(key);
	struct packed_for packed = {key->name, key->type, ttl_s};
	struct entry *entry = make_entry(&packed, value->set, value->count, key->name_len);
	if (entry == NULL)
		return NULL;
	entry->hash = hash;
	entry->type = key->type;
	entry->space = key->space & 7;
	entry->kind = value->kind & 3;
	entry->rank = value->rank & 3;
	entry->security = value->security & 7;
	return entry;
}

void rrcache_put(struct rrcache *cache, struct cache_key *key, const struct cache_value *value)
{
	uint32_t ttl_s = life_s(cache, key, value);
	if (ttl_s == 0)
		return;
	struct entry *entry = entry_of_value(key, value, ttl_s);
	if (entry == NULL)
		return;
	struct shard *shard = shard_of(cache, entry->hash);
	size_t limit = cache->shard_bytes; /* once: a reload may change it meanwhile */
	pthread_mutex_lock(&shard->lock);
	entry->stored_s = clock_wall_s(); /* with the lock: nobody's is from the future */
	entry->expire_s = entry->stored_s + ttl_s;
	shard_sweep(shard, entry->stored_s, cache->stale_s);
	struct entry *old = shard_find(shard, entry->hash, key);
	bool is_wanted = old == NULL || !is_better(old, entry);
	if (is_wanted && old != NULL)
		shard_drop(shard, old);
	is_wanted = is_wanted && shard_make_room(shard, entry, limit);
	if (is_wanted)
		shard_insert(shard, entry);
	pthread_mutex_unlock(&shard->lock);
	if (!is_wanted)
		entry_free(entry);
}

void rrcache_clear(struct rrcache *cache)
{
	for (int i = 0; i < RR_SHARDS; i++) {
		struct shard *shard = &cache->shard[i];
		pthread_mutex_lock(&shard->lock);
		shard_drop_all(shard);
		pthread_mutex_unlock(&shard->lock);
	}
}

void rrcache_state(struct rrcache *cache, struct rrcache_state *out)
{
	*out = (struct rrcache_state){.limit = cache->shard_bytes * RR_SHARDS};
	for (int i = 0; i < RR_SHARDS; i++) {
		struct shard *shard = &cache->shard[i];
		pthread_mutex_lock(&shard->lock);
		out->entries += shard->entries;
		out->bytes += shard->bytes;
		pthread_mutex_unlock(&shard->lock);
	}
}
