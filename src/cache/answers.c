/* Decides how a finished answer is kept, which is worth it, and what is patched when it is given to another client. */
#include "cache/answers.h"

#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/list.h"

enum {
	HASH_SEED = 0xa45,
	KEY_DO = 1,
	KEY_CD = 2,
	MALLOC_OVERHEAD = 16,
	TURNS_MAX = 32,
	ENTRY_BYTES = 192, /* of a usual answer: there is a bucket for each that fits */
	CACHE_LINE = 64,
	FETCHED = 3 * CACHE_LINE, /* of an entry: most are not longer */
	BUCKETS_MIN = 1024,
	ASKED = 65536, /* questions that are known to have been asked: with 10,000 new ones a second the last six seconds */
	ASKED_AT_ONE = 4, /* of them at one place: two that are asked by turns must not make each other new */
};

struct answer_entry {
	struct answer_entry *next;
	struct link used;
	uint64_t hash;
	uint32_t stored_s, expire_s; /* wall clock */
	uint32_t refresh_s;          /* from then on it should be looked up again; UINT32_MAX: not, or under way */
	uint32_t used_s;             /* when it came to the end of the queue: once a second is enough */
	uint16_t hits;
	int16_t ede;
	uint8_t turn_first, turn_count; /* the addresses that take turns: records, as ttl_at counts them */
	uint8_t ede_len, key_flags;
	uint16_t ttl_count, len;
	uint16_t ttl_at[]; /* then the wire, whose question is the key, and the words of EDE */
};

/* The table has room for all that fits from the start, but as many buckets as there are entries are in use, so that what
 * few there are lies close together: one more is split off with each entry that comes (linear hashing). */
struct answers {
	struct answer_entry **bucket;
	size_t buckets;      /* a power of two: the most there will be */
	size_t in_use, room; /* hash_place() */
	size_t entries, bytes, limit;
	struct link used;
	/* Parts of the hashes of the last questions of each place. */
	uint16_t asked[ASKED / ASKED_AT_ONE][ASKED_AT_ONE];
};

static const uint8_t *wire_of(const struct answer_entry *entry)
{
	return (const uint8_t *)(entry->ttl_at + entry->ttl_count);
}

static const char *extra_of(const struct answer_entry *entry)
{
	return entry->ede_len > 0 ? (const char *)wire_of(entry) + entry->len : NULL;
}

static void make_key(
	struct answer_key *key, const uint8_t *name, size_t len, uint16_t type, uint16_t rclass, unsigned flags)
{
	name_lower_to(key->bytes, name, len);
	knot_wire_write_u16(key->bytes + len, type);
	knot_wire_write_u16(key->bytes + len + 2, rclass);
	key->bytes[len + 4] = (uint8_t)flags;
	key->len = (uint16_t)(len + 5);
	key->hash = hash_bytes(HASH_SEED, key->bytes, key->len);
}

void answer_key_of(struct answer_key *key, const struct query *query)
{
	make_key(key, query->raw_name, query->name_len, query->type, query->rclass,
		(query->dnssec_ok ? KEY_DO : 0u) | (query->cd ? KEY_CD : 0u));
}

void answer_key_make(struct answer_key *key, const struct question *q, bool dnssec_ok, bool cd)
{
	make_key(key, q->name, name_len(q->name), q->type, q->rclass, (dnssec_ok ? KEY_DO : 0u) | (cd ? KEY_CD : 0u));
}

struct answers *answers_new(size_t bytes)
{
	struct answers *cache = xzalloc(1, sizeof(*cache));
	cache->limit = bytes;
	for (cache->buckets = BUCKETS_MIN; cache->buckets < bytes / ENTRY_BYTES;)
		cache->buckets *= 2;
	cache->bucket = xzalloc(cache->buckets, sizeof(*cache->bucket)); /* pages that are not in use are none */
	cache->in_use = cache->room = BUCKETS_MIN;
	link_init(&cache->used);
	return cache;
}

static size_t block_size(size_t ttl_count, size_t len, size_t ede_len)
{
	return offsetof(struct answer_entry, ttl_at) + ttl_count * sizeof(uint16_t) + len + ede_len;
}

static size_t entry_cost(const struct answer_entry *entry)
{
	return block_size(entry->ttl_count, entry->len, entry->ede_len) + MALLOC_OVERHEAD + sizeof(entry);
}

static void drop(struct answers *cache, struct answer_entry **at)
{
	struct answer_entry *entry = *at;
	*at = entry->next;
	link_remove(&entry->used);
	cache->entries--;
	cache->bytes -= entry_cost(entry);
	free(entry);
}

/* Name, type and class stand in the wire's question; it is lower case as the key is. */
static bool is_about(const uint8_t *wire, size_t len, const struct answer_key *key)
{
	size_t question = key->len - 1u;
	return len >= MESSAGE_HEADER + question && memcmp(wire + MESSAGE_HEADER, key->bytes, question) == 0;
}

static struct answer_entry **bucket_of(const struct answers *cache, uint64_t hash)
{
	return &cache->bucket[hash_place(hash, cache->in_use, cache->room)];
}

/* One bucket more: its half of what is in the one that had both. */
static void split(struct answers *cache)
{
	if (cache->in_use == cache->buckets)
		return;
	if (cache->in_use == cache->room)
		cache->room *= 2;
	struct answer_entry **both = &cache->bucket[cache->in_use - cache->room / 2], *list = *both;
	*both = NULL;
	cache->in_use++;
	while (list != NULL) {
		struct answer_entry *entry = list, **at = bucket_of(cache, entry->hash);
		list = entry->next;
		entry->next = *at;
		*at = entry;
	}
}

static struct answer_entry **find(const struct answers *cache, const struct answer_key *key)
{
	struct answer_entry **at = bucket_of(cache, key->hash);
	for (; *at != NULL; at = &(*at)->next)
		if ((*at)->hash == key->hash && (*at)->key_flags == key->bytes[key->len - 1] &&
			is_about(wire_of(*at), (*at)->len, key))
			break;
	return at;
}

static void drop_oldest(struct answers *cache)
{
	struct answer_entry *oldest = container_of(cache->used.next, struct answer_entry, used);
	struct answer_entry **at = bucket_of(cache, oldest->hash);
	while (*at != oldest)
		at = &(*at)->next;
	drop(cache, at);
}

void answers_clear(struct answers *cache)
{
	while (!link_is_empty(&cache->used))
		drop_oldest(cache);
}

void answers_free(struct answers *cache)
{
	answers_clear(cache);
	free(cache->bucket);
	free(cache);
}

const struct answer_entry *answers_get(struct answers *cache, const struct answer_key *key, uint32_t now_s)
{
	struct answer_entry **at = find(cache, key), *entry = *at;
	if (entry == NULL)
		return NULL;
	/* Stored "in the future" means that the clock was set back: not fresh either. */
	if (now_s >= entry->expire_s || now_s < entry->stored_s) {
		drop(cache, at);
		return NULL;
	}
	if (entry->used_s != now_s) {
		link_remove(&entry->used);
		link_append(&cache->used, &entry->used);
		entry->used_s = now_s;
	}
	entry->hits += entry->hits < UINT16_MAX;
	return entry;
}

bool answers_was_asked(struct answers *cache, const struct answer_key *key)
{
	uint16_t *mark = cache->asked[key->hash % (ASKED / ASKED_AT_ONE)], own = (uint16_t)(key->hash >> 48 | 1);
	unsigned at = 0;
	while (at < ASKED_AT_ONE - 1 && mark[at] != own)
		at++;
	bool was = mark[at] == own;
	memmove(mark + 1, mark, at * sizeof(*mark)); /* the newest first */
	mark[0] = own;
	return was;
}

void answers_fetch_place(const struct answers *cache, const struct answer_key *key)
{
	__builtin_prefetch(bucket_of(cache, key->hash));
}

void answers_fetch_entry(const struct answers *cache, const struct answer_key *key)
{
	const char *entry = (const char *)*bucket_of(cache, key->hash);
	for (size_t at = 0; entry != NULL && at < FETCHED; at += CACHE_LINE)
		__builtin_prefetch(entry + at);
}

bool answers_claim_refresh(const struct answer_entry *hit, uint32_t now_s)
{
	if (now_s < hit->refresh_s || hit->hits < LIMIT_PREFETCH_HITS)
		return false;
	((struct answer_entry *)(uintptr_t)hit)->refresh_s = UINT32_MAX;
	return true;
}

/* The first run of more than one A or AAAA record of the answer section; most answers have none. */
static void find_turns(struct answer_entry *entry)
{
	const uint8_t *wire = wire_of(entry);
	unsigned count = knot_wire_get_ancount(wire), run = 0;
	uint16_t run_type = 0;
	for (unsigned i = 0; i < count && i < entry->ttl_count && i < TURNS_MAX; i++) {
		const uint8_t *ttl = wire + entry->ttl_at[i];
		uint16_t type = knot_wire_read_u16(ttl - 4), len = knot_wire_read_u16(ttl + 4);
		bool is_address = (type == KNOT_RRTYPE_A && len == 4) || (type == KNOT_RRTYPE_AAAA && len == 16);
		bool goes_on = is_address && run > 0 && type == run_type;
		if (!goes_on && run > 1)
			break;
		run = goes_on ? run + 1 : is_address;
		run_type = type;
		if (run == 1)
			entry->turn_first = (uint8_t)i;
	}
	entry->turn_count = (uint8_t)run;
}

static struct answer_entry *make_entry(const struct answer_key *key, const struct answer_wire *answer)
{
	size_t ede_len = answer->ede_extra != NULL ? strnlen(answer->ede_extra, 200) + 1 : 0;
	struct answer_entry *entry = xalloc(block_size(answer->ttl_count, answer->len, ede_len));
	*entry = (struct answer_entry){
		.hash = key->hash,
		.ede = (int16_t)answer->ede,
		.ede_len = (uint8_t)ede_len,
		.key_flags = key->bytes[key->len - 1],
		.ttl_count = answer->ttl_count,
		.len = (uint16_t)answer->len,
	};
	link_init(&entry->used);
	uint8_t *wire = (uint8_t *)(entry->ttl_at + answer->ttl_count);
	memcpy(wire, answer->wire, answer->len);
	if (answer->ttl_count > 0)
		memcpy(entry->ttl_at, answer->ttl_at, answer->ttl_count * sizeof(uint16_t));
	if (ede_len > 0) {
		memcpy(wire + answer->len, answer->ede_extra, ede_len - 1);
		wire[answer->len + ede_len - 1] = '\0';
	}
	find_turns(entry);
	return entry;
}

void answers_put(struct answers *cache, const struct answer_key *key, const struct answer_wire *answer, uint32_t now_s)
{
	if (answer->ttl_s == 0 || !is_about(answer->wire, answer->len, key))
		return;
	struct answer_entry **old = find(cache, key);
	if (*old != NULL)
		drop(cache, old);
	struct answer_entry *entry = make_entry(key, answer);
	size_t cost = entry_cost(entry);
	if (cost > cache->limit) {
		free(entry);
		return;
	}
	while (cache->bytes + cost > cache->limit)
		drop_oldest(cache);
	entry->stored_s = entry->used_s = now_s;
	entry->expire_s = now_s + answer->ttl_s;
	bool is_lasting = answer->ttl_s >= LIMIT_PREFETCH_TTL_S && answer->ede == EDE_NONE;
	entry->refresh_s = is_lasting ? entry->expire_s - answer->ttl_s / LIMIT_PREFETCH_PART : UINT32_MAX;
	if (cache->entries >= cache->in_use)
		split(cache);
	struct answer_entry **at = bucket_of(cache, key->hash);
	entry->next = *at;
	*at = entry;
	link_append(&cache->used, &entry->used);
	cache->entries++;
	cache->bytes += cost;
}

/* The part that is the same for both: header, question, OPT, truncation. `out` holds the wire already if it fits. */
static size_t finish(uint8_t *out, size_t room, size_t len, const struct query *query, int ede, const char *extra)
{
	size_t opt = query->edns ? MESSAGE_OPT : 0;
	bool cut = len + opt > room;
	if (cut) {
		/* RFC 2181 9: nothing is better than a part that could be taken for the whole. */
		len = query->question_end;
		memset(out + 6, 0, 6);
	}
	knot_wire_set_id(out, query->id);
	out[2] = (uint8_t)((out[2] & ~0x03) | (query->rd ? 0x01 : 0) | (cut ? 0x02 : 0));
	out[3] = (uint8_t)((out[3] & ~0x10) | (query->cd ? 0x10 : 0));
	if (!query->ad && !query->dnssec_ok)
		out[3] &= (uint8_t)~0x20; /* AD only for those who said that they understand it: RFC 6840 5.8 */
	memmove(out + MESSAGE_HEADER, query->raw_name, query->name_len); /* memcpy would be spelled out as a loop */
	if (query->edns) {
		size_t opt_len = opt_write(out + len, room - len, LIMIT_UDP_PAYLOAD, query->dnssec_ok, 0, ede, extra);
		knot_wire_set_arcount(out, (uint16_t)(knot_wire_get_arcount(out) + 1));
		len += opt_len;
	}
	return len;
}

static size_t copy_size(size_t len, size_t room, const struct query *query)
{
	return len + (query->edns ? MESSAGE_OPT : 0) > room ? query->question_end : len;
}

/* Clients take the first address as a rule: each gets another one. The client's ID is chance enough. */
static void take_turns(uint8_t *out, const struct answer_entry *entry, uint16_t id)
{
	const uint8_t *wire = wire_of(entry);
	const uint16_t *ttl_at = entry->ttl_at + entry->turn_first;
	unsigned count = entry->turn_count, turn = id % count;
	size_t len = knot_wire_read_u16(wire + ttl_at[0] + 4);
	for (unsigned i = 0; i < count; i++) {
		memcpy(out + ttl_at[i] + 6, wire + ttl_at[turn] + 6, len);
		turn = turn + 1 < count ? turn + 1 : 0;
	}
}

size_t answer_fill(
	uint8_t *out, size_t room, const struct answer_entry *entry, const struct query *query, uint32_t now_s)
{
	size_t copy = copy_size(entry->len, room, query);
	counters_ede(entry->ede);
	memcpy(out, wire_of(entry), copy);
	uint32_t age_s = now_s - entry->stored_s;
	for (uint16_t i = 0; i < entry->ttl_count && copy == entry->len; i++) {
		uint8_t *ttl = out + entry->ttl_at[i];
		knot_wire_write_u32(ttl, knot_wire_read_u32(ttl) - age_s);
	}
	if (entry->turn_count > 1 && copy == entry->len)
		take_turns(out, entry, query->id);
	return finish(out, room, entry->len, query, entry->ede, extra_of(entry));
}

size_t answer_fill_wire(uint8_t *out, size_t room, const struct answer_wire *answer, const struct query *query)
{
	memcpy(out, answer->wire, copy_size(answer->len, room, query));
	return finish(out, room, answer->len, query, answer->ede, answer->ede_extra);
}
