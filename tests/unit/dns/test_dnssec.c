#include "unit/dns/zone.h"
#include "unit/dns/zones.h"

#include "base/error.h"

static struct arena arena;
static struct zone zone;

static int begin(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_deinit(&arena);
	return 0;
}

static const char *const with_ds[] = {
	rfc4034_ds, rfc6605_p256, rfc6605_p384, rfc8080_ed25519, rfc8080_ed25519_b, rfc8080_ed448};

static const struct rrset *only_of(uint16_t type)
{
	for (size_t i = 0; i < zone.count; i++)
		if (zone.set[i].type == type)
			return &zone.set[i];
	fail();
	return NULL;
}

static void test_ds(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(with_ds); i++) {
		zone_read(&zone, &arena, with_ds[i]);
		const struct rrset *set = only_of(KNOT_RRTYPE_DS);
		struct dnskey key = zone_key(only_of(KNOT_RRTYPE_DNSKEY), 0);
		for (uint16_t j = 0; j < set->data.count; j++) {
			struct ds ds;
			assert_int_equal(ds_read(&ds, rrset_rdata(set, j)), 0);
			assert_int_equal(ds.tag, key.tag); /* so the tag is right too */
			assert_true(ds_is_of(&ds, set->owner, &key));
			assert_false(ds_is_of(&ds, (const uint8_t *)"\7example", &key));
		}
	}
}

/* One thing wrong at a time. */
static void test_ds_wrong(void **state)
{
	struct ds good, ds;
	(void)state;
	zone_read(&zone, &arena, rfc6605_p256);
	const struct rrset *set = only_of(KNOT_RRTYPE_DS);
	struct dnskey key = zone_key(only_of(KNOT_RRTYPE_DNSKEY), 0);
	assert_int_equal(ds_read(&good, rrset_rdata(set, 0)), 0);
	for (int what = 0; what < 6; what++) {
		uint8_t *digest = arena_zalloc(&arena, 64);
		memcpy(digest, good.digest, good.digest_len);
		ds = good;
		ds.digest = digest;
		ds.tag ^= what == 0;
		ds.algorithm ^= what == 1;
		ds.digest_type = (uint8_t[]){2, 2, 1, 4, 3, 2}[what];
		digest[31] ^= what == 5;
		assert_false(ds_is_of(&ds, set->owner, &key));
	}
	ds = good;
	for (ds.digest_len = 0; ds.digest_len < 32; ds.digest_len++)
		assert_false(ds_is_of(&ds, set->owner, &key));
	/* The key's flags are under the digest too. */
	knot_rdata_t *other = zone_rdata(&arena, key.rdata->data, key.rdata->len);
	other->data[1] ^= DNSKEY_SEP;
	assert_int_equal(dnskey_read(&key, other), 0);
	key.tag = good.tag;
	assert_false(ds_is_of(&good, set->owner, &key));
}

static void test_read_short(void **state)
{
	static const uint8_t sig[] = "\0\1\15\2\0\0\16\20\1\2\3\4\5\6\7\10\22\64\2eX\3Net\0S";
	struct dnskey key;
	struct ds ds;
	struct rrsig read;
	(void)state;
	for (size_t len = 0; len <= 4; len++) {
		assert_int_equal(dnskey_read(&key, zone_rdata(&arena, sig, len)), E_MALFORMED);
		assert_int_equal(ds_read(&ds, zone_rdata(&arena, sig, len)), E_MALFORMED);
	}
	assert_int_equal(dnskey_read(&key, zone_rdata(&arena, sig, 5)), 0);
	assert_int_equal(key.key_len, 1);
	assert_int_equal(ds_read(&ds, zone_rdata(&arena, sig, 5)), 0);
	assert_int_equal(ds.digest_len, 1);
	for (size_t len = 0; len < sizeof(sig) - 1; len++)
		assert_int_equal(rrsig_read(&read, &arena, zone_rdata(&arena, sig, len)), E_MALFORMED);
	assert_int_equal(rrsig_read(&read, &arena, zone_rdata(&arena, sig, sizeof(sig) - 1)), 0);
	assert_int_equal(read.covered, 1);
	assert_int_equal(read.algorithm, 13);
	assert_int_equal(read.labels, 2);
	assert_int_equal(read.original_ttl_s, 3600);
	assert_int_equal(read.expires_s, 0x01020304);
	assert_int_equal(read.begins_s, 0x05060708);
	assert_int_equal(read.tag, 0x1234);
	assert_memory_equal(read.signer, "\2ex\3net", 8);
	assert_int_equal(read.signature_len, 1);
	assert_int_equal(read.signature[0], 'S');
	/* A pointer, or a label that is none, where the signer should be. */
	assert_int_equal(
		rrsig_read(&read, &arena, zone_rdata(&arena, "123456789012345678\xc0\0\0\0\0", 23)), E_MALFORMED);
	assert_int_equal(
		rrsig_read(&read, &arena, zone_rdata(&arena, "123456789012345678\x40\0\0\0\0", 23)), E_MALFORMED);
}

static void test_may_sign(void **state)
{
	static const struct {
		uint16_t flags;
		uint8_t protocol;
		bool may;
	} cases[] = {
		{256, 3, true},
		{257, 3, true},
		{0xff7f, 3, true}, /* RFC 4034 2.1.1: bits without meaning are ignored */
		{0, 3, false},
		{1, 3, false},
		{256 + 128, 3, false},
		{257 + 128, 3, false},
		{256, 0, false},
		{256, 2, false},
		{257, 255, false},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct dnskey key = {.flags = cases[i].flags, .protocol = cases[i].protocol};
		assert_int_equal(dnskey_may_sign(&key), cases[i].may);
	}
}

static void test_supported(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		bool sha1 = i == 5 || i == 7, known = sha1 || i == 8 || i == 10 || (i >= 13 && i <= 16);
		assert_int_equal(algorithm_is_supported((uint8_t)i, true), known);
		assert_int_equal(algorithm_is_supported((uint8_t)i, false), known && !sha1);
		assert_int_equal(digest_is_supported((uint8_t)i, true), i == 1 || i == 2 || i == 4);
		assert_int_equal(digest_is_supported((uint8_t)i, false), i == 2 || i == 4);
	}
}

static void test_algorithm_text(void **state)
{
	char text[ALGORITHM_TEXT];
	(void)state;
	assert_string_equal(algorithm_text(7, text), "RSASHA1-NSEC3-SHA1");
	assert_string_equal(algorithm_text(13, text), "ECDSAP256SHA256");
	assert_string_equal(algorithm_text(16, text), "ED448");
	assert_string_equal(algorithm_text(0, text), "algorithm 0");
	assert_string_equal(algorithm_text(255, text), "algorithm 255");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ds, begin, end),
		cmocka_unit_test_setup_teardown(test_ds_wrong, begin, end),
		cmocka_unit_test_setup_teardown(test_read_short, begin, end),
		cmocka_unit_test(test_may_sign),
		cmocka_unit_test(test_supported),
		cmocka_unit_test(test_algorithm_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
