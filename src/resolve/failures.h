/* Lookups that failed a moment ago, so that a broken zone is not asked again for every client (RFC 9520 3.2), whatever
 * flags the client sets and whichever worker hears it. For resolve/ only.
 *
 *	failures_note(&failures, &q, cd, E_NOSERVER, now_us);
 *	int ret = failures_find(&failures, &q, cd, now_us, &left_s);         0: none; else the error of then
 *
 * A fixed table: a flood of failures overwrites older ones. Thread: one worker's, the owner of the names. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dns/rrset.h"

enum { FAILURES = 4096 };

struct failure {
	uint64_t hash; /* keyed: nobody can aim at a collision */
	uint64_t until_us;
	int error;
};

struct failures {
	struct failure slot[FAILURES];
};

/* `cd`: of a client that checks by itself; what fails without may not fail with it (RFC 6840 5.9). */
void failures_note(struct failures *failures, const struct question *q, bool cd, int error, uint64_t now_us);
int failures_find(
	const struct failures *failures, const struct question *q, bool cd, uint64_t now_us, uint32_t *left_s);
/* As if nothing had failed. */
void failures_clear(struct failures *failures);
