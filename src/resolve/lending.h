/* How an exchange comes by its port and gives it back: within the share of its server and zone, waiting its turn when
 * all are out, leaving the port behind for a late reply when it was silent. For resolve/ only.
 *
 *	struct borrowed b;
 *	int ret = lending_borrow_await(rq, ex, TRANSPORT_UDP, &b);
 *	if (ret == 0) {
 *		...; ret = fiber_wait_await(until_us);        woken when a datagram is there
 *		lending_return(rq->resolver, &b, LOAN_REPLY);
 *	}
 *
 * Ownership: what is borrowed is the exchange's until it is returned. Thread: the request's. */
#pragma once

#include "base/list.h"
#include "net/loop.h"
#include "ports/pool.h"

struct exchange;
struct given_up;
struct match;
struct request;
struct resolver;

enum { SHARES = 8192 };

/* One worker's. Part of struct resolver. */
struct lending {
	struct link queue; /* exchanges that wait for a loan, in the order in which they came */
	unsigned queued;
	struct link lingering; /* loans whose question timed out, the oldest first */
	unsigned lingering_count;
	struct given_up *given_up; /* [LIMIT_GIVEN_UP], the last ones that could not linger */
	unsigned given_up_next;
	struct timer timer;                          /* the next linger's end, or the pool's housekeeping */
	uint16_t of_server[SHARES], of_zone[SHARES]; /* loans by hash; two that meet share one share */
};

struct borrowed {
	struct loan *loan;
	uint16_t server_at, zone_at; /* in the shares */
};

void lending_init(struct resolver *resolver);
void lending_deinit(struct resolver *resolver);
/* 0; E_CROWDED: server or zone hold their share; E_NOPORT, also when none became free in time; E_UNREACH, E_SYSTEM,
 * E_CANCELED. A datagram on a loan over UDP wakes the fiber. */
int lending_borrow_await(struct request *rq, const struct exchange *ex, enum transport transport, struct borrowed *out)
	__attribute__((warn_unused_result));
void lending_return(struct resolver *resolver, struct borrowed *borrowed, enum loan_outcome outcome);
/* The question timed out: the port waits in the dark, and a late reply teaches how slow the server is. */
void lending_linger(struct resolver *resolver, struct borrowed *borrowed, const struct match *match, uint64_t sent_us);
/* Whether a datagram that does not match is the late reply to a question that was given up on the same port to the same
 * server: nobody else's, and no reason to be alarmed. Teaches the time it took. */
bool lending_is_late(struct resolver *resolver, const struct loan *loan, const uint8_t *wire, size_t len);
