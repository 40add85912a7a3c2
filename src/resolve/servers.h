/* Asking a zone: which of its servers, how long to wait, when to give up. For resolve/ only.
 *
 *	struct reply reply;
 *	int ret = servers_ask_await(rq, frame, &cut, &q, &reply);
 *
 * Thread: the request's. */
#pragma once

#include "resolve/cut.h"
#include "resolve/reply.h"

struct reply {
	struct message msg;
	struct addr from;
	enum reply_kind kind; /* never EMPTY, LAME, FAILED or NO_EDNS: those servers are passed over */
};

/* 0; E_NOSERVER when no server of the zone gave a useful reply; E_BUDGET, E_TIMEOUT (the client's time is up),
 * E_CANCELED, E_NOPORT. */
int servers_ask_await(struct request *rq, const struct frame *frame, struct cut *cut, const struct question *q,
	struct reply *out) __attribute__((warn_unused_result));
