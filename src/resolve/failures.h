/* Lookups that failed a moment ago, so that a broken zone is not asked again for every client (RFC 9520 3.2), whatever
 * flags the client sets and whichever worker hears it. For resolve/ only.
 *
 *	failures_note(&failures, &q, cd, &(struct failure){.error = E_NOSERVER}, now_us);
 *	const struct failure *failure = failures_find(&failures, &q, cd, now_us);
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
	int error;     /* 0: bogus, */
	char why[128]; /* in words; or empty */
	int ede;       /* and that is why */
};

struct failures {
	struct failure slot[FAILURES];
};

/* `cd`: of a client that checks by itself; what fails without may not fail with it (RFC 6840 5.9). */
void failures_note(
	struct failures *failures, const struct question *q, bool cd, const struct failure *what, uint64_t now_us);
/* NULL: it did not fail a moment ago. Good until the next note. */
const struct failure *failures_find(
	const struct failures *failures, const struct question *q, bool cd, uint64_t now_us);
/* As if nothing had failed. */
void failures_clear(struct failures *failures);
