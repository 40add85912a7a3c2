/* Signatures over rrsets: whether one is good. The arithmetic is OpenSSL's.
 *
 *	struct keyring *keyring = keyring_new();                       a worker's: parsed keys are dear
 *	switch (signature_look(&sig, set, now_s)) { case SIGNATURE_WORTH: ... }        costs nothing
 *	if (signature_verify(keyring, &arena, set, &sig, &key) == 0) ...               tens of microseconds
 *
 * Whose key may sign what, and how often one tries, is the chain's business (resolve/chain). Standards: RFC 4034 3.1.8,
 * 6, RFC 4035 5.3, RFC 6840. Ownership: the caller's. Thread: a keyring is one thread's. Never suspends. */
#pragma once

#include "dns/keyring.h"

enum signature_look {
	SIGNATURE_WORTH, /* a try */
	SIGNATURE_WRONG, /* covers another type, has more labels than the owner, or a signer that is not at or above it
			    (or below the wildcard that the labels mean) */
	SIGNATURE_EXPIRED,
	SIGNATURE_EARLY,     /* not valid yet */
	SIGNATURE_BACKWARDS, /* it ends before it begins */
};

/* Everything about a signature that needs no key, at the time now_s (wall clock; RFC 4035 5.3.1). */
enum signature_look signature_look(const struct rrsig *sig, const struct rrset *set, uint32_t now_s);

/* Whether the rrset is what a wildcard was expanded to (RFC 4035 5.3.4): the signature has fewer labels than its owner,
 * a leading asterisk not counted. */
bool signature_is_of_wildcard(const struct rrsig *sig, const struct rrset *set);

/* How long the rrset may be kept, given its signature: the least of its TTL, the original TTL and the time until the
 * signature expires (RFC 4035 5.3.3). */
uint32_t signature_ttl(const struct rrsig *sig, const struct rrset *set, uint32_t now_s);

/* 0: the key has made the signature of exactly these records. E_MISMATCH: it has not. E_MALFORMED: the key, the
 * signature or the records are not of their form, the signed data would be more than LIMIT_SIGNED_BYTES, or the algorithm
 * is not supported. Tag and algorithm are compared first and for free. `scratch` holds the signed data, twice where the
 * records have to be put in order, and gives it back. */
int signature_verify(struct keyring *keyring, struct arena *scratch, const struct rrset *set, const struct rrsig *sig,
	const struct dnskey *key) __attribute__((warn_unused_result));
