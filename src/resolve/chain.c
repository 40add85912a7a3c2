/* Decides what an answer is worth: each of its rrsets, what denies, and what lets a wildcard stand for the name. */
#include "resolve/chain.h"

#include "base/clock.h"
#include "base/error.h"
#include "resolve/anchors.h"
#include "resolve/synthesis.h"
#include "resolve/trust.h"

/* The closest anchor of a name whose records of that type are looked at: those of DS are its parent's. */
static const struct anchor *anchor_of(const struct request *rq, const uint8_t *name, uint16_t type)
{
	bool above = type == KNOT_RRTYPE_DS && !name_is_root(name);
	return anchors_find(rq->options.anchors, above ? name_parent(name) : name, clock_wall_s());
}

/* --- nobody has signed it --- */

/* Right only where nobody ought to have. */
static int check_unsigned_await(
	struct request *rq, const struct frame *frame, const uint8_t *name, uint16_t type, struct found *found)
{
	bool above = type == KNOT_RRTYPE_DS && !name_is_root(name);
	struct trust trust;
	int ret = trust_above_await(rq, frame, above ? name_parent(name) : name, &trust);
	if (ret != 0)
		return ret;
	found->security = trust.security;
	rq->verdict.elsewhere = trust.security == SECURITY_SECURE;
	if (trust.security != SECURITY_SECURE)
		return 0;
	char text[TYPE_TEXT];
	verify_blame(rq, EDE_RRSIGS_MISSING, "%.60s %s is not signed, and its zone %.60s is", verify_name(rq, name),
		type_text(type, text), verify_name(rq, trust.zone));
	found->security = SECURITY_BOGUS;
	return 0;
}

/* --- denials --- */

/* The rrsets whose signatures are good; of the SOA a bad one is a bad sign. */
static int take_good_await(struct request *rq, const struct trust *trust, const struct rrset *const *set,
	uint16_t count, struct found *good)
{
	good->set = arena_alloc(&rq->arena, (count + 1u) * sizeof(*good->set));
	good->count = 0;
	for (uint16_t i = 0; i < count; i++) {
		struct rrsig sig;
		int ret = verify_set_await(rq, set[i], trust, &sig);
		if (ret == 0)
			good->set[good->count++] = verify_bound(rq, set[i], &sig);
		else if (ret != E_MISMATCH || set[i]->type == KNOT_RRTYPE_SOA)
			return ret;
	}
	return 0;
}

static enum security security_of(struct request *rq, const struct denial *denial, enum denied denied)
{
	if (denied == DENIED_TOO_DEAR && !denial->too_many_iterations) {
		/* A name of very many labels: whoever asks for it must not unsign the zone, nor have it hashed anew for
		 * each of its servers (CVE-2023-50868). */
		rq->verdict.elsewhere = false;
		return SECURITY_BOGUS;
	}
	switch (denied) {
	case DENIED: return SECURITY_SECURE;
	case DENIED_UNSIGNED: return SECURITY_INSECURE;
	case DENIED_TOO_DEAR:
		verify_blame(rq, EDE_NSEC3_ITERATIONS, "NSEC3 with too many iterations: it counts as unsigned");
		return SECURITY_INSECURE;
	default: return SECURITY_BOGUS;
	}
}

/* The answer may be kept for no longer than what proves it. */
static void bound_by_proofs(struct request *rq, struct found *found, const struct found *good)
{
	if (found->count > 0)
		found->set[0] = rrset_limit_ttl(&rq->arena, found->set[0], rrset_least_ttl(good->set, good->count));
}

static enum denied what_is_denied(struct denial *denial, const struct question *q, bool whole_name)
{
	return whole_name ? denial_of_name(denial, q->name) : denial_of_type(denial, q->name, q->type);
}

static int judge_denial(struct request *rq, const struct question *q, const struct trust *trust, struct found *found,
	const struct found *good)
{
	struct denial denial;
	denial_init(&denial, trust->zone, good->set, good->count);
	denial_allow_iterations(&denial, rq->options.nsec3_iterations);
	bool whole_name = found->kind == FOUND_NXDOMAIN;
	enum denied denied = what_is_denied(&denial, q, whole_name);
	if (denied == NOT_DENIED && what_is_denied(&denial, q, !whole_name) == DENIED) {
		denied =
			DENIED; /* servers mistake an empty non-terminal for nothing, and the reverse: the proof counts */
		found->kind = whole_name ? FOUND_NODATA : FOUND_NXDOMAIN;
	}
	found->security = security_of(rq, &denial, denied);
	/* Where a record of the proof is there but not good, what its signature lacked says more. */
	if (found->security == SECURITY_BOGUS && good->count == found->count) {
		char type[TYPE_TEXT];
		verify_blame(rq, EDE_NSEC_MISSING, "nothing proves that %.100s %s does not exist",
			verify_name(rq, q->name), type_text(q->type, type));
	}
	return verify_pay_hashes(rq, denial.hashes);
}

static const uint8_t *signer_of_all(struct request *rq, const struct found *found, const uint8_t *top)
{
	const uint8_t *best = NULL;
	for (uint16_t i = 0; i < found->count; i++) {
		const uint8_t *signer = verify_signer(rq, found->set[i], top);
		if (signer != NULL && (best == NULL || found->set[i]->type != KNOT_RRTYPE_SOA))
			best = signer;
	}
	return best;
}

bool chain_may_prove(struct request *rq, const struct question *q, const struct found *found)
{
	const struct anchor *anchor = anchor_of(rq, q->name, q->type);
	return anchor == NULL || anchor->is_negative || signer_of_all(rq, found, anchor->zone) != NULL;
}

/* The zone of an anchor may be gone; an anchor above it is needed to prove that. */
static const uint8_t *signer_above(struct request *rq, const struct found *found, const struct anchor *anchor)
{
	anchor = anchor_of(rq, name_parent(anchor->zone), KNOT_RRTYPE_SOA);
	return anchor != NULL ? signer_of_all(rq, found, anchor->zone) : NULL;
}

static int check_denial_await(struct request *rq, const struct frame *frame, struct found *found)
{
	const struct question *q = frame->question;
	const struct anchor *anchor = anchor_of(rq, q->name, q->type);
	const uint8_t *signer = signer_of_all(rq, found, anchor->zone);
	if (signer == NULL && found->kind == FOUND_NXDOMAIN && !name_is_root(anchor->zone))
		signer = signer_above(rq, found, anchor);
	bool fits = signer != NULL && name_is_within(q->name, signer);
	if (fits && q->type == KNOT_RRTYPE_DS && !name_is_root(q->name))
		fits = name_is_below(q->name, signer);
	if (!fits)
		return check_unsigned_await(rq, frame, q->name, q->type, found);
	struct trust trust;
	int ret = trust_of_zone_await(rq, frame, signer, NULL, &trust);
	found->security = trust.security;
	rq->verdict.elsewhere = trust.security == SECURITY_SECURE || trust.is_no_zone;
	if (ret != 0 || trust.security != SECURITY_SECURE)
		return ret;
	struct found good = {0};
	found->security = SECURITY_BOGUS;
	ret = take_good_await(rq, &trust, found->set, found->count, &good);
	if (ret != 0)
		return ret == E_MISMATCH ? 0 : ret;
	ret = judge_denial(rq, q, &trust, found, &good);
	if (found->security == SECURITY_SECURE || found->security == SECURITY_INSECURE) {
		/* What came along without a good signature is not given on as if it had one (RFC 4035 3.2.3). */
		found->set = good.set;
		found->count = good.count;
		bound_by_proofs(rq, found, &good);
	}
	if (found->security == SECURITY_SECURE)
		synthesis_learn(rq, trust.zone, good.set, good.count);
	return ret;
}

/* --- answers --- */

/* RFC 4035 5.3.4: nothing closer than the wildcard exists. */
static int check_wildcard_await(
	struct request *rq, const struct trust *trust, const struct rrsig *sig, struct found *found)
{
	const uint8_t *name = found->set[0]->owner;
	struct found good = {0};
	int ret = take_good_await(rq, trust, found->proof, found->proofs, &good);
	if (ret != 0)
		return ret;
	struct denial denial;
	denial_init(&denial, trust->zone, good.set, good.count);
	denial_allow_iterations(&denial, rq->options.nsec3_iterations);
	found->security = security_of(rq, &denial, denial_of_closer(&denial, name, sig->labels));
	if (found->security == SECURITY_BOGUS && good.count == found->proofs) {
		verify_blame(rq, EDE_NSEC_MISSING, "nothing proves that a wildcard may stand for %.100s",
			verify_name(rq, name));
	}
	found->proof = good.set;
	found->proofs = good.count;
	bound_by_proofs(rq, found, &good);
	if (found->security == SECURITY_SECURE) {
		synthesis_learn(rq, trust->zone, good.set, good.count);
		synthesis_learn_wildcard(rq, found->set[0], sig->labels);
	}
	return verify_pay_hashes(rq, denial.hashes);
}

/* Proofs that came with an alias say something of its target. */
static int learn_proofs_await(struct request *rq, const struct trust *trust, struct found *found)
{
	struct found good = {0};
	int ret = take_good_await(rq, trust, found->proof, found->proofs, &good);
	if (ret == 0)
		synthesis_learn(rq, trust->zone, good.set, good.count);
	found->proofs = 0; /* of the alias they say nothing */
	return ret == E_MISMATCH ? 0 : ret;
}

/* The synthesized CNAME lives as long as the DNAME that it was made from. */
static void bound_alias(struct request *rq, struct found *found)
{
	for (uint16_t i = 1; i < found->count; i++)
		found->set[i] = rrset_limit_ttl(&rq->arena, found->set[i], found->set[0]->ttl_s);
}

/* The first of the rrsets: an answer, a CNAME, or the DNAME that a CNAME was made from. */
static int check_set_await(struct request *rq, const struct frame *frame, struct found *found)
{
	const struct rrset *set = found->set[0];
	const struct anchor *anchor = anchor_of(rq, set->owner, set->type);
	const uint8_t *signer = verify_signer(rq, set, anchor->zone);
	if (signer == NULL)
		return check_unsigned_await(rq, frame, set->owner, set->type, found);
	struct trust trust;
	bool are_keys = set->type == KNOT_RRTYPE_DNSKEY && name_is_equal(signer, set->owner);
	int ret = trust_of_zone_await(rq, frame, signer, are_keys ? set : NULL, &trust);
	found->security = trust.security;
	rq->verdict.elsewhere = trust.security == SECURITY_SECURE || trust.is_no_zone;
	if (ret != 0 || trust.security != SECURITY_SECURE)
		return ret;
	struct rrsig sig;
	found->security = SECURITY_BOGUS;
	ret = verify_set_await(rq, set, &trust, &sig);
	if (ret != 0)
		return ret == E_MISMATCH ? 0 : ret;
	found->security = SECURITY_SECURE;
	found->set[0] = verify_bound(rq, set, &sig);
	bound_alias(rq, found);
	if (signature_is_of_wildcard(&sig, set))
		return check_wildcard_await(rq, &trust, &sig, found);
	return found->proofs > 0 ? learn_proofs_await(rq, &trust, found) : 0;
}

/* ANY: each rrset for itself, and the worst of them counts. */
static int check_all_await(struct request *rq, const struct frame *frame, struct found *found)
{
	enum security worst = SECURITY_SECURE;
	for (uint16_t i = 0; i < found->count; i++) {
		struct found one = {.kind = FOUND_ANSWER,
			.count = 1,
			.set = &found->set[i],
			.proofs = found->proofs,
			.proof = found->proof};
		int ret = check_set_await(rq, frame, &one);
		if (ret != 0)
			return ret;
		if (one.security == SECURITY_BOGUS || worst == SECURITY_SECURE)
			worst = one.security;
	}
	found->security = worst;
	return 0;
}

/* When a negative anchor's time is up, what it excused has to be proved again (RFC 7646). */
static void bound_until(struct request *rq, struct found *found, uint32_t until_s)
{
	uint32_t left_s = until_s - clock_wall_s();
	for (uint16_t i = 0; i < found->count; i++)
		found->set[i] = rrset_limit_ttl(&rq->arena, found->set[i], left_s);
}

static int check_await(struct request *rq, const struct frame *frame, struct found *found)
{
	const struct question *q = frame->question;
	bool is_positive = found->kind != FOUND_NODATA && found->kind != FOUND_NXDOMAIN && found->count > 0;
	const uint8_t *name = is_positive ? found->set[0]->owner : q->name;
	const struct anchor *anchor = anchor_of(rq, name, is_positive ? found->set[0]->type : q->type);
	if (anchor != NULL && anchor->until_s != 0)
		bound_until(rq, found, anchor->until_s);
	if (anchor == NULL || anchor->is_negative ||
		q->type == KNOT_RRTYPE_RRSIG) { /* signatures are not signed, nor kept */
		found->security = anchor != NULL ? SECURITY_INSECURE : SECURITY_INDETERMINATE;
		return 0;
	}
	if (!is_positive)
		return check_denial_await(rq, frame, found);
	if (q->type == KNOT_RRTYPE_ANY && found->kind == FOUND_ANSWER)
		return check_all_await(rq, frame, found);
	return check_set_await(rq, frame, found);
}

/* What failed on the way to something that holds is no part of the verdict; but why it counts as unsigned is. */
static bool has_to_be_said(const struct request *rq, enum security security)
{
	int ede = rq->verdict.ede;
	bool is_unusable = ede == EDE_UNSUPPORTED_KEY || ede == EDE_UNSUPPORTED_DS || ede == EDE_NSEC3_ITERATIONS;
	return security == SECURITY_BOGUS || (security == SECURITY_INSECURE && is_unusable);
}

int chain_check_await(struct request *rq, const struct frame *frame, struct found *found)
{
	rq->verdict = (struct verdict){.ede = EDE_NONE};
	int ret = check_await(rq, frame, found);
	if (!has_to_be_said(rq, found->security))
		rq->verdict = (struct verdict){.ede = EDE_NONE};
	return ret;
}
