/* Decides the walk down the tree: which name is asked of which zone, one referral per round, and what of a final reply
 * goes into the cache. */
#include "resolve/iterate.h"

#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/limits.h"
#include "resolve/servers.h"

/* --- minimisation --- */

enum { REVIVE = 3 };

struct minimiser {
	unsigned labels; /* of the name asked last; 0: none yet */
	unsigned steps;
	bool off;
};

/* The next question for the zone: one label more than the zone has or than was asked last; whole labels at once when
 * the name is long (RFC 9156 2.3). */
static struct question next_question(
	struct minimiser *m, const struct request *rq, const struct question *q, const struct cut *cut)
{
	unsigned all = name_labels(q->name), have = name_labels(cut->zone);
	if (m->labels > have)
		have = m->labels;
	unsigned next = have + 1;
	if (m->steps >= LIMIT_MINIMISE_SINGLE && all > have) {
		unsigned rounds = LIMIT_MINIMISE_STEPS > m->steps ? LIMIT_MINIMISE_STEPS - m->steps : 1;
		next = have + (all - have + rounds - 1) / rounds;
	}
	if (!rq->options.minimise || m->off || cut->recursive || m->steps >= LIMIT_MINIMISE_STEPS || next >= all)
		return *q;
	m->labels = next;
	m->steps++;
	return (struct question){.name = name_suffix(q->name, next), .type = KNOT_RRTYPE_A, .rclass = q->rclass};
}

/* --- what is final --- */

static void store(struct request *rq, const struct rrset *set)
{
	struct cache_key key = {set->owner, set->type, CACHE_RRSET};
	rrcache_put(rq->resolver->conf.rrcache, &key, CACHE_POSITIVE, RANK_ANSWER, set->ttl_s, &set, 1);
}

static void found_one(struct request *rq, struct found *out, enum found_kind kind, const struct rrset *set)
{
	*out = (struct found){.kind = kind, .count = 1, .set = arena_alloc(&rq->arena, sizeof(*out->set))};
	out->set[0] = set;
}

/* Some rrsets at the name, for ANY: RFC 8482 promises no more. */
static void accept_any(struct request *rq, const struct question *q, const struct message *msg, struct found *out)
{
	uint16_t room = msg->count[SECTION_ANSWER];
	*out = (struct found){.kind = FOUND_ANSWER, .set = arena_alloc(&rq->arena, room * sizeof(*out->set))};
	for (uint16_t i = 0; i < room && out->count < LIMIT_ANSWER_ANY; i++)
		if (name_is_equal(msg->set[SECTION_ANSWER][i].owner, q->name))
			out->set[out->count++] = &msg->set[SECTION_ANSWER][i];
}

static void accept_answer(struct request *rq, const struct question *q, const struct message *msg, struct found *out)
{
	if (q->type == KNOT_RRTYPE_ANY) {
		accept_any(rq, q, msg, out);
		return;
	}
	const struct rrset *set = message_find(msg, SECTION_ANSWER, q->name, q->type);
	store(rq, set);
	found_one(rq, out, FOUND_ANSWER, set);
}

/* The alias, and what the same server says of its targets while they stay in its zone: stored, so that the next steps
 * of the lookup find them without asking. What lies outside the zone is asked for where it belongs. */
static void accept_alias(
	struct request *rq, const uint8_t *zone, const struct question *q, const struct message *msg, struct found *out)
{
	const struct rrset *alias = reply_alias(msg, zone, q->name);
	store(rq, alias);
	found_one(rq, out, FOUND_ALIAS, alias);
	for (unsigned i = 0; i < LIMIT_ALIASES && alias != NULL; i++) {
		const uint8_t *target = rrset_target(&rq->arena, alias, 0);
		if (target == NULL || !name_is_within(target, zone))
			return;
		const struct rrset *set = message_find(msg, SECTION_ANSWER, target, q->type);
		if (set != NULL) {
			store(rq, set);
			return;
		}
		alias = reply_alias(msg, zone, target);
		if (alias != NULL)
			store(rq, alias);
	}
}

static bool is_proof(const struct rrset *set)
{
	return set->type == KNOT_RRTYPE_NSEC || set->type == KNOT_RRTYPE_NSEC3;
}

static void accept_denial(
	struct request *rq, const uint8_t *zone, const struct question *q, const struct reply *reply, struct found *out)
{
	const struct message *msg = &reply->msg;
	bool whole_name = reply->kind == REPLY_NXDOMAIN;
	*out = (struct found){.kind = whole_name ? FOUND_NXDOMAIN : FOUND_NODATA};
	struct rrset *soa = (struct rrset *)reply_soa(msg, zone, q);
	if (soa == NULL)
		return; /* without SOA it is not cached: RFC 2308 5 */
	uint32_t ttl_s = rrset_negative_ttl(soa);
	if (ttl_s > LIMIT_NEGATIVE_TTL_S)
		ttl_s = LIMIT_NEGATIVE_TTL_S;
	soa->ttl_s = ttl_s;
	out->set = arena_alloc(&rq->arena, (msg->count[SECTION_AUTHORITY] + 1u) * sizeof(*out->set));
	out->set[out->count++] = soa;
	for (uint16_t i = 0; i < msg->count[SECTION_AUTHORITY] && out->count <= LIMIT_PROOFS; i++) {
		const struct rrset *set = &msg->set[SECTION_AUTHORITY][i];
		if (is_proof(set) && name_is_within(set->owner, zone))
			out->set[out->count++] = set;
	}
	struct cache_key key = {q->name, whole_name ? 0 : q->type, whole_name ? CACHE_NAME : CACHE_RRSET};
	rrcache_put(rq->resolver->conf.rrcache, &key, whole_name ? CACHE_NXDOMAIN : CACHE_NODATA, RANK_ANSWER, ttl_s,
		out->set, out->count);
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
	case REPLY_ANSWER: accept_answer(rq, q, &reply->msg, out); break;
	case REPLY_ALIAS: accept_alias(rq, zone, q, &reply->msg, out); break;
	default: accept_denial(rq, zone, q, reply, out); break;
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
	cut_descend(cut, rq, msg, ns);
	m->labels = 0;
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

int iterate_await(struct request *rq, const struct frame *frame, struct found *out)
{
	const struct question *q = frame->question;
	/* Addresses of servers are asked for by their whole name: whoever names them must not choose how often. */
	struct minimiser m = {.off = frame->depth > 0};
	struct cut *cut = arena_alloc(&rq->arena, sizeof(*cut)); /* 2 KiB: too much for a fiber's frame */
	struct reply *reply = arena_alloc(&rq->arena, sizeof(*reply));
	cut_closest(cut, rq, q);
	prime_await(rq, frame, cut, reply);
	for (;;) {
		struct question ask = next_question(&m, rq, q, cut);
		bool is_whole = ask.name == q->name;
		if (!is_whole && is_known(rq, &m, &ask))
			continue;
		int ret = servers_ask_await(rq, frame, cut, &ask, reply);
		if (ret == E_NOSERVER && !is_whole) {
			ret = ask_whole_await(rq, frame, cut, &m, reply);
			ask = *q;
			is_whole = true;
		}
		if (ret == E_NOSERVER && cut->first) {
			cut_closest_unrouted(cut, rq, q);
			m.labels = 0;
			continue;
		}
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
		accept_final(rq, cut->zone, &ask, reply, out);
		if (is_whole)
			return 0;
		if (reply->kind == REPLY_NXDOMAIN)
			m.off = true; /* broken servers deny empty non-terminals: the whole name decides */
	}
}
