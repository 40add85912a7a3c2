/* Resolution as the daemon sees it: a question goes in, a finished answer comes out.
 *
 *	struct resolver *resolver = resolver_new(&conf);
 *	resolver_configure(resolver, &hints, &options);
 *	struct waiter waiter = {.on_answer = on_answer};
 *	resolver_ask(resolver, &ask, &waiter);             on_answer is called once, later or at once
 *
 * Identical questions share one lookup. A resolver is one worker's; caches and the port space behind it are shared.
 * Ownership: the waiter is the caller's until on_answer; the answer is the lookup's and gone after on_answer.
 * Thread: the worker's. resolver_ask never suspends; lookups run on fibers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "cache/answers.h"
#include "cache/facts.h"
#include "cache/rrcache.h"
#include "net/loop.h"
#include "ports/pool.h"
#include "resolve/hints.h"
#include "resolve/story.h"

/* Which addresses of servers a delegation may bring. */
enum glue {
	GLUE_BAILIWICK, /* those whose names lie in the zone that was asked */
	GLUE_VERIFIED, /* of them, at first, those within the delegated zone: the others are looked up, and used when that fails */
	GLUE_ANY, /* the others too, for that delegation alone: zones whose servers lie in each other can be had so only */
};

/* What changes with the configuration; a copy is taken by every request when it begins. */
struct resolve_options {
	bool minimise, ipv4, ipv6;
	bool query_loopback; /* upstream addresses in 127/8 and ::1 are allowed: for labs */
	bool query_private;  /* those of private networks too, whoever names them */
	enum glue glue;
	bool stale;        /* what has expired is given where nothing better can be had (RFC 8767) */
	bool nxdomain_cut; /* a name that does not exist has none below it (RFC 8020), though nobody proves it */
	bool priming;      /* the root's servers are asked who they are (RFC 9609) */
	uint16_t nsec3_iterations; /* with more, a denial by NSEC3 counts as unsigned */
	bool sentinel;             /* RFC 8509 */
	bool sha1;                 /* signatures and digests with SHA-1 count */
	struct routes *routes;     /* zones for which the operator says whom to ask; NULL: none */
	struct anchors *anchors;   /* of the chain of trust; NULL: nothing is validated */
};

enum { RESOLVER_LOAN_USER = 32 }; /* user bytes that the pool's loans must have */

struct anchors;
struct denials;
struct inflight;
struct routes;

struct resolver_conf {
	struct loop *loop;
	struct rrcache *rrcache;
	struct denials *denials;
	struct facts_table *facts;
	struct inflight *inflight;
	struct pool *pool;
};

struct ask {
	struct question question;
	bool dnssec_ok, cd;
	bool fresh;   /* as if nothing were cached; not shared with others */
	bool refresh; /* as if what will expire soon had: it is asked for again before anybody has to wait */
	bool story;   /* tell it; not shared with others */
};

/* What a waiter gets; good only during on_answer. */
struct outcome {
	const struct answer *answer;
	const struct answer_wire *wire;
	const struct answer_key *key;
	const struct story *story; /* NULL unless asked for */
	bool is_known;             /* no server had to be asked */
	struct arena *arena;       /* of the lookup: scratch for the callback */
	uint64_t elapsed_us;
};

struct waiter {
	struct link link;
	void (*on_answer)(struct waiter *waiter, const struct outcome *outcome);
};

struct resolver;

struct resolver *resolver_new(const struct resolver_conf *conf);
/* All lookups end now: their waiters get SERVFAIL. */
void resolver_free(struct resolver *resolver);
/* At once after resolver_new, and whenever the configuration changes; both are copied, and
 * the routes referred to. */
void resolver_configure(struct resolver *resolver, const struct hints *hints, const struct resolve_options *options);

/* Other trust anchors, for requests that begin from now on. */
void resolver_trust(struct resolver *resolver, struct anchors *anchors);

/* What failed a moment ago is tried again: whom to ask has changed. */
void resolver_forget(struct resolver *resolver);

/* 0, or E_BUSY: too many lookups, or too many waiting for this one; then on_answer is not called. */
int resolver_ask(struct resolver *resolver, const struct ask *ask, struct waiter *waiter)
	__attribute__((warn_unused_result));
size_t resolver_running(const struct resolver *resolver);
/* Loans whose question was given up and whose port waits for the late reply. */
size_t resolver_lingering(const struct resolver *resolver);
/* Questions that wait for a port because ports.max are lent. */
size_t resolver_waiting(const struct resolver *resolver);

/* The question of a loan's tag, as resolution writes it; returns out. */
const char *loan_tag_text(const struct loan_tag *tag, char *out, size_t size);
