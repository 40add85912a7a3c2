/* Decides what must be the same in a reply: ID, question, the case of its name, the cookie. Source address and port are
 * the kernel's to check: a lent port's socket is connected. */
#include "resolve/match.h"

#include <string.h>

#include "base/counters.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/random.h"
#include "cache/facts.h"
#include "resolve/exchange.h"

static const uint8_t *mix(struct request *rq, const uint8_t *name)
{
	uint8_t *raw = arena_alloc(&rq->arena, name_len(name));
	counters_add(COUNT_UPSTREAM_LETTERS, name_mix_case(raw, name));
	return raw;
}

void match_begin(struct match *match, struct request *rq, const struct exchange *ex)
{
	const struct facts *facts = ex->facts;
	*match = (struct match){
		.rq = rq,
		.question = ex->question,
		.server = ex->server,
		.raw_name = facts->no_case ? ex->question->name : mix(rq, ex->question->name),
		.cookie = facts->cookie,
		.id = (uint16_t)random_below(65536),
		.edns = ex->edns,
		.rd = ex->recursive,
		/* Whether it is valid is for us and our client to say (RFC 6840 5.9); where nothing is validated here, a
		 * forwarder's own check is worth having. */
		.cd = !ex->recursive || rq->cd || rq->options.anchors != NULL,
		.mixes_case = !facts->no_case,
		.cookie_owed = ex->edns && facts->cookie.server_len > 0,
	};
	/* A client cookie of its own for each server, so that it cannot be used to recognise us elsewhere. */
	counters_add(COUNT_UPSTREAM_COOKIES, match->cookie_owed);
	if (facts->cookie.server_len == 0)
		random_bytes(match->cookie.client, sizeof(match->cookie.client));
}

void match_draw_id(struct match *match)
{
	match->id = (uint16_t)random_below(65536);
}

size_t match_write(const struct match *match, uint8_t wire[static MESSAGE_QUERY_MAX])
{
	struct question_form form = {
		.id = match->id,
		.raw_name = match->raw_name,
		.type = match->question->type,
		.rclass = match->question->rclass,
		.rd = match->rd,
		.cd = match->cd,
		.edns = match->edns,
		.dnssec_ok = match->edns,
		.cookie = match->edns ? &match->cookie : NULL,
	};
	return message_write_question(wire, &form);
}

/* --- the checklist --- */

/* A header without question that says that EDNS is not understood. */
static bool is_bare(const uint8_t *wire)
{
	uint8_t rcode = knot_wire_get_rcode(wire);
	return knot_wire_get_qdcount(wire) == 0 && (rcode == KNOT_RCODE_FORMERR || rcode == KNOT_RCODE_NOTIMPL);
}

int match_read_again(struct arena *arena, const uint8_t *wire, size_t len, struct message *reply)
{
	if (len < MESSAGE_HEADER || !is_bare(wire))
		return message_read(reply, arena, wire, len);
	*reply = (struct message){.rcode = knot_wire_get_rcode(wire)};
	return 0;
}

/* Some old servers send back a bare header when they meet EDNS (RFC 6891 7). Nothing is learnt from it but that.
 * Over UDP it shows neither our case nor our cookie: where a cookie is owed it is somebody else's. */
static bool is_bare_error(const struct match *match, enum transport transport, const uint8_t *wire, size_t len)
{
	if (transport == TRANSPORT_UDP && match->cookie_owed)
		return false;
	if (len < MESSAGE_HEADER || !match->edns || knot_wire_get_id(wire) != match->id || !knot_wire_get_qr(wire))
		return false;
	return is_bare(wire);
}

static bool question_fits(const struct match *match, enum transport transport, const uint8_t *wire, size_t len)
{
	enum match_kind kind =
		message_match(wire, len, match->id, match->raw_name, match->question->type, match->question->rclass);
	if (kind == MATCH_CASE && transport == TRANSPORT_TCP) {
		/* On a connection the case is no secret: this server does not keep it, and is believed. */
		if (match->mixes_case)
			facts_note_no_case(match->rq->resolver->conf.facts, match->server);
		return true;
	}
	return kind == MATCH_YES;
}

/* Names in the reply point into its question: the case that was drawn for us is nobody else's business. */
static void restore_case(const struct match *match, uint8_t *wire)
{
	memcpy(wire + MESSAGE_HEADER, match->question->name, name_len(match->question->name));
}

/* RFC 7873 5.3: a reply must bring our own cookie back. Over TCP it proves nothing more. */
static bool cookie_fits(const struct message *reply, const struct cookie *ours, bool edns, bool owed)
{
	if (!reply->has_cookie)
		return !owed;
	return edns && memcmp(reply->cookie.client, ours->client, COOKIE_CLIENT) == 0;
}

static void learn_cookie(const struct match *match, const struct message *reply)
{
	if (!reply->has_cookie || reply->cookie.server_len == 0 ||
		memcmp(reply->cookie.client, match->cookie.client, COOKIE_CLIENT) != 0)
		return;
	if (memcmp(&reply->cookie, &match->cookie, sizeof(match->cookie)) != 0)
		facts_note_cookie(match->rq->resolver->conf.facts, match->server, &reply->cookie);
}

int match_accept(const struct match *match, enum transport transport, uint8_t *wire, size_t len, struct message *reply)
{
	if (is_bare_error(match, transport, wire, len)) {
		*reply = (struct message){.rcode = knot_wire_get_rcode(wire)};
		return 0;
	}
	if (!question_fits(match, transport, wire, len))
		return transport == TRANSPORT_TCP ? E_MALFORMED : E_MISMATCH;
	restore_case(match, wire);
	/* More than was offered is as good as truncated. */
	bool too_long = transport == TRANSPORT_UDP && len > LIMIT_UDP_PAYLOAD;
	*reply = (struct message){.tc = message_is_truncated(wire) || too_long};
	/* What is truncated even over TCP is a part of nobody knows what: RFC 2181 9 wants it ignored. */
	if (reply->tc)
		return transport == TRANSPORT_UDP ? 0 : E_MALFORMED;
	if (message_read(reply, &match->rq->arena, wire, len) != 0)
		return E_MALFORMED;
	if (transport == TRANSPORT_UDP && !cookie_fits(reply, &match->cookie, match->edns, match->cookie_owed))
		return E_MISMATCH;
	learn_cookie(match, reply);
	return 0;
}

/* --- kept for later --- */

void match_keep(struct match_copy *copy, const struct match *match)
{
	*copy = (struct match_copy){.cookie = match->cookie,
		.id = match->id,
		.type = match->question->type,
		.rclass = match->question->rclass,
		.edns = match->edns,
		.cookie_owed = match->cookie_owed};
	memcpy(copy->raw_name, match->raw_name, name_len(match->raw_name));
}

bool match_fits_copy(const struct match_copy *copy, const uint8_t *wire, size_t len)
{
	if (message_match(wire, len, copy->id, copy->raw_name, copy->type, copy->rclass) != MATCH_YES)
		return false;
	if (message_is_truncated(wire))
		return !copy->cookie_owed;
	struct arena arena;
	struct message reply;
	arena_init(&arena);
	bool fits = message_read(&reply, &arena, wire, len) == 0 &&
		    cookie_fits(&reply, &copy->cookie, copy->edns, copy->cookie_owed);
	arena_deinit(&arena);
	return fits;
}
