/* Names that are never looked up, because the Internet has none of them: what is said of them at once. For resolve/ only.
 *
 *	if (special_find(rq, &q, &found)) ...            localhost, reverse zones of private networks, onion, ...
 *
 * RFC 6303 and 7793 (reverse zones), RFC 6761 (localhost, invalid, test), RFC 7686 (onion), RFC 8375 (home.arpa),
 * RFC 9462 (resolver.arpa), RFC 9476 (alt), RFC 9665 (service.arpa). A route of the operator's for such a name goes first;
 * the DS of such a zone belongs to its parent and is asked for there. Thread: the request's. Never suspends. */
#pragma once

#include "resolve/lookup.h"

/* True with what is to be said; false for any other name. */
bool special_find(struct request *rq, const struct question *q, struct found *out);
