/* Lookups that failed a moment ago, so that a broken zone is not asked again for every client (RFC 9520 3.2), whatever
 * flags the client sets and whichever worker hears it. For resolve/ only.
 *
 *	failures_note(&failures, &q, E_NOSERVER, now_us);
 *	int ret = failures_find(&failures, &q, now_us, &left_s);         0: none; else the error of then
 *
 * A fixed table: a flood of failures overwrites older ones. Thread: one worker's, the owner of the names. */
#pragma once

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

void failures_note(struct failures *failures, const struct question *q, int error, uint64_t now_us);
int failures_find(const struct failures *failures, const struct question *q, uint64_t now_us, uint32_t *left_s);
