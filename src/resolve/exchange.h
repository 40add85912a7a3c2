/* One question to one server address and its reply: a port borrowed, sent, awaited, matched, returned. For resolve/.
 *
 *	struct exchange ex = {.server = &addr, .question = &q, .edns = true, .timeout_us = 400000};
 *	struct message reply;
 *	int ret = exchange_await(rq, &ex, &reply, &rtt_us);
 *
 * What a datagram has to match is resolve/match's to say. The first that does not ends UDP for this exchange: it is
 * asked again over TCP, and nothing is learnt from it. TC goes to TCP too.
 *
 * Standards: RFC 5452, RFC 7766. Ownership: the reply lies in the request's arena. Thread: the request's. */
#pragma once

#include "resolve/request.h"

struct exchange {
	const struct addr *server;
	const struct question *question;
	const uint8_t *zone;       /* whose server it is */
	const struct facts *facts; /* what is known of the server */
	bool edns;
	bool recursive;      /* it is a resolver: asked to recurse */
	uint32_t timeout_us; /* of the try over UDP */
};

/* 0; E_TIMEOUT (silence), E_REFUSED/E_UNREACH/E_CLOSED/E_SYSTEM (it cannot be reached), E_MALFORMED (it answers, but
 * not DNS), E_MISMATCH (forged replies, and TCP did not help: the server is not to blame), E_CROWDED (too many are at
 * this server already: nothing was sent), E_NOPORT, E_BUDGET, E_CANCELED. *rtt_us is 0 when the reply was another request's or came over TCP. */
int exchange_await(struct request *rq, const struct exchange *ex, struct message *reply, uint32_t *rtt_us)
	__attribute__((warn_unused_result));
