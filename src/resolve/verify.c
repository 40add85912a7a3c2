/* Decides which key is tried for which signature, how often, and what is said when none fits. */
#include "resolve/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "net/fiber.h"

enum { WHY = 200 };

void verify_blame(struct request *rq, int ede, const char *format, ...)
{
	char text[WHY];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	rq->verdict.ede = ede;
	rq->verdict.why = arena_copy(&rq->arena, text, strlen(text) + 1);
	if (rq->story != NULL)
		story_add(rq->story, STORY_CHAIN, clock_mono_us(), "%s", text);
}

const char *verify_name(struct request *rq, const uint8_t *name)
{
	return name_text(name, arena_alloc(&rq->arena, NAME_TEXT));
}

/* --- who signed --- */

static bool may_be_signer(const struct rrset *set, const uint8_t *signer, const uint8_t *top)
{
	if (!name_is_within(signer, top))
		return false;
	return set->type == KNOT_RRTYPE_DS ? name_is_below(set->owner, signer) : name_is_within(set->owner, signer);
}

const uint8_t *verify_signer(struct request *rq, const struct rrset *set, const uint8_t *top)
{
	const uint8_t *best = NULL;
	const knot_rdata_t *rdata = set->sigs.rdata;
	for (uint16_t i = 0; i < set->sigs.count; i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata)) {
		struct rrsig sig;
		if (rrsig_read(&sig, &rq->arena, rdata) != 0 || !may_be_signer(set, sig.signer, top))
			continue;
		if (best == NULL || name_labels(sig.signer) > name_labels(best))
			best = sig.signer;
	}
	return best;
}

void verify_take_keys(struct request *rq, const struct rrset *set, struct trust *trust)
{
	unsigned room = set->data.count < LIMIT_ZONE_KEYS ? set->data.count : LIMIT_ZONE_KEYS;
	trust->key = arena_alloc(&rq->arena, (room + 1) * sizeof(*trust->key));
	trust->keys = 0;
	const knot_rdata_t *rdata = set->data.rdata;
	for (unsigned i = 0; i < room; i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata)) {
		struct dnskey *key = &trust->key[trust->keys];
		trust->keys += dnskey_read(key, rdata) == 0 && dnskey_may_sign(key);
	}
}

/* --- the check --- */

/* What a check costs, in those of P-256 (decision 18). */
static unsigned price_of(uint8_t algorithm)
{
	switch (algorithm) {
	case 14: return 8; /* P-384 */
	case 16: return 4; /* Ed448 */
	default: return 1;
	}
}

/* Pays for one check, and lets others run after a few. */
static int take_check_await(struct request *rq, uint8_t algorithm)
{
	int ret = 0;
	unsigned price = price_of(algorithm);
	for (unsigned i = 0; i < price && ret == 0; i++)
		ret = request_take(rq, BUDGET_SIGNATURE);
	counters_add(COUNT_SIGNATURES, ret == 0);
	rq->checks += price;
	if (ret != 0 || rq->checks < LIMIT_CHECKS_IN_ROW)
		return ret;
	rq->checks = 0;
	return fiber_yield_await();
}

/* What the best of the signatures lacked: the further it came, the more it says. */
struct lack {
	unsigned rank;
	int ede;
	const char *what;
	uint16_t tag;
};

static void note_lack(struct lack *lack, unsigned rank, int ede, const char *what, uint16_t tag)
{
	if (rank >= lack->rank)
		*lack = (struct lack){rank, ede, what, tag};
}

/* 0: one of the keys made it. E_MISMATCH: none; or what ends the request. */
static int try_keys_await(struct request *rq, const struct rrset *set, const struct rrsig *sig,
	const struct trust *trust, struct lack *lack)
{
	unsigned tried = 0;
	for (unsigned i = 0; i < trust->keys && tried < LIMIT_KEYS_OF_TAG; i++) {
		const struct dnskey *key = &trust->key[i];
		if (key->tag != sig->tag || key->algorithm != sig->algorithm)
			continue;
		tried++;
		int ret = take_check_await(rq, key->algorithm);
		if (ret != 0)
			return ret;
		if (signature_verify(rq->resolver->keyring, &rq->arena, set, sig, key) == 0)
			return 0;
		ret = request_take(rq, BUDGET_SIGNATURE_BAD);
		if (ret != 0)
			return ret;
	}
	if (tried > 0)
		note_lack(lack, 5, EDE_DNSSEC_BOGUS, "does not fit the records", sig->tag);
	else
		note_lack(lack, 2, EDE_DNSKEY_MISSING, "is of a key that the zone does not have", sig->tag);
	return E_MISMATCH;
}

/* Whether the signature is worth a key. */
static bool is_worth(struct request *rq, const struct rrset *set, const struct rrsig *sig, struct lack *lack)
{
	switch (signature_look(sig, set, clock_wall_s())) {
	case SIGNATURE_WORTH: break;
	case SIGNATURE_EXPIRED: note_lack(lack, 4, EDE_SIGNATURE_EXPIRED, "has expired", sig->tag); return false;
	case SIGNATURE_EARLY: note_lack(lack, 4, EDE_SIGNATURE_EARLY, "is not valid yet", sig->tag); return false;
	case SIGNATURE_BACKWARDS:
		note_lack(lack, 3, EDE_SIGNATURE_BACKWARDS, "ends before it begins", sig->tag);
		return false;
	default: note_lack(lack, 1, EDE_DNSSEC_BOGUS, "is not for these records", sig->tag); return false;
	}
	if (algorithm_is_supported(sig->algorithm, rq->options.sha1))
		return true;
	note_lack(lack, 1, EDE_UNSUPPORTED_KEY, "is of an algorithm that is not known here", sig->tag);
	return false;
}

static void blame_lack(struct request *rq, const struct rrset *set, const struct trust *trust, const struct lack *lack)
{
	char type[TYPE_TEXT];
	const char *zone = verify_name(rq, trust->zone), *owner = verify_name(rq, set->owner);
	type_text(set->type, type);
	if (lack->rank == 0)
		verify_blame(rq, EDE_RRSIGS_MISSING, "%.60s %s has no signature by %.60s", owner, type, zone);
	else
		verify_blame(rq, lack->ede, "%.60s %s: the signature by %.60s with key %u %s", owner, type, zone,
			lack->tag, lack->what);
}

int verify_set_await(struct request *rq, const struct rrset *set, const struct trust *trust, struct rrsig *sig)
{
	struct lack lack = {0};
	const knot_rdata_t *rdata = set->sigs.rdata;
	for (uint16_t i = 0; i < set->sigs.count; i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata)) {
		if (rrsig_read(sig, &rq->arena, rdata) != 0 || !name_is_equal(sig->signer, trust->zone) ||
			!is_worth(rq, set, sig, &lack))
			continue;
		int ret = try_keys_await(rq, set, sig, trust, &lack);
		if (ret != E_MISMATCH)
			return ret;
	}
	blame_lack(rq, set, trust, &lack);
	return E_MISMATCH;
}

const struct rrset *verify_bound(struct request *rq, const struct rrset *set, const struct rrsig *sig)
{
	return rrset_limit_ttl(&rq->arena, set, signature_ttl(sig, set, clock_wall_s()));
}

int verify_pay_hashes(struct request *rq, unsigned hashes)
{
	int ret = 0;
	for (unsigned i = 0; i < hashes && ret == 0; i++)
		ret = request_take(rq, BUDGET_HASH);
	return ret;
}
