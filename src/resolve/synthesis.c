/* Decides what may be said of a name from proofs that were given for others. */
#include "resolve/synthesis.h"

#include <string.h>

#include "base/clock.h"
#include "base/counters.h"
#include "cache/denials.h"
#include "dns/denial.h"
#include "resolve/anchors.h"
#include "resolve/routes.h"
#include "resolve/verify.h"

static bool is_proof(const struct rrset *set)
{
	return set->type == KNOT_RRTYPE_NSEC || set->type == KNOT_RRTYPE_NSEC3 || set->type == KNOT_RRTYPE_SOA;
}

void synthesis_learn(struct request *rq, const uint8_t *zone, const struct rrset *const *set, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++)
		if (is_proof(set[i]))
			denials_put(rq->resolver->conf.denials, zone, set[i]);
}

/* "*." and the last labels of the name; NULL where that would be too long. */
static const uint8_t *wildcard_of(struct request *rq, const uint8_t *name, unsigned labels)
{
	const uint8_t *parent = name_suffix(name, labels);
	size_t len = name_len(parent);
	if (len + 2 > NAME_MAX_LEN)
		return NULL;
	uint8_t *wildcard = arena_alloc(&rq->arena, len + 2);
	wildcard[0] = 1;
	wildcard[1] = '*';
	memcpy(wildcard + 2, parent, len);
	return wildcard;
}

void synthesis_learn_wildcard(struct request *rq, const struct rrset *set, unsigned labels)
{
	struct rrset *source = arena_copy(&rq->arena, set, sizeof(*set));
	source->owner = wildcard_of(rq, set->owner, labels);
	const struct rrset *one = source;
	if (source->owner == NULL)
		return;
	rrcache_put(rq->resolver->conf.rrcache,
		&(struct cache_key){.name = source->owner, .type = set->type, .space = CACHE_RRSET},
		&(struct cache_value){.kind = CACHE_POSITIVE,
			.rank = RANK_ANSWER,
			.security = SECURITY_SECURE,
			.ttl_s = set->ttl_s,
			.count = 1,
			.set = &one});
}

/* --- finding --- */

/* What the index has hashed for it (CVE-2023-50868). */
static bool pay(struct request *rq, const uint8_t *name, const struct denials_found *proofs)
{
	if (proofs->count == 0 || proofs->set[0]->type != KNOT_RRTYPE_NSEC3)
		return true;
	unsigned count = name_labels(name) - name_labels(proofs->zone) + 1;
	for (unsigned i = 0; i < count && i < LIMIT_DENIALS_HASHES; i++)
		if (request_take(rq, BUDGET_HASH) != 0)
			return false;
	return true;
}

static bool find_proofs(struct request *rq, const uint8_t *name, bool above, struct denials_found *proofs)
{
	if (rq->options.anchors == NULL || rq->fresh || rq->cd)
		return false;
	const uint8_t *where = above && !name_is_root(name) ? name_parent(name) : name;
	const struct anchor *anchor = anchors_find(rq->options.anchors, where, clock_wall_s());
	if (anchor == NULL || anchor->is_negative)
		return false;
	if (denials_find(rq->resolver->conf.denials, &rq->arena, name, above, proofs) != 0 ||
		!name_is_within(proofs->zone, anchor->zone))
		return false;
	/* A zone of the operator's is no business of the one above it. */
	const struct route *route = routes_find(rq->options.routes, where);
	bool is_below = route == NULL || route->kind == ROUTE_ORDINARY || name_is_within(proofs->zone, route->name);
	return is_below && pay(rq, name, proofs);
}

static void begin(struct request *rq, struct denial *denial, const struct denials_found *proofs)
{
	denial_init(denial, proofs->zone, proofs->set, proofs->count);
	denial_allow_iterations(denial, rq->options.nsec3_iterations);
}

/* RFC 8198 5.4, RFC 9077: no longer than any of its parts says. */
static void found_denial(
	struct request *rq, const struct denials_found *proofs, enum found_kind kind, struct found *out)
{
	struct rrset *soa = arena_copy(&rq->arena, proofs->soa, sizeof(*soa));
	uint32_t ttl_s = rrset_negative_ttl(soa);
	soa->ttl_s = ttl_s < LIMIT_NEGATIVE_TTL_S ? ttl_s : LIMIT_NEGATIVE_TTL_S;
	*out = (struct found){.kind = kind,
		.security = SECURITY_SECURE,
		.is_cached = true,
		.set = arena_alloc(&rq->arena, (proofs->count + 1u) * sizeof(*out->set))};
	out->set[out->count++] = soa;
	for (uint16_t i = 0; i < proofs->count; i++) {
		out->set[out->count++] = proofs->set[i];
		if (proofs->set[i]->ttl_s < soa->ttl_s)
			soa->ttl_s = proofs->set[i]->ttl_s;
	}
}

/* The rrset of a wildcard, as that of the name. */
static bool find_wildcard(struct request *rq, const struct question *q, const struct denials_found *proofs,
	unsigned labels, uint16_t type, struct found *out)
{
	struct cached cached;
	struct denial denial;
	const uint8_t *wildcard = wildcard_of(rq, q->name, labels);
	struct cache_key key = {.name = wildcard, .type = type, .space = CACHE_RRSET};
	if (wildcard == NULL || rrcache_get(rq->resolver->conf.rrcache, &rq->arena, &key, RANK_ANSWER, &cached) != 0 ||
		cached.kind != CACHE_POSITIVE || cached.security != SECURITY_SECURE)
		return false;
	/* NSEC3 of a parent covers all that lies below its cuts: a child's wildcard is none of its own. */
	const uint8_t *signer = verify_signer(rq, cached.set[0], proofs->zone);
	if (signer == NULL || !name_is_equal(signer, proofs->zone))
		return false;
	begin(rq, &denial, proofs);
	if (denial_of_closer(&denial, q->name, labels) != DENIED)
		return false;
	cached.set[0]->owner = q->name;
	*out = (struct found){.kind = type == q->type ? FOUND_ANSWER : FOUND_ALIAS,
		.security = SECURITY_SECURE,
		.is_cached = true,
		.count = 1,
		.set = (const struct rrset **)cached.set,
		.proofs = proofs->count,
		.proof = arena_copy(&rq->arena, proofs->set, proofs->count * sizeof(*proofs->set))};
	return true;
}

static bool find_any_wildcard(
	struct request *rq, const struct question *q, const struct denials_found *proofs, struct found *out)
{
	unsigned top = name_labels(proofs->zone), all = name_labels(q->name);
	for (unsigned labels = all; labels > top; labels--)
		if (find_wildcard(rq, q, proofs, labels - 1, q->type, out) ||
			(q->type != KNOT_RRTYPE_CNAME &&
				find_wildcard(rq, q, proofs, labels - 1, KNOT_RRTYPE_CNAME, out)))
			return true;
	return false;
}

static bool find_denial(
	struct request *rq, const struct question *q, const struct denials_found *proofs, struct found *out)
{
	struct denial denial;
	if (proofs->soa == NULL)
		return false;
	begin(rq, &denial, proofs);
	if (denial_of_name(&denial, q->name) == DENIED)
		found_denial(rq, proofs, FOUND_NXDOMAIN, out);
	else if (denial_of_type(&denial, q->name, q->type) == DENIED)
		found_denial(rq, proofs, FOUND_NODATA, out);
	else
		return false;
	return true;
}

static void tell(struct request *rq, const struct denials_found *proofs)
{
	char zone[NAME_TEXT];
	counters_add(COUNT_ANSWERS_SYNTHESIZED, 1);
	if (rq->story != NULL)
		story_add(rq->story, STORY_CACHE, clock_mono_us(),
			"%s has proved before what there is of that name: nobody is asked (RFC 8198)",
			name_text(proofs->zone, zone));
}

bool synthesis_find(struct request *rq, const struct question *q, struct found *out)
{
	struct denials_found proofs;
	bool above = q->type == KNOT_RRTYPE_DS && !name_is_root(q->name);
	if (q->type == KNOT_RRTYPE_ANY || q->type == KNOT_RRTYPE_RRSIG || !find_proofs(rq, q->name, above, &proofs))
		return false;
	if (!find_denial(rq, q, &proofs, out) && !find_any_wildcard(rq, q, &proofs, out))
		return false;
	tell(rq, &proofs);
	return true;
}

bool synthesis_find_no_ds(struct request *rq, const uint8_t *name, struct found *out)
{
	struct denials_found proofs;
	struct denial denial;
	if (name_is_root(name) || !find_proofs(rq, name, true, &proofs))
		return false;
	begin(rq, &denial, &proofs);
	if (denial_of_ds(&denial, name) == NO_DS_UNKNOWN)
		return false;
	*out = (struct found){.kind = FOUND_NODATA,
		.security = SECURITY_SECURE,
		.is_cached = true,
		.count = proofs.count,
		.set = arena_copy(&rq->arena, proofs.set, proofs.count * sizeof(*proofs.set))};
	return true;
}
