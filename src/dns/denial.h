/* NSEC and NSEC3: whether records that a zone has signed prove that a name, or a type of it, does not exist.
 *
 *	struct denial denial;
 *	denial_init(&denial, zone, sets, count);               rrsets whose signatures are good already
 *	switch (denial_of_name(&denial, name)) { case DENIED: ... case DENIED_UNSIGNED: ... case NOT_DENIED: ... }
 *	spent = denial.hashes;
 *
 * `sets` are NSEC and NSEC3 rrsets of the zone; others in it are passed over. NSEC3 of several parameter sets: only those
 * like the first usable one count (RFC 5155 8.2). An NSEC or NSEC3 with the NS bit and without the SOA bit is of the
 * parent's side of a cut: it says nothing of what lies below its owner, nor of types at it but DS (RFC 6840 4.1, 4.4);
 * one with the DNAME bit says nothing of names below (4.1). Names are lower case; rdata is hostile. Standards: RFC 4034
 * 4, RFC 4035 5.4, RFC 5155 8, RFC 6840 4, RFC 9276. Ownership: all is the caller's. Thread: any. Never suspends. */
#pragma once

#include "dns/rrset.h"

enum {
	DENIAL_ITERATIONS_MOST =
		50,              /* RFC 9276 3.2, as a rule: with more, it counts as unsigned, and nothing is hashed */
	DENIAL_HASHES_MOST = 64, /* names hashed for one denial (CVE-2023-50868) */
};

enum denied {
	NOT_DENIED,
	DENIED,
	DENIED_UNSIGNED, /* as far as it is signed: opt-out; there may be an unsigned delegation (RFC 5155 6) */
	DENIED_TOO_DEAR, /* more iterations or hashes than are worth it: counts as unsigned, EDE 27 */
};

struct denial {
	const uint8_t *zone;
	const struct rrset *const *set;
	uint16_t count;
	unsigned hashes; /* done so far */
	bool has_nsec, has_nsec3, too_many_iterations;
	struct {
		uint16_t iterations;
		uint8_t salt_len;
		uint8_t salt[255];
	} nsec3;
};

void denial_init(struct denial *denial, const uint8_t *zone, const struct rrset *const *set, uint16_t count);
/* Before the first question: with up to `most` iterations it is hashed all the same. */
void denial_allow_iterations(struct denial *denial, uint16_t most);

/* Neither the name nor a wildcard that would stand for it exists (NXDOMAIN). Empty non-terminals exist. */
enum denied denial_of_name(struct denial *denial, const uint8_t *name);
/* The name exists without that type and without CNAME, or a wildcard stands for it that has neither (NODATA). For DS the
 * parent's side of the cut is what counts, and never the child's apex; an opt-out span over the name will do
 * (DENIED_UNSIGNED; RFC 5155 8.6). */
enum denied denial_of_type(struct denial *denial, const uint8_t *name, uint16_t type);
/* No name closer than the wildcard's exists: the answer of a signature with so many labels may be for `name`
 * (RFC 4035 5.3.4, RFC 5155 8.8). */
enum denied denial_of_closer(struct denial *denial, const uint8_t *name, unsigned labels);

enum no_ds {
	NO_DS_UNKNOWN,    /* nothing is proved */
	NO_DS_DELEGATION, /* an unsigned delegation, or possibly one: opt-out */
	NO_DS_NO_CUT,     /* the name is there and no cut: NODATA without the NS bit, or an empty non-terminal */
	NO_DS_NO_NAME,    /* the name is not there, nor anything below it */
	NO_DS_TOO_DEAR,
};

/* What a denial of DS at `name`, strictly below the zone's apex, means for the chain of trust (RFC 4035 5.2, RFC 5155
 * 8.9). */
enum no_ds denial_of_ds(struct denial *denial, const uint8_t *name);

/* --- one record, for who keeps them in order (RFC 8198) --- */

/* RFC 4034 6.1. Below 0, 0, above 0. */
int name_compare_canonical(const uint8_t *a, const uint8_t *b);
/* Whether the NSEC at owner with that next name says that `name` is not there. */
bool nsec_covers(const uint8_t *owner, const uint8_t *next, const uint8_t *zone, const uint8_t *name);
/* The type bitmap of an NSEC or NSEC3 rdata; false when it is broken. */
bool nsec_bitmap(const struct rrset *set, const uint8_t **bitmap, uint16_t *len);
bool bitmap_has(const uint8_t *bitmap, uint16_t len, uint16_t type);

struct nsec3 {
	uint8_t algorithm, flags, salt_len, hash_len;
	uint16_t iterations;
	const uint8_t *salt, *next; /* next: hash_len bytes */
};
enum { NSEC3_OPT_OUT = 1, NSEC3_HASH = 20 };
/* 0, or E_MALFORMED. */
int nsec3_read(struct nsec3 *out, const struct rrset *set) __attribute__((warn_unused_result));
/* The hash in the first label of an NSEC3 owner (base32hex). 0, or E_MALFORMED. */
int nsec3_owner_hash(uint8_t out[static NSEC3_HASH], const uint8_t *owner) __attribute__((warn_unused_result));
/* RFC 5155 5: SHA-1, iterations + 1 times. */
void nsec3_hash(uint8_t out[static NSEC3_HASH], const uint8_t *name, const uint8_t *salt, uint8_t salt_len,
	uint16_t iterations);
