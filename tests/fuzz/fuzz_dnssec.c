/* Any bytes as a key, a DS, a signature and the records under it: read or refused, and no signature is good. The first
 * bytes say the type and the lengths of the pieces; the key's tag and algorithm are made to fit, so that the arithmetic
 * is reached. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "dns/canonical.h"
#include "dns/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORDS = 4 };

struct pieces {
	const uint8_t *at;
	size_t left;
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static size_t number(struct pieces *from)
{
	if (from->left == 0)
		return 0;
	from->left--;
	return *from->at++;
}

/* Of malloc, so that its end is known. */
static knot_rdata_t *piece(struct pieces *from, size_t len)
{
	len = len < from->left ? len : from->left;
	knot_rdata_t *rdata = malloc(sizeof(*rdata) + len);
	rdata->len = (uint16_t)len;
	memcpy(rdata->data, from->at, len);
	from->at += len;
	from->left -= len;
	return rdata;
}

static struct rrset records(struct arena *arena, struct pieces *from, uint16_t type)
{
	static const uint8_t *const owners[] = {
		(const uint8_t *)"", (const uint8_t *)"\1a", (const uint8_t *)"\1*\1a", (const uint8_t *)"\1b\1a"};
	struct rrset set = {.owner = owners[number(from) % 4], .type = type, .rclass = 1, .ttl_s = 300};
	size_t count = 1 + number(from) % RECORDS;
	uint8_t *at = arena_alloc(arena, count * knot_rdata_size(256));
	set.data.rdata = (knot_rdata_t *)at;
	for (size_t i = 0; i < count; i++) {
		knot_rdata_t *rdata = piece(from, number(from));
		memset(at, 0, knot_rdata_size(rdata->len));
		memcpy(at, rdata, sizeof(*rdata) + rdata->len);
		at += knot_rdata_size(rdata->len);
		free(rdata);
	}
	set.data.count = (uint16_t)count;
	set.data.size = (uint32_t)(at - (uint8_t *)set.data.rdata);
	return set;
}

static void try_signature(struct arena *arena, const struct rrset *set, struct rrsig *sig, const struct dnskey *key)
{
	static struct keyring *keyring;
	if (keyring == NULL)
		keyring = keyring_new();
	must(signature_ttl(sig, set, sig->begins_s) <= set->ttl_s);
	enum signature_look look = signature_look(sig, set, sig->begins_s);
	must(look <= SIGNATURE_BACKWARDS && look != SIGNATURE_EARLY);
	sig->tag = key->tag;
	sig->algorithm = key->algorithm;
	size_t used = arena_used(arena);
	int ret = signature_verify(keyring, arena, set, sig, key);
	must(ret == E_MISMATCH || ret == E_MALFORMED);
	must(arena_used(arena) == used && keyring_count(keyring) <= LIMIT_KEYS);
}

/* One record alone, and with its copies: the same bytes are signed. */
static void try_canonical(struct arena *arena, const struct rrset *set, const struct rrsig *sig)
{
	struct signed_data once, twice;
	size_t size = set->data.size;
	if (canonical_sign_data(&once, arena, set, sig) != 0)
		return;
	uint8_t *both = arena_alloc(arena, 2 * size);
	memcpy(both, set->data.rdata, size);
	memcpy(both + size, set->data.rdata, size);
	struct rrset doubled = *set;
	doubled.data.rdata = (knot_rdata_t *)both;
	doubled.data.count = (uint16_t)(2 * set->data.count);
	doubled.data.size = (uint32_t)(2 * size);
	must(canonical_sign_data(&twice, arena, &doubled, sig) == 0);
	must(once.len == twice.len && memcmp(once.wire, twice.wire, once.len) == 0);
}

static void try_records(struct arena *arena, struct pieces *from, knot_rdata_t *key_rdata, knot_rdata_t *sig_rdata)
{
	struct dnskey key;
	struct rrsig sig;
	struct ds ds;
	if (ds_read(&ds, sig_rdata) == 0 && dnskey_read(&key, key_rdata) == 0)
		ds_is_of(&ds, (const uint8_t *)"", &key);
	if (rrsig_read(&sig, arena, sig_rdata) != 0)
		return;
	must(name_wire_len(sig.signer, NAME_MAX_LEN) > 0);
	struct rrset set = records(arena, from, sig.covered);
	signature_is_of_wildcard(&sig, &set);
	try_canonical(arena, &set, &sig);
	if (dnskey_read(&key, key_rdata) == 0)
		try_signature(arena, &set, &sig, &key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pieces from = {.at = data, .left = size};
	struct arena arena;
	arena_init(&arena);
	size_t key_len = number(&from) << 8, sig_len;
	key_len |= number(&from);
	sig_len = number(&from) << 8;
	sig_len |= number(&from);
	knot_rdata_t *key = piece(&from, key_len), *sig = piece(&from, sig_len);
	try_records(&arena, &from, key, sig);
	free(key);
	free(sig);
	arena_deinit(&arena);
	return 0;
}
