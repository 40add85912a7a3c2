/* One client request while it is resolved, and what its functions share. For resolve/ only.
 *
 * Lifetime: from resolver_ask to the last waiter's answer; everything found lies in its arena. Thread: the worker's. */
#pragma once

#include "base/limits.h"
#include "dns/message.h"
#include "dns/signature.h"
#include "resolve/budget.h"
#include "resolve/failures.h"
#include "resolve/inflight.h"
#include "resolve/lending.h"
#include "resolve/resolver.h"
#include "resolve/story.h"
#include "resolve/upstreams.h"

struct resolver {
	struct resolver_conf conf;
	struct hints hints;
	struct resolve_options options;
	struct lending lending;
	struct keyring *keyring;
	struct cuts *cuts; /* where lookups begin */
	struct upstreams upstreams;
	struct failures failures; /* lookups that failed a moment ago */
	struct link jobs;
	size_t job_count;
	struct job **bucket;           /* running lookups by question */
	uint64_t no_route_until_us[2]; /* of IPv4 and IPv6: this machine had none a moment ago */
	uint64_t anchor_told_until_us;
	uint64_t primed_until_us; /* the root's servers are not asked for again before */
	size_t bytes;             /* in the arenas of all requests, as last looked at */
};

/* Why something is bogus, or not proved. */
struct verdict {
	int ede; /* enum ede */
	const char *why;
	bool elsewhere; /* the chain down to the zone is good: another of its servers may have better */
};

/* A lookup within a lookup: who asks for what, up to the client's question. */
struct frame {
	const struct frame *parent;
	const struct question *question;
	unsigned depth;
	bool afresh;      /* not from the cache: what is there is no good */
	unsigned aliases; /* that led from the first question of this lookup to this one */
};

struct request {
	struct resolver *resolver;
	struct arena arena;
	struct budget budget;
	const struct question *question; /* the client's */
	struct resolve_options options;  /* as they were when the request began */
	bool fresh;
	bool refresh;     /* what will expire soon is asked for again */
	bool stale;       /* what has expired is good enough; */
	bool found_stale; /* and such was found */
	bool cd;          /* the client checks by itself */
	unsigned depth;   /* of the lookup that runs now: above 0 for addresses of servers */
	size_t counted;   /* bytes of the arena that resolver->bytes knows of */
	struct verdict verdict;
	struct addr avoid[LIMIT_AVOIDED]; /* servers whose word was bogus */
	unsigned avoided;
	unsigned checks;     /* of signatures since others had their turn */
	unsigned links;      /* of the chain of trust that wait for each other now */
	struct story *story; /* NULL: not told */
	struct join *join;   /* the flight of another that is waited for now */
};

static inline uint64_t request_now_us(const struct request *rq)
{
	return rq->resolver->conf.loop->now_us;
}

/* Spends from the request's budget, its memory and the worker's included. */
int request_take(struct request *rq, enum budget_line line) __attribute__((warn_unused_result));
/* What was taken has not been used. */
void request_give_back(struct request *rq, enum budget_line line);
