#include "unit/dns/zone.h"
#include "unit/dns/zones.h"

#include "dns/crypto.h"
#include "dns/entry.h"

static struct arena arena;
static struct zone zone;
static const struct rrset *keys;
static struct dnskey real;
static knot_rdataset_t set;

static int begin(void **state)
{
	(void)state;
	arena_init(&arena);
	zone_read(&zone, &arena, rfc6605_p256);
	for (size_t i = 0; i < zone.count; i++)
		if (zone.set[i].type == KNOT_RRTYPE_DNSKEY)
			keys = &zone.set[i];
	real = zone_key(keys, 0);
	knot_rdataset_init(&set);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_deinit(&arena);
	return 0;
}

/* A DS of the zone's key, good where its digest type is known; `salt` makes it another record, no longer good. */
static void add_ds(uint8_t algorithm, uint8_t digest_type, uint8_t salt)
{
	uint8_t data[4 + CRYPTO_DIGEST_MAX] = {(uint8_t)(real.tag >> 8), (uint8_t)real.tag, algorithm, digest_type};
	size_t len = crypto_digest_len(digest_type);
	if (len > 0)
		assert_true(crypto_digest(
			data + 4, digest_type, keys->owner, name_len(keys->owner), real.rdata->data, real.rdata->len));
	data[4] ^= salt;
	knot_mm_t mm = knot_mm_of(&arena);
	assert_int_equal(knot_rdataset_add(&set, zone_rdata(&arena, data, 4 + (len > 0 ? len : 1)), &mm), 0);
}

static struct entry_points read_all(bool sha1)
{
	struct entry_points points = {.keys = NULL};
	entry_read_ds(&points, &set, sha1);
	return points;
}

static unsigned vouched(const struct entry_points *points)
{
	struct dnskey key = real;
	return entry_keep_keys(points, keys->owner, &key, 1);
}

static void test_what_counts(void **state)
{
	enum { MOST = 3 };
	static const struct {
		struct {
			uint8_t algorithm, digest_type;
		} ds[MOST];
		bool sha1;
		unsigned count;
		bool has_algorithm;
	} cases[] = {
		{{{13, 2}}, false, 1, true},
		{{{13, 2}, {13, 4}}, false, 2, true},
		{{{13, 1}}, false, 0, true},          /* the digest is the matter */
		{{{13, 1}}, true, 1, true},           /* and with nothing better it counts, */
		{{{13, 1}, {13, 2}}, true, 1, true},  /* but not beside (RFC 4509 3), */
		{{{13, 1}, {13, 99}}, true, 1, true}, /* where the better one is known here */
		{{{13, 1}, {99, 2}}, true, 1, true},
		{{{13, 99}}, true, 0, true},
		{{{99, 2}}, true, 0, false},
		{{{7, 2}}, false, 0, false},
		{{{99, 2}, {13, 2}, {13, 99}}, false, 1, true},
		{{{0, 0}}, true, 0, false},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		knot_rdataset_init(&set);
		for (size_t j = 0; j < MOST && (j == 0 || cases[i].ds[j].algorithm != 0); j++)
			add_ds(cases[i].ds[j].algorithm, cases[i].ds[j].digest_type, 0);
		struct entry_points points = read_all(cases[i].sha1);
		assert_int_equal(points.count, cases[i].count);
		assert_int_equal(points.has_algorithm, cases[i].has_algorithm);
		assert_int_equal(entry_is_usable(&points, cases[i].sha1), cases[i].count > 0);
	}
}

static void test_a_ds_vouches_for_its_key(void **state)
{
	(void)state;
	struct entry_points none = read_all(false);
	assert_int_equal(vouched(&none), 0);
	add_ds(13, 2, 1);
	struct entry_points bad = read_all(false);
	assert_int_equal(vouched(&bad), 0);
	add_ds(13, 2, 0);
	struct entry_points one_good = read_all(false);
	assert_int_equal(one_good.count, 2);
	assert_int_equal(vouched(&one_good), 1);
	struct dnskey key = real;
	assert_int_equal(entry_keep_keys(&one_good, (const uint8_t *)"\5other", &key, 1), 0);
}

static void test_an_anchor_of_keys(void **state)
{
	(void)state;
	struct entry_points points = {.keys = &keys->data};
	assert_true(entry_is_usable(&points, false));
	assert_int_equal(vouched(&points), 1);
	knot_rdata_t *rdata = zone_rdata(&arena, real.rdata->data, real.rdata->len);
	rdata->data[3] = 99; /* an algorithm that is not known */
	knot_mm_t mm = knot_mm_of(&arena);
	assert_int_equal(knot_rdataset_add(&set, rdata, &mm), 0);
	knot_rdataset_t unknown = set;
	points.keys = &unknown;
	assert_false(entry_is_usable(&points, false));
	assert_int_equal(vouched(&points), 0);
	knot_rdataset_init(&set);
	add_ds(13, 2, 0);
	entry_read_ds(&points, &set, false);
	assert_true(entry_is_usable(&points, false));
}

static struct dnskey other_key(uint8_t salt)
{
	struct dnskey key;
	knot_rdata_t *rdata = zone_rdata(&arena, real.rdata->data, real.rdata->len);
	rdata->data[rdata->len - 1] ^= salt;
	assert_int_equal(dnskey_read(&key, rdata), 0);
	return key;
}

/* One of the four is the anchor's, one the DS's; these are kept, in their order. */
static void test_keys_beside_a_ds(void **state)
{
	(void)state;
	struct dnskey key[] = {other_key(1), other_key(2), other_key(3), real};
	knot_rdataset_t of_anchor;
	knot_rdataset_init(&of_anchor);
	knot_mm_t mm = knot_mm_of(&arena);
	assert_int_equal(knot_rdataset_add(&of_anchor, key[1].rdata, &mm), 0);
	add_ds(13, 2, 0);
	struct entry_points points = {.keys = &of_anchor};
	entry_read_ds(&points, &set, false);
	const knot_rdata_t *second = key[1].rdata;
	assert_int_equal(entry_keep_keys(&points, keys->owner, key, COUNT_OF(key)), 2);
	assert_ptr_equal(key[0].rdata, second);
	assert_ptr_equal(key[1].rdata, real.rdata);
}

/* HashTrap: many records that are good for nothing, and many keys whose tags are all the same. */
static void test_limits(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= LIMIT_DS + 5; i++)
		add_ds(13, 2, (uint8_t)i);
	assert_int_equal(read_all(false).count, LIMIT_DS);

	knot_rdataset_init(&set);
	add_ds(13, 2, 0);
	struct entry_points points = read_all(false);
	for (unsigned before = 0; before < 2 * LIMIT_KEYS_OF_TAG; before++) {
		struct dnskey key[2 * LIMIT_KEYS_OF_TAG];
		for (unsigned i = 0; i < before; i++) {
			key[i] = other_key((uint8_t)(i + 1));
			key[i].tag = real.tag;
		}
		key[before] = real;
		unsigned kept = entry_keep_keys(&points, keys->owner, key, before + 1);
		assert_int_equal(kept, before < LIMIT_KEYS_OF_TAG ? 1 : 0);
		assert_true(kept == 0 || key[0].rdata == real.rdata);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_counts, begin, end),
		cmocka_unit_test_setup_teardown(test_a_ds_vouches_for_its_key, begin, end),
		cmocka_unit_test_setup_teardown(test_an_anchor_of_keys, begin, end),
		cmocka_unit_test_setup_teardown(test_keys_beside_a_ds, begin, end),
		cmocka_unit_test_setup_teardown(test_limits, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
