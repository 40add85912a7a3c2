/* The rrset cache, shared by all workers: what servers said, with how far it is trusted and until when.
 *
 *	struct cached found;
 *	struct cache_key key = {name, KNOT_RRTYPE_A, CACHE_RRSET};
 *	if (rrcache_get(cache, arena, &key, RANK_ANSWER, &found) == 0 && found.kind == CACHE_POSITIVE)
 *		use(found.set[0]);                 a copy in the arena, TTL as left now
 *
 * Ageing follows the wall clock. Strict in bytes: what was not used since it came or was last looked at goes first (SIEVE). Delegations and glue as the
 * parent gave them are kept in spaces of their own (CACHE_CUT, CACHE_GLUE), so that a child never prolongs or replaces its own delegation
 * (ghost domains); an NXDOMAIN stands for all types of its name (CACHE_NAME, RFC 2308 5).
 * Ownership: callers get copies. Thread: any. Never suspends; readers take no lock (base/rcu.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/rrset.h"

/* What an entry is about; part of its key, so that no record type that a client may ask for can meet another kind. */
enum cache_space {
	CACHE_RRSET, /* the records of a name and type, or that there are none */
	CACHE_CUT,   /* a delegation as the parent gave it; type NS */
	CACHE_GLUE,  /* the address of a server as a delegation gave it */
	CACHE_NAME,  /* that a name does not exist at all; type 0 */
	CACHE_CHAIN, /* of the chain of trust: what a referral said of the child's DS, and DNSKEY sets that are bogus */
};

/* `name` does not change while the key is used: it is hashed once, for all types and spaces that are asked for. */
struct cache_key {
	const uint8_t *name; /* lower case */
	uint16_t type;
	enum cache_space space;
	uint8_t name_len; /* 0 until the cache has made it, and: */
	uint64_t name_hash;
};

/* RFC 2181 5.4.1, lowest first. */
enum rank { RANK_GLUE, RANK_REFERRAL, RANK_ANSWER };

enum cache_kind { CACHE_POSITIVE, CACHE_NODATA, CACHE_NXDOMAIN };

struct cached {
	enum cache_kind kind;
	enum rank rank;
	enum security security;
	uint32_t age_s;
	bool is_stale;
	uint16_t count;
	struct rrset **
		set; /* positive: the rrset, and what proves a wildcard's right to it; negative: the SOA and what denies */
};

/* What is stored. */
struct cache_value {
	enum cache_kind kind;
	enum rank rank;
	enum security security;
	uint32_t ttl_s;
	uint16_t count;
	const struct rrset *const *set;
};

struct rrcache;

struct rrcache_conf {
	size_t bytes;
	uint32_t ttl_min_s, ttl_max_s;
	uint32_t stale_s; /* what has expired is kept so long for when nothing better can be had (RFC 8767); 0: not */
};

struct rrcache_state {
	uint64_t entries, bytes, limit;
};

struct rrcache *rrcache_new(const struct rrcache_conf *conf);
void rrcache_free(struct rrcache *cache);
/* Limits for what is stored from now on; the size takes effect with the next put. */
void rrcache_configure(struct rrcache *cache, const struct rrcache_conf *conf);

/* 0, or E_NOENT: nothing of at least that rank that has not expired. */
int rrcache_get(struct rrcache *cache, struct arena *arena, struct cache_key *key, enum rank least, struct cached *out);
/* The same where it may have expired, no longer ago than stale_s: with a TTL of LIMIT_STALE_TTL_S then. */
int rrcache_get_stale(
	struct rrcache *cache, struct arena *arena, struct cache_key *key, enum rank least, struct cached *out);
/* How long an entry may still be used; 0 when there is none. */
uint32_t rrcache_ttl_left(struct rrcache *cache, struct cache_key *key);
/* The TTL within cache.ttl-min and cache.ttl-max. */
uint32_t rrcache_clamp(const struct rrcache *cache, uint32_t ttl_s);
/* Stores for ttl_s, clamped. Something of higher rank that has not expired stays, and so does what is secure when the new
 * has not been checked. TTL 0 is not stored. */
void rrcache_put(struct rrcache *cache, struct cache_key *key, const struct cache_value *value);
/* Forgets everything. */
void rrcache_clear(struct rrcache *cache);
void rrcache_state(struct rrcache *cache, struct rrcache_state *out);

/* --- as bytes, for cache/snapshot --- */

/* What entries look like; another number, another form. */
uint32_t rrcache_form(void);
unsigned rrcache_parts(void);

struct rrcache_part {
	uint8_t *data; /* the caller frees it, after the last part */
	size_t len, room;
	uint32_t records;
};

/* Copies what has not expired of a part; its lock is held meanwhile. */
void rrcache_copy_part(struct rrcache *cache, unsigned index, struct rrcache_part *part);
/* Puts the first entry of such bytes, whose form is not trusted, unless something is there; returns how long it was, 0 when it is
 * none. What was proved has to be proved again. */
size_t rrcache_load(struct rrcache *cache, const uint8_t *data, size_t len);
