/* The rrset cache, shared by all workers: what servers said, with how far it is trusted and until when.
 *
 *	struct cached found;
 *	if (rrcache_get(cache, arena, name, KNOT_RRTYPE_A, RANK_ANSWER, &found) == 0 && found.kind == CACHE_POSITIVE)
 *		use(found.set[0]);                 a copy in the arena, TTL as left now
 *
 * Ageing follows the wall clock. Strict in bytes: the least recently used go first. Delegations as the parent gave them
 * are kept under a type of their own (CACHE_TYPE_CUT), so that a child never prolongs or replaces its own delegation
 * (ghost domains); an NXDOMAIN stands for all types of its name (CACHE_TYPE_NONE, RFC 2308 5).
 * Ownership: callers get copies. Thread: any. Never suspends; a lock is held only while copying. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/rrset.h"

enum {
	CACHE_TYPE_NONE = 0,
	CACHE_TYPE_CUT = 0xff00
}; /* private use and reserved (RFC 6895 3.1): no question has them */

/* RFC 2181 5.4.1, lowest first. */
enum rank { RANK_GLUE, RANK_REFERRAL, RANK_ANSWER };

enum cache_kind { CACHE_POSITIVE, CACHE_NODATA, CACHE_NXDOMAIN };

struct cached {
	enum cache_kind kind;
	enum rank rank;
	uint32_t age_s;
	uint16_t count;
	struct rrset **set; /* positive: the rrset; negative: the SOA and what denies */
};

struct rrcache;

struct rrcache_conf {
	size_t bytes;
	uint32_t ttl_min_s, ttl_max_s;
};

struct rrcache_state {
	uint64_t entries, bytes, limit;
};

struct rrcache *rrcache_new(const struct rrcache_conf *conf);
void rrcache_free(struct rrcache *cache);
/* Limits for what is stored from now on; the size takes effect with the next put. */
void rrcache_configure(struct rrcache *cache, const struct rrcache_conf *conf);

/* 0, or E_NOENT: nothing of at least that rank that has not expired. */
int rrcache_get(struct rrcache *cache, struct arena *arena, const uint8_t *name, uint16_t type, enum rank least,
	struct cached *out);
/* The TTL within cache.ttl-min and cache.ttl-max. */
uint32_t rrcache_clamp(const struct rrcache *cache, uint32_t ttl_s);
/* Stores for ttl_s, clamped. Something of higher rank that has not expired stays. TTL 0 is not stored. */
void rrcache_put(struct rrcache *cache, const uint8_t *name, uint16_t type, enum cache_kind kind, enum rank rank,
	uint32_t ttl_s, const struct rrset *const sets[], uint16_t count);
void rrcache_state(struct rrcache *cache, struct rrcache_state *out);
