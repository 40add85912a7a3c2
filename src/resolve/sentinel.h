/* Root key sentinels (RFC 8509): names by which anybody can see, through a resolver, whether it trusts a key of the root.
 * For resolve/ only. Thread: the request's. Never suspends. */
#pragma once

#include "resolve/request.h"

/* Whether the answer, good as it is, has to become SERVFAIL for what the question's first label asks. */
bool sentinel_says_no(const struct request *rq, const struct answer *answer);
