/* Decides the walk down the tree: one referral per round, minimised names, and what a final reply means. */
#include "resolve/iterate.h"

#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/limits.h"
#include "dns/denial.h"
#include "resolve/chain.h"
#include "resolve/keep.h"
#include "resolve/minimise.h"
#include "resolve/routes.h"
#include "resolve/servers.h"

enum { REVIVE = 3 }; /* servers that get another chance with a whole name */

/* --- what is final --- */

/* What a server says of its own address lives no longer than what its parent says of it: else a zone that is no longer
 * delegated would be found there for as long as it likes (ghost domains). */
static void limit_to_glue(struct request *rq, struct rrset *set)
{
	struct cache_key key = {.name = set->owner, .type = set->type, .space = CACHE_GLUE};
	if (set->type != KNOT_RRTYPE_A && set->type != KNOT_RRTYPE_AAAA)
		return;
	uint32_t left_s = rrcache_ttl_left(rq->resolver->conf.rrcache, &key);
	if (left_s > 0 && left_s < set->ttl_s)
		set->ttl_s = left_s;
}

static void found_one(struct request *rq, struct found *out, enum found_kind kind, const struct rrset *set)
{
	*out = (struct found){.kind = kind, .count = 1, .set = arena_alloc(&rq->arena, sizeof(*out->set))};
	out->set[0] = set;
}

/* RRSIG rdata has its labels in the fourth byte; fewer than the owner's: a wildcard was expanded. */
static bool is_of_wildcard(const struct rrset *set)
{
	const knot_rdata_t *sig = set->sigs.count > 0 ? set->sigs.rdata : NULL;
	return sig != NULL && sig->len > 3 && sig->data[3] < name_labels(set->owner);
}

/* Some rrsets at the name, for ANY: RFC 8482 promises no more. */
static void accept_any(
	struct request *rq, const uint8_t *zone, const struct question *q, const struct message *msg, struct found *out)
{
	uint16_t room = msg->count[SECTION_ANSWER];
	*out = (struct found){.kind = FOUND_ANSWER, .set = arena_alloc(&rq->arena, room * sizeof(*out->set))};
	for (uint16_t i = 0; i < room && out->count < LIMIT_ANSWER_ANY; i++)
		if (name_is_equal(msg->set[SECTION_ANSWER][i].owner, q->name))
			out->set[out->count++] = &msg->set[SECTION_ANSWER][i];
	for (uint16_t i = 0; i < out->count && out->proofs == 0; i++)
		if (is_of_wildcard(out->set[i]))
			out->proofs = keep_proofs(rq, zone, msg, &out->proof);
}

/* The authority section says why a wildcard might stand for the name (RFC 4035 3.1.3.3). */
static void take_proofs(struct request *rq, const uint8_t *zone, const struct message *msg, struct found *out)
{
	if (is_of_wildcard(out->set[0]) || (out->kind == FOUND_ALIAS && rq->options.anchors != NULL))
		out->proofs = keep_proofs(rq, zone, msg, &out->proof);
}

static void accept_answer(
	struct request *rq, const uint8_t *zone, const struct question *q, const struct message *msg, struct found *out)
{
	if (q->type == KNOT_RRTYPE_ANY) {
		accept_any(rq, zone, q, msg, out);
		return;
	}
	struct rrset *set = message_find(msg, SECTION_ANSWER, q->name, q->type);
	limit_to_glue(rq, set);
	found_one(rq, out, FOUND_ANSWER, set);
	take_proofs(rq, zone, msg, out);
}

/* Whether who was asked about the one may speak of the other: not across a zone of the operator's (MaginotDNS). */
static bool goes_the_same_way(const struct request *rq, const uint8_t *name, const uint8_t *target)
{
	return routes_find(rq->options.routes, name) == routes_find(rq->options.routes, target);
}

/* The alias, and what the same server says of its targets while they stay in its zone: stored, so that the next steps
 * of the lookup find them without asking. What lies outside the zone is asked for where it belongs. */
static void accept_alias(
	struct request *rq, const uint8_t *zone, const struct question *q, const struct message *msg, struct found *out)
{
	struct rrset *alias = (struct rrset *)reply_alias(msg, zone, q->name);
	found_one(rq, out, FOUND_ALIAS, alias);
	take_proofs(rq, zone, msg, out);
	for (unsigned i = 0; i < LIMIT_ALIASES && alias != NULL; i++) {
		const uint8_t *target = rrset_target(&rq->arena, alias, 0);
		if (target == NULL || !name_is_within(target, zone) || !goes_the_same_way(rq, q->name, target))
			return;
		struct rrset *set = message_find(msg, SECTION_ANSWER, target, q->type);
		if (set != NULL)
			limit_to_glue(rq, set);
		if (set != NULL && !is_of_wildcard(set))
			keep_set(rq, q, set);
		if (set != NULL)
			return;
		alias = (struct rrset *)reply_alias(msg, zone, target);
		if (alias != NULL && !is_of_wildcard(alias))
			keep_set(rq, q, alias);
	}
}

static void accept_dname(
	struct request *rq, const uint8_t *zone, const struct question *q, const struct message *msg, struct found *out)
{
	struct rrset *dname = (struct rrset *)reply_dname(msg, zone, q->name);
	lookup_found_dname(rq, q, dname, out);
}

static void accept_soa(struct rrset *soa, struct found *out)
{
	uint32_t ttl_s = rrset_negative_ttl(soa);
	soa->ttl_s = ttl_s < LIMIT_NEGATIVE_TTL_S ? ttl_s : LIMIT_NEGATIVE_TTL_S;
	out->set[out->count++] = soa;
}

static void accept_denial(
	struct request *rq, const uint8_t *zone, const struct question *q, const struct reply *reply, struct found *out)
{
	const struct message *msg = &reply->msg;
	bool whole_name = reply->kind == REPLY_NXDOMAIN;
	*out = (struct found){.kind = whole_name ? FOUND_NXDOMAIN : FOUND_NODATA};
	const struct rrset **proof;
	uint16_t proofs = keep_proofs(rq, zone, msg, &proof);
	out->set = arena_alloc(&rq->arena, (proofs + 1u) * sizeof(*out->set));
	struct rrset *soa = (struct rrset *)reply_soa(msg, zone, q);
	if (soa != NULL)
		accept_soa(soa, out);
	for (uint16_t i = 0; i < proofs; i++)
		out->set[out->count++] = proof[i];
}

/* What goes to the client now has the same limits as what it would get from the cache later. */
static void clamp_ttls(const struct request *rq, struct message *msg)
{
	for (int i = 0; i < SECTIONS; i++)
		for (uint16_t j = 0; j < msg->count[i]; j++)
			msg->set[i][j].ttl_s = rrcache_clamp(rq->resolver->conf.rrcache, msg->set[i][j].ttl_s);
}

static void accept_final(
	struct request *rq, const uint8_t *zone, const struct question *q, const struct reply *reply, struct found *out)
{
	switch (reply->kind) {
	case REPLY_ANSWER: accept_answer(rq, zone, q, &reply->msg, out); break;
	case REPLY_ALIAS: accept_alias(rq, zone, q, &reply->msg, out); break;
	case REPLY_DNAME: accept_dname(rq, zone, q, &reply->msg, out); break;
	default: accept_denial(rq, zone, q, reply, out); break;
	}
	out->from = reply->from;
}

/* What a resolver says ends all aliases within its zone: the next found, or NULL where the zone is left. */
static struct found *told_next(struct request *rq, const uint8_t *zone, const struct question *q,
	const struct reply *reply, const struct found *at)
{
	const uint8_t *target = rrset_target(&rq->arena, at->set[at->count - 1], 0);
	if (target == NULL || !name_is_within(target, zone) || !goes_the_same_way(rq, q->name, target))
		return NULL;
	struct question next = {.name = target, .type = q->type, .rclass = q->rclass};
	struct reply rest = {
		.msg = reply->msg, .from = reply->from, .kind = reply_kind(&reply->msg, zone, &next, true)};
	/* Some forwarders tell the alias and no more; one that says anything else of the end has looked there. */
	if (rest.kind == REPLY_EMPTY && reply->msg.count[SECTION_AUTHORITY] == 0)
		return NULL;
	if (rest.kind == REPLY_EMPTY || rest.kind == REPLY_REFERRAL || rest.kind == REPLY_LAME)
		rest.kind = REPLY_NODATA;
	if (rest.kind > REPLY_NODATA)
		return NULL;
	struct found *found = arena_zalloc(&rq->arena, sizeof(*found));
	accept_final(rq, zone, &next, &rest, found);
	/* Where answers have to be proved, what merely says nothing of the end is no denial of it. */
	bool has_soa = reply_soa(&reply->msg, zone, &next) != NULL;
	return rest.kind != REPLY_NODATA || has_soa || chain_may_prove(rq, &next, found) ? found : NULL;
}

static void accept_all_told(
	struct request *rq, const uint8_t *zone, const struct question *q, const struct reply *reply, struct found *out)
{
	accept_final(rq, zone, q, reply, out);
	for (unsigned i = 0; i < LIMIT_ALIASES && out != NULL && out->kind == FOUND_ALIAS; i++) {
		struct found *next = told_next(rq, zone, q, reply, out);
		out->next = next;
		out = next;
	}
}

/* --- the walk --- */

static void descend(
	struct request *rq, struct cut *cut, struct minimiser *m, const struct question *q, const struct message *msg)
{
	const struct rrset *ns = reply_referral(msg, cut->zone, q);
	if (rq->story != NULL) {
		char child[NAME_TEXT];
		story_add(rq->story, STORY_REFERRAL, clock_mono_us(), "%s has %u server%s", name_text(ns->owner, child),
			ns->data.count, ns->data.count == 1 ? "" : "s");
	}
	const uint8_t *parent = cut->zone;
	cut_descend(cut, rq, msg, ns);
	if (rq->options.anchors != NULL)
		keep_ds(rq, parent, msg, ns->owner, ns->ttl_s);
	m->labels = 0;
	m->denied = NULL; /* what another zone says of the whole name says nothing of that one */
}

/* Asks the hints for the root's own servers, now and then (RFC 9609). Whoever comes meanwhile goes on with the hints,
 * and so does everybody when it fails. */
static void prime_await(struct request *rq, const struct frame *frame, struct cut *cut, struct reply *reply)
{
	static const struct question root = {
		.name = (const uint8_t *)"", .type = KNOT_RRTYPE_NS, .rclass = KNOT_CLASS_IN};
	struct resolver *resolver = rq->resolver;
	if (!rq->options.priming || !cut_is_hints(cut) || rq->fresh || request_now_us(rq) < resolver->primed_until_us)
		return;
	resolver->primed_until_us = request_now_us(rq) + LIMIT_PRIMING_S * 1000000ull;
	int ret = servers_ask_await(rq, frame, cut, &root, reply);
	const struct rrset *ns = ret == 0 ? message_find(&reply->msg, SECTION_ANSWER, root.name, root.type) : NULL;
	if (ns == NULL)
		return;
	cut_descend(cut, rq, &reply->msg, ns);
	if (cut->addresses == 0)
		cut_from_hints(cut, rq);
}

/* Whether the cache knows the answer to a minimised question, so that it need not be asked. */
static bool is_known(struct request *rq, struct minimiser *m, const struct question *ask)
{
	struct found found;
	if (!lookup_find_cached(rq, ask, &found))
		return false;
	if (found.kind == FOUND_NXDOMAIN)
		m->off = true;
	return true;
}

/* A whole name after minimised ones: some servers only know those (RFC 9156 2.3), which is found out on a few. */
static int ask_whole_await(
	struct request *rq, const struct frame *frame, struct cut *cut, struct minimiser *m, struct reply *reply)
{
	m->off = true;
	cut_revive(cut, REVIVE);
	return servers_ask_await(rq, frame, cut, frame->question, reply);
}

static void tell_fallback(struct request *rq, const struct cut *cut)
{
	char zone[NAME_TEXT];
	if (rq->story != NULL)
		story_add(rq->story, STORY_ROUTE, clock_mono_us(),
			"none of those that resolver.%s names is of use: %s's own servers are asked (first: true)",
			cut->recursive ? "forward" : "stub", name_text(cut->zone, zone));
}

/* None of the servers was of use. Where the operator named them for a first try, the zone's own are asked; where the cache
 * did, its parent is: the zone may have moved. */
static bool go_back(struct request *rq, struct cut *cut, const struct question *q, struct minimiser *m)
{
	if (cut->first) {
		tell_fallback(rq, cut);
		cut_closest_unrouted(cut, rq, q);
	} else if (cut_may_have_moved(cut)) {
		cut_above(cut, rq);
	} else {
		return false;
	}
	m->labels = 0;
	m->denied = NULL;
	return true;
}

/* The proof that a name has nothing of the type says that it has a DNAME: what is asked for below is an alias. */
static bool has_dname(const struct found *found, const uint8_t *name)
{
	for (uint16_t i = 0; i < found->count && found->kind == FOUND_NODATA; i++) {
		const uint8_t *bitmap;
		uint16_t len;
		if (found->set[i]->type == KNOT_RRTYPE_NSEC && name_is_equal(found->set[i]->owner, name) &&
			nsec_bitmap(found->set[i], &bitmap, &len) && bitmap_has(bitmap, len, KNOT_RRTYPE_DNAME))
			return true;
	}
	return false;
}

static void tell_route(struct request *rq, const struct cut *cut)
{
	char zone[NAME_TEXT];
	if (rq->story != NULL && cut->is_told)
		story_add(rq->story, STORY_ROUTE, clock_mono_us(), "%s goes to those that resolver.%s names for it",
			name_text(cut->zone, zone), cut->recursive ? "forward" : "stub");
}

int iterate_await(struct request *rq, const struct frame *frame, struct found *out)
{
	const struct question *q = frame->question;
	/* Addresses of servers are asked for by their whole name: whoever names them must not choose how often. */
	struct minimiser m = {.off = frame->depth > 0, .aliases = frame->aliases};
	struct cut *cut = arena_alloc(&rq->arena, sizeof(*cut)); /* 2 KiB: too much for a fiber's frame */
	struct reply *reply = arena_alloc(&rq->arena, sizeof(*reply));
	cut_closest(cut, rq, q);
	if (!frame->afresh && lookup_find_above(rq, q, cut->zone, out))
		return 0;
	tell_route(rq, cut);
	prime_await(rq, frame, cut, reply);
	for (;;) {
		struct question ask = minimiser_next(&m, rq, q, cut);
		bool is_whole = ask.name == q->name;
		if (!is_whole && is_known(rq, &m, &ask))
			continue;
		int ret = servers_ask_await(rq, frame, cut, &ask, reply);
		if (ret == E_NOSERVER && !cut->first && go_back(rq, cut, q, &m))
			continue;
		if (ret == E_NOSERVER && !is_whole) {
			ret = ask_whole_await(rq, frame, cut, &m, reply);
			ask = *q;
			is_whole = true;
		}
		if (ret == E_NOSERVER && go_back(rq, cut, q, &m))
			continue;
		if (ret != 0)
			return ret;
		if (reply->kind == REPLY_REFERRAL) {
			ret = request_take(rq, BUDGET_REFERRAL);
			if (ret != 0)
				return ret;
			descend(rq, cut, &m, &ask, &reply->msg);
			continue;
		}
		clamp_ttls(rq, &reply->msg);
		if (!is_whole && reply->kind == REPLY_NXDOMAIN) {
			m.off = true; /* broken servers deny empty non-terminals: the whole name decides */
			m.denied = ask.name;
			continue;
		}
		if (!is_whole && reply->kind == REPLY_DNAME) {
			accept_dname(rq, cut->zone, q, &reply->msg, out); /* it holds for the whole name as well */
			out->from = reply->from;
			return 0;
		}
		if (cut->recursive)
			accept_all_told(rq, cut->zone, &ask, reply, out);
		else
			accept_final(rq, cut->zone, &ask, reply, out);
		if (is_whole) {
			out->denied = reply->kind == REPLY_NXDOMAIN ? m.denied : NULL;
			return 0;
		}
		keep_found(rq, &ask, out);
		m.off |= has_dname(out, ask.name);
	}
}
