#include "unit/dns/zone.h"
#include "unit/dns/zones.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/random.h"
#include "dns/canonical.h"
#include "dns/crypto.h"
#include "dns/signature.h"

static struct arena arena, scratch;
static struct keyring *keyring;
static struct zone zone;

static int begin(void **state)
{
	(void)state;
	arena_init(&arena);
	arena_init(&scratch);
	hash_init();
	keyring = keyring_new();
	return 0;
}

static int end(void **state)
{
	(void)state;
	keyring_free(keyring);
	arena_deinit(&scratch);
	arena_deinit(&arena);
	return 0;
}

/* Scratch is given back whatever comes out. */
static int verify(const struct rrset *set, const struct rrsig *sig, const struct dnskey *key)
{
	size_t used = arena_used(&scratch);
	int ret = signature_verify(keyring, &scratch, set, sig, key);
	assert_int_equal(arena_used(&scratch), used);
	return ret;
}

/* malloc's, without the padding that libknot adds, so that ASan sees a byte too many. */
static knot_rdata_t *tight_rdata(const void *data, uint16_t len)
{
	knot_rdata_t *rdata = malloc(sizeof(*rdata) + len);
	rdata->len = len;
	memcpy(rdata->data, data, len);
	return rdata;
}

static struct rrset *keys_of(struct zone *of)
{
	for (size_t i = 0; i < of->count; i++)
		if (of->set[i].type == KNOT_RRTYPE_DNSKEY)
			return &of->set[i];
	fail();
	return NULL;
}

/* How many signatures of a zone are good; all of them are tried. */
static unsigned count_good(struct zone *of)
{
	unsigned good = 0;
	const struct rrset *keys = keys_of(of);
	for (size_t i = 0; i < of->count; i++) {
		const struct rrset *set = &of->set[i];
		for (uint16_t j = 0; j < set->sigs.count; j++) {
			struct rrsig sig = zone_sig(of, set, j);
			struct dnskey key = zone_key_of(keys, &sig);
			good += verify(set, &sig, &key) == 0;
		}
	}
	return good;
}

static void test_published(void **state)
{
	static const char *const texts[] = {rfc5702_sha256, rfc5702_sha512, rfc6605_p256, rfc6605_p384, rfc8080_ed25519,
		rfc8080_ed25519_b, rfc8080_ed448};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		zone_read(&zone, &arena, texts[i]);
		assert_int_equal(count_good(&zone), 1);
	}
}

static void test_signed_by_bind(void **state)
{
	(void)state;
	zone_read(&zone, &arena, zone_of_types);
	unsigned sigs = 0;
	for (size_t i = 0; i < zone.count; i++)
		sigs += zone.set[i].sigs.count;
	assert_true(sigs > 50);
	assert_int_equal(count_good(&zone), sigs);
	zone_read(&zone, &arena, zone_of_algorithms);
	sigs = 0;
	for (size_t i = 0; i < zone.count; i++)
		sigs += zone.set[i].sigs.count;
	assert_int_equal(sigs % 8, 0);
	assert_int_equal(count_good(&zone), sigs);
}

/* --- something changed --- */

static struct rrsig changed_sig(const struct rrsig *sig, size_t at, uint8_t flip, size_t len)
{
	struct rrsig out;
	knot_rdata_t *rdata = arena_zalloc(&arena, knot_rdata_size(sig->rdata->len + 8));
	memcpy(rdata->data, sig->rdata->data, sig->rdata->len);
	rdata->len = (uint16_t)len;
	rdata->data[at] ^= flip;
	if (rrsig_read(&out, &arena, rdata) != 0)
		out = (struct rrsig){0};
	return out;
}

static void test_sig_changed(void **state)
{
	(void)state;
	zone_read(&zone, &arena, zone_of_algorithms);
	struct rrset *set = zone_find(&zone, "ns.example", KNOT_RRTYPE_A), *keys = keys_of(&zone);
	for (uint16_t i = 0; i < set->sigs.count; i++) {
		struct rrsig sig = zone_sig(&zone, set, i);
		struct dnskey key = zone_key_of(keys, &sig);
		size_t len = sig.rdata->len;
		for (size_t at = 0; at < len; at++) {
			struct rrsig bad = changed_sig(&sig, at, 1, len);
			if (bad.rdata != NULL) /* else the signer is no name any more */
				assert_int_not_equal(verify(set, &bad, &key), 0);
		}
		/* Too short and too long. */
		for (size_t less = 1; less < sig.signature_len; less++) {
			struct rrsig bad = changed_sig(&sig, 0, 0, len - less);
			assert_int_equal(verify(set, &bad, &key), E_MALFORMED);
		}
		struct rrsig bad = changed_sig(&sig, 0, 0, len + 1);
		assert_int_equal(verify(set, &bad, &key), E_MALFORMED);
		/* The signer's case does not count. */
		struct rrsig same = changed_sig(&sig, 19, 0x20, len);
		assert_int_equal(verify(set, &same, &key), 0);
	}
}

/* r and s of nothing but zeros, of zeros in front, of ones: forms of numbers that DER is particular about. */
static void test_ecdsa_numbers(void **state)
{
	static const uint8_t first[] = {0, 1, 0x7f, 0x80, 0xff};
	(void)state;
	zone_read(&zone, &arena, zone_of_algorithms);
	struct rrset *set = zone_find(&zone, "ns.example", KNOT_RRTYPE_A), *keys = keys_of(&zone);
	for (uint16_t i = 0; i < set->sigs.count; i++) {
		struct rrsig sig = zone_sig(&zone, set, i);
		struct dnskey key = zone_key_of(keys, &sig);
		uint8_t *number = arena_zalloc(&arena, sig.signature_len);
		sig.signature = number;
		for (size_t zeros = 0; zeros < sig.signature_len; zeros++)
			for (size_t j = 0; j < COUNT_OF(first); j++) {
				memset(number, 0, sig.signature_len);
				number[zeros] = first[j];
				number[sig.signature_len - 1 - zeros] ^= first[COUNT_OF(first) - 1 - j];
				assert_int_equal(verify(set, &sig, &key), E_MISMATCH);
			}
	}
}

/* Each byte of each record of each type, but for the case of letters. */
static void test_rdata_changed(void **state)
{
	(void)state;
	zone_read(&zone, &arena, zone_of_types);
	struct dnskey key = zone_key(keys_of(&zone), 0);
	for (size_t i = 0; i < zone.count; i++) {
		struct rrset *set = &zone.set[i];
		struct rrsig sig = zone_sig(&zone, set, 0);
		uint8_t *bytes = (uint8_t *)set->data.rdata;
		size_t at = 0;
		for (knot_rdata_t *rdata = set->data.rdata; at < set->data.size; rdata = knot_rdataset_next(rdata)) {
			for (uint16_t j = 0; j < rdata->len; j++) {
				rdata->data[j] ^= 1;
				assert_int_not_equal(verify(set, &sig, &key), 0);
				rdata->data[j] ^= 1;
			}
			at = (size_t)((uint8_t *)knot_rdataset_next(rdata) - bytes);
		}
		assert_int_equal(verify(set, &sig, &key), 0);
	}
}

static void test_set_changed(void **state)
{
	(void)state;
	zone_read(&zone, &arena, zone_of_types);
	struct dnskey key = zone_key(keys_of(&zone), 0);
	struct rrset set = *zone_find(&zone, "example", KNOT_RRTYPE_MX);
	struct rrsig sig = zone_sig(&zone, &set, 0);
	assert_int_equal(verify(&set, &sig, &key), 0);
	set.ttl_s = 17; /* what is left of it is not what was signed */
	assert_int_equal(verify(&set, &sig, &key), 0);
	set.rclass = KNOT_CLASS_CH;
	assert_int_equal(verify(&set, &sig, &key), E_MISMATCH);
	set.rclass = KNOT_CLASS_IN;
	set.type = KNOT_RRTYPE_AFSDB; /* of the same form */
	assert_int_equal(verify(&set, &sig, &key), E_MISMATCH);
	set.type = KNOT_RRTYPE_MX;
	set.owner = (const uint8_t *)"\7exampla";
	assert_int_equal(verify(&set, &sig, &key), E_MISMATCH);
	set.owner = (const uint8_t *)""; /* the root has fewer labels than were signed */
	assert_int_equal(verify(&set, &sig, &key), E_MALFORMED);
	set.owner = (const uint8_t *)"\7example";
	set.data.count--; /* one missing */
	assert_int_equal(verify(&set, &sig, &key), E_MISMATCH);
	set.data.count = 0;
	assert_int_equal(verify(&set, &sig, &key), E_MALFORMED);
}

static void test_other_keys(void **state)
{
	(void)state;
	zone_read(&zone, &arena, zone_of_algorithms);
	struct rrset *set = zone_find(&zone, "ns.example", KNOT_RRTYPE_A), *keys = keys_of(&zone);
	for (uint16_t i = 0; i < set->sigs.count; i++) {
		struct rrsig sig = zone_sig(&zone, set, i);
		for (uint16_t j = 0; j < keys->data.count; j++) {
			struct dnskey key = zone_key(keys, j);
			bool own = key.tag == sig.tag && key.algorithm == sig.algorithm;
			assert_int_equal(verify(set, &sig, &key), own ? 0 : E_MISMATCH);
			/* Though it says it is the one: not of that form, or of a stranger. */
			key.tag = sig.tag;
			if (!own && key.algorithm == sig.algorithm)
				assert_int_equal(verify(set, &sig, &key), E_MISMATCH);
		}
	}
	struct rrsig sig = zone_sig(&zone, set, 0);
	struct dnskey key = zone_key_of(keys, &sig);
	sig.algorithm = key.algorithm = 12;
	key.rdata = zone_rdata(&arena, "\1\0\3\14abcd", 8);
	assert_int_equal(verify(set, &sig, &key), E_MALFORMED);
}

static void test_truncated_keys(void **state)
{
	(void)state;
	zone_read(&zone, &arena, zone_of_algorithms);
	struct rrset *set = zone_find(&zone, "ns.example", KNOT_RRTYPE_A), *keys = keys_of(&zone);
	for (uint16_t i = 0; i < set->sigs.count; i++) {
		struct rrsig sig = zone_sig(&zone, set, i);
		struct dnskey whole = zone_key_of(keys, &sig), key;
		for (uint16_t len = 5; len < whole.rdata->len; len++) {
			knot_rdata_t *rdata = tight_rdata(whole.rdata->data, len);
			assert_int_equal(dnskey_read(&key, rdata), 0);
			key.tag = sig.tag;
			assert_int_not_equal(verify(set, &sig, &key), 0);
			free(rdata);
		}
		assert_int_equal(verify(set, &sig, &whole), 0);
	}
}

/* --- names --- */

static void test_wildcard(void **state)
{
	static const struct {
		const char *owner;
		int ret;
		bool expanded;
	} cases[] = {
		{"*.w.example", 0, false},
		{"a.w.example", 0, true},
		{"a.b.c.w.example", 0, true},
		{"*.a.w.example", 0, true},
		{"w.example", E_MISMATCH, false},
		{"a.v.example", E_MISMATCH, true},
		{"a.w.example.net", E_MISMATCH, true},
		{"example", E_MALFORMED, false},
	};
	(void)state;
	zone_read(&zone, &arena, zone_of_algorithms);
	struct rrset set = *zone_find(&zone, "*.w.example", KNOT_RRTYPE_A), *keys = keys_of(&zone);
	for (uint16_t i = 0; i < set.sigs.count; i++) {
		struct rrsig sig = zone_sig(&zone, &set, i);
		struct dnskey key = zone_key_of(keys, &sig);
		for (size_t j = 0; j < COUNT_OF(cases); j++) {
			uint8_t owner[NAME_MAX_LEN];
			struct rrset as = set;
			as.owner = owner;
			assert_int_equal(name_from_text(owner, cases[j].owner), 0);
			assert_int_equal(verify(&as, &sig, &key), cases[j].ret);
			assert_int_equal(signature_is_of_wildcard(&sig, &as), cases[j].expanded);
		}
	}
}

/* A signature over a name itself, said to be a wildcard's. */
static void test_no_wildcard(void **state)
{
	(void)state;
	zone_read(&zone, &arena, zone_of_algorithms);
	struct rrset *set = zone_find(&zone, "ns.example", KNOT_RRTYPE_A);
	struct rrsig sig = zone_sig(&zone, set, 0);
	struct dnskey key = zone_key_of(keys_of(&zone), &sig);
	for (sig.labels = 0; sig.labels < 2; sig.labels++)
		assert_int_not_equal(verify(set, &sig, &key), 0);
	assert_int_equal(verify(set, &sig, &key), 0);
}

/* Turns the case of every letter in the rdatas from `from` bytes on; a SOA ends with numbers. */
static void turn_case(struct rrset *set, size_t from)
{
	knot_rdata_t *rdata = set->data.rdata;
	for (uint16_t i = 0; i < set->data.count; i++, rdata = knot_rdataset_next(rdata))
		for (size_t j = from; j < rdata->len - (set->type == KNOT_RRTYPE_SOA ? 20u : 0); j++)
			if (isalpha(rdata->data[j]))
				rdata->data[j] ^= 0x20;
}

static void test_case_in_rdata(void **state)
{
	static const struct {
		const char *owner;
		uint16_t type;
		size_t from;
		int ret;
	} cases[] = {
		{"example", KNOT_RRTYPE_SOA, 0, 0},
		{"example", KNOT_RRTYPE_NS, 0, 0},
		{"example", KNOT_RRTYPE_MX, 2, 0},
		{"_x._udp.example", KNOT_RRTYPE_SRV, 6, 0},
		{"rp.example", KNOT_RRTYPE_RP, 0, 0},
		{"c.example", KNOT_RRTYPE_CNAME, 0, 0},
		{"d.example", KNOT_RRTYPE_DNAME, 0, 0},
		{"px.example", KNOT_RRTYPE_PX, 2, 0},
		{"mi.example", KNOT_RRTYPE_MINFO, 0, 0},
		/* Types that keep their case. */
		{"example", KNOT_RRTYPE_NSEC, 0, E_MISMATCH},
		{"n.example", KNOT_RRTYPE_NSEC, 0, E_MISMATCH},
		{"svc.example", KNOT_RRTYPE_SVCB, 2, E_MISMATCH},
		{"t.example", KNOT_RRTYPE_TXT, 0, E_MISMATCH},
		{"h.example", KNOT_RRTYPE_HINFO, 0, E_MISMATCH},
		/* NAPTR's strings keep it, its name does not: see the strings' length. */
		{"n.example", KNOT_RRTYPE_NAPTR, 4, E_MISMATCH},
	};
	(void)state;
	zone_read(&zone, &arena, zone_of_types);
	struct dnskey key = zone_key(keys_of(&zone), 0);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct rrset *set = zone_find(&zone, cases[i].owner, cases[i].type);
		struct rrsig sig = zone_sig(&zone, set, 0);
		assert_int_equal(verify(set, &sig, &key), 0);
		turn_case(set, cases[i].from);
		assert_int_equal(verify(set, &sig, &key), cases[i].ret);
	}
}

/* --- order --- */

/* The records in any order, some twice: what was signed is one and the same. */
static void test_order(void **state)
{
	static const uint8_t orders[][6] = {
		{0, 1, 2, 3, 3, 3}, {3, 2, 1, 0, 0, 0}, {2, 0, 3, 1, 2, 0}, {1, 1, 3, 3, 2, 0}, {0, 0, 1, 2, 3, 3}};
	(void)state;
	zone_read(&zone, &arena, zone_of_types);
	struct dnskey key = zone_key(keys_of(&zone), 0);
	struct rrset set = *zone_find(&zone, "example", KNOT_RRTYPE_MX);
	struct rrsig sig = zone_sig(&zone, &set, 0);
	const knot_rdataset_t data = set.data;
	assert_int_equal(data.count, 4);
	for (size_t i = 0; i < COUNT_OF(orders); i++) {
		uint8_t *at = arena_zalloc(&arena, data.size * 6), *start = at;
		for (size_t j = 0; j < 6; j++) {
			const knot_rdata_t *rdata = knot_rdataset_at(&data, orders[i][j]);
			memcpy(at, rdata, knot_rdata_size(rdata->len));
			at += knot_rdata_size(rdata->len);
		}
		set.data =
			(knot_rdataset_t){.count = 6, .size = (uint32_t)(at - start), .rdata = (knot_rdata_t *)start};
		assert_int_equal(verify(&set, &sig, &key), 0);
	}
}

static struct rrset set_of(const char *owner, uint16_t type, const void *data, size_t len)
{
	struct rrset set = {.type = type, .rclass = KNOT_CLASS_IN, .ttl_s = 3600};
	uint8_t name[NAME_MAX_LEN];
	assert_int_equal(name_from_text(name, owner), 0);
	set.owner = name_copy(&arena, name);
	set.data = (knot_rdataset_t){
		.count = 1, .size = (uint32_t)knot_rdata_size((uint16_t)len), .rdata = zone_rdata(&arena, data, len)};
	return set;
}

/* The bytes that are signed, written out once by hand. */
static void test_signed_bytes(void **state)
{
	static const uint8_t sig_rdata[] = "\0\17\15\1\0\0\16\20\1\2\3\4\5\6\7\10\22\64\2eX\0S";
	static const uint8_t wanted[] = "\0\17\15\1\0\0\16\20\1\2\3\4\5\6\7\10\22\64\2ex\0"
					"\1*\2ex\0\0\17\0\1\0\0\16\20\0\7\0\12\1a\1z\0"
					"\1*\2ex\0\0\17\0\1\0\0\16\20\0\7\0\12\1b\1z";
	struct signed_data data;
	struct rrsig sig;
	(void)state;
	assert_int_equal(rrsig_read(&sig, &arena, zone_rdata(&arena, sig_rdata, sizeof(sig_rdata) - 1)), 0);
	struct rrset set = set_of("w.v.ex", KNOT_RRTYPE_MX, "\0\12\1B\1Z", 7);
	knot_mm_t mm = knot_mm_of(&arena);
	assert_int_equal(knot_rdataset_add(&set.data, zone_rdata(&arena, "\0\12\1a\1z", 7), &mm), 0);
	assert_int_equal(canonical_sign_data(&data, &arena, &set, &sig), 0);
	assert_int_equal(data.len, sizeof(wanted));
	assert_memory_equal(data.wire, wanted, sizeof(wanted));
}

/* Rdata that ends before its names do, in memory whose end ASan knows. */
static void test_broken_rdata(void **state)
{
	static const struct {
		uint16_t type;
		const char *rdata;
		uint16_t len;   /* with all that the type must have */
		uint16_t least; /* of it to be taken */
	} cases[] = {
		{KNOT_RRTYPE_NS, "\1A\1B", 5, 5},
		{KNOT_RRTYPE_MD, "\1A\1B", 5, 5},
		{KNOT_RRTYPE_MF, "\1A\1B", 5, 5},
		{KNOT_RRTYPE_SOA, "\1A\0\1B\0abcdefghijklmnopqrst", 26, 6},
		{KNOT_RRTYPE_MINFO, "\1A\0\1B", 6, 6},
		{KNOT_RRTYPE_MX, "\0\1\1A", 5, 5},
		{KNOT_RRTYPE_PX, "\0\1\1A\0\1B", 8, 8},
		{KNOT_RRTYPE_SRV, "\0\1\0\2\0\3\1A", 9, 9},
		{KNOT_RRTYPE_NAPTR, "\0\1\0\2\1U\2UU\0\1A", 13, 13},
		{KNOT_RRTYPE_SIG, "123456789012345678\1A\0S", 22, 21},
		{KNOT_RRTYPE_RRSIG, "123456789012345678\1A\0S", 22, 21},
		{KNOT_RRTYPE_NXT, "\1A\0\x40", 4, 3},
		{38, "\x78Z\1A", 5, 5},
		{38,
			"\0"
			"1234567890123456",
			17, 17},
		{38, "\x80\1A", 4, 4},
		{KNOT_RRTYPE_TXT, "\3ABC", 4, 0},
		{KNOT_RRTYPE_NSEC, "\3ABC", 4, 0},
		{65280, "\3ABC", 4, 0},
		/* Never whole. */
		{38, "\x81\1A", 4, 100},
		{KNOT_RRTYPE_NS, "\xc0\0\0", 3, 100},
		{KNOT_RRTYPE_MX, "\0\1\100A", 5, 100},
		{KNOT_RRTYPE_NAPTR, "\0\1\0\2\377U\2UU\0\1A", 13, 100},
	};
	struct rrsig sig;
	struct signed_data data;
	(void)state;
	assert_int_equal(rrsig_read(&sig, &arena, zone_rdata(&arena, "1230567890123456\0\0\0S", 20)), 0);
	sig.labels = 1;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		for (uint16_t len = 0; len <= cases[i].len; len++) {
			struct rrset set = set_of("x", cases[i].type, cases[i].rdata, len);
			knot_rdata_t *rdata = tight_rdata(cases[i].rdata, len);
			set.data.rdata = rdata;
			int ret = canonical_sign_data(&data, &arena, &set, &sig);
			assert_int_equal(ret, len >= cases[i].least ? 0 : E_MALFORMED);
			free(rdata);
		}
}

static void test_too_much(void **state)
{
	enum { BIG = 60000, LONG = 200 };
	struct rrsig sig;
	struct signed_data data;
	(void)state;
	assert_int_equal(rrsig_read(&sig, &arena,
				 zone_rdata(&arena,
					 "\0\20\15\0\0\0\16\20"
					 "12345678\1\2\0S",
					 20)),
		0);
	uint8_t *bytes = arena_zalloc(&arena, BIG);
	struct rrset set = set_of(".", KNOT_RRTYPE_TXT, bytes, BIG);
	knot_mm_t mm = knot_mm_of(&arena);
	for (uint8_t i = 1; i < 4; i++) {
		assert_int_equal(
			canonical_sign_data(&data, &arena, &set, &sig), i * BIG < LIMIT_SIGNED_BYTES ? 0 : E_MALFORMED);
		bytes[0] = i;
		assert_int_equal(knot_rdataset_add(&set.data, zone_rdata(&arena, bytes, BIG), &mm), 0);
	}
}

/* --- looks and times --- */

static void test_look(void **state)
{
	static const struct {
		const char *owner, *signer;
		uint16_t covered;
		uint8_t labels;
		uint32_t begins_s, expires_s, now_s;
		enum signature_look look;
	} cases[] = {
		{"www.example", "example", 1, 2, 100, 200, 150, SIGNATURE_WORTH},
		{"www.example", "example", 1, 2, 100, 200, 100, SIGNATURE_WORTH},
		{"www.example", "example", 1, 2, 100, 200, 200, SIGNATURE_WORTH},
		{"www.example", "example", 1, 2, 100, 200, 99, SIGNATURE_EARLY},
		{"www.example", "example", 1, 2, 100, 200, 201, SIGNATURE_EXPIRED},
		{"www.example", "example", 1, 2, 200, 100, 150, SIGNATURE_BACKWARDS},
		{"www.example", "example", 1, 2, 100, 100, 100, SIGNATURE_WORTH},
		{"www.example", "example", 28, 2, 100, 200, 150, SIGNATURE_WRONG},
		/* labels */
		{"www.example", "example", 1, 1, 100, 200, 150, SIGNATURE_WORTH},
		{"www.example", "example", 1, 0, 100, 200, 150, SIGNATURE_WRONG},
		{"www.example", "example", 1, 3, 100, 200, 150, SIGNATURE_WRONG},
		{"www.example", "example", 1, 255, 100, 200, 150, SIGNATURE_WRONG},
		{"*.example", "example", 1, 1, 100, 200, 150, SIGNATURE_WORTH},
		{"*.example", "example", 1, 2, 100, 200, 150, SIGNATURE_WRONG},
		{"*", ".", 1, 0, 100, 200, 150, SIGNATURE_WORTH},
		{"*", ".", 1, 1, 100, 200, 150, SIGNATURE_WRONG},
		{".", ".", 1, 0, 100, 200, 150, SIGNATURE_WORTH},
		{".", ".", 1, 1, 100, 200, 150, SIGNATURE_WRONG},
		{"*a.example", "example", 1, 2, 100, 200, 150, SIGNATURE_WORTH},
		/* signers */
		{"www.example", "www.example", 1, 2, 100, 200, 150, SIGNATURE_WORTH},
		{"www.example", ".", 1, 2, 100, 200, 150, SIGNATURE_WORTH},
		{"www.example", "a.www.example", 1, 2, 100, 200, 150, SIGNATURE_WRONG},
		{"www.example", "xample", 1, 2, 100, 200, 150, SIGNATURE_WRONG},
		{"www.example", "net", 1, 2, 100, 200, 150, SIGNATURE_WRONG},
		{"www.example", "www.example", 1, 1, 100, 200, 150, SIGNATURE_WRONG},
		/* 2106: the clock of 32 bits begins again; 2038 is nothing */
		{"a", ".", 1, 1, 0xffffff00, 0x100, 0xffffff80, SIGNATURE_WORTH},
		{"a", ".", 1, 1, 0xffffff00, 0x100, 0x80, SIGNATURE_WORTH},
		{"a", ".", 1, 1, 0xffffff00, 0x100, 0x101, SIGNATURE_EXPIRED},
		{"a", ".", 1, 1, 0xffffff00, 0x100, 0xfffffeff, SIGNATURE_EARLY},
		{"a", ".", 1, 1, 0x7fffff00, 0x80000100, 0x80000000, SIGNATURE_WORTH},
		{"a", ".", 1, 1, 0x7fffff00, 0x80000100, 0x80000101, SIGNATURE_EXPIRED},
		/* half a circle and more */
		{"a", ".", 1, 1, 0, 0x7fffffff, 1, SIGNATURE_WORTH},
		{"a", ".", 1, 1, 0, 0x80000000, 1, SIGNATURE_BACKWARDS},
		{"a", ".", 1, 1, 0, 0x80000001, 1, SIGNATURE_BACKWARDS},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint8_t owner[NAME_MAX_LEN], signer[NAME_MAX_LEN];
		assert_int_equal(name_from_text(owner, cases[i].owner), 0);
		assert_int_equal(name_from_text(signer, cases[i].signer), 0);
		struct rrset set = {.owner = owner, .type = 1};
		struct rrsig sig = {.covered = cases[i].covered, .labels = cases[i].labels, .signer = signer};
		sig.begins_s = cases[i].begins_s;
		sig.expires_s = cases[i].expires_s;
		assert_int_equal(signature_look(&sig, &set, cases[i].now_s), cases[i].look);
	}
}

static void test_ttl(void **state)
{
	static const struct {
		uint32_t ttl_s, original_s, expires_s, now_s, kept_s;
	} cases[] = {
		{300, 3600, 10000, 1000, 300},
		{3600, 300, 10000, 1000, 300},
		{3600, 3600, 1100, 1000, 100},
		{3600, 3600, 1000, 1000, 0},
		{3600, 3600, 999, 1000, 0},
		{3600, 3600, 50, 0xffffffff, 51},
		{0, 3600, 10000, 1000, 0},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct rrset set = {.ttl_s = cases[i].ttl_s};
		struct rrsig sig = {.original_ttl_s = cases[i].original_s, .expires_s = cases[i].expires_s};
		assert_int_equal(signature_ttl(&sig, &set, cases[i].now_s), cases[i].kept_s);
	}
}

/* --- the keyring --- */

static struct dnskey key_number(unsigned number)
{
	uint8_t data[4 + 32] = {1, 0, 3, 15, (uint8_t)number, (uint8_t)(number >> 8)};
	struct dnskey key;
	assert_int_equal(dnskey_read(&key, zone_rdata(&arena, data, sizeof(data))), 0);
	return key;
}

static void test_keyring(void **state)
{
	(void)state;
	struct dnskey first = key_number(0);
	struct public_key *kept = keyring_find(keyring, &first);
	assert_non_null(kept);
	for (unsigned i = 1; i < 2 * LIMIT_KEYS; i++) {
		struct dnskey key = key_number(i), again = key_number(i);
		struct public_key *found = keyring_find(keyring, &key);
		assert_non_null(found);
		assert_ptr_not_equal(found, kept);
		assert_ptr_equal(keyring_find(keyring, &again), found); /* by its bytes */
		assert_ptr_equal(keyring_find(keyring, &first), kept);  /* used, so it stays */
		assert_int_equal(keyring_count(keyring), i + 1 < LIMIT_KEYS ? i + 1 : LIMIT_KEYS);
	}
	/* The oldest went one by one: the newest are all there, and finding them adds nothing. */
	for (unsigned i = LIMIT_KEYS + 1; i < 2 * LIMIT_KEYS; i++) {
		struct dnskey key = key_number(i);
		assert_non_null(keyring_find(keyring, &key));
	}
	assert_ptr_equal(keyring_find(keyring, &first), kept);
	/* Flags are part of a key; what is no key takes no place. */
	struct dnskey bad = first;
	bad.key_len = 31;
	bad.rdata = zone_rdata(&arena, first.rdata->data, first.rdata->len - 1);
	assert_null(keyring_find(keyring, &bad));
	assert_int_equal(keyring_count(keyring), LIMIT_KEYS);
}

/* A key still works after it was thrown out and came again. */
static void test_evicted(void **state)
{
	(void)state;
	zone_read(&zone, &arena, zone_of_algorithms);
	unsigned good = count_good(&zone);
	assert_true(good > 0);
	for (unsigned i = 0; i < LIMIT_KEYS; i++) {
		struct dnskey key = key_number(i);
		assert_non_null(keyring_find(keyring, &key));
	}
	assert_int_equal(count_good(&zone), good);
	assert_int_equal(count_good(&zone), good);
}

/* Any bytes as keys and signatures: nothing verifies, nothing is read beyond its end. */
static void test_random(void **state)
{
	static const uint8_t algorithms[] = {5, 7, 8, 10, 13, 14, 15, 16};
	(void)state;
	zone_read(&zone, &arena, zone_of_types);
	struct rrset *set = zone_find(&zone, "ns.example", KNOT_RRTYPE_A);
	const struct rrsig good = zone_sig(&zone, set, 0);
	for (unsigned i = 0; i < 4000; i++) {
		struct dnskey key;
		struct rrsig sig = good;
		uint16_t len = (uint16_t)(5 + random_below(i % 2 ? 128 : 700));
		if (i % 3 == 0)
			len = (uint16_t[]){68, 100, 36, 61}[i % 4];
		knot_rdata_t *rdata = malloc(sizeof(*rdata) + len);
		uint8_t bytes[512];
		random_bytes(rdata->data, len);
		random_bytes(bytes, sizeof(bytes));
		rdata->len = len;
		rdata->data[3] = algorithms[random_below(COUNT_OF(algorithms))];
		if (i % 5 == 0 && len > 8)
			memcpy(rdata->data + 4, "\0\0\1\3", 4);
		assert_int_equal(dnskey_read(&key, rdata), 0);
		sig.algorithm = key.algorithm;
		sig.tag = key.tag;
		sig.signature = bytes;
		for (uint16_t size = 1; size < sizeof(bytes); size += size < 115 ? 1 : 13) {
			sig.signature_len = size;
			assert_int_not_equal(verify(set, &sig, &key), 0);
		}
		free(rdata);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_published, begin, end),
		cmocka_unit_test_setup_teardown(test_signed_by_bind, begin, end),
		cmocka_unit_test_setup_teardown(test_sig_changed, begin, end),
		cmocka_unit_test_setup_teardown(test_ecdsa_numbers, begin, end),
		cmocka_unit_test_setup_teardown(test_rdata_changed, begin, end),
		cmocka_unit_test_setup_teardown(test_set_changed, begin, end),
		cmocka_unit_test_setup_teardown(test_other_keys, begin, end),
		cmocka_unit_test_setup_teardown(test_truncated_keys, begin, end),
		cmocka_unit_test_setup_teardown(test_wildcard, begin, end),
		cmocka_unit_test_setup_teardown(test_no_wildcard, begin, end),
		cmocka_unit_test_setup_teardown(test_case_in_rdata, begin, end),
		cmocka_unit_test_setup_teardown(test_order, begin, end),
		cmocka_unit_test_setup_teardown(test_signed_bytes, begin, end),
		cmocka_unit_test_setup_teardown(test_broken_rdata, begin, end),
		cmocka_unit_test_setup_teardown(test_too_much, begin, end),
		cmocka_unit_test_setup_teardown(test_look, begin, end),
		cmocka_unit_test_setup_teardown(test_ttl, begin, end),
		cmocka_unit_test_setup_teardown(test_keyring, begin, end),
		cmocka_unit_test_setup_teardown(test_evicted, begin, end),
		cmocka_unit_test_setup_teardown(test_random, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
