/* Proofs of what does not exist, found again by any name that they deny (RFC 8198): NSEC and NSEC3 records of signed
 * zones, kept in order. It is an index only: whether what it finds proves anything, dns/denial says each time.
 *
 *	denials_put(denials, zone, nsec);                      records whose signatures are good, and the zone's SOA
 *	struct denials_found found;
 *	if (denials_find(denials, &arena, name, false, &found) == 0) {
 *		denial_init(&denial, found.zone, found.set, found.count);
 *		if (denial_of_name(&denial, name) == DENIED) ...
 *	}
 *
 * Shared by all workers. Strict in bytes, everything counted; the zones used least recently go first, and within a zone that
 * takes more than its share the records of it. Ages follow the wall clock. Of NSEC3 only the newest parameters of a zone
 * (algorithm, iterations, salt) are kept, and none with more than DENIALS_ITERATIONS iterations, nor with opt-out: that
 * proves too little (RFC 8198 5.2 wants no more). Records that an NSEC or NSEC3 of the parent's side of a cut has (NS
 * without SOA) are kept, for DS. Ownership: callers get copies in the arena. Thread: any; a lock is held only while
 * copying. Never suspends. Standards: RFC 8198, RFC 4034 6.1, RFC 5155. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/rrset.h"

enum {
	DENIALS_FOUND = 4,       /* records that prove any denial by NSEC3; two do by NSEC */
	DENIALS_ITERATIONS = 50, /* hashing must stay cheaper than asking */
};

struct denials;

struct denials *denials_new(size_t bytes);
void denials_free(struct denials *denials);
/* The limit takes effect with the next put. */
void denials_configure(struct denials *denials, size_t bytes);
void denials_clear(struct denials *denials);

/* Keeps an NSEC, NSEC3 or SOA rrset of the zone for its TTL; signatures included. Others, and broken ones, are passed
 * over. An NSEC record that was there with the same owner is replaced; one that a new record contradicts (its owner lies
 * in the new one's span) is dropped. */
void denials_put(struct denials *denials, const uint8_t *zone, const struct rrset *set);

/* What was found: copies, TTLs as left now. */
struct denials_found {
	const uint8_t *zone;
	const struct rrset *set[DENIALS_FOUND];
	uint16_t count;
	const struct rrset *soa; /* NULL when it is not known, or not any more */
};

/* The records of the deepest zone at or above the name (`above`: truly above it, for DS) that may deny the name, a type of
 * it or a closer name than a wildcard's: for NSEC the record at or before the name, and the one at or before the wildcard
 * at the closest encloser that the first one shows; for NSEC3 those that match or cover the closest encloser, the next
 * closer name and the wildcard. Each at most once. 0, or E_NOENT: nothing of use. */
int denials_find(struct denials *denials, struct arena *arena, const uint8_t *name, bool above,
	struct denials_found *out) __attribute__((nonnull, warn_unused_result));

struct denials_state {
	uint64_t zones, records, bytes, limit;
};
void denials_state(struct denials *denials, struct denials_state *out);
