/* Decides whether a signature is worth a try, whether it is good, and how long what it covers may be kept. The signed
 * bytes are canonical.c's, the arithmetic crypto.c's. */
#include "dns/signature.h"

#include "base/error.h"
#include "dns/canonical.h"
#include "dns/crypto.h"

/* RFC 1982 3.2, for 32 bits; RFC 4034 3.1.5. Two times half a circle apart are each before the other: neither order is
 * to be trusted. */
static bool is_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* RFC 4034 3.1.3: an asterisk in front is not counted. */
static unsigned labels_of(const uint8_t *owner)
{
	return name_labels(owner) - (owner[0] == 1 && owner[1] == '*' ? 1 : 0);
}

enum signature_look signature_look(const struct rrsig *sig, const struct rrset *set, uint32_t now_s)
{
	if (sig->covered != set->type || sig->labels > labels_of(set->owner))
		return SIGNATURE_WRONG;
	/* Fewer labels than the signer has would be a wildcard above its zone. */
	if (!name_is_within(set->owner, sig->signer) || sig->labels < name_labels(sig->signer))
		return SIGNATURE_WRONG;
	if (is_before(sig->expires_s, sig->begins_s))
		return SIGNATURE_BACKWARDS;
	if (is_before(sig->expires_s, now_s))
		return SIGNATURE_EXPIRED;
	if (is_before(now_s, sig->begins_s))
		return SIGNATURE_EARLY;
	return SIGNATURE_WORTH;
}

bool signature_is_of_wildcard(const struct rrsig *sig, const struct rrset *set)
{
	return sig->labels < labels_of(set->owner);
}

uint32_t signature_ttl(const struct rrsig *sig, const struct rrset *set, uint32_t now_s)
{
	uint32_t left_s = is_before(sig->expires_s, now_s) ? 0 : sig->expires_s - now_s;
	uint32_t ttl_s = set->ttl_s < sig->original_ttl_s ? set->ttl_s : sig->original_ttl_s;
	return left_s < ttl_s ? left_s : ttl_s;
}

int signature_verify(struct keyring *keyring, struct arena *scratch, const struct rrset *set, const struct rrsig *sig,
	const struct dnskey *key)
{
	struct signed_data data;
	if (sig->algorithm != key->algorithm || sig->tag != key->tag)
		return E_MISMATCH;
	struct public_key *public_key = keyring_find(keyring, key);
	if (public_key == NULL)
		return E_MALFORMED;
	struct arena_mark mark = arena_mark(scratch);
	int ret = canonical_sign_data(&data, scratch, set, sig);
	if (ret == 0)
		ret = public_key_verify(public_key, data.wire, data.len, sig->signature, sig->signature_len);
	arena_release(scratch, &mark);
	return ret;
}
