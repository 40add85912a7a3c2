/* One (name, type): through the cache and, where that does not know, through iteration; aliases followed. For resolve/.
 *
 *	struct answer *answer;
 *	int ret = lookup_await(rq, &frame, &answer);
 *
 * Recursion goes only lookup -> iterate -> servers -> lookup of an address, with its depth limited. Ownership: the
 * request's arena. Thread: the request's. */
#pragma once

#include "resolve/cut.h"

/* What a step of a lookup found about one name. */
enum found_kind {
	FOUND_ANSWER,
	FOUND_ALIAS,
	FOUND_TOO_LONG, /* an alias that a DNAME would make of the name, but no name is that long: YXDOMAIN */
	FOUND_NODATA,
	FOUND_NXDOMAIN,
};

struct found {
	const struct found *next; /* of an alias: what the same resolver said of its target; NULL: look for it */
	enum found_kind kind;
	enum security security;
	bool is_cached;   /* it comes from the cache, or from nowhere: special names */
	struct addr from; /* else from that server */
	uint16_t count, proofs;
	const struct rrset **set;   /* the rrset or rrsets; the CNAME, last, after its DNAME; the SOA and its proofs */
	const struct rrset **proof; /* of a positive answer that a wildcard gave */
	const uint8_t *denied;      /* of NXDOMAIN: a name above that the server denied too; or NULL */
};

/* What is known of the question or what servers say of it, not checked, aliases not followed. With frame->afresh from
 * servers alone. Errors as lookup_await. */
int lookup_find_await(struct request *rq, const struct frame *frame, struct found *out)
	__attribute__((warn_unused_result));
/* Asks the server that told this again only when nobody else is left. */
void lookup_avoid(struct request *rq, const struct found *found);
/* What the cache says of the question; false when it does not know. Does not suspend. */
bool lookup_find_cached(struct request *rq, const struct question *q, struct found *out);
/* The answer from what the cache has, expired or not; false when it does not have all of it. Does not suspend. */
bool lookup_stale(struct request *rq, const struct question *q, struct answer *answer);
/* What it says of the names above the question's, down from and with `zone`: one that does not exist has nothing below it
 * (RFC 8020, with resolver.nxdomain-cut), and one with a DNAME makes an alias of it (RFC 6672 5.3.1). Does not suspend. */
bool lookup_find_above(struct request *rq, const struct question *q, const uint8_t *zone, struct found *out);
/* The alias that a DNAME makes of the question's name. */
void lookup_found_dname(struct request *rq, const struct question *q, const struct rrset *dname, struct found *out);
/* Resolves frame->question into *answer: bogus where answer->security says so, with the reason and without records. 0 for every DNS outcome; E_NOSERVER, E_BUDGET, E_TIMEOUT, E_CANCELED,
 * E_NOPORT when there is none. */
int lookup_await(struct request *rq, const struct frame *frame, struct answer *answer)
	__attribute__((warn_unused_result));

/* Adds to the cut what A and AAAA look-ups of a server's name give. 0, E_NOSERVER, or what ends the request. */
int lookup_addresses_await(struct request *rq, const struct frame *frame, struct cut *cut, const uint8_t *name)
	__attribute__((warn_unused_result));
