/* Decides which records of DNSSEC are well formed, what of their algorithms counts as known, and which key a DS means.
 * The arithmetic is crypto.c's. */
#include "dns/dnssec.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "dns/crypto.h"

enum { DNSKEY_HEAD = 4, DS_HEAD = 4, RRSIG_HEAD = 18, PROTOCOL_DNSSEC = 3 };
enum { RSASHA1 = 5, RSASHA1_NSEC3 = 7 };

/* RFC 4034 appendix B. Algorithm 1 has another sum, but nobody uses that. */
static uint16_t key_tag(const knot_rdata_t *rdata)
{
	uint32_t sum = 0;
	for (uint16_t i = 0; i < rdata->len; i++)
		sum += i & 1 ? rdata->data[i] : (uint32_t)rdata->data[i] << 8;
	return (uint16_t)(sum + (sum >> 16));
}

int dnskey_read(struct dnskey *out, const knot_rdata_t *rdata)
{
	if (rdata->len <= DNSKEY_HEAD)
		return E_MALFORMED;
	*out = (struct dnskey){
		.flags = knot_wire_read_u16(rdata->data),
		.protocol = rdata->data[2],
		.algorithm = rdata->data[3],
		.key = rdata->data + DNSKEY_HEAD,
		.key_len = (uint16_t)(rdata->len - DNSKEY_HEAD),
		.tag = key_tag(rdata),
		.rdata = rdata,
	};
	return 0;
}

int ds_read(struct ds *out, const knot_rdata_t *rdata)
{
	if (rdata->len <= DS_HEAD)
		return E_MALFORMED;
	*out = (struct ds){
		.tag = knot_wire_read_u16(rdata->data),
		.algorithm = rdata->data[2],
		.digest_type = rdata->data[3],
		.digest = rdata->data + DS_HEAD,
		.digest_len = (uint16_t)(rdata->len - DS_HEAD),
	};
	return 0;
}

int rrsig_read(struct rrsig *out, struct arena *arena, const knot_rdata_t *rdata)
{
	const uint8_t *data = rdata->data;
	size_t signer_len = rdata->len > RRSIG_HEAD ? name_wire_len(data + RRSIG_HEAD, rdata->len - RRSIG_HEAD) : 0;
	size_t head = RRSIG_HEAD + signer_len;
	if (signer_len == 0 || rdata->len <= head)
		return E_MALFORMED;
	*out = (struct rrsig){
		.covered = knot_wire_read_u16(data),
		.algorithm = data[2],
		.labels = data[3],
		.original_ttl_s = knot_wire_read_u32(data + 4),
		.expires_s = knot_wire_read_u32(data + 8),
		.begins_s = knot_wire_read_u32(data + 12),
		.tag = knot_wire_read_u16(data + 16),
		.signer = name_copy_lower(arena, data + RRSIG_HEAD),
		.signature = data + head,
		.signature_len = (uint16_t)(rdata->len - head),
		.rdata = rdata,
	};
	return 0;
}

/* RFC 4034 2.1.1, 2.1.2; a revoked key signs nothing but its own revocation (RFC 5011 2.1). */
bool dnskey_may_sign(const struct dnskey *key)
{
	return (key->flags & DNSKEY_ZONE) != 0 && (key->flags & DNSKEY_REVOKE) == 0 && key->protocol == PROTOCOL_DNSSEC;
}

bool algorithm_is_supported(uint8_t algorithm, bool sha1)
{
	if ((algorithm == RSASHA1 || algorithm == RSASHA1_NSEC3) && !sha1)
		return false;
	return crypto_has_algorithm(algorithm);
}

bool digest_is_supported(uint8_t digest_type, bool sha1)
{
	return (digest_type != DIGEST_SHA1 || sha1) && crypto_digest_len(digest_type) > 0;
}

const char *algorithm_text(uint8_t algorithm, char out[static ALGORITHM_TEXT])
{
	static const struct {
		uint8_t algorithm;
		const char *text;
	} names[] = {
		{1, "RSAMD5"},
		{3, "DSA"},
		{5, "RSASHA1"},
		{6, "DSA-NSEC3-SHA1"},
		{7, "RSASHA1-NSEC3-SHA1"},
		{8, "RSASHA256"},
		{10, "RSASHA512"},
		{12, "ECC-GOST"},
		{13, "ECDSAP256SHA256"},
		{14, "ECDSAP384SHA384"},
		{15, "ED25519"},
		{16, "ED448"},
	};
	snprintf(out, ALGORITHM_TEXT, "algorithm %u", algorithm);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].algorithm == algorithm)
			snprintf(out, ALGORITHM_TEXT, "%s", names[i].text);
	return out;
}

bool ds_is_of(const struct ds *ds, const uint8_t *owner, const struct dnskey *key)
{
	uint8_t digest[CRYPTO_DIGEST_MAX];
	if (ds->tag != key->tag || ds->algorithm != key->algorithm || ds->digest_len == 0 ||
		ds->digest_len != crypto_digest_len(ds->digest_type))
		return false;
	return crypto_digest(digest, ds->digest_type, owner, name_len(owner), key->rdata->data, key->rdata->len) &&
	       memcmp(digest, ds->digest, ds->digest_len) == 0;
}
