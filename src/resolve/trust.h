/* How a zone stands in the chain of trust: from the closest anchor, or what is proved already, down to it. For resolve/
 * only.
 *
 *	struct trust trust;
 *	int ret = trust_of_zone_await(rq, frame, signer, NULL, &trust);      who has signed something
 *	int ret = trust_above_await(rq, frame, name, &trust);                nobody has: ought somebody have?
 *
 * Both find that a zone is secure, and then its keys; insecure, as its parent proves; bogus, and rq->verdict says why; or
 * indeterminate, where no anchor is above. Outcomes are kept in the shared cache, so that each signature is checked once
 * in its life. Errors: E_BUDGET, E_TIMEOUT, E_CANCELED, and E_NOSERVER and the like where a link cannot be had.
 * Standards: RFC 4035 5, RFC 6840. Thread: the request's. */
#pragma once

#include "resolve/lookup.h"
#include "resolve/verify.h"

/* Of a zone of that name. `offered`: its DNSKEY rrset where that is there already, not checked; or NULL. */
int trust_of_zone_await(struct request *rq, const struct frame *frame, const uint8_t *zone, const struct rrset *offered,
	struct trust *out) __attribute__((warn_unused_result));
/* Of the zone in which the name lies, found by asking for the DS of each name from the anchor down. */
int trust_above_await(struct request *rq, const struct frame *frame, const uint8_t *name, struct trust *out)
	__attribute__((warn_unused_result));
