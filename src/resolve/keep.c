/* Decides under which key, for how long and as how trustworthy something is stored. */
#include "resolve/keep.h"

#include "base/limits.h"
#include "resolve/routes.h"

/* Not kept for others: what a forwarder was asked to say unchecked (CD; RFC 6840 5.9), and what the parent says, asked
 * for DS, of a name that is the top of a zone of the operator's. */
static bool may_keep(const struct request *rq, const uint8_t *name, uint16_t type)
{
	const struct route *route = routes_find(rq->options.routes, name);
	if (route == NULL || route->kind == ROUTE_ORDINARY)
		return true;
	if (route->kind == ROUTE_FORWARD && rq->cd)
		return false;
	return type != KNOT_RRTYPE_DS || !name_is_equal(route->name, name);
}

static void put(struct request *rq, struct cache_key *key, struct cache_value *value)
{
	if (value->security == SECURITY_BOGUS && value->ttl_s > LIMIT_BOGUS_TTL_S)
		value->ttl_s = LIMIT_BOGUS_TTL_S;
	rrcache_put(rq->resolver->conf.rrcache, key, value);
}

static void keep_positive(struct request *rq, const struct found *found)
{
	const struct rrset *set[1 + LIMIT_PROOFS] = {found->set[0]};
	for (uint16_t i = 0; i < found->proofs && i < LIMIT_PROOFS; i++)
		set[1 + i] = found->proof[i];
	struct cache_key key = {.name = set[0]->owner, .type = set[0]->type, .space = CACHE_RRSET};
	put(rq, &key,
		&(struct cache_value){.kind = CACHE_POSITIVE,
			.rank = RANK_ANSWER,
			.security = found->security,
			.ttl_s = set[0]->ttl_s,
			.count = (uint16_t)(1 + found->proofs),
			.set = set});
}

static void keep_denial(struct request *rq, struct cache_key *key, const struct found *found, enum security security)
{
	put(rq, key,
		&(struct cache_value){.kind = found->kind == FOUND_NXDOMAIN ? CACHE_NXDOMAIN : CACHE_NODATA,
			.rank = RANK_ANSWER,
			.security = security,
			.ttl_s = found->set[0]->ttl_s,
			.count = found->count,
			.set = found->set});
}

void keep_found(struct request *rq, const struct question *q, const struct found *found)
{
	/* ANY is no type that has an answer of its own; of RRSIG nothing is proved, so that it must not say more than was
	 * asked: an alias or a denial would hold for other types. */
	bool is_apart = q->type == KNOT_RRTYPE_ANY || (q->type == KNOT_RRTYPE_RRSIG && found->kind != FOUND_ANSWER);
	if (found->count == 0 || is_apart || !may_keep(rq, q->name, q->type))
		return;
	if (found->kind != FOUND_NODATA && found->kind != FOUND_NXDOMAIN) {
		keep_positive(rq, found);
		return;
	}
	if (found->set[0]->type != KNOT_RRTYPE_SOA)
		return; /* RFC 2308 5 */
	bool whole_name = found->kind == FOUND_NXDOMAIN;
	struct cache_key key = {
		.name = q->name, .type = whole_name ? 0 : q->type, .space = whole_name ? CACHE_NAME : CACHE_RRSET};
	keep_denial(rq, &key, found, found->security);
	/* The name above does not exist either, says the server (RFC 8020); whether that is proved is another question. */
	if (whole_name && found->denied != NULL && may_keep(rq, found->denied, 0))
		keep_denial(rq, &(struct cache_key){.name = found->denied, .type = 0, .space = CACHE_NAME}, found,
			found->security == SECURITY_BOGUS ? SECURITY_BOGUS : SECURITY_UNCHECKED);
}

void keep_set(struct request *rq, const struct question *q, const struct rrset *set)
{
	if (!may_keep(rq, q->name, q->type))
		return;
	struct cache_key key = {.name = set->owner, .type = set->type, .space = CACHE_RRSET};
	put(rq, &key,
		&(struct cache_value){
			.kind = CACHE_POSITIVE, .rank = RANK_ANSWER, .ttl_s = set->ttl_s, .count = 1, .set = &set});
}

uint16_t keep_proofs(struct request *rq, const uint8_t *zone, const struct message *msg, const struct rrset ***out)
{
	uint16_t count = 0;
	*out = NULL;
	for (uint16_t i = 0; i < msg->count[SECTION_AUTHORITY] && count < LIMIT_PROOFS; i++) {
		const struct rrset *set = &msg->set[SECTION_AUTHORITY][i];
		bool is_proof = set->type == KNOT_RRTYPE_NSEC || set->type == KNOT_RRTYPE_NSEC3;
		if (!is_proof || set->rclass != KNOT_CLASS_IN || !name_is_within(set->owner, zone))
			continue;
		if (count == 0)
			*out = arena_alloc(&rq->arena, LIMIT_PROOFS * sizeof(**out));
		(*out)[count++] = set;
	}
	return count;
}

void keep_ds(struct request *rq, const uint8_t *zone, const struct message *msg, const uint8_t *child, uint32_t ttl_s)
{
	const struct rrset **proof, *ds = message_find(msg, SECTION_AUTHORITY, child, KNOT_RRTYPE_DS);
	struct cache_value value = {
		.kind = CACHE_POSITIVE, .rank = RANK_ANSWER, .ttl_s = ttl_s, .count = 1, .set = &ds};
	if (ds == NULL) {
		value.kind = CACHE_NODATA;
		value.count = keep_proofs(rq, zone, msg, &proof);
		value.set = proof;
	}
	uint32_t least_s = rrset_least_ttl(value.set, value.count);
	value.ttl_s = least_s < ttl_s ? least_s : ttl_s;
	if (value.count > 0)
		put(rq, &(struct cache_key){.name = child, .type = KNOT_RRTYPE_DS, .space = CACHE_CHAIN}, &value);
}
