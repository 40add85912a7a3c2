/* Decides what becomes of a client's query: this is the hot path. A hit in the answer cache is written straight into
 * the outgoing batch; a miss goes to the worker that owns the name and comes back as mail. */
#include "daemon/serve.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/limits.h"
#include "dns/message.h"

/* A query whose answer is being looked up. Belongs to the worker that got it, except while it is at the owner's. */
struct pending {
	struct mail mail;
	struct waiter waiter;
	struct worker *origin, *owner;
	struct peer peer;
	uint64_t begun_us;         /* monotonic */
	bool is_refresh;           /* nobody waits for it: it goes into the answer cache alone */
	struct query query;        /* raw_name points into `name` */
	struct answer_wire answer; /* a copy in one block with its parts; wire NULL: failed */
	uint8_t name[NAME_MAX_LEN];
	uint8_t lower[NAME_MAX_LEN];
};

/* Who gets an answer that is only kept. */
static const struct peer nobody;

static size_t room_for(const struct peer *peer, const struct query *query, size_t room)
{
	size_t most = query->udp_size < LIMIT_UDP_PAYLOAD ? query->udp_size : LIMIT_UDP_PAYLOAD;
	if (peer->room_max > LIMIT_UDP_PAYLOAD)
		most = peer->room_max;
	return most < room ? most : room;
}

/* --- errors --- */

/* The OPT of an answer that is written at once. */
static size_t append_opt(const struct query *query, uint8_t *out, size_t len, size_t room)
{
	if (!query->edns)
		return len;
	knot_wire_set_arcount(out, 1);
	return len + opt_write(out + len, room - len, LIMIT_UDP_PAYLOAD, query->dnssec_ok, 0, EDE_NONE, NULL);
}

static size_t write_error(const struct query *query, const uint8_t *wire, uint8_t *out, size_t room, unsigned rcode,
	int ede, const char *extra)
{
	counters_ede(ede);
	size_t len = query->question_end > 0 ? query->question_end : MESSAGE_HEADER;
	memcpy(out, wire, len);
	len = query_write_error(out, query, (uint8_t)(rcode & 15));
	if (!query->edns)
		return len;
	knot_wire_set_arcount(out, 1);
	return len +
	       opt_write(out + len, room - len, LIMIT_UDP_PAYLOAD, query->dnssec_ok, (uint8_t)(rcode >> 4), ede, extra);
}

static size_t refuse(const struct query *query, const uint8_t *wire, uint8_t *out, size_t room, const char *why)
{
	counters_add(COUNT_QUERIES_REFUSED, 1);
	return write_error(query, wire, out, room, KNOT_RCODE_REFUSED, EDE_PROHIBITED, why);
}

/* What can be said of a query without looking anything up; 0: it has to be looked up. */
static size_t answer_at_once(const struct worker *worker, const struct peer *peer, const struct query *query,
	enum query_verdict verdict, const uint8_t *wire, uint8_t *out, size_t room)
{
	if (!access_may_ask(&worker->access, &peer->addr))
		return refuse(query, wire, out, room, "this address may not ask here (access.allow)");
	switch (verdict) {
	case QUERY_FORMERR:
		counters_add(COUNT_QUERIES_MALFORMED, 1);
		return write_error(query, wire, out, room, KNOT_RCODE_FORMERR, EDE_NONE, NULL);
	case QUERY_NOTIMP: return write_error(query, wire, out, room, KNOT_RCODE_NOTIMPL, EDE_NONE, NULL);
	case QUERY_BADVERS: return write_error(query, wire, out, room, KNOT_RCODE_BADVERS, EDE_NONE, NULL);
	default: break;
	}
	if (query->rclass != KNOT_CLASS_IN) {
		size_t len = identity_answer(&worker->identity, query, wire, out);
		if (len > 0)
			return append_opt(query, out, len, room);
		return refuse(query, wire, out, room, "only class IN is served");
	}
	if (query->type == KNOT_RRTYPE_AXFR || query->type == KNOT_RRTYPE_IXFR)
		return refuse(query, wire, out, room, "a resolver transfers no zones");
	return 0;
}

/* --- a miss: to the owner and back --- */

static void finish(struct pending *pending)
{
	if (pending->peer.release != NULL)
		pending->peer.release(&pending->peer);
	free(pending->answer.wire);
	free(pending);
}

static void write_question(const struct query *query, uint8_t *wire)
{
	memset(wire, 0, MESSAGE_HEADER);
	knot_wire_set_id(wire, query->id);
	knot_wire_set_qdcount(wire, 1);
	memcpy(wire + MESSAGE_HEADER, query->raw_name, query->name_len);
	knot_wire_write_u16(wire + MESSAGE_HEADER + query->name_len, query->type);
	knot_wire_write_u16(wire + MESSAGE_HEADER + query->name_len + 2, query->rclass);
}

static size_t fill_reply(const struct pending *pending, uint8_t *out, size_t room)
{
	const struct query *query = &pending->query;
	if (pending->answer.wire != NULL)
		return answer_fill_wire(out, room_for(&pending->peer, query, room), &pending->answer, query);
	uint8_t wire[MESSAGE_QUERY_MAX];
	write_question(query, wire);
	return write_error(
		query, wire, out, room, KNOT_RCODE_SERVFAIL, EDE_NETWORK_ERROR, "too many lookups are running");
}

static void reply(struct pending *pending)
{
	if (pending->is_refresh) { /* nobody waits */
		free(pending->answer.wire);
		free(pending);
		return;
	}
	size_t room;
	uint8_t *out = pending->peer.reserve(&pending->peer, &room);
	if (out != NULL)
		pending->peer.send(&pending->peer, fill_reply(pending, out, room));
	finish(pending);
}

/* An answer that was looked up again before its end is not replaced by a failure. */
static bool is_worth_keeping(const struct pending *pending)
{
	const struct answer_wire *answer = &pending->answer;
	if (answer->wire == NULL || answer->ttl_s == 0)
		return false;
	return !pending->is_refresh || answer->ede == EDE_NONE;
}

/* At home again: the answer is kept for the next who asks this worker. */
static void on_return(struct mail *mail)
{
	struct pending *pending = container_of(mail, struct pending, mail);
	if (!pending->is_refresh)
		counters_time(TIME_ANSWER_TIME, clock_mono_us() - pending->begun_us);
	if (pending->answer.wire != NULL && !pending->is_refresh)
		counters_ede(pending->answer.ede);
	if (is_worth_keeping(pending)) {
		struct answer_key key;
		answer_key_of(&key, &pending->query);
		if (answers_was_asked(pending->origin->answers, &key) || pending->is_refresh)
			answers_put(pending->origin->answers, &key, &pending->answer, clock_wall_s());
	}
	reply(pending);
}

static void send_home(struct pending *pending)
{
	pending->mail.on_mail = on_return;
	if (pending->owner == pending->origin)
		on_return(&pending->mail);
	else
		loop_post(&pending->origin->loop, &pending->mail);
}

/* Copies the answer out of the lookup's arena into one block: wire, offsets, words. */
static void copy_answer(struct answer_wire *to, const struct answer_wire *from)
{
	if (from->wire == NULL)
		return;
	size_t words = from->ede_extra != NULL ? strlen(from->ede_extra) + 1 : 0;
	size_t offsets = from->ttl_count * sizeof(*from->ttl_at), wire_len = (from->len + 1) & ~(size_t)1;
	*to = *from;
	to->wire = xalloc(wire_len + offsets + words);
	memcpy(to->wire, from->wire, from->len);
	to->ttl_at = (uint16_t *)(void *)(to->wire + wire_len);
	if (offsets > 0)
		memcpy(to->ttl_at, from->ttl_at, offsets);
	if (words > 0)
		to->ede_extra = memcpy(to->wire + wire_len + offsets, from->ede_extra, words);
}

static void on_answer(struct waiter *waiter, const struct outcome *outcome)
{
	struct pending *pending = container_of(waiter, struct pending, waiter);
	copy_answer(&pending->answer, outcome->wire);
	if (outcome->is_known && !pending->is_refresh)
		counters_add(COUNT_ANSWERS_KNOWN, 1);
	send_home(pending);
}

static void on_arrival(struct mail *mail)
{
	struct pending *pending = container_of(mail, struct pending, mail);
	const struct query *query = &pending->query;
	struct ask ask = {
		.question = {.name = pending->lower, .type = query->type, .rclass = query->rclass},
		.dnssec_ok = query->dnssec_ok,
		.cd = query->cd,
		.refresh = pending->is_refresh,
	};
	pending->waiter.on_answer = on_answer;
	struct resolver *resolver = pending->owner->resolver; /* NULL while the daemon ends */
	if (resolver == NULL || resolver_ask(resolver, &ask, &pending->waiter) != 0)
		send_home(pending);
}

static void look_up(struct worker *worker, const struct peer *peer, const struct query *query, const uint8_t *lower)
{
	struct pending *pending = xalloc(sizeof(*pending));
	pending->is_refresh = peer == &nobody;
	pending->origin = worker;
	pending->begun_us = clock_mono_us();
	pending->owner = server_owner(worker->server, lower);
	pending->peer = *peer;
	pending->query = *query;
	pending->query.raw_name = pending->name;
	pending->answer = (struct answer_wire){0};
	memcpy(pending->name, query->raw_name, query->name_len);
	memcpy(pending->lower, lower, query->name_len);
	if (peer->hold != NULL)
		peer->hold(peer);
	pending->mail.on_mail = on_arrival;
	if (pending->owner == worker)
		on_arrival(&pending->mail);
	else
		loop_post(&pending->owner->loop, &pending->mail);
}

/* Looks a popular answer up again while it can still be given: RFC 8767 has no part in it, nobody ever waits. */
static void refresh(struct worker *worker, const struct query *query, const uint8_t *lower)
{
	counters_add(COUNT_ANSWERS_PREFETCHED, 1);
	look_up(worker, &nobody, query, lower);
}

void serve_read(const struct worker *worker, struct asked *asked, uint32_t now_s, const uint8_t *wire, size_t len)
{
	asked->now_s = now_s;
	asked->wire = wire;
	asked->verdict = query_read(&asked->query, wire, len);
	if (asked->verdict != QUERY_OK)
		return;
	answer_key_of(&asked->key, &asked->query);
	answers_fetch_place(worker->answers, &asked->key);
}

void serve_fetch(const struct worker *worker, const struct asked *asked)
{
	if (asked->verdict == QUERY_OK)
		answers_fetch_entry(worker->answers, &asked->key);
}

size_t serve_asked(struct worker *worker, const struct peer *peer, const struct asked *asked, uint8_t *out, size_t room)
{
	const struct query *query = &asked->query;
	if (asked->verdict == QUERY_DROP) {
		counters_add(COUNT_QUERIES_DROPPED, 1);
		return 0;
	}
	size_t reply_len = answer_at_once(worker, peer, query, asked->verdict, asked->wire, out, room);
	if (reply_len > 0)
		return reply_len;

	uint32_t now_s = asked->now_s;
	const struct answer_entry *hit = answers_get(worker->answers, &asked->key, now_s);
	if (hit != NULL) {
		counters_add(COUNT_ANSWERS_CACHED, 1);
		size_t filled = answer_fill(out, room_for(peer, query, room), hit, query, now_s);
		if (worker->prefetch && query->rd && answers_claim_refresh(hit, now_s))
			refresh(worker, query, asked->key.bytes);
		return filled;
	}
	if (!query->rd)
		return refuse(query, asked->wire, out, room, "not in the cache, and recursion was not asked for");
	look_up(worker, peer, query, asked->key.bytes);
	return 0;
}

size_t serve_query(
	struct worker *worker, const struct peer *peer, const uint8_t *wire, size_t len, uint8_t *out, size_t room)
{
	struct asked asked;
	serve_read(worker, &asked, clock_wall_s(), wire, len);
	return serve_asked(worker, peer, &asked, out, room);
}
