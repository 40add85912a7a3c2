/* Decides how entries are found, and which are thrown out. A table grows by a bucket at a time (linear hashing), so that
 * nobody waits for all of it to be laid anew; what has expired is swept out a bucket at a time; and what is thrown out for room
 * is chosen by SIEVE (decision 20): a scan of names that are asked for once does not push out those that are asked for again. */
#include "cache/rrtable.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/hash.h"

enum { FIRST_BUCKETS = 256, HASH_SEED = 0x7272, MALLOC_OVERHEAD = 16, DROPS_MAX = 64 };

/* --- keys --- */

/* Public, of a secret: nobody outside can make keys meet (Stafford's mix 13). */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Types that are looked for together, or of whose name that it does not exist, lie together: memory that is far is fetched once.
 * All others, of which there are 65,000, have places of their own. */
static bool lies_with_name(uint16_t type)
{
	switch (type) {
	case 0:
	case KNOT_RRTYPE_A:
	case KNOT_RRTYPE_NS:
	case KNOT_RRTYPE_CNAME:
	case KNOT_RRTYPE_AAAA:
	case KNOT_RRTYPE_DNAME: return true;
	default: return false;
	}
}

uint32_t key_hash(struct cache_key *key)
{
	if (key->name_len == 0) {
		key->name_len = (uint8_t)name_len(key->name);
		key->name_hash = hash_bytes(HASH_SEED, key->name, key->name_len);
	}
	if (lies_with_name(key->type))
		return (uint32_t)key->name_hash;
	return (uint32_t)mix(key->name_hash ^ ((uint64_t)key->type << 8 | (uint64_t)key->space));
}

/* --- entries --- */

struct entry *entry_new(size_t size)
{
	require(size <= ENTRY_BYTES_MAX);
	size_t all = offsetof(struct entry, bytes) + size;
	struct entry *entry = xalloc(all > sizeof(*entry) ? all : sizeof(*entry)); /* its padding is part of `bytes` */
	*entry = (struct entry){.size = size & ENTRY_BYTES_MAX};
	link_init(&entry->queue);
	return entry;
}

void entry_free(struct entry *entry)
{
	free(entry);
}

static size_t entry_cost(const struct entry *entry)
{
	return offsetof(struct entry, bytes) + entry->size + MALLOC_OVERHEAD;
}

static void on_entry_unused(struct rcu_head *later)
{
	rcu_is_unused();
	free(container_of(later, struct entry, later));
}

/* --- buckets --- */

static struct buckets *buckets_new(size_t room)
{
	struct buckets *buckets = xzalloc(1, sizeof(*buckets) + room * sizeof(buckets->head[0]));
	buckets->room = room;
	return buckets;
}

static size_t buckets_cost(size_t room)
{
	return sizeof(struct buckets) + room * sizeof(_Atomic(struct entry *)) + MALLOC_OVERHEAD;
}

static void on_buckets_unused(struct rcu_head *later)
{
	rcu_is_unused();
	free(container_of(later, struct buckets, later));
}

/* Of the shard, for who holds its lock. */
static struct buckets *own_buckets(const struct shard *shard)
{
	return atomic_load_explicit(&shard->buckets, memory_order_relaxed);
}

static size_t in_use(const struct buckets *buckets)
{
	return atomic_load_explicit(&buckets->in_use, memory_order_acquire);
}

/* The lowest bits have chosen the shard. Buckets that have been split already go by one bit more. */
static size_t place_of(const struct buckets *buckets, uint32_t hash)
{
	return hash_place(hash / RR_SHARDS, in_use(buckets), buckets->room);
}

static void push(_Atomic(struct entry *) *head, struct entry *entry)
{
	atomic_store_explicit(&entry->next, atomic_load_explicit(head, memory_order_relaxed), memory_order_release);
	atomic_store_explicit(head, entry, memory_order_release);
}

static struct buckets *first_buckets(void)
{
	struct buckets *buckets = buckets_new(FIRST_BUCKETS);
	atomic_init(&buckets->in_use, FIRST_BUCKETS);
	return buckets;
}

static void set_buckets(struct shard *shard, struct buckets *buckets)
{
	struct buckets *old = own_buckets(shard);
	shard->bytes += buckets_cost(buckets->room) - buckets_cost(old->room);
	atomic_store_explicit(&shard->buckets, buckets, memory_order_release);
	rcu_retire(&old->later, on_buckets_unused);
}

/* Room for twice as many; readers go on with the old one until they look again. */
static struct buckets *widen(struct shard *shard, struct buckets *old)
{
	struct buckets *wide = buckets_new(2 * old->room);
	atomic_init(&wide->in_use, old->room);
	for (size_t i = 0; i < old->room; i++)
		atomic_init(&wide->head[i], atomic_load_explicit(&old->head[i], memory_order_relaxed));
	set_buckets(shard, wide);
	return wide;
}

/* One bucket more: its half of what is in the bucket that had both. */
static void split(struct shard *shard)
{
	struct buckets *buckets = own_buckets(shard);
	if (in_use(buckets) == buckets->room)
		buckets = widen(shard, buckets);
	_Atomic(struct entry *) *both = &buckets->head[in_use(buckets) - buckets->room / 2];
	struct entry *list = atomic_load_explicit(both, memory_order_relaxed);
	atomic_store_explicit(both, NULL, memory_order_release);
	atomic_store_explicit(&buckets->in_use, in_use(buckets) + 1, memory_order_release);
	while (list != NULL) {
		struct entry *entry = list;
		list = atomic_load_explicit(&entry->next, memory_order_relaxed);
		push(&buckets->head[place_of(buckets, entry->hash)], entry);
	}
}

/* --- shards --- */

void shard_init(struct shard *shard)
{
	pthread_mutex_init(&shard->lock, NULL);
	link_init(&shard->queue);
	shard->hand = &shard->queue;
	shard->bytes = buckets_cost(FIRST_BUCKETS);
	atomic_init(&shard->buckets, first_buckets());
}

void shard_deinit(struct shard *shard)
{
	while (!link_is_empty(&shard->queue)) {
		struct entry *entry = container_of(shard->queue.next, struct entry, queue);
		link_remove(&entry->queue);
		free(entry);
	}
	free(own_buckets(shard));
	pthread_mutex_destroy(&shard->lock);
}

struct entry *shard_find(const struct shard *shard, uint32_t hash, const struct cache_key *key)
{
	const struct buckets *buckets = atomic_load_explicit(&shard->buckets, memory_order_acquire);
	struct entry *entry = atomic_load_explicit(&buckets->head[place_of(buckets, hash)], memory_order_acquire);
	for (; entry != NULL; entry = atomic_load_explicit(&entry->next, memory_order_acquire))
		if (entry->hash == hash && entry->type == key->type && entry->space == key->space &&
			entry->name_len == key->name_len && memcmp(entry->bytes, key->name, key->name_len) == 0)
			break;
	return entry;
}

void shard_drop(struct shard *shard, struct entry *entry)
{
	struct buckets *buckets = own_buckets(shard);
	_Atomic(struct entry *) *at = &buckets->head[place_of(buckets, entry->hash)];
	for (struct entry *other; (other = atomic_load_explicit(at, memory_order_relaxed)) != entry;)
		at = &other->next;
	/* Its own `next` stays: a reader that stands on it goes on from there. */
	atomic_store_explicit(at, atomic_load_explicit(&entry->next, memory_order_relaxed), memory_order_release);
	if (shard->hand == &entry->queue)
		shard->hand = entry->queue.next;
	link_remove(&entry->queue);
	shard->entries--;
	shard->bytes -= entry_cost(entry);
	rcu_retire(&entry->later, on_entry_unused);
}

void shard_drop_all(struct shard *shard)
{
	while (!link_is_empty(&shard->queue))
		shard_drop(shard, container_of(shard->queue.next, struct entry, queue));
	set_buckets(shard, first_buckets());
	shard->broom = 0;
}

size_t shard_growth(const struct shard *shard, const struct entry *entry)
{
	const struct buckets *buckets = own_buckets(shard);
	bool is_full = shard->entries >= in_use(buckets) && in_use(buckets) == buckets->room;
	return entry_cost(entry) + (is_full ? buckets_cost(2 * buckets->room) - buckets_cost(buckets->room) : 0);
}

/* SIEVE: the hand goes from the oldest to the newest and takes the first that was not used since it last came by. */
static void drop_one(struct shard *shard)
{
	require(!link_is_empty(&shard->queue));
	for (;;) {
		if (shard->hand == &shard->queue)
			shard->hand = shard->queue.next;
		struct entry *entry = container_of(shard->hand, struct entry, queue);
		if (atomic_load_explicit(&entry->was_used, memory_order_relaxed) == 0) {
			shard_drop(shard, entry);
			return;
		}
		atomic_store_explicit(&entry->was_used, 0, memory_order_relaxed);
		shard->hand = shard->hand->next;
	}
}

bool shard_make_room(struct shard *shard, const struct entry *entry, size_t limit)
{
	if (buckets_cost(FIRST_BUCKETS) + entry_cost(entry) > limit)
		return false;
	if (buckets_cost(own_buckets(shard)->room) + entry_cost(entry) > limit)
		shard_drop_all(shard); /* the table of a much larger cache, before a reload */
	for (int i = 0; i < DROPS_MAX && shard->bytes + shard_growth(shard, entry) > limit; i++)
		drop_one(shard);
	return shard->bytes + shard_growth(shard, entry) <= limit;
}

void shard_insert(struct shard *shard, struct entry *entry)
{
	if (shard->entries >= in_use(own_buckets(shard)))
		split(shard);
	struct buckets *buckets = own_buckets(shard);
	push(&buckets->head[place_of(buckets, entry->hash)], entry);
	link_append(&shard->queue, &entry->queue);
	shard->entries++;
	shard->bytes += entry_cost(entry);
}

void shard_sweep(struct shard *shard, uint32_t now_s, uint32_t stale_s)
{
	struct buckets *buckets = own_buckets(shard);
	if (shard->broom >= in_use(buckets))
		shard->broom = 0;
	struct entry *entry = atomic_load_explicit(&buckets->head[shard->broom++], memory_order_relaxed), *next;
	for (; entry != NULL; entry = next) {
		next = atomic_load_explicit(&entry->next, memory_order_relaxed);
		if (entry_is_waste(entry, now_s, stale_s))
			shard_drop(shard, entry);
	}
}
