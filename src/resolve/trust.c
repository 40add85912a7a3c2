/* Decides how zones stand: anchors first, then what the parent proves of the child (DS), then what the child proves of
 * itself (DNSKEY). */
#include "resolve/trust.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "dns/entry.h"
#include "resolve/anchors.h"
#include "resolve/keep.h"
#include "resolve/routes.h"
#include "resolve/synthesis.h"

/* What the parent proves of a child's DS. */
struct ds_state {
	enum security security; /* SECURE, INSECURE: an unsigned delegation; INDETERMINATE, BOGUS */
	const struct rrset *ds; /* secure: the records; or NULL, */
	enum no_ds none;        /* and then there is no cut, or not even the name */
	unsigned hashes;        /* that this took, to be paid for */
};

static void tell(struct request *rq, const uint8_t *zone, const char *what)
{
	if (rq->story != NULL)
		story_add(rq->story, STORY_CHAIN, clock_mono_us(), "%s %s", verify_name(rq, zone), what);
}

static const struct anchor *anchor_of(const struct request *rq, const uint8_t *name)
{
	return anchors_find(rq->options.anchors, name, clock_wall_s());
}

static bool cached(struct request *rq, const uint8_t *name, uint16_t type, enum cache_space space, struct cached *out)
{
	struct cache_key key = {.name = name, .type = type, .space = space};
	if (rrcache_get(rq->resolver->conf.rrcache, &rq->arena, &key, RANK_ANSWER, out) != 0)
		return false;
	/* Who wants all of it anew need not have the same link proved twice. */
	uint64_t since_us = request_now_us(rq) + LIMIT_DEADLINE_MS * 1000ull - rq->budget.deadline_us;
	return !rq->fresh || out->age_s <= since_us / 1000000;
}

static int fetch_await(struct request *rq, const struct frame *above, const uint8_t *name, uint16_t type, bool afresh,
	struct found *out)
{
	struct question *q = arena_alloc(&rq->arena, sizeof(*q));
	*q = (struct question){.name = name, .type = type, .rclass = KNOT_CLASS_IN};
	struct frame frame = {.parent = above, .question = q, .depth = above->depth, .afresh = afresh};
	int ret = lookup_find_await(rq, &frame, out);
	if (ret == 0 && !out->is_cached && out->security == SECURITY_UNCHECKED)
		keep_found(rq, q, out);
	return ret;
}

/* Lack of a link is a failure of the lookup only where a limit or this machine is to blame. */
static bool is_fatal(int ret)
{
	return ret != 0 && ret != E_NOSERVER && ret != E_MALFORMED && ret != E_MISMATCH;
}

/* --- DS: what the parent says --- */

static void keep_state(struct request *rq, const uint8_t *zone, const struct found *found, const struct ds_state *state)
{
	struct cache_value value = {.kind = state->ds != NULL ? CACHE_POSITIVE : CACHE_NODATA,
		.rank = RANK_ANSWER,
		.security = state->security,
		.ttl_s = rrset_least_ttl(found->set, found->count),
		.count = found->count,
		.set = found->set};
	bool is_alias = found->kind == FOUND_ALIAS || found->kind == FOUND_TOO_LONG;
	bool is_settled = state->security == SECURITY_SECURE || state->security == SECURITY_INSECURE;
	if (found->count > 0 && !is_alias && is_settled)
		rrcache_put(rq->resolver->conf.rrcache,
			&(struct cache_key){.name = zone, .type = KNOT_RRTYPE_DS, .space = CACHE_CHAIN}, &value);
}

/* What proved records say of a missing DS. */
static void read_denial(
	struct request *rq, const uint8_t *zone, const uint8_t *signer, const struct found *found, struct ds_state *out)
{
	struct denial denial;
	denial_init(&denial, signer, found->set, found->count);
	denial_allow_iterations(&denial, rq->options.nsec3_iterations);
	out->none = denial_of_ds(&denial, zone);
	out->hashes = denial.hashes;
	switch (out->none) {
	case NO_DS_DELEGATION: out->security = SECURITY_INSECURE; break;
	case NO_DS_NO_CUT:
	case NO_DS_NO_NAME: out->security = SECURITY_SECURE; break;
	case NO_DS_TOO_DEAR:
		/* The zone's doing; but a name of very many labels may be a forger's, who wants it to count as unsigned. */
		out->security = denial.too_many_iterations ? SECURITY_INSECURE : SECURITY_BOGUS;
		break;
	default: out->security = SECURITY_BOGUS; break;
	}
	if (out->none == NO_DS_TOO_DEAR && denial.too_many_iterations)
		verify_blame(rq, EDE_NSEC3_ITERATIONS, "NSEC3 with too many iterations");
}

/* The signed rrsets among what was found, checked; the others are passed over. */
static int keep_good_await(struct request *rq, const struct trust *trust, struct found *found)
{
	const struct rrset **good = arena_alloc(&rq->arena, (found->count + 1u) * sizeof(*good));
	uint16_t count = 0;
	for (uint16_t i = 0; i < found->count; i++) {
		struct rrsig sig;
		int ret = verify_set_await(rq, found->set[i], trust, &sig);
		if (ret == 0)
			good[count++] = verify_bound(rq, found->set[i], &sig);
		else if (ret != E_MISMATCH)
			return ret;
	}
	found->set = good;
	found->count = count;
	synthesis_learn(rq, trust->zone, good, count);
	return 0;
}

static const uint8_t *signer_of(struct request *rq, const struct found *found, const uint8_t *top)
{
	for (uint16_t i = 0; i < found->count; i++) {
		const uint8_t *signer = verify_signer(rq, found->set[i], top);
		if (signer != NULL)
			return signer;
	}
	return NULL;
}

static int link_await(struct request *rq, const struct frame *frame, const uint8_t *zone, const struct rrset *offered,
	struct trust *out);

/* Nobody has signed what was said of DS: right only where the parent is not signed itself. */
static int check_unsigned_ds_await(
	struct request *rq, const struct frame *frame, const uint8_t *zone, struct ds_state *out)
{
	struct trust parent;
	int ret = trust_above_await(rq, frame, name_parent(zone), &parent);
	if (ret != 0)
		return ret;
	out->security = parent.security;
	if (parent.security != SECURITY_SECURE)
		return 0;
	verify_blame(rq, EDE_RRSIGS_MISSING, "what is said of the DS of %.100s is not signed", verify_name(rq, zone));
	out->security = SECURITY_BOGUS;
	return 0;
}

static int check_ds_await(
	struct request *rq, const struct frame *frame, const uint8_t *zone, struct found *found, struct ds_state *out)
{
	const struct anchor *anchor = anchor_of(rq, name_parent(zone));
	*out = (struct ds_state){.security = SECURITY_INDETERMINATE};
	if (anchor == NULL)
		return 0;
	const uint8_t *signer = signer_of(rq, found, anchor->zone);
	if (signer == NULL || !name_is_below(zone, signer))
		return check_unsigned_ds_await(rq, frame, zone, out);
	struct trust trust;
	int ret = link_await(rq, frame, signer, NULL, &trust);
	out->security = trust.security;
	if (ret != 0 || trust.security != SECURITY_SECURE)
		return ret;
	uint16_t told = found->count;
	ret = keep_good_await(rq, &trust, found);
	if (ret != 0)
		return ret;
	if (found->count == 0)
		out->security = SECURITY_BOGUS;
	else if (found->kind == FOUND_ANSWER)
		out->ds = found->set[0];
	else if (found->kind == FOUND_ALIAS || found->kind == FOUND_TOO_LONG)
		out->none = NO_DS_NO_CUT; /* an alias has no other records: no delegation (RFC 2181 10.1) */
	else
		read_denial(rq, zone, signer, found, out);
	if (out->security == SECURITY_BOGUS && found->count == told) /* else what a signature lacked says more */
		verify_blame(rq, EDE_NSEC_MISSING, "nothing proves that %.100s has no DS", verify_name(rq, zone));
	return 0;
}

/* What is kept of it: from a referral, or from a question. */
static bool known_ds(struct request *rq, const uint8_t *zone, struct found *found)
{
	struct cached entry;
	if (!cached(rq, zone, KNOT_RRTYPE_DS, CACHE_CHAIN, &entry))
		return false;
	*found = (struct found){.kind = entry.kind == CACHE_POSITIVE ? FOUND_ANSWER : FOUND_NODATA,
		.security = entry.security,
		.is_cached = true,
		.count = entry.count,
		.set = (const struct rrset **)entry.set};
	return true;
}

/* What has been checked before. */
static bool is_settled(struct request *rq, const uint8_t *zone, const struct found *found, struct ds_state *out)
{
	*out = (struct ds_state){.security = found->security};
	if (found->security == SECURITY_INSECURE)
		return true;
	if (found->security != SECURITY_SECURE)
		return false;
	if (found->kind == FOUND_ANSWER) {
		out->ds = found->set[0];
		return true;
	}
	const struct anchor *anchor = anchor_of(rq, name_parent(zone));
	const uint8_t *signer = anchor != NULL ? signer_of(rq, found, anchor->zone) : NULL;
	if (signer == NULL || (found->kind != FOUND_NODATA && found->kind != FOUND_NXDOMAIN))
		return false;
	read_denial(rq, zone, signer, found, out);
	return out->security != SECURITY_BOGUS;
}

/* From what is known, then from servers, and where that is bogus from others. */
static int ds_await(struct request *rq, const struct frame *frame, const uint8_t *zone, struct ds_state *out)
{
	struct found found;
	bool is_known = known_ds(rq, zone, &found) || synthesis_find_no_ds(rq, zone, &found);
	*out = (struct ds_state){.security = SECURITY_BOGUS};
	for (unsigned tries = 0; tries < LIMIT_BOGUS_TRIES; tries++) {
		int ret = is_known ? 0 : fetch_await(rq, frame, zone, KNOT_RRTYPE_DS, tries > 0, &found);
		if (ret != 0)
			return tries > 0 && !is_fatal(ret) ? 0 : ret;
		if (is_settled(rq, zone, &found, out))
			return verify_pay_hashes(rq, out->hashes);
		ret = verify_pay_hashes(rq, out->hashes);
		if (ret == 0)
			ret = check_ds_await(rq, frame, zone, &found, out);
		if (ret == 0)
			ret = verify_pay_hashes(rq, out->hashes);
		if (ret != 0)
			return ret;
		if (out->security != SECURITY_BOGUS) {
			keep_state(rq, zone, &found, out);
			return 0;
		}
		lookup_avoid(rq, &found);
		is_known = false;
	}
	return 0;
}

/* --- DNSKEY: what the zone says of itself --- */

static bool has_zone_bit(const struct rrset *set)
{
	const knot_rdata_t *rdata = set->data.rdata;
	for (unsigned i = 0; i < set->data.count && i < LIMIT_ZONE_KEYS;
		i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata)) {
		struct dnskey key;
		if (dnskey_read(&key, rdata) == 0 && (key.flags & DNSKEY_ZONE) != 0)
			return true;
	}
	return false;
}

static void blame_no_entry(struct request *rq, const uint8_t *zone, const struct rrset *set)
{
	if (has_zone_bit(set))
		verify_blame(rq, EDE_DNSKEY_MISSING, "no key of %.100s is one that its parent or an anchor names",
			verify_name(rq, zone));
	else
		verify_blame(rq, EDE_NO_ZONE_BIT, "no key of %.100s has the zone bit", verify_name(rq, zone));
}

/* 0: the rrset is signed by a key that is vouched for, and *out has all its keys. E_MISMATCH: it is not. */
static int check_keys_await(
	struct request *rq, const struct entry_points *points, const struct rrset *set, struct trust *out)
{
	struct rrsig sig;
	verify_take_keys(rq, set, out);
	out->keys = entry_keep_keys(points, out->zone, out->key, out->keys);
	if (out->keys == 0) {
		blame_no_entry(rq, out->zone, set);
		return E_MISMATCH;
	}
	int ret = verify_set_await(rq, set, out, &sig);
	if (ret != 0)
		return ret;
	set = verify_bound(rq, set, &sig);
	verify_take_keys(rq, set, out);
	/* Apart from what others may have signed as DNSKEY at a name that is no zone's. */
	rrcache_put(rq->resolver->conf.rrcache,
		&(struct cache_key){.name = out->zone, .type = KNOT_RRTYPE_DNSKEY, .space = CACHE_CHAIN},
		&(struct cache_value){.kind = CACHE_POSITIVE,
			.rank = RANK_ANSWER,
			.security = SECURITY_SECURE,
			.ttl_s = set->ttl_s,
			.count = 1,
			.set = &set});
	out->security = SECURITY_SECURE;
	tell(rq, out->zone, "has keys that are good");
	return 0;
}

/* Nothing below it can be resolved: the operator has to know. Where even the keys of an anchor are signed for another time,
 * the clock is wrong more likely than the zone. */
static void tell_broken_anchor(struct request *rq, const uint8_t *zone)
{
	struct resolver *resolver = rq->resolver;
	bool early = rq->verdict.ede == EDE_SIGNATURE_EARLY, late = rq->verdict.ede == EDE_SIGNATURE_EXPIRED;
	if (request_now_us(rq) < resolver->anchor_told_until_us)
		return;
	resolver->anchor_told_until_us = request_now_us(rq) + LIMIT_LACK_S * 1000000ull;
	const char *name = verify_name(rq, zone);
	if (early || late)
		log_warning("the signatures of the trust anchor %s are %s by this machine's clock: is it right? Until "
			    "it is, "
			    "nothing can be resolved there",
			name, early ? "not valid yet" : "no longer valid");
	else
		log_warning(
			"the trust anchor %s does not fit its zone: %s; until it does, nothing can be resolved there",
			name, rq->verdict.why != NULL ? rq->verdict.why : "its keys cannot be had");
}

/* Whoever asks for another name of the zone need not ask for its keys again at once. */
static void keep_bogus_keys(struct request *rq, const uint8_t *zone, const struct found *found)
{
	struct cache_value value = {.kind = CACHE_POSITIVE,
		.rank = RANK_ANSWER,
		.security = SECURITY_BOGUS,
		.ttl_s = LIMIT_BOGUS_TTL_S,
		.count = 1,
		.set = found->set};
	if (found->kind == FOUND_ANSWER && found->count == 1)
		rrcache_put(rq->resolver->conf.rrcache,
			&(struct cache_key){.name = zone, .type = KNOT_RRTYPE_DNSKEY, .space = CACHE_CHAIN}, &value);
}

static int keys_await(struct request *rq, const struct frame *frame, const struct entry_points *points,
	const struct rrset *offered, struct trust *out)
{
	struct found found = {.kind = FOUND_ANSWER, .is_cached = true, .count = 1, .set = &offered};
	struct cached bogus;
	bool is_known =
		cached(rq, out->zone, KNOT_RRTYPE_DNSKEY, CACHE_CHAIN, &bogus) && bogus.security == SECURITY_BOGUS;
	if (is_known)
		offered = bogus.set[0]; /* they are looked at again, so that it can be said why */
	for (unsigned tries = 0; tries < LIMIT_BOGUS_TRIES; tries++) {
		int ret = 0;
		if (tries > 0 || offered == NULL)
			ret = fetch_await(rq, frame, out->zone, KNOT_RRTYPE_DNSKEY, tries > 0, &found);
		if (is_fatal(ret))
			return ret;
		if (ret == 0 && found.kind == FOUND_ANSWER)
			ret = check_keys_await(rq, points, found.set[0], out);
		else if (tries == 0)
			verify_blame(
				rq, EDE_DNSKEY_MISSING, "the keys of %.100s cannot be had", verify_name(rq, out->zone));
		if (is_fatal(ret))
			return ret;
		if (out->security == SECURITY_SECURE || is_known || (ret == E_NOSERVER && tries > 0))
			return 0;
		if (ret != E_NOSERVER)
			lookup_avoid(rq, &found);
	}
	keep_bogus_keys(rq, out->zone, &found);
	return 0;
}

/* --- zones --- */

/* Why a zone that has a DS counts as unsigned all the same. */
static void tell_unusable(struct request *rq, const uint8_t *zone, const struct entry_points *points)
{
	verify_blame(rq, points->has_algorithm ? EDE_UNSUPPORTED_DS : EDE_UNSUPPORTED_KEY,
		"%.100s is signed only with %s that are not known here: it counts as unsigned", verify_name(rq, zone),
		points->has_algorithm ? "digests" : "algorithms");
}

static int from_points_await(struct request *rq, const struct frame *frame, const struct entry_points *points,
	const struct rrset *offered, struct trust *out)
{
	if (!entry_is_usable(points, rq->options.sha1)) {
		out->security = SECURITY_INSECURE;
		tell_unusable(rq, out->zone, points);
		return 0;
	}
	return keys_await(rq, frame, points, offered, out);
}

static int from_anchor_await(struct request *rq, const struct frame *frame, const struct anchor *anchor,
	const struct rrset *offered, struct trust *out)
{
	struct entry_points *points = arena_zalloc(&rq->arena, sizeof(*points));
	entry_read_ds(points, &anchor->ds, rq->options.sha1);
	points->keys = anchor->keys.count > 0 ? &anchor->keys : NULL;
	int ret = from_points_await(rq, frame, points, offered, out);
	if (ret == 0 && out->security == SECURITY_BOGUS)
		tell_broken_anchor(rq, out->zone);
	return ret;
}

static int from_parent_await(struct request *rq, const struct frame *frame, const uint8_t *zone,
	const struct rrset *offered, struct trust *out)
{
	struct ds_state state;
	int ret = ds_await(rq, frame, zone, &state);
	if (ret != 0)
		return ret;
	out->security = state.security;
	if (state.security == SECURITY_INSECURE)
		tell(rq, zone, "is not signed: its parent proves that it has no DS");
	if (state.security != SECURITY_SECURE)
		return 0;
	out->security = SECURITY_BOGUS;
	if (state.ds == NULL) {
		out->is_no_zone = true;
		verify_blame(
			rq, EDE_DNSSEC_BOGUS, "signed by %.100s, which is no zone of its own", verify_name(rq, zone));
		return 0;
	}
	struct entry_points *points = arena_zalloc(&rq->arena, sizeof(*points));
	entry_read_ds(points, &state.ds->data, rq->options.sha1);
	return from_points_await(rq, frame, points, offered, out);
}

static bool known_keys(struct request *rq, const uint8_t *zone, struct trust *out)
{
	struct cached keys;
	if (!cached(rq, zone, KNOT_RRTYPE_DNSKEY, CACHE_CHAIN, &keys) || keys.security != SECURITY_SECURE ||
		keys.kind != CACHE_POSITIVE)
		return false;
	verify_take_keys(rq, keys.set[0], out);
	out->security = SECURITY_SECURE;
	return true;
}

static int link_await(struct request *rq, const struct frame *frame, const uint8_t *zone, const struct rrset *offered,
	struct trust *out)
{
	*out = (struct trust){.security = SECURITY_INDETERMINATE, .zone = zone};
	const struct anchor *anchor = anchor_of(rq, zone);
	if (anchor == NULL || anchor->is_negative) {
		out->security = anchor != NULL ? SECURITY_INSECURE : SECURITY_INDETERMINATE;
		return 0;
	}
	if (known_keys(rq, zone, out))
		return 0;
	if (rq->links >= LIMIT_CHAIN)
		return E_BUDGET;
	rq->links++;
	out->security = SECURITY_BOGUS;
	int ret = name_is_equal(anchor->zone, zone) ? from_anchor_await(rq, frame, anchor, offered, out)
						    : from_parent_await(rq, frame, zone, offered, out);
	rq->links--;
	return ret;
}

/* The zones above whose keys have to be known first, the closest first, as far up as DS records name their signers. */
static int climb_await(struct request *rq, const struct frame *frame, const uint8_t *zone,
	const uint8_t *above[static LIMIT_CHAIN_ZONES], unsigned *count)
{
	for (*count = 0; *count < LIMIT_CHAIN_ZONES;) {
		struct found found;
		struct trust trust;
		const struct anchor *anchor = name_is_root(zone) ? NULL : anchor_of(rq, name_parent(zone));
		if (anchor == NULL || anchor->is_negative || name_is_equal(anchor_of(rq, zone)->zone, zone))
			return 0;
		int ret = known_ds(rq, zone, &found) ? 0 : fetch_await(rq, frame, zone, KNOT_RRTYPE_DS, false, &found);
		if (ret != 0)
			return is_fatal(ret) ? ret : 0;
		const uint8_t *signer = signer_of(rq, &found, anchor->zone);
		if (signer == NULL || !name_is_below(zone, signer) || known_keys(rq, signer, &trust))
			return 0;
		above[(*count)++] = zone = signer;
	}
	return E_BUDGET;
}

int trust_of_zone_await(struct request *rq, const struct frame *frame, const uint8_t *zone, const struct rrset *offered,
	struct trust *out)
{
	*out = (struct trust){.security = SECURITY_INDETERMINATE, .zone = zone};
	const struct anchor *anchor = anchor_of(rq, zone);
	unsigned count;
	if (anchor != NULL && !anchor->is_negative && !known_keys(rq, zone, out)) {
		/* From the top: so that no link waits for the one above it, and stacks stay shallow. */
		const uint8_t **above = arena_alloc(&rq->arena, LIMIT_CHAIN_ZONES * sizeof(*above));
		int ret = climb_await(rq, frame, zone, above, &count);
		while (ret == 0 && count > 0) {
			ret = link_await(rq, frame, above[--count], NULL, out);
			if (out->security != SECURITY_SECURE)
				break; /* and the link below will find the same */
		}
		if (ret != 0)
			return ret;
	}
	return link_await(rq, frame, zone, offered, out);
}

/* The deepest zone between the anchor and the name whose keys are known to be good; else the anchor's. */
static const uint8_t *where_to_begin(struct request *rq, const struct anchor *anchor, const uint8_t *name)
{
	struct trust trust;
	while (!name_is_equal(name, anchor->zone) && !known_keys(rq, name, &trust))
		name = name_parent(name);
	return name;
}

/* Below a name that does not exist nothing is delegated; but the operator may have a zone there of his own. */
static bool is_operators(const struct request *rq, const uint8_t *name, const uint8_t *missing)
{
	const struct route *route = routes_find(rq->options.routes, name);
	return route != NULL && route->kind != ROUTE_ORDINARY && name_is_within(route->name, missing);
}

/* One step down. True: it is known how `name` stands. */
static int step_await(struct request *rq, const struct frame *frame, const uint8_t *name, const uint8_t *next,
	struct trust *out, bool *is_end)
{
	struct ds_state state;
	int ret = ds_await(rq, frame, next, &state);
	*is_end = true;
	if (ret != 0)
		return ret;
	if (state.security != SECURITY_SECURE) {
		out->security = state.security;
		return 0;
	}
	if (state.ds != NULL) {
		ret = trust_of_zone_await(rq, frame, next, NULL, out);
		*is_end = out->security != SECURITY_SECURE;
		return ret;
	}
	*is_end = state.none == NO_DS_NO_NAME;
	if (*is_end && is_operators(rq, name, next))
		out->security = SECURITY_INSECURE;
	return 0;
}

int trust_above_await(struct request *rq, const struct frame *frame, const uint8_t *name, struct trust *out)
{
	*out = (struct trust){.security = SECURITY_INDETERMINATE, .zone = name};
	const struct anchor *anchor = anchor_of(rq, name);
	if (anchor == NULL)
		return 0;
	if (rq->links >= LIMIT_CHAIN)
		return E_BUDGET;
	rq->links++;
	const uint8_t *begin = where_to_begin(rq, anchor, name);
	int ret = trust_of_zone_await(rq, frame, begin, NULL, out);
	unsigned all = name_labels(name);
	for (unsigned labels = name_labels(begin) + 1; labels <= all && ret == 0 && out->security == SECURITY_SECURE;
		labels++) {
		bool is_end;
		ret = step_await(rq, frame, name, name_suffix(name, labels), out, &is_end);
		if (is_end)
			break;
	}
	rq->links--;
	return ret;
}
