/* A worker's answer cache: finished answers as wire bytes, found by the question as it came in.
 *
 *	struct answer_key key;
 *	answer_key_of(&key, &query);
 *	const struct answer_entry *hit = answers_get(cache, &key, clock_wall_s());
 *	if (hit != NULL) len = answer_fill(out, room, hit, &query, now_s);
 *
 * Private to one worker: no lock, and no allocation on a hit. A pointer from answers_get is good until the next put.
 * Strict in bytes, least recently used first. Thread: the worker's. Never suspends. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "dns/message.h"

struct answer_key {
	uint64_t hash;
	uint16_t len;
	uint8_t bytes[NAME_MAX_LEN + 5]; /* lower-case name, type, class, flags (DO, CD) */
};

struct answer_entry;
struct answers;

void answer_key_of(struct answer_key *key, const struct query *query);
/* Of a name that is lower case already. */
void answer_key_make(struct answer_key *key, const struct question *q, bool dnssec_ok, bool cd);

struct answers *answers_new(size_t bytes);
void answers_free(struct answers *cache);
/* Forgets everything. */
void answers_clear(struct answers *cache);
/* NULL when there is none that has not expired. */
const struct answer_entry *answers_get(struct answers *cache, const struct answer_key *key, uint32_t now_s);
/* A copy, in place of what was there; not where the TTL is 0. */
void answers_put(struct answers *cache, const struct answer_key *key, const struct answer_wire *answer, uint32_t now_s);

/* Whether the question was noted before, not too many others ago, and notes it. Most names are asked for once: what is not
 * asked again needs no second place beside the rrset cache, and does not push out of here what is. May be wrong. */
bool answers_was_asked(struct answers *cache, const struct answer_key *key);

/* For whoever has several questions at once: what answers_get will read for this one is fetched from memory meanwhile.
 * First its place for all of them, then, from there, the entry. */
void answers_fetch_place(const struct answers *cache, const struct answer_key *key);
void answers_fetch_entry(const struct answers *cache, const struct answer_key *key);

/* True once in the life of an entry that is often asked for: its end is near, and somebody should look it up again. */
bool answers_claim_refresh(const struct answer_entry *hit, uint32_t now_s);

/* Writes the answer for this query: its ID, flags, the case of its name, TTLs as left now, the addresses in
 * another order each time, OPT and, where it does not fit `room`, TC. Returns the length; `room` must hold at least 512 bytes. */
size_t answer_fill(
	uint8_t *out, size_t room, const struct answer_entry *entry, const struct query *query, uint32_t now_s);
/* The same for an answer that is not in the cache. */
size_t answer_fill_wire(uint8_t *out, size_t room, const struct answer_wire *answer, const struct query *query);
