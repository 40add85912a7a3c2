/* A zone cut while it is being asked: the zone, its name servers, the addresses known of them. For resolve/ only.
 *
 *	struct cut cut;
 *	cut_closest(&cut, rq, q);                        from the cache, or the root's hints
 *	cut_from_referral(&cut, rq, &reply, child_ns);   one step down
 *
 * Copies in the request's arena: a cut outlives any change of the cache. Thread: the request's. Never suspends. */
#pragma once

#include "resolve/request.h"

#include "base/limits.h"

struct cut_server {
	const uint8_t *name;
	bool looked_up; /* its addresses have been looked for, with or without success */
};

struct cut_address {
	struct addr addr;
	uint32_t cost_us; /* what asking it may take, as far as is known; 0: not looked at yet */
	uint8_t tries;
	bool is_deaf; /* it has been silent for long */
	bool is_liar; /* what it said was bogus */
	bool dropped; /* not asked again for this question */
	bool no_edns;
	bool no_edns_shown; /* by a reply with the question in it */
};

struct cut {
	const uint8_t *zone;
	uint32_t expire_s; /* wall clock; what it refers to lives no longer (ghost domains) */
	uint32_t age_s;    /* in the cache; 0: just told by its parent */
	bool unrouted;     /* the operator's servers have failed and are not looked at again */
	bool is_told;      /* by the operator (resolve/routes): */
	bool recursive;    /* its servers resolve, and their answer is final */
	bool first;        /* where they fail, the zone's own are looked for */
	struct cut_server server[LIMIT_CUT_SERVERS];
	unsigned servers;
	unsigned lookups;  /* for addresses of its servers, so far */
	unsigned refusals; /* of its servers, to answer the question that is asked now */
	struct cut_address address[LIMIT_CUT_ADDRESSES];
	unsigned addresses;
};

/* Whom the operator names for the question's zone, else the closest enclosing delegation that is known. For DS the search
 * begins above the name: the parent answers (RFC 4035 3.1.4.1). */
void cut_closest(struct cut *cut, struct request *rq, const struct question *q);
/* The same as if the operator had said nothing. */
void cut_closest_unrouted(struct cut *cut, struct request *rq, const struct question *q);
/* The closest one above the cut's zone. */
void cut_above(struct cut *cut, struct request *rq);
/* The root as the hints give it. */
void cut_from_hints(struct cut *cut, const struct request *rq);
/* The child zone named by the NS rrset `ns` of a reply from `cut->zone`'s servers, with the reply's glue that lies in
 * that zone's bailiwick; stores the delegation in the cache, of a huge set LIMIT_CUT_SERVERS random servers. */
void cut_descend(struct cut *cut, struct request *rq, const struct message *reply, const struct rrset *ns);
/* Whether the cut is the root as the hints give it: nothing better is known yet. */
static inline bool cut_is_hints(const struct cut *cut)
{
	return name_is_root(cut->zone) && cut->servers == 0 && !cut->is_told;
}
/* Adds the addresses that delegations gave for its servers, whatever those say themselves: the last resort, where parent
 * and child differ. False when there is none that has not been asked. */
bool cut_add_glue(struct cut *cut, struct request *rq);
/* Whether the address is good for another try at the question that is asked now. */
bool cut_can_ask(const struct cut_address *address);
/* How many questions its servers are sent for the sake of one. */
unsigned cut_tries(const struct cut *cut);
/* Takes one of the few lookups of its servers' addresses that a question may cause; false: there is none left. */
bool cut_take_lookup(struct cut *cut);
/* Counts a server that said no; false: so many have that the others need not be asked. */
bool cut_take_refusal(struct cut *cut);
/* Whether it is so old that, when all its servers fail, its parent is asked whether the zone has moved. */
bool cut_may_have_moved(const struct cut *cut);
/* Gives a few of the dropped addresses another chance, for another question. */
void cut_revive(struct cut *cut, unsigned count);
/* Adds the addresses of a server's A or AAAA rrset, as far as they may be asked. */
void cut_add_addresses(struct cut *cut, const struct request *rq, const struct rrset *set);
