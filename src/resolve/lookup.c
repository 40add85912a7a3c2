/* Decides what a name is: cached, aliased, asked for; and puts the answer together. */
#include "resolve/lookup.h"

#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/limits.h"
#include "resolve/chain.h"
#include "resolve/iterate.h"
#include "resolve/keep.h"
#include "resolve/special.h"
#include "resolve/synthesis.h"

/* --- the cache --- */

/* In the last part of its time, as answers_claim_refresh sees it. */
static bool is_worn(const struct cached *cached)
{
	uint32_t left_s = cached->count > 0 ? cached->set[0]->ttl_s : 0;
	return left_s <= (left_s + cached->age_s) / LIMIT_PREFETCH_PART;
}

/* Where answers are proved, what nobody has looked at may be anybody's word, and is looked at before it is used. */
static bool is_judged(const struct request *rq, enum security security)
{
	bool is_unjudged = security == SECURITY_UNCHECKED && rq->options.anchors != NULL;
	return rq->cd || (security != SECURITY_BOGUS && !is_unjudged);
}

static bool get(struct request *rq, const uint8_t *name, uint16_t type, enum cache_space space, struct cached *out)
{
	struct cache_key key = {.name = name, .type = type, .space = space};
	struct rrcache *cache = rq->resolver->conf.rrcache;
	if (rq->stale) {
		int ret = rrcache_get_stale(cache, &rq->arena, &key, RANK_ANSWER, out);
		rq->found_stale |= ret == 0 && out->is_stale;
		return ret == 0 && is_judged(rq, out->security);
	}
	if (rq->fresh || rrcache_get(cache, &rq->arena, &key, RANK_ANSWER, out) != 0)
		return false;
	/* What is bogus is kept for those alone who check by themselves. */
	if (out->security == SECURITY_BOGUS && !rq->cd)
		return false;
	return !rq->refresh || rq->depth > 0 || !is_worn(out);
}

/* A positive entry has its wildcard's proofs behind the rrset. */
static void found_cached(const struct cached *cached, enum found_kind kind, struct found *out)
{
	*out = (struct found){.kind = kind,
		.security = cached->security,
		.is_cached = true,
		.count = cached->count,
		.set = (const struct rrset **)cached->set};
	if (cached->kind != CACHE_POSITIVE || cached->count < 2)
		return;
	out->count = 1;
	out->proofs = (uint16_t)(cached->count - 1);
	out->proof = out->set + 1;
}

bool lookup_find_cached(struct request *rq, const struct question *q, struct found *out)
{
	struct cached cached;
	if (q->type == KNOT_RRTYPE_ANY)
		return false;
	if (get(rq, q->name, q->type, CACHE_RRSET, &cached)) {
		found_cached(&cached, cached.kind == CACHE_POSITIVE ? FOUND_ANSWER : FOUND_NODATA, out);
	} else if (q->type != KNOT_RRTYPE_CNAME && q->type != KNOT_RRTYPE_DS /* the alias may be the child's */ &&
		   get(rq, q->name, KNOT_RRTYPE_CNAME, CACHE_RRSET, &cached) && cached.kind == CACHE_POSITIVE) {
		found_cached(&cached, FOUND_ALIAS, out);
	} else if (get(rq, q->name, 0, CACHE_NAME, &cached)) {
		found_cached(&cached, FOUND_NXDOMAIN, out);
	} else {
		return false;
	}
	if (rq->story != NULL) {
		char text[NAME_TEXT + TYPE_TEXT];
		story_add(rq->story, STORY_CACHE, clock_mono_us(), "%s is in the cache since %u s",
			question_text(q, text, sizeof(text)), cached.age_s);
	}
	return true;
}

void lookup_found_dname(struct request *rq, const struct question *q, const struct rrset *dname, struct found *out)
{
	*out = (struct found){
		.kind = FOUND_TOO_LONG, .count = 1, .set = arena_alloc(&rq->arena, 2 * sizeof(*out->set))};
	out->set[0] = dname;
	const struct rrset *alias = rrset_dname_alias(&rq->arena, dname, q->name);
	if (alias == NULL)
		return;
	out->kind = FOUND_ALIAS;
	out->set[out->count++] = alias;
}

bool lookup_find_above(struct request *rq, const struct question *q, const uint8_t *zone, struct found *out)
{
	struct cached cached;
	const uint8_t *name = name_parent(q->name);
	for (; name != NULL && name_is_within(name, zone); name = name_parent(name)) {
		/* Of a zone that its parent refers to, the parent knows better than a broken server of its own. */
		if (!name_is_equal(name, zone) && get(rq, name, 0, CACHE_NAME, &cached) &&
			(cached.security == SECURITY_SECURE ||
				(rq->options.nxdomain_cut && is_judged(rq, cached.security)))) {
			found_cached(&cached, FOUND_NXDOMAIN, out);
			return true;
		}
		if (get(rq, name, KNOT_RRTYPE_DNAME, CACHE_RRSET, &cached) && cached.kind == CACHE_POSITIVE) {
			lookup_found_dname(rq, q, cached.set[0], out);
			out->security = cached.security;
			out->is_cached = true;
			return true;
		}
	}
	return false;
}

/* --- putting the answer together --- */

static void append_sets(
	struct request *rq, struct answer *answer, enum section section, const struct rrset *const *set, uint16_t count)
{
	uint16_t old = answer->count[section], all = (uint16_t)(old + count);
	const struct rrset **sets = arena_alloc(&rq->arena, (all + 1u) * sizeof(*sets));
	for (uint16_t i = 0; i < old; i++)
		sets[i] = answer->set[section][i];
	for (uint16_t i = 0; i < count; i++)
		sets[old + i] = set[i];
	answer->set[section] = sets;
	answer->count[section] = all;
}

/* The records, and what lets a wildcard stand for their name. */
static void append_answer(struct request *rq, struct answer *answer, const struct found *found)
{
	append_sets(rq, answer, SECTION_ANSWER, found->set, found->count);
	if (found->proofs > 0)
		append_sets(rq, answer, SECTION_AUTHORITY, found->proof, found->proofs);
}

/* The next name of a chain of aliases, or NULL where it ends: in a loop, or in rdata that is no name. */
static const uint8_t *follow(struct request *rq, struct answer *answer, const struct found *found)
{
	append_answer(rq, answer, found);
	const uint8_t *target = rrset_target(&rq->arena, found->set[found->count - 1], 0);
	if (target == NULL || answer_has_owner(answer, target))
		return NULL;
	if (rq->story != NULL) {
		char text[NAME_TEXT];
		story_add(rq->story, STORY_ALIAS, clock_mono_us(), "an alias of %s", name_text(target, text));
	}
	return target;
}

static void conclude(struct request *rq, struct answer *answer, const struct found *found)
{
	if (found->kind == FOUND_ANSWER || found->kind == FOUND_TOO_LONG) {
		answer->rcode = found->kind == FOUND_ANSWER ? KNOT_RCODE_NOERROR : KNOT_RCODE_YXDOMAIN;
		append_answer(rq, answer, found);
		return;
	}
	answer->rcode = found->kind == FOUND_NXDOMAIN ? KNOT_RCODE_NXDOMAIN : KNOT_RCODE_NOERROR;
	append_sets(rq, answer, SECTION_AUTHORITY, found->set, found->count);
}

static void tell_special(struct request *rq, const struct question *q)
{
	char name[NAME_TEXT];
	if (rq->story != NULL)
		story_add(rq->story, STORY_ROUTE, clock_mono_us(),
			"%s is a special-use name, answered here (RFC 6761, 6303); resolver.stub, .forward or "
			".ordinary can name "
			"it to have it looked up",
			name_text(q->name, name));
}

int lookup_find_await(struct request *rq, const struct frame *frame, struct found *out)
{
	if (special_find(rq, frame->question, out)) {
		tell_special(rq, frame->question);
		return 0;
	}
	if (!frame->afresh &&
		(lookup_find_cached(rq, frame->question, out) || synthesis_find(rq, frame->question, out)))
		return 0;
	return iterate_await(rq, frame, out);
}

/* --- what it is worth --- */

void lookup_avoid(struct request *rq, const struct found *found)
{
	if (!found->is_cached && rq->avoided < LIMIT_AVOIDED)
		rq->avoid[rq->avoided++] = found->from;
}

/* Checks what was found and keeps it with the outcome. False: another server may know better. */
static int check_await(struct request *rq, const struct frame *frame, struct found *found, bool *is_final)
{
	int ret = chain_check_await(rq, frame, found);
	if (ret != 0)
		return ret;
	*is_final = found->security != SECURITY_BOGUS || !rq->verdict.elsewhere;
	keep_found(rq, frame->question, found);
	return 0;
}

/* One server may be broken, or somebody lies: what is bogus is looked for elsewhere before it is believed to be. */
static int find_checked_await(struct request *rq, const struct frame *frame, struct found *found)
{
	struct frame again = *frame;
	bool is_final = false;
	for (unsigned tries = 1; !is_final; tries++) {
		struct found now;
		int ret = lookup_find_await(rq, &again, &now);
		if (ret != 0)
			return ret == E_NOSERVER && tries > 1 ? 0 : ret;
		*found = now;
		if (found->security != SECURITY_UNCHECKED)
			return 0;
		ret = check_await(rq, frame, found, &is_final);
		if (ret != 0)
			return ret;
		is_final |= tries >= LIMIT_BOGUS_TRIES;
		if (!is_final)
			lookup_avoid(rq, &now);
		again.afresh = true;
	}
	return 0;
}

/* Addresses of servers are not checked: what those say is. Nor is what a client wants to check by itself. */
static bool has_to_be_checked(const struct request *rq, const struct frame *frame)
{
	return rq->options.anchors != NULL && !rq->cd && frame->depth == 0;
}

static int find_await(struct request *rq, const struct frame *frame, struct found *found)
{
	if (has_to_be_checked(rq, frame))
		return find_checked_await(rq, frame, found);
	int ret = lookup_find_await(rq, frame, found);
	if (ret == 0 && !found->is_cached)
		keep_found(rq, frame->question, found);
	return ret;
}

/* What was told together with an alias, or NULL: where that is not good, the question is asked for itself. */
static int next_await(struct request *rq, const struct frame *frame, const struct found *told, struct found *found)
{
	if (told == NULL)
		return find_await(rq, frame, found);
	*found = *told;
	if (!has_to_be_checked(rq, frame)) {
		keep_found(rq, frame->question, found);
		return 0;
	}
	bool is_final;
	int ret = check_await(rq, frame, found, &is_final);
	bool is_good = ret == 0 && found->security != SECURITY_BOGUS;
	return is_good || (ret != 0 && ret != E_NOSERVER) ? ret : find_await(rq, frame, found);
}

/* The answer is as good as the worst of its parts. */
static void weigh(struct request *rq, struct answer *answer, const struct found *found)
{
	bool is_unjudged = found->security == SECURITY_BOGUS && rq->cd; /* the client wants to see it */
	if (is_unjudged)
		answer->security = SECURITY_UNCHECKED;
	else if (found->security != SECURITY_SECURE && answer->security != SECURITY_BOGUS)
		answer->security = found->security;
	if (rq->verdict.ede == EDE_NONE || rq->verdict.why == NULL)
		return;
	answer->ede = rq->verdict.ede;
	answer->ede_extra = rq->verdict.why;
	rq->verdict = (struct verdict){.ede = EDE_NONE};
}

int lookup_await(struct request *rq, const struct frame *frame, struct answer *answer)
{
	struct question q = *frame->question;
	*answer = (struct answer){.ede = EDE_NONE, .security = SECURITY_SECURE};
	const struct found *told = NULL; /* of the next name, together with the one before */
	unsigned aliases = 0;
	counters_add(COUNT_LOOKUPS, 1);
	for (;;) {
		struct found found;
		struct frame step = {
			.parent = frame->parent, .question = &q, .depth = frame->depth, .aliases = aliases};
		int ret = next_await(rq, &step, told, &found);
		if (ret != 0)
			return ret;
		weigh(rq, answer, &found);
		if (answer->security == SECURITY_BOGUS)
			return 0;
		told = found.next;
		if (found.kind == FOUND_ALIAS && q.type == KNOT_RRTYPE_CNAME)
			found.kind =
				FOUND_ANSWER; /* what a DNAME makes of the name was asked for, not where it leads */
		if (found.kind != FOUND_ALIAS) {
			conclude(rq, answer, &found);
			return 0;
		}
		const uint8_t *target = follow(rq, answer, &found);
		if (target == NULL)
			return E_MALFORMED;
		ret = request_take(rq, BUDGET_ALIAS);
		if (ret != 0)
			return ret;
		q.name = target;
		aliases++;
	}
}

/* The newest of what the cache has, whatever its age: a name that was there once may have become an alias, or nothing. */
static bool find_newest(struct request *rq, const struct question *q, struct found *out)
{
	const struct {
		uint16_t type;
		enum cache_space space;
		enum found_kind kind;
	} places[] = {{q->type, CACHE_RRSET, FOUND_ANSWER}, {KNOT_RRTYPE_CNAME, CACHE_RRSET, FOUND_ALIAS},
		{0, CACHE_NAME, FOUND_NXDOMAIN}};
	static const uint8_t root[] = "";
	struct cached cached;
	uint32_t age_s = UINT32_MAX;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (!get(rq, q->name, places[i].type, places[i].space, &cached) || cached.age_s >= age_s)
			continue;
		bool has_none = places[i].space == CACHE_RRSET && cached.kind != CACHE_POSITIVE;
		if (has_none && places[i].kind == FOUND_ALIAS)
			continue;
		age_s = cached.age_s;
		found_cached(&cached, has_none ? FOUND_NODATA : places[i].kind, out);
	}
	return age_s != UINT32_MAX || lookup_find_above(rq, q, root, out);
}

bool lookup_stale(struct request *rq, const struct question *asked, struct answer *answer)
{
	struct question q = *asked;
	bool is_whole = false;
	*answer = (struct answer){.ede = EDE_NONE, .security = SECURITY_UNCHECKED};
	rq->stale = true;
	rq->found_stale = false;
	for (unsigned i = 0; i < LIMIT_ALIASES && !is_whole; i++) {
		struct found found;
		if (!special_find(rq, &q, &found) && !find_newest(rq, &q, &found))
			break;
		is_whole = found.kind != FOUND_ALIAS;
		if (is_whole)
			conclude(rq, answer, &found);
		else if ((q.name = follow(rq, answer, &found)) == NULL)
			break;
	}
	rq->stale = false;
	if (is_whole && rq->found_stale)
		answer->ede = answer->rcode == KNOT_RCODE_NXDOMAIN ? EDE_STALE_NXDOMAIN : EDE_STALE_ANSWER;
	return is_whole;
}

/* --- addresses of servers --- */

/* Whether somebody up the chain is looking for the same thing: it would wait for itself (TsuNAME). */
static bool is_asked_above(const struct frame *frame, const struct question *q)
{
	for (; frame != NULL; frame = frame->parent)
		if (frame->question->type == q->type && name_is_equal(frame->question->name, q->name))
			return true;
	return false;
}

static int add_looked_up_await(
	struct request *rq, const struct frame *above, struct cut *cut, const uint8_t *name, uint16_t type)
{
	struct question q = {.name = name, .type = type, .rclass = KNOT_CLASS_IN};
	if (above->depth >= LIMIT_DEPTH || is_asked_above(above, &q))
		return E_NOSERVER;
	int ret = request_take(rq, BUDGET_SERVER_LOOKUP);
	if (ret != 0)
		return ret;
	struct frame frame = {.parent = above, .question = &q, .depth = above->depth + 1};
	struct answer *answer = arena_alloc(&rq->arena, sizeof(*answer));
	if (rq->story != NULL) {
		char text[NAME_TEXT];
		story_add(rq->story, STORY_ADDRESS, clock_mono_us(), "first, the address of %s", name_text(name, text));
		rq->story->depth++;
	}
	rq->depth++;
	ret = lookup_await(rq, &frame, answer);
	rq->depth--;
	if (rq->story != NULL)
		rq->story->depth--;
	if (ret != 0)
		return ret == E_MALFORMED ? E_NOSERVER : ret;
	for (uint16_t i = 0; i < answer->count[SECTION_ANSWER]; i++)
		if (answer->set[SECTION_ANSWER][i]->type == type)
			cut_add_addresses(cut, rq, answer->set[SECTION_ANSWER][i]);
	return 0;
}

/* Where nobody could be asked for the one family, nobody is asked for the other: it would be the same servers again, and
 * who names them may be an attacker (NRDelegation). */
int lookup_addresses_await(struct request *rq, const struct frame *frame, struct cut *cut, const uint8_t *name)
{
	int ret = 0;
	unsigned before = cut->addresses;
	if (rq->options.ipv4)
		ret = add_looked_up_await(rq, frame, cut, name, KNOT_RRTYPE_A);
	if (ret == 0 && cut->addresses == before && rq->options.ipv6)
		ret = add_looked_up_await(rq, frame, cut, name, KNOT_RRTYPE_AAAA);
	return ret;
}
