/* Records in canonical form: the bytes that a signature is made over.
 *
 *	struct signed_data data;
 *	if (canonical_sign_data(&data, arena, set, sig) == 0)
 *		public_key_verify(key, data.wire, data.len, ...);
 *
 * Standards: RFC 4034 3.1.8.1, 6; RFC 6840 5.1. Ownership: what is made lives in the arena. Thread: the arena's owner.
 * Never suspends. */
#pragma once

#include "dns/dnssec.h"

struct signed_data {
	uint8_t *wire;
	size_t len;
};

/* 0, or E_MALFORMED: no records, rdata too short for the names that its type has, fewer labels in the owner than the
 * signature says, or more than LIMIT_SIGNED_BYTES. Takes twice as much of the arena where records have to be put in
 * order anew. */
int canonical_sign_data(struct signed_data *out, struct arena *arena, const struct rrset *set, const struct rrsig *sig)
	__attribute__((warn_unused_result));
