/* Questions to servers over TCP: connections are kept for a moment and carry many questions at once (RFC 7766 6.2.1). For
 * resolve/ only.
 *
 *	struct tcp_talk talk = {.rq = rq, .ex = ex, .match = &match, .deadline_us = deadline_us};
 *	int ret = upstreams_ask_await(&talk);
 *	if (ret == 0) use(talk.wire, talk.len);          in the request's arena
 *
 * The first question to a server borrows a port for the connection, which holds it until the connection ends: after
 * LIMIT_UPSTREAM_IDLE_MS without a question, or when the server ends it. Replies may come in any order; which question one
 * belongs to its ID says, so those on one connection are all different. A connection that the server had ended just when it
 * was used again costs one more try.
 * Ownership: one worker's; part of struct resolver. Thread: the worker's. */
#pragma once

#include <stdbool.h>

#include "base/list.h"
#include "ports/ledger.h"

struct exchange;
struct match;
struct request;
struct resolver;

struct upstreams {
	struct link all; /* the most recently used last */
	unsigned count;
};

struct tcp_talk {
	struct request *rq;
	const struct exchange *ex;
	struct match *match; /* its ID may be drawn again */
	uint64_t deadline_us;
	bool alone; /* on a connection of its own, which ends with the reply */
	/* what came of it */
	uint16_t port; /* of the connection; 0: there was none */
	uint8_t *wire;
	size_t len;
};

void upstreams_init(struct upstreams *upstreams);
/* Ends all connections. No fiber that waits for one runs again. */
void upstreams_deinit(struct upstreams *upstreams);
/* 0 with a message that has the question's ID; E_TIMEOUT, E_REFUSED, E_UNREACH, E_CLOSED, E_CROWDED, E_NOPORT, E_SYSTEM,
 * E_CANCELED. */
int upstreams_ask_await(struct tcp_talk *talk) __attribute__((warn_unused_result));
