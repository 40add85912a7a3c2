/* Hashes of names for one denial, each computed once and counted.
 *
 *	if (!nsec3_hash_of(hash, denial, name))
 *		return DENIED_TOO_DEAR;
 *
 * Thread: any; what was hashed is remembered by the thread, and found again only under the same parameters. */
#pragma once

#include "dns/denial.h"

/* False when the denial has had its DENIAL_HASHES_MOST. */
bool nsec3_hash_of(uint8_t out[static NSEC3_HASH], struct denial *denial, const uint8_t *name)
	__attribute__((warn_unused_result));
/* A new denial begins: so that what it costs does not hang on what came before. */
void nsec3_hash_forget(void);
