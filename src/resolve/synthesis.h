/* Answers made from what signed zones have proved before (RFC 8198): that a name or type does not exist, and what a
 * wildcard says of it. For resolve/ only.
 *
 *	synthesis_learn(rq, zone, good.set, good.count);           proofs whose signatures are good
 *	if (synthesis_find(rq, q, &found)) ...                     secure, and nobody was asked
 *
 * Thread: the request's. Never suspends. */
#pragma once

#include "resolve/lookup.h"

void synthesis_learn(struct request *rq, const uint8_t *zone, const struct rrset *const *set, uint16_t count);
/* What a wildcard was expanded to is kept for the other names that it stands for. */
void synthesis_learn_wildcard(struct request *rq, const struct rrset *set, unsigned labels);
/* True: *out says what q is. Only what is secure is made so; nothing where the client checks by itself. */
bool synthesis_find(struct request *rq, const struct question *q, struct found *out);
/* The proofs alone that DS of a name does not exist, for the chain of trust: without the SOA that an answer needs. */
bool synthesis_find_no_ds(struct request *rq, const uint8_t *name, struct found *out);
