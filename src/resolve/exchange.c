/* Decides what counts as the reply to a question, and when a question goes over TCP. */
#include "resolve/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "cache/facts.h"
#include "net/fiber.h"
#include "resolve/lending.h"
#include "resolve/match.h"

enum { RECEIVE_MAX = 4096 };

/* One try: what was sent and what came back. */
struct attempt {
	struct request *rq;
	const struct exchange *ex;
	struct borrowed borrowed;
	struct match match;
	uint16_t port; /* for the story, told afterwards */
	uint64_t sent_us;
	uint8_t *wire;
	size_t len;
	uint32_t rtt_us;
	struct message *reply;
};

/* --- UDP --- */

static int send_question(struct attempt *at)
{
	uint8_t wire[MESSAGE_QUERY_MAX];
	size_t len = match_write(&at->match, wire);
	at->sent_us = clock_mono_us();
	int fd = at->borrowed.loan->fd;
	/* The first may only fetch an error that an ICMP message left there. */
	if (send(fd, wire, len, MSG_NOSIGNAL) != (ssize_t)len && send(fd, wire, len, MSG_NOSIGNAL) != (ssize_t)len)
		return error_of_errno(errno);
	counters_add(COUNT_UPSTREAM_UDP, 1);
	return 0;
}

/* Takes what has arrived. 0: the reply; E_MISMATCH; E_NOENT: nothing yet; else the socket's error. */
static int receive(struct attempt *at)
{
	static _Thread_local uint8_t buffer[RECEIVE_MAX];
	enum datagram kind;
	ssize_t got = loan_receive(at->borrowed.loan, buffer, sizeof(buffer), &kind);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? E_NOENT : error_of_errno(errno);
	if (kind == DATAGRAM_FOREIGN)
		return E_NOENT; /* it came before the socket was connected, from somebody else: no guess at this question */
	if (kind != DATAGRAM_WHOLE || (size_t)got > sizeof(buffer)) {
		counters_add(COUNT_UPSTREAM_FRAGMENTED, kind == DATAGRAM_FRAGMENTED);
		return E_MISMATCH;
	}
	at->wire = arena_copy(&at->rq->arena, buffer, (size_t)got);
	at->len = (size_t)got;
	int ret = match_accept(&at->match, TRANSPORT_UDP, at->wire, at->len, at->reply);
	if (ret == 0)
		at->rtt_us = (uint32_t)(clock_mono_us() - at->sent_us);
	if (ret == E_MISMATCH && lending_is_late(at->rq->resolver, at->borrowed.loan, buffer, (size_t)got))
		return E_NOENT;
	return ret;
}

/* No try goes on beyond the client's own deadline. */
static uint64_t within_budget(const struct attempt *at, uint64_t until_us)
{
	return until_us < at->rq->budget.deadline_us ? until_us : at->rq->budget.deadline_us;
}

/* An ICMP error is a hint, never a verdict: whoever guesses the port can forge one (RFC 5927). The true reply is
 * waited for a little longer, then somebody else is asked. */
static uint64_t hinted_until_us(const struct attempt *at)
{
	uint64_t wait_us = 2ull * at->ex->facts->srtt_us;
	if (wait_us == 0 || wait_us > LIMIT_HINT_MS * 1000ull)
		wait_us = LIMIT_HINT_MS * 1000ull;
	return clock_mono_us() + wait_us;
}

static int receive_await(struct attempt *at)
{
	uint64_t until_us = within_budget(at, at->sent_us + at->ex->timeout_us);
	bool hinted = false;
	for (;;) {
		int ret = fiber_wait_await(until_us);
		if (ret == E_TIMEOUT && hinted)
			return E_REFUSED;
		if (ret == 0)
			ret = receive(at);
		if (ret == 0 || ret == E_MISMATCH || ret == E_MALFORMED || ret == E_TIMEOUT || ret == E_CANCELED)
			return ret;
		if (ret == E_NOENT || hinted)
			continue;
		hinted = true;
		counters_add(COUNT_UPSTREAM_ICMP, 1);
		if (hinted_until_us(at) < until_us)
			until_us = hinted_until_us(at);
	}
}

static enum loan_outcome loan_outcome_of(int ret)
{
	switch (ret) {
	case 0: return LOAN_REPLY;
	case E_TIMEOUT: return LOAN_TIMEOUT;
	case E_MISMATCH: return LOAN_MISMATCH;
	case E_CANCELED: return LOAN_CANCELED;
	default: return LOAN_ERROR;
	}
}

static int try_udp_await(struct attempt *at)
{
	int ret = lending_borrow_await(at->rq, at->ex, TRANSPORT_UDP, &at->borrowed);
	if (ret != 0)
		return ret;
	at->port = at->borrowed.loan->port;
	ret = send_question(at);
	if (ret == 0)
		ret = receive_await(at);
	if (ret == E_TIMEOUT)
		lending_linger(at->rq->resolver, &at->borrowed, &at->match, at->sent_us);
	else
		lending_return(at->rq->resolver, &at->borrowed, loan_outcome_of(ret));
	/* Silence counts once, by who sent, and only when the whole time was waited for. */
	if (ret == E_TIMEOUT && clock_mono_us() - at->sent_us >= at->ex->timeout_us)
		facts_note_silence(at->rq->resolver->conf.facts, at->ex->server);
	return ret;
}

/* --- TCP --- */

static int try_tcp_await(struct attempt *at)
{
	struct tcp_talk talk = {.rq = at->rq,
		.ex = at->ex,
		.match = &at->match,
		.deadline_us = within_budget(at, request_now_us(at->rq) + LIMIT_TCP_MS * 1000ull)};
	int ret = upstreams_ask_await(&talk);
	at->port = talk.port;
	at->wire = talk.wire;
	at->len = talk.len;
	at->rtt_us = 0;
	return ret == 0 ? match_accept(&at->match, TRANSPORT_TCP, at->wire, at->len, at->reply) : ret;
}

/* --- the story --- */

static struct story_event *tell(struct attempt *at, enum story_kind kind, enum transport transport, const char *text)
{
	struct request *rq = at->rq;
	if (rq->story == NULL)
		return NULL;
	struct story_event *event = story_add(rq->story, kind, clock_mono_us(), "%s", text);
	if (event == NULL)
		return NULL;
	char question[NAME_TEXT + TYPE_TEXT];
	question_text(at->ex->question, question, sizeof(question));
	event->server = *at->ex->server;
	event->transport = transport;
	event->question = arena_copy(&rq->arena, question, strlen(question) + 1);
	return event;
}

/* The port is added afterwards: while it is lent it is a secret. */
static void tell_end(struct attempt *at, struct story_event *asked, enum transport transport, int ret)
{
	enum story_kind kind = STORY_ERROR;
	if (ret == 0)
		kind = STORY_REPLY;
	else if (ret == E_TIMEOUT)
		kind = STORY_TIMEOUT;
	else if (ret == E_MISMATCH)
		kind = STORY_MISMATCH;
	const char *text = ret == 0 ? "" : error_text(ret);
	if (ret == E_REFUSED && transport == TRANSPORT_UDP)
		text = "nobody listens there (ICMP)";
	struct story_event *event = tell(at, kind, transport, text);
	if (asked != NULL)
		asked->port = at->port;
	if (event == NULL)
		return;
	event->port = at->port;
	event->rtt_us = (uint32_t)(clock_mono_us() - at->sent_us);
}

/* --- an exchange --- */

static void count(int ret)
{
	switch (ret) {
	case 0: counters_add(COUNT_UPSTREAM_REPLIES, 1); break;
	case E_TIMEOUT: counters_add(COUNT_UPSTREAM_TIMEOUTS, 1); break;
	case E_MISMATCH: counters_add(COUNT_UPSTREAM_MISMATCHED, 1); break;
	case E_MALFORMED: counters_add(COUNT_UPSTREAM_MALFORMED, 1); break;
	case E_CANCELED:
	case E_CROWDED:
	case E_NOPORT: break;
	default: counters_add(COUNT_UPSTREAM_ERRORS, 1); break;
	}
}

static int try_await(struct attempt *at, enum transport transport)
{
	int ret = request_take(at->rq, BUDGET_QUESTION);
	if (ret != 0)
		return ret;
	struct story_event *asked = tell(at, STORY_ASK, transport, "");
	match_begin(&at->match, at->rq, at->ex);
	at->sent_us = clock_mono_us();
	ret = transport == TRANSPORT_UDP ? try_udp_await(at) : try_tcp_await(at);
	if ((ret == E_UNREACH && transport == TRANSPORT_UDP) || ret == E_CROWDED)
		request_give_back(at->rq, BUDGET_QUESTION); /* nothing left the machine */
	count(ret);
	tell_end(at, asked, transport, ret);
	return ret;
}

/* Somebody guessed at the port, or a middlebox meddled. Several times within a minute: the server is asked over TCP
 * only for a while, and the operator is told once. */
static void note_mismatch(struct attempt *at)
{
	char server[ADDR_TEXT];
	if (facts_note_mismatch(at->rq->resolver->conf.facts, at->ex->server))
		log_warning("forged or broken replies in the name of %s: asking it over TCP for %d s",
			addr_text(at->ex->server, server), LIMIT_TCP_ONLY_S);
}

static int over_tcp_await(struct attempt *at, const char *why)
{
	story_add(at->rq->story, STORY_TCP, clock_mono_us(), "%s: asking over TCP", why);
	return try_await(at, TRANSPORT_TCP);
}

/* A forged datagram must not decide anything: not the answer, and not that the server is left out. So where TCP cannot
 * be had either, E_MISMATCH says that the address may be asked again. */
static int send_and_receive_await(struct attempt *at)
{
	if (clock_mono_us() < at->ex->facts->tcp_only_until_us) {
		int ret = over_tcp_await(at, "forged replies were seen lately");
		if (ret == 0 || ret == E_BUDGET || ret == E_CANCELED)
			return ret;
	}
	int ret = try_await(at, TRANSPORT_UDP);
	if (ret == E_MISMATCH) {
		note_mismatch(at);
		ret = over_tcp_await(at, "a datagram that did not match, it may be forged");
		return ret == 0 || ret == E_BUDGET || ret == E_CANCELED ? ret : E_MISMATCH;
	}
	if (ret == E_MALFORMED) {
		/* It matched, and is broken: what comes over TCP is the server's own, whoever broke this one. */
		ret = over_tcp_await(at, "the reply cannot be read");
		return ret == 0 || ret == E_BUDGET || ret == E_CANCELED ? ret : E_MALFORMED;
	}
	if (ret != 0 || !at->reply->tc)
		return ret;
	counters_add(COUNT_UPSTREAM_TRUNCATED, 1);
	if (at->rq->story != NULL && at->rq->story->last != NULL)
		at->rq->story->last->reply = "truncated";
	ret = over_tcp_await(at, "the reply was truncated");
	return ret == E_CROWDED ? E_REFUSED : ret; /* a question was sent: the try counts */
}

/* Somebody else's reply: matched by them, read again into our arena. */
static int join_await(struct attempt *at, struct join *join)
{
	struct request *rq = at->rq;
	counters_add(COUNT_UPSTREAM_MERGED, 1);
	story_add(rq->story, STORY_ASK, clock_mono_us(), "joining the same question that is already at the server");
	rq->join = join;
	int ret = inflight_wait_await(
		rq->resolver->conf.inflight, join, &rq->arena, rq->budget.deadline_us, &at->wire, &at->len);
	rq->join = NULL;
	if (ret == E_BUDGET)
		ret = E_CLOSED; /* the other's budget, not ours: a failed try */
	if (ret == 0 && match_read_again(&rq->arena, at->wire, at->len, at->reply) != 0)
		ret = E_MALFORMED;
	return ret;
}

int exchange_await(struct request *rq, const struct exchange *ex, struct message *reply, uint32_t *rtt_us)
{
	struct inflight *inflight = rq->resolver->conf.inflight;
	struct loop *loop = rq->resolver->conf.loop;
	const struct question *q = ex->question;
	struct attempt at = {.rq = rq, .ex = ex, .reply = reply};
	struct flight_key key;
	struct flight mine;
	int ret;
	unsigned flags = ex->edns ? FLIGHT_EDNS : 0;
	if (ex->recursive)
		flags |= rq->cd ? FLIGHT_RD | FLIGHT_CD : FLIGHT_RD;
	flight_key_make(&key, ex->server, q->name, q->type, q->rclass, flags);
	struct join *join = inflight_enter(inflight, &key, &mine, loop);
	if (join != NULL) {
		ret = join_await(&at, join);
	} else {
		ret = send_and_receive_await(&at);
		inflight_end(inflight, &mine, ret, at.wire, at.len, loop);
	}
	*rtt_us = at.rtt_us;
	return ret;
}
