/* Decides which server address is asked next and how long its reply is waited for. The fastest is preferred, with some
 * chance for the others: an attacker must not know which server is asked, and a slow past must not count for ever. */
#include "resolve/servers.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "cache/facts.h"
#include "ports/kernel.h"
#include "resolve/cuts.h"
#include "resolve/exchange.h"
#include "resolve/lookup.h"

enum {
	EXPLORE_ONE_IN = 24,     /* how often any server is as good as the best */
	STRANGER_US = 40 * 1000, /* a server never asked is taken for this fast: it gets its chance */
	SILENCE_COST_US = 400 * 1000,
	SILENCE_COUNTS_S = 60, /* how long a silence is held against a server */
	SILENCE_MAX = 6,       /* who never answered so many is deaf: one try has to do until it is heard */
	EMPTY_BELIEVED = 3,    /* servers that say nothing at all */
};

static uint32_t silence_cost_us(const struct facts *facts, uint64_t now_us)
{
	if (facts->silences == 0 || now_us > facts->silent_us + SILENCE_COUNTS_S * 1000000ull)
		return 0;
	unsigned times = facts->silences < SILENCE_MAX ? facts->silences : SILENCE_MAX;
	return SILENCE_COST_US << (times - 1);
}

/* Only one that never said a word: whoever has servers that are silent at times must not have others' names fail. */
static bool is_deaf(const struct facts *facts, uint64_t now_us)
{
	return facts->srtt_us == 0 && facts->silences >= SILENCE_MAX && silence_cost_us(facts, now_us) > 0;
}

/* Looked at once for a question. */
static void weigh(const struct request *rq, struct cut_address *address)
{
	struct facts facts;
	facts_get(rq->resolver->conf.facts, &address->addr, &facts);
	uint32_t us = facts.srtt_us != 0 ? facts.srtt_us + facts.rttvar_us : STRANGER_US;
	address->cost_us = us + silence_cost_us(&facts, request_now_us(rq));
	address->is_deaf = is_deaf(&facts, request_now_us(rq));
	for (unsigned i = 0; i < rq->avoided; i++)
		address->is_liar |= addr_equal(&rq->avoid[i], &address->addr);
	address->dropped |= address->is_liar;
}

static void weigh_new(const struct request *rq, struct cut *cut)
{
	for (unsigned i = 0; i < cut->addresses; i++)
		if (cut->address[i].cost_us == 0)
			weigh(rq, &cut->address[i]);
}

static uint64_t cost_us(const struct cut_address *address)
{
	uint64_t cost = address->cost_us + (uint64_t)address->tries * SILENCE_COST_US;
	return cost + random_below((uint32_t)(cost / 4 + 1)); /* equals take turns */
}

static struct cut_address *choose_any(struct cut *cut)
{
	struct cut_address *chosen = NULL;
	unsigned seen = 0;
	for (unsigned i = 0; i < cut->addresses; i++)
		if (cut_can_ask(&cut->address[i]) && random_below(++seen) == 0)
			chosen = &cut->address[i];
	return chosen;
}

static struct cut_address *choose(struct cut *cut)
{
	if (random_below(EXPLORE_ONE_IN) == 0)
		return choose_any(cut);
	struct cut_address *best = NULL;
	uint64_t best_us = UINT64_MAX;
	for (unsigned i = 0; i < cut->addresses; i++) {
		struct cut_address *address = &cut->address[i];
		uint64_t us = cut_can_ask(address) ? cost_us(address) : UINT64_MAX;
		if (us < best_us) {
			best = address;
			best_us = us;
		}
	}
	return best;
}

/* RFC 6298, with room for jitter: a server that always took the same time has no variance to speak of, and is not lost
 * because it was busy for a moment. */
static uint32_t timeout_us(const struct facts *facts, unsigned tries)
{
	uint64_t us = LIMIT_TRY_UNKNOWN_MS * 1000;
	if (facts->srtt_us != 0) {
		uint64_t margin = 4ull * facts->rttvar_us, least = LIMIT_TRY_MARGIN_MS * 1000 + facts->srtt_us / 2;
		us = facts->srtt_us + (margin > least ? margin : least);
	}
	us <<= tries;
	return us < LIMIT_TRY_MAX_MS * 1000 ? (uint32_t)us : LIMIT_TRY_MAX_MS * 1000;
}

/* Looks up the addresses of a server of which none is known, one server at a time: most zones answer with the first. */
static int find_addresses_await(struct request *rq, const struct frame *frame, struct cut *cut)
{
	for (unsigned i = 0; i < cut->servers; i++) {
		struct cut_server *server = &cut->server[i];
		if (server->looked_up)
			continue;
		if (!cut_take_lookup(cut))
			break;
		server->looked_up = true;
		unsigned before = cut->addresses;
		int ret = lookup_addresses_await(rq, frame, cut, server->name);
		if (ret != 0 && ret != E_NOSERVER && ret != E_CROWDED)
			return ret;
		if (cut->addresses > before)
			return 0;
	}
	return E_NOSERVER;
}

/* An address without a route may be a stranger's choice; a machine without a way to any of the root's addresses of that
 * family has none at all, and the family is left alone for a while. */
static void note_no_route(struct request *rq, const struct addr *addr)
{
	const struct hints *hints = &rq->resolver->hints;
	bool v6 = addr_is_v6(addr), seen = false;
	for (size_t i = 0; i < hints->count; i++) {
		const struct addr *root = &hints->hint[i].addr;
		if (addr_is_v6(root) != v6)
			continue;
		seen = true;
		if (kernel_has_route(root))
			return;
	}
	if (!seen)
		return;
	if (!v6)
		log_notice("this machine has no IPv4 route to the root's servers");
	rq->resolver->no_route_until_us[v6] = request_now_us(rq) + LIMIT_NO_ROUTE_MS * 1000ull;
	cuts_clear(rq->resolver->cuts);
}

/* Silence may end, a forged datagram or ICMP message says nothing of the server, a crowd goes away; all else that failed
 * will fail again. */
static void note_failure(struct request *rq, struct cut_address *address, int ret)
{
	if (ret == E_UNREACH)
		note_no_route(rq, &address->addr);
	struct facts facts; /* others may have met with silence meanwhile */
	facts_get(rq->resolver->conf.facts, &address->addr, &facts);
	address->is_deaf = is_deaf(&facts, request_now_us(rq));
	address->dropped = ret != E_TIMEOUT && ret != E_MISMATCH && ret != E_REFUSED && ret != E_CROWDED;
}

static bool is_final(int ret)
{
	return ret == E_BUDGET || ret == E_CANCELED || ret == E_NOPORT;
}

static void tell_kind(struct request *rq, enum reply_kind kind, uint16_t rcode)
{
	struct story_event *event = rq->story != NULL ? rq->story->last : NULL;
	if (event == NULL || event->kind != STORY_REPLY)
		return;
	event->reply = reply_kind_text(kind);
	if (kind == REPLY_FAILED)
		event->text = arena_copy(&rq->arena, rcode_text(rcode), strlen(rcode_text(rcode)) + 1);
}

/* One try at one address. 0: *out is a useful reply; E_NOENT: try another; E_UNREACH, E_CROWDED: the same, and nothing was sent;
 * else what ends the request. */
static int ask_address_await(struct request *rq, const struct cut *cut, struct cut_address *address,
	const struct question *q, struct reply *out)
{
	struct facts facts;
	facts_get(rq->resolver->conf.facts, &address->addr, &facts);
	struct exchange ex = {.server = &address->addr,
		.question = q,
		.zone = cut->zone,
		.facts = &facts,
		.edns = request_now_us(rq) >= facts.no_edns_until_us && !address->no_edns,
		.recursive = cut->recursive,
		.timeout_us = timeout_us(&facts, address->tries)};
	uint32_t rtt_us = 0;
	address->tries++;
	out->kind = REPLY_KINDS; /* none yet */
	out->from = address->addr;
	int ret = exchange_await(rq, &ex, &out->msg, &rtt_us);
	if (is_final(ret))
		return ret;
	if (ret != 0) {
		note_failure(rq, address, ret);
		return ret == E_UNREACH || ret == E_CROWDED ? ret : E_NOENT;
	}
	if (rtt_us > 0)
		facts_note_reply(rq->resolver->conf.facts, &address->addr, rtt_us);
	reply_scrub(&out->msg, cut->zone);
	out->kind = reply_kind(&out->msg, cut->zone, q, ex.edns);
	if (cut->recursive)
		out->kind = reply_kind_of_resolver(&out->msg, out->kind);
	tell_kind(rq, out->kind, out->msg.rcode);
	if (out->kind == REPLY_NO_EDNS) {
		address->no_edns = true;
		/* A header alone shows neither question nor case: it is believed for this lookup, and forgotten. */
		address->no_edns_shown = out->msg.question.name != NULL;
	}
	if (out->kind == REPLY_NO_EDNS || out->kind == REPLY_BAD_COOKIE)
		return E_NOENT; /* again, as it wants it */
	if (out->kind == REPLY_LAME || out->kind == REPLY_FAILED || out->kind == REPLY_EMPTY) {
		address->dropped = true;
		return E_NOENT;
	}
	/* It understood the question without EDNS after all: remembered for the next one. */
	if (address->no_edns && address->no_edns_shown && rtt_us > 0)
		facts_note_no_edns(rq->resolver->conf.facts, &address->addr);
	return 0;
}

/* Whose word was bogus is asked again when nobody else is left: it may have been another's. */
static bool forgive_liars(struct cut *cut)
{
	bool any = false;
	for (unsigned i = 0; i < cut->addresses; i++) {
		struct cut_address *address = &cut->address[i];
		any |= address->is_liar;
		address->dropped &= !address->is_liar;
		address->is_liar = false;
	}
	return any;
}

/* Nobody knew more: the name has nothing of the type. Nothing else of such a reply counts. */
static int believe_empty(struct reply *out)
{
	out->msg = (struct message){.aa = out->msg.aa};
	out->kind = REPLY_NODATA;
	return 0;
}

int servers_ask_await(
	struct request *rq, const struct frame *frame, struct cut *cut, const struct question *q, struct reply *out)
{
	int nobody = E_NOSERVER; /* said when nobody is left to ask */
	unsigned empty = 0, most = cut_tries(cut);
	cut->lookups = cut->refusals = 0;
	for (unsigned i = 0; i < cut->addresses; i++)
		cut->address[i].tries = 0; /* tries count for one question; what was dropped stays so */
	weigh_new(rq, cut);
	for (unsigned tries = 0; tries < most;) {
		if (request_now_us(rq) >= rq->budget.deadline_us)
			return E_TIMEOUT;
		struct cut_address *address = choose(cut);
		int ret;
		if (address == NULL) {
			ret = find_addresses_await(rq, frame, cut);
			if (ret == E_NOSERVER && (cut_add_glue(cut, rq) || forgive_liars(cut)))
				ret = 0;
			if (ret == E_NOSERVER && empty > 0)
				return believe_empty(out);
			if (ret != 0)
				return ret == E_NOSERVER ? nobody : ret;
			weigh_new(rq, cut);
			continue;
		}
		ret = ask_address_await(rq, cut, address, q, out);
		if (ret != E_NOENT && ret != E_UNREACH && ret != E_CROWDED)
			return ret;
		bool is_empty = ret == E_NOENT && out->kind == REPLY_EMPTY;
		if (is_empty && q->name != frame->question->name) {
			address->dropped =
				false; /* of a name on the way to the real one nothing is wanted but a referral */
			return believe_empty(out);
		}
		if (is_empty && ++empty >= EMPTY_BELIEVED)
			return believe_empty(out);
		if (ret == E_CROWDED)
			nobody = E_CROWDED;
		tries += ret == E_NOENT;
		if (ret == E_NOENT && address->dropped && !is_empty && !cut_take_refusal(cut))
			return empty > 0 ? believe_empty(out) : nobody;
	}
	return nobody;
}
