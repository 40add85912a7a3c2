/* Records of a zone in an order of their own, found by what comes at or before a key: names in canonical order, or hashes.
 *
 *	struct order order;
 *	order_init(&order, name_compare_canonical);
 *	order_insert(&order, record);                          takes it; no record with that key may be there
 *	struct record *before = order_at_or_before(&order, name);
 *
 * Each call but order_init takes steps in the logarithm of the count. Ownership: the order's members belong to who put
 * them in. Not thread safe: the caller's lock. Never suspends. */
#pragma once

#include <stdint.h>

#include "base/list.h"
#include "dns/denial.h"

/* A copy of an rrset with what points into itself. Written once, when it is made; the links are the order's. */
struct record {
	struct record *left, *right;
	struct link age; /* in the order, oldest first; when it is given up: among the dead */
	const uint8_t *key;
	uint32_t priority;           /* random: the shape of the tree is nobody's choice */
	uint32_t stored_s, expire_s; /* wall clock */
	uint32_t size;               /* of `bytes`: data, signatures, owner, hash */
	struct rrset set;            /* points into `bytes` */
	_Alignas(uint64_t) uint8_t bytes[];
};

/* Its key is the owner's hash for NSEC3, the owner else. The owner of an NSEC3 must hold a hash. */
struct record *record_new(const struct rrset *set, uint32_t now_s, uint32_t ttl_s);
void record_free(struct record *record);
/* Bytes, what malloc adds included. */
size_t record_cost(const struct record *record);
/* A clock that was set back must not make records eternal: what was stored "in the future" has expired. */
bool record_is_fresh(const struct record *record, uint32_t now_s);
/* In the arena, with the TTL as left. */
struct rrset *record_copy(struct arena *arena, const struct record *record, uint32_t now_s);

struct order {
	struct record *root;
	struct link ages;
	size_t count;
	int (*compare)(const uint8_t *a, const uint8_t *b);
};

void order_init(struct order *order, int (*compare)(const uint8_t *a, const uint8_t *b));
/* NULL: none. */
struct record *order_at_or_before(const struct order *order, const uint8_t *key);
struct record *order_after(const struct order *order, const uint8_t *key); /* truly after */
struct record *order_first(const struct order *order);
struct record *order_last(const struct order *order);
struct record *order_oldest(const struct order *order);
void order_insert(struct order *order, struct record *record);
void order_remove(struct order *order, struct record *record);
