/* Decides how rrsets are packed, found, aged and thrown out. One hash table in shards, each with its lock. A table grows by a
 * bucket at a time (linear hashing), so that nobody waits for all of it to be laid anew; what has expired is swept out a
 * bucket at a time; and what is thrown out for room is chosen by SIEVE (decision 20): a scan of names that are asked for once
 * does not push out those that are asked for again. */
#include "cache/rrcache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/list.h"

enum { SHARDS = 64, FIRST_BUCKETS = 256, HASH_SEED = 0x7272, MALLOC_OVERHEAD = 16, OWNER_IS_KEY = 0 };

struct entry {
	struct entry *next; /* in the bucket */
	struct link queue;  /* in the shard, oldest first */
	uint64_t hash;
	uint32_t stored_s, expire_s; /* wall clock */
	uint32_t size;               /* of `bytes`: the name, then packed rrsets */
	uint16_t type;
	uint16_t count;
	uint8_t kind : 2, rank : 2, space : 3, was_used : 1; /* used: since the hand came by */
	uint8_t security, name_len;
	uint8_t bytes[];
};

struct shard {
	pthread_mutex_t lock;
	struct entry **bucket;
	size_t room, buckets;  /* of the table; those that are in use */
	size_t entries, bytes; /* bytes: of the entries and of the table itself */
	size_t broom;          /* the bucket to be swept next */
	struct link queue;
	struct link *hand; /* the entry that is looked at next when room is needed; the queue itself: its oldest */
};

struct rrcache {
	_Atomic size_t shard_bytes;
	_Atomic uint32_t ttl_min_s, ttl_max_s, stale_s;
	struct shard shard[SHARDS];
};

/* How an rrset is laid out in an entry; owner, data and signatures follow. */
struct packed {
	uint32_t ttl_s, data_size, sigs_size;
	uint16_t type, rclass, data_count, sigs_count;
	uint8_t owner_len; /* OWNER_IS_KEY: it is the entry's name, and not written again */
};

/* --- packing --- */

/* How much of the owner is written: nothing where the entry is named so. */
static uint8_t owner_size(const uint8_t *key, const struct rrset *set)
{
	return name_is_equal(key, set->owner) ? OWNER_IS_KEY : (uint8_t)name_len(set->owner);
}

static size_t packed_size(const uint8_t *key, const struct rrset *set)
{
	return sizeof(struct packed) + owner_size(key, set) + set->data.size + set->sigs.size;
}

static uint8_t *append(uint8_t *at, const void *data, size_t len)
{
	if (len > 0)
		memcpy(at, data, len);
	return at + len;
}

static uint8_t *pack(uint8_t *at, const uint8_t *key, const struct rrset *set)
{
	struct packed head = {
		.ttl_s = set->ttl_s,
		.data_size = set->data.size,
		.sigs_size = set->sigs.size,
		.type = set->type,
		.rclass = set->rclass,
		.data_count = set->data.count,
		.sigs_count = set->sigs.count,
		.owner_len = owner_size(key, set),
	};
	at = append(at, &head, sizeof(head));
	at = append(at, set->owner, head.owner_len);
	at = append(at, set->data.rdata, set->data.size);
	return append(at, set->sigs.rdata, set->sigs.size);
}

/* `name` is the entry's, in the arena. */
static const uint8_t *unpack(
	struct arena *arena, const uint8_t *at, const uint8_t *name, uint32_t ttl_left_s, struct rrset **out)
{
	struct packed head;
	memcpy(&head, at, sizeof(head));
	at += sizeof(head);
	struct rrset *set = arena_zalloc(arena, sizeof(*set));
	set->type = head.type;
	set->rclass = head.rclass;
	set->ttl_s = head.ttl_s < ttl_left_s ? head.ttl_s : ttl_left_s;
	set->owner = head.owner_len == OWNER_IS_KEY ? name : arena_copy(arena, at, head.owner_len);
	at += head.owner_len;
	set->data = (knot_rdataset_t){.count = head.data_count, .size = head.data_size};
	set->data.rdata = arena_copy(arena, at, head.data_size);
	at += head.data_size;
	set->sigs = (knot_rdataset_t){.count = head.sigs_count, .size = head.sigs_size};
	if (head.sigs_count > 0)
		set->sigs.rdata = arena_copy(arena, at, head.sigs_size);
	*out = set;
	return at + head.sigs_size;
}

/* --- the table --- */

static uint64_t hash_key(const struct cache_key *key, size_t len)
{
	return hash_bytes(HASH_SEED + ((uint64_t)key->type << 32) + ((uint64_t)key->space << 48), key->name, len);
}

static struct shard *shard_of(struct rrcache *cache, uint64_t hash)
{
	return &cache->shard[hash % SHARDS];
}

/* The table has between room / 2 and room buckets: those that have been split already go by one bit more. */
static struct entry **bucket_of(const struct shard *shard, uint64_t hash)
{
	size_t at = hash / SHARDS % shard->room;
	return &shard->bucket[at < shard->buckets ? at : at - shard->room / 2];
}

static size_t entry_cost(const struct entry *entry)
{
	return sizeof(*entry) + entry->size + MALLOC_OVERHEAD;
}

static size_t table_cost(const struct shard *shard)
{
	return shard->room * sizeof(*shard->bucket);
}

/* What the shard grows by when the entry comes in. */
static size_t growth(const struct shard *shard, const struct entry *entry)
{
	bool is_full = shard->entries >= shard->buckets && shard->buckets == shard->room;
	return entry_cost(entry) + (is_full ? table_cost(shard) : 0);
}

static struct entry **find(const struct shard *shard, uint64_t hash, const struct cache_key *key, size_t len)
{
	struct entry **at = bucket_of(shard, hash);
	for (; *at != NULL; at = &(*at)->next) {
		const struct entry *entry = *at;
		if (entry->hash == hash && entry->type == key->type && entry->space == key->space &&
			entry->name_len == len && memcmp(entry->bytes, key->name, len) == 0)
			break;
	}
	return at;
}

static void drop(struct shard *shard, struct entry **at)
{
	struct entry *entry = *at;
	*at = entry->next;
	if (shard->hand == &entry->queue)
		shard->hand = entry->queue.next;
	link_remove(&entry->queue);
	shard->entries--;
	shard->bytes -= entry_cost(entry);
	free(entry);
}

static void drop_entry(struct shard *shard, struct entry *entry)
{
	struct entry **at = bucket_of(shard, entry->hash);
	while (*at != entry)
		at = &(*at)->next;
	drop(shard, at);
}

/* SIEVE: the hand goes from the oldest to the newest and takes the first that was not used since it last came by. */
static void drop_one(struct shard *shard)
{
	for (;;) {
		if (shard->hand == &shard->queue)
			shard->hand = shard->queue.next;
		struct entry *entry = container_of(shard->hand, struct entry, queue);
		if (!entry->was_used) {
			drop_entry(shard, entry);
			return;
		}
		entry->was_used = 0;
		shard->hand = shard->hand->next;
	}
}

/* One bucket more: its half of what is in the bucket that had both. */
static void split(struct shard *shard)
{
	if (shard->buckets == shard->room) {
		shard->bytes += table_cost(shard);
		shard->bucket = xrealloc(shard->bucket, 2 * shard->room * sizeof(*shard->bucket));
		memset(shard->bucket + shard->room, 0, shard->room * sizeof(*shard->bucket));
		shard->room *= 2;
	}
	struct entry *list = shard->bucket[shard->buckets - shard->room / 2];
	shard->bucket[shard->buckets - shard->room / 2] = NULL;
	shard->buckets++;
	while (list != NULL) {
		struct entry *entry = list, **at = bucket_of(shard, entry->hash);
		list = entry->next;
		entry->next = *at;
		*at = entry;
	}
}

static void insert(struct shard *shard, struct entry *entry)
{
	if (shard->entries >= shard->buckets)
		split(shard);
	struct entry **at = bucket_of(shard, entry->hash);
	entry->next = *at;
	*at = entry;
	link_append(&shard->queue, &entry->queue);
	shard->entries++;
	shard->bytes += entry_cost(entry);
}

static void drop_all(struct shard *shard)
{
	while (!link_is_empty(&shard->queue))
		drop_entry(shard, container_of(shard->queue.next, struct entry, queue));
}

/* --- what the house calls --- */

void rrcache_configure(struct rrcache *cache, const struct rrcache_conf *conf)
{
	cache->shard_bytes = conf->bytes / SHARDS;
	cache->ttl_min_s = conf->ttl_min_s;
	cache->ttl_max_s = conf->ttl_max_s;
	cache->stale_s = conf->stale_s;
}

struct rrcache *rrcache_new(const struct rrcache_conf *conf)
{
	struct rrcache *cache = xzalloc(1, sizeof(*cache));
	rrcache_configure(cache, conf);
	for (int i = 0; i < SHARDS; i++) {
		struct shard *shard = &cache->shard[i];
		pthread_mutex_init(&shard->lock, NULL);
		link_init(&shard->queue);
		shard->hand = &shard->queue;
		shard->room = shard->buckets = FIRST_BUCKETS;
		shard->bucket = xzalloc(FIRST_BUCKETS, sizeof(*shard->bucket));
		shard->bytes = table_cost(shard);
	}
	return cache;
}

void rrcache_free(struct rrcache *cache)
{
	for (int i = 0; i < SHARDS; i++) {
		struct shard *shard = &cache->shard[i];
		drop_all(shard);
		free(shard->bucket);
		pthread_mutex_destroy(&shard->lock);
	}
	free(cache);
}

/* A clock that was set back must not make entries eternal: what was stored "in the future" has expired. */
static bool is_fresh(const struct entry *entry, uint32_t now_s)
{
	return now_s < entry->expire_s && now_s >= entry->stored_s;
}

static void copy_out(struct arena *arena, const struct entry *entry, uint32_t now_s, struct cached *out)
{
	*out = (struct cached){
		.kind = (enum cache_kind)entry->kind,
		.rank = (enum rank)entry->rank,
		.security = (enum security)entry->security,
		.age_s = now_s - entry->stored_s,
		.is_stale = !is_fresh(entry, now_s),
		.count = entry->count,
		.set = arena_alloc(arena, entry->count * sizeof(*out->set)),
	};
	const uint8_t *at = entry->bytes + entry->name_len;
	uint32_t left_s = out->is_stale ? LIMIT_STALE_TTL_S : entry->expire_s - now_s;
	const uint8_t *name = arena_copy(arena, entry->bytes, entry->name_len);
	for (uint16_t i = 0; i < entry->count; i++)
		at = unpack(arena, at, name, left_s, &out->set[i]);
}

/* Of no use any more, not even when nothing better can be had. */
static bool is_waste(const struct entry *entry, uint32_t now_s, uint32_t stale_s)
{
	return now_s < entry->stored_s || (now_s >= entry->expire_s && now_s - entry->expire_s >= stale_s);
}

/* What has expired goes sooner or later, though nobody asks for it: a bucket for each entry that comes. */
static void sweep(struct shard *shard, uint32_t now_s, uint32_t stale_s)
{
	if (shard->broom >= shard->buckets)
		shard->broom = 0;
	struct entry **at = &shard->bucket[shard->broom++];
	while (*at != NULL) {
		if (is_waste(*at, now_s, stale_s))
			drop(shard, at);
		else
			at = &(*at)->next;
	}
}

static int get(struct rrcache *cache, struct arena *arena, const struct cache_key *key, enum rank least,
	struct cached *out, bool may_be_stale)
{
	size_t len = name_len(key->name);
	uint64_t hash = hash_key(key, len);
	struct shard *shard = shard_of(cache, hash);
	uint32_t now_s = clock_wall_s();
	int ret = E_NOENT;
	pthread_mutex_lock(&shard->lock);
	struct entry **at = find(shard, hash, key, len), *entry = *at;
	if (entry != NULL && is_waste(entry, now_s, cache->stale_s)) {
		drop(shard, at);
	} else if (entry != NULL && (enum rank)entry->rank >= least && (may_be_stale || is_fresh(entry, now_s))) {
		entry->was_used = 1;
		copy_out(arena, entry, now_s, out);
		ret = 0;
	}
	pthread_mutex_unlock(&shard->lock);
	return ret;
}

int rrcache_get(
	struct rrcache *cache, struct arena *arena, const struct cache_key *key, enum rank least, struct cached *out)
{
	return get(cache, arena, key, least, out, false);
}

int rrcache_get_stale(
	struct rrcache *cache, struct arena *arena, const struct cache_key *key, enum rank least, struct cached *out)
{
	return get(cache, arena, key, least, out, true);
}

uint32_t rrcache_ttl_left(struct rrcache *cache, const struct cache_key *key)
{
	size_t len = name_len(key->name);
	uint64_t hash = hash_key(key, len);
	struct shard *shard = shard_of(cache, hash);
	uint32_t now_s = clock_wall_s(), left_s = 0;
	pthread_mutex_lock(&shard->lock);
	const struct entry *entry = *find(shard, hash, key, len);
	if (entry != NULL && is_fresh(entry, now_s))
		left_s = entry->expire_s - now_s;
	pthread_mutex_unlock(&shard->lock);
	return left_s;
}

static struct entry *make_entry(const uint8_t *name, const struct rrset *const *sets, uint16_t count)
{
	size_t len = name_len(name), size = len;
	for (uint16_t i = 0; i < count; i++)
		size += packed_size(name, sets[i]);
	struct entry *entry = xalloc(sizeof(*entry) + size);
	*entry = (struct entry){.size = (uint32_t)size, .count = count, .name_len = (uint8_t)len};
	link_init(&entry->queue);
	uint8_t *at = append(entry->bytes, name, len);
	for (uint16_t i = 0; i < count; i++)
		at = pack(at, name, sets[i]);
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
	if (!is_fresh(old, entry->stored_s))
		return false;
	return old->rank > entry->rank ||
	       (old->security == SECURITY_SECURE &&
		       (entry->security == SECURITY_UNCHECKED || entry->security == SECURITY_BOGUS));
}

void rrcache_put(struct rrcache *cache, const struct cache_key *key, const struct cache_value *value)
{
	uint32_t ttl_s = value->ttl_s;
	/* What a parent says of its child ends when the parent says so: else ttl-min would make ghosts. */
	bool is_bound = key->space == CACHE_CUT || key->space == CACHE_GLUE || key->space == CACHE_CHAIN;
	/* What is proved lives no longer than its signatures (RFC 4035 5.3.3). */
	is_bound |= value->security == SECURITY_SECURE;
	uint32_t clamped_s = rrcache_clamp(cache, ttl_s);
	ttl_s = is_bound && ttl_s < clamped_s ? ttl_s : clamped_s;
	if (ttl_s == 0)
		return;
	struct entry *entry = make_entry(key->name, value->set, value->count);
	entry->hash = hash_key(key, entry->name_len);
	entry->type = key->type;
	entry->space = key->space & 7;
	entry->kind = value->kind & 3;
	entry->rank = value->rank & 3;
	entry->security = (uint8_t)value->security;
	entry->stored_s = clock_wall_s();
	entry->expire_s = entry->stored_s + ttl_s;
	struct shard *shard = shard_of(cache, entry->hash);
	size_t limit = cache->shard_bytes;
	pthread_mutex_lock(&shard->lock);
	sweep(shard, entry->stored_s, cache->stale_s);
	struct entry **old = find(shard, entry->hash, key, entry->name_len);
	bool keep_old = *old != NULL && is_better(*old, entry);
	bool fits = table_cost(shard) + entry_cost(entry) <= limit;
	if (!keep_old && fits) {
		if (*old != NULL)
			drop(shard, old);
		while (shard->bytes + growth(shard, entry) > limit)
			drop_one(shard);
		insert(shard, entry);
	}
	pthread_mutex_unlock(&shard->lock);
	if (keep_old || !fits)
		free(entry);
}

void rrcache_clear(struct rrcache *cache)
{
	for (int i = 0; i < SHARDS; i++) {
		struct shard *shard = &cache->shard[i];
		pthread_mutex_lock(&shard->lock);
		drop_all(shard);
		pthread_mutex_unlock(&shard->lock);
	}
}

void rrcache_state(struct rrcache *cache, struct rrcache_state *out)
{
	*out = (struct rrcache_state){.limit = cache->shard_bytes * SHARDS};
	for (int i = 0; i < SHARDS; i++) {
		struct shard *shard = &cache->shard[i];
		pthread_mutex_lock(&shard->lock);
		out->entries += shard->entries;
		out->bytes += shard->bytes;
		pthread_mutex_unlock(&shard->lock);
	}
}

/* --- as bytes --- */

/* An entry in a snapshot; its bytes follow, as they are in memory. */
struct saved {
	uint32_t size, stored_s, expire_s;
	uint16_t type, count;
	uint8_t kind, rank, space, name_len;
};

uint32_t rrcache_form(void)
{
	return sizeof(struct saved) << 8 | sizeof(struct packed);
}

unsigned rrcache_parts(void)
{
	return SHARDS;
}

static void copy_entry(struct rrcache_part *part, const struct entry *entry)
{
	size_t size = sizeof(struct saved) + entry->size;
	if (part->len + size > part->room) {
		part->room = 2 * (part->len + size);
		part->data = xrealloc(part->data, part->room);
	}
	struct saved head = {.size = entry->size,
		.stored_s = entry->stored_s,
		.expire_s = entry->expire_s,
		.type = entry->type,
		.count = entry->count,
		.kind = entry->kind,
		.rank = entry->rank,
		.space = entry->space,
		.name_len = entry->name_len};
	append(append(part->data + part->len, &head, sizeof(head)), entry->bytes, entry->size);
	part->len += size;
	part->records++;
}

void rrcache_copy_part(struct rrcache *cache, unsigned index, struct rrcache_part *part)
{
	struct shard *shard = &cache->shard[index];
	uint32_t now_s = clock_wall_s();
	part->len = part->records = 0;
	pthread_mutex_lock(&shard->lock);
	for (struct link *at = shard->queue.next; at != &shard->queue; at = at->next) {
		const struct entry *entry = container_of(at, struct entry, queue);
		if (is_fresh(entry, now_s) && entry->security != SECURITY_BOGUS)
			copy_entry(part, entry);
	}
	pthread_mutex_unlock(&shard->lock);
}

/* Whether so many rdatas fill the bytes exactly. */
static bool are_rdatas(const uint8_t *at, size_t size, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++) {
		uint16_t len;
		if (size < sizeof(len))
			return false;
		memcpy(&len, at, sizeof(len));
		size_t whole = knot_rdata_size(len);
		if (whole > size)
			return false;
		at += whole;
		size -= whole;
	}
	return size == 0;
}

/* The length of a packed rrset; 0 when it is none. */
static size_t packed_len(const uint8_t *at, size_t room)
{
	struct packed head;
	if (room < sizeof(head))
		return 0;
	memcpy(&head, at, sizeof(head));
	at += sizeof(head);
	room -= sizeof(head);
	size_t all = (size_t)head.owner_len + head.data_size + head.sigs_size;
	if (all > room || (head.owner_len != OWNER_IS_KEY && name_wire_len(at, head.owner_len) != head.owner_len))
		return 0;
	at += head.owner_len;
	if (!are_rdatas(at, head.data_size, head.data_count) ||
		!are_rdatas(at + head.data_size, head.sigs_size, head.sigs_count))
		return 0;
	return sizeof(head) + all;
}

static bool is_entry(const struct saved *head, const uint8_t *bytes)
{
	if (head->kind > CACHE_NXDOMAIN || head->rank > RANK_ANSWER || head->space > CACHE_CHAIN)
		return false;
	if (name_wire_len(bytes, head->size) != head->name_len)
		return false;
	size_t at = head->name_len;
	for (uint16_t i = 0; i < head->count; i++) {
		size_t len = packed_len(bytes + at, head->size - at);
		if (len == 0)
			return false;
		at += len;
	}
	return at == head->size && (head->count > 0 || head->kind != CACHE_POSITIVE);
}

static struct entry *entry_of(const struct saved *head, const uint8_t *bytes)
{
	struct cache_key key = {bytes, head->type, (enum cache_space)head->space};
	struct entry *entry = xalloc(sizeof(*entry) + head->size);
	*entry = (struct entry){.hash = hash_key(&key, head->name_len),
		.stored_s = head->stored_s,
		.expire_s = head->expire_s,
		.size = head->size,
		.type = head->type,
		.count = head->count,
		.kind = head->kind & 3,
		.rank = head->rank & 3,
		.space = head->space & 7,
		.name_len = head->name_len};
	link_init(&entry->queue);
	memcpy(entry->bytes, bytes, head->size);
	return entry;
}

size_t rrcache_load(struct rrcache *cache, const uint8_t *data, size_t len)
{
	struct saved head;
	if (len < sizeof(head))
		return 0;
	memcpy(&head, data, sizeof(head));
	const uint8_t *bytes = data + sizeof(head);
	if (head.size > len - sizeof(head) || !is_entry(&head, bytes))
		return 0;
	uint32_t now_s = clock_wall_s();
	struct entry *entry = entry_of(&head, bytes);
	struct shard *shard = shard_of(cache, entry->hash);
	struct cache_key key = {entry->bytes, entry->type, (enum cache_space)entry->space};
	pthread_mutex_lock(&shard->lock);
	bool fits = shard->bytes + growth(shard, entry) <= cache->shard_bytes;
	bool is_wanted = fits && is_fresh(entry, now_s) && *find(shard, entry->hash, &key, entry->name_len) == NULL;
	if (is_wanted)
		insert(shard, entry);
	pthread_mutex_unlock(&shard->lock);
	if (!is_wanted)
		free(entry);
	return sizeof(head) + head.size;
}
