/* The chain of trust: what was found is secure, insecure, indeterminate or bogus (RFC 4033 5, RFC 4035 5). For resolve/
 * only.
 *
 *	int ret = chain_check_await(rq, &frame, &found);
 *	if (ret == 0 && found.security == SECURITY_BOGUS) ...        rq->verdict says why, and whether another server may help
 *
 * The life of a check: who has signed it (verify_signer); how that zone stands (trust_of_zone_await), or when nobody has,
 * whether somebody ought to have (trust_above_await); the signatures (verify_set_await); what denials and wildcards
 * prove (dns/denial). Thread: the request's. */
#pragma once

#include "resolve/lookup.h"

/* Whether a denial has signatures of a zone that could prove it, or nothing is proved anyway. Does not suspend. */
bool chain_may_prove(struct request *rq, const struct question *q, const struct found *found);
/* Sets found->security; what is secure lives no longer than its signatures. 0; E_BUDGET, E_TIMEOUT, E_CANCELED, or why
 * a link of the chain could not be had. */
int chain_check_await(struct request *rq, const struct frame *frame, struct found *found)
	__attribute__((warn_unused_result));
