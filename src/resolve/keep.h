/* What of a lookup goes into the shared cache, and as what. For resolve/ only.
 *
 *	keep_found(rq, q, &found);               once it is known how far it can be trusted
 *	keep_referral(rq, &cut, msg, ns->owner);
 *
 * Thread: the request's. Never suspends. */
#pragma once

#include "resolve/lookup.h"

/* Stores what was found for q, with its security: bogus for a short time, and as such. Not what has to stay with this
 * request alone: what a forwarder was asked to say unchecked, and what crosses a route of the operator's. */
void keep_found(struct request *rq, const struct question *q, const struct found *found);
/* Stores an rrset that came along, unchecked. */
void keep_set(struct request *rq, const struct question *q, const struct rrset *set);
/* Stores what a referral from `zone`'s servers says of the child's DS, for ttl_s at most: the records, or the proof that
 * there are none. */
void keep_ds(struct request *rq, const uint8_t *zone, const struct message *msg, const uint8_t *child, uint32_t ttl_s);
/* The NSEC and NSEC3 rrsets of the authority section within the zone: at most LIMIT_PROOFS, in the arena. */
uint16_t keep_proofs(struct request *rq, const uint8_t *zone, const struct message *msg, const struct rrset ***out);
