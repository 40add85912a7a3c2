/* Decides how records are kept in order: a treap (Seidel and Aragon), a search tree by key that is a heap by priority. With
 * random priorities it is as flat as a tree of random insertions, whatever keys come and in whatever order. */
#include "cache/order.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/random.h"

enum { MALLOC_OVERHEAD = 16 };

/* --- records --- */

static void take_rdata(knot_rdataset_t *out, const knot_rdataset_t *from, uint8_t **at)
{
	*out = (knot_rdataset_t){.count = from->count, .size = from->size};
	if (from->size == 0)
		return;
	out->rdata = memcpy(*at, from->rdata, from->size);
	*at += from->size;
}

struct record *record_new(const struct rrset *set, uint32_t now_s, uint32_t ttl_s)
{
	size_t len = name_len(set->owner), size = set->data.size + set->sigs.size + len;
	bool is_hashed = set->type == KNOT_RRTYPE_NSEC3;
	size += is_hashed ? NSEC3_HASH : 0;
	struct record *record = xalloc(sizeof(*record) + size);
	*record = (struct record){.stored_s = now_s, .expire_s = now_s + ttl_s, .size = (uint32_t)size, .set = *set};
	link_init(&record->age);
	random_bytes(&record->priority, sizeof(record->priority));
	uint8_t *at = record->bytes;
	/* Rdata first: libknot keeps their sizes even, and reads their lengths as words. */
	take_rdata(&record->set.data, &set->data, &at);
	take_rdata(&record->set.sigs, &set->sigs, &at);
	record->set.owner = record->key = memcpy(at, set->owner, len);
	if (is_hashed) {
		require(nsec3_owner_hash(at + len, set->owner) == 0);
		record->key = at + len;
	}
	return record;
}

void record_free(struct record *record)
{
	free(record);
}

size_t record_cost(const struct record *record)
{
	return sizeof(*record) + record->size + MALLOC_OVERHEAD;
}

bool record_is_fresh(const struct record *record, uint32_t now_s)
{
	return now_s < record->expire_s && now_s >= record->stored_s;
}

static void copy_rdata(struct arena *arena, knot_rdataset_t *data)
{
	if (data->size > 0)
		data->rdata = arena_copy(arena, data->rdata, data->size);
}

struct rrset *record_copy(struct arena *arena, const struct record *record, uint32_t now_s)
{
	struct rrset *set = arena_copy(arena, &record->set, sizeof(record->set));
	uint32_t left_s = record->expire_s - now_s;
	set->ttl_s = set->ttl_s < left_s ? set->ttl_s : left_s;
	set->owner = name_copy(arena, set->owner);
	copy_rdata(arena, &set->data);
	copy_rdata(arena, &set->sigs);
	return set;
}

/* --- the order --- */

void order_init(struct order *order, int (*compare)(const uint8_t *a, const uint8_t *b))
{
	*order = (struct order){.compare = compare};
	link_init(&order->ages);
}

struct record *order_at_or_before(const struct order *order, const uint8_t *key)
{
	struct record *best = NULL;
	for (struct record *at = order->root; at != NULL;) {
		int diff = order->compare(key, at->key);
		if (diff == 0)
			return at;
		if (diff > 0)
			best = at;
		at = diff > 0 ? at->right : at->left;
	}
	return best;
}

struct record *order_after(const struct order *order, const uint8_t *key)
{
	struct record *best = NULL;
	for (struct record *at = order->root; at != NULL;) {
		bool is_after = order->compare(at->key, key) > 0;
		if (is_after)
			best = at;
		at = is_after ? at->left : at->right;
	}
	return best;
}

struct record *order_first(const struct order *order)
{
	struct record *at = order->root;
	while (at != NULL && at->left != NULL)
		at = at->left;
	return at;
}

struct record *order_last(const struct order *order)
{
	struct record *at = order->root;
	while (at != NULL && at->right != NULL)
		at = at->right;
	return at;
}

struct record *order_oldest(const struct order *order)
{
	return link_is_empty(&order->ages) ? NULL : container_of(order->ages.next, struct record, age);
}

/* A tree in two: what is before the key and what is after it. */
static void split(const struct order *order, struct record *at, const uint8_t *key, struct record *out)
{
	struct record **less = &out->left, **more = &out->right;
	while (at != NULL) {
		if (order->compare(at->key, key) < 0) {
			*less = at;
			less = &at->right;
			at = at->right;
		} else {
			*more = at;
			more = &at->left;
			at = at->left;
		}
	}
	*less = *more = NULL;
}

/* Two trees in one, all of `less` being before all of `more`. */
static void merge(struct record **slot, struct record *less, struct record *more)
{
	while (less != NULL && more != NULL) {
		if (less->priority >= more->priority) {
			*slot = less;
			slot = &less->right;
			less = less->right;
		} else {
			*slot = more;
			slot = &more->left;
			more = more->left;
		}
	}
	*slot = less != NULL ? less : more;
}

void order_insert(struct order *order, struct record *record)
{
	struct record **slot = &order->root;
	while (*slot != NULL && (*slot)->priority >= record->priority) {
		int diff = order->compare(record->key, (*slot)->key);
		slot = diff > 0 ? &(*slot)->right : &(*slot)->left;
	}
	split(order, *slot, record->key, record);
	*slot = record;
	link_append(&order->ages, &record->age);
	order->count++;
}

void order_remove(struct order *order, struct record *record)
{
	struct record **slot = &order->root;
	while (*slot != record) {
		require(*slot != NULL);
		int diff = order->compare(record->key, (*slot)->key);
		slot = diff > 0 ? &(*slot)->right : &(*slot)->left;
	}
	merge(slot, record->left, record->right);
	record->left = record->right = NULL;
	link_remove(&record->age);
	order->count--;
}
