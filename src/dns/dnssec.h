/* The records of DNSSEC as structs, and what of their algorithms this house can do. Pure functions.
 *
 *	struct dnskey key;
 *	if (dnskey_read(&key, rrset_rdata(keys, i)) == 0 && dnskey_may_sign(&key)) ...
 *
 * What is read points into the rdata, but for names, which are lower-case copies in the arena. Every byte is hostile:
 * bounds first. Standards: RFC 4034, 5702, 6605, 8080, 8624, 3658. Thread: any. Never suspends. */
#pragma once

#include "dns/rrset.h"

enum {
	DNSKEY_ZONE = 0x0100,   /* RFC 4034 2.1.1: the only keys that may sign */
	DNSKEY_REVOKE = 0x0080, /* RFC 5011 */
	DNSKEY_SEP = 0x0001,
};

enum { DIGEST_SHA1 = 1 };

struct dnskey {
	uint16_t flags, tag;
	uint8_t protocol, algorithm;
	const uint8_t *key;
	uint16_t key_len;
	const knot_rdata_t *rdata; /* whole */
};

struct ds {
	uint16_t tag;
	uint8_t algorithm, digest_type;
	const uint8_t *digest;
	uint16_t digest_len;
};

struct rrsig {
	uint16_t covered, tag;
	uint8_t algorithm, labels;
	uint32_t original_ttl_s, expires_s,
		begins_s;      /* wall clock in 32 bits: compared by serial arithmetic (RFC 1982) */
	const uint8_t *signer; /* lower case */
	const uint8_t *signature;
	uint16_t signature_len;
	const knot_rdata_t *rdata; /* whole */
};

/* 0, or E_MALFORMED. */
int dnskey_read(struct dnskey *out, const knot_rdata_t *rdata) __attribute__((warn_unused_result));
int ds_read(struct ds *out, const knot_rdata_t *rdata) __attribute__((warn_unused_result));
int rrsig_read(struct rrsig *out, struct arena *arena, const knot_rdata_t *rdata) __attribute__((warn_unused_result));

/* A zone's key, of protocol 3, not revoked. */
bool dnskey_may_sign(const struct dnskey *key);

/* Algorithms 5, 7, 8, 10, 13, 14, 15, 16; those with SHA-1 (5, 7) only with sha1, and all only where the library has
 * them: the first call finds out, which takes some milliseconds and is better made at start. Others are unknown here:
 * what is signed by nothing else counts as unsigned (RFC 4035 5.2). */
bool algorithm_is_supported(uint8_t algorithm, bool sha1);
/* Digest types 1 (SHA-1; the same), 2 and 4. */
bool digest_is_supported(uint8_t digest_type, bool sha1);
/* "ECDSAP256SHA256", "algorithm 77"; returns out. */
enum { ALGORITHM_TEXT = 24 };
const char *algorithm_text(uint8_t algorithm, char out[static ALGORITHM_TEXT]);

/* Whether the digest is the key's (RFC 4034 5.1.4): tag, algorithm and digest fit; owner is lower case. */
bool ds_is_of(const struct ds *ds, const uint8_t *owner, const struct dnskey *key);
