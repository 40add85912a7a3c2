/* Decides what of the rrset cache goes into a snapshot, and what is believed of one. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "cache/rrpack.h"
#include "cache/rrtable.h"

/* An entry in a snapshot; its bytes follow, as they are in memory. */
struct saved {
	uint32_t size, stored_s, expire_s;
	uint16_t type, count;
	uint8_t kind, rank, space, name_len;
};

uint32_t rrcache_form(void)
{
	return sizeof(struct saved) << 8 | packed_form();
}

unsigned rrcache_parts(void)
{
	return RR_SHARDS;
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
	memcpy(part->data + part->len, &head, sizeof(head));
	memcpy(part->data + part->len + sizeof(head), entry->bytes, entry->size);
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
		if (entry_is_fresh(entry, now_s) && entry->security != SECURITY_BOGUS)
			copy_entry(part, entry);
	}
	pthread_mutex_unlock(&shard->lock);
}

static bool is_entry(const struct saved *head, const uint8_t *bytes)
{
	if (head->kind > CACHE_NXDOMAIN || head->rank > RANK_ANSWER || head->space > CACHE_CHAIN)
		return false;
	if (head->size > ENTRY_BYTES_MAX || head->count > ENTRY_SETS_MAX)
		return false;
	if (head->name_len == 0 || name_wire_len(bytes, head->size) != head->name_len)
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

static struct entry *entry_of(const struct saved *head, struct cache_key *key)
{
	struct entry *entry = entry_new(head->size);
	entry->hash = key_hash(key);
	entry->stored_s = head->stored_s;
	entry->expire_s = head->expire_s;
	entry->type = head->type;
	entry->count = (uint8_t)head->count;
	entry->kind = head->kind & 3;
	entry->rank = head->rank & 3;
	entry->space = head->space & 7;
	entry->name_len = head->name_len;
	memcpy(entry->bytes, key->name, head->size);
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
	struct cache_key key = {.name = bytes, .type = head.type, .space = (enum cache_space)head.space};
	struct entry *entry = entry_of(&head, &key);
	struct shard *shard = shard_of(cache, entry->hash);
	pthread_mutex_lock(&shard->lock);
	bool is_wanted = shard->bytes + shard_growth(shard, entry) <= cache->shard_bytes &&
			 entry_is_fresh(entry, clock_wall_s()) && shard_find(shard, entry->hash, &key) == NULL;
	if (is_wanted)
		shard_insert(shard, entry);
	pthread_mutex_unlock(&shard->lock);
	if (!is_wanted)
		entry_free(entry);
	return sizeof(head) + head.size;
}
