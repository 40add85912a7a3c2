/* RFC 5011, with keys and signatures that were made once (P-256, valid from 2020 to 2065) and a clock given by hand. */
#include "unit/unit.h"

#include <stdio.h>

#include "base/error.h"
#include "base/hash.h"
#include "resolve/rollover.h"
#include "unit/sets.h"

static const uint8_t key_a[] = {0x01, 0x01, 0x03, 0x0d, 0xc9, 0x18, 0xc3, 0xfa, 0xe0, 0x0a, 0xa6, 0x92, 0x74, 0xb2,
	0xb6, 0x06, 0x8e, 0x1e, 0x24, 0x76, 0xf4, 0x94, 0x65, 0xc9, 0xe6, 0x23, 0x03, 0x9f, 0x98, 0xf2, 0xbf, 0xd3,
	0xd9, 0x9a, 0xcc, 0xd2, 0x17, 0x0d, 0x23, 0x24, 0x7f, 0x19, 0xa5, 0xf7, 0x8c, 0x52, 0xea, 0x13, 0x12, 0xc3,
	0x0b, 0x52, 0x86, 0x60, 0xc1, 0x15, 0xca, 0x72, 0xbc, 0xf8, 0xa7, 0x43, 0x7c, 0x98, 0x25, 0xca, 0x9a, 0x4d};
static const uint8_t key_b[] = {0x01, 0x01, 0x03, 0x0d, 0xd4, 0x97, 0xb3, 0xc9, 0xd3, 0x8a, 0xc8, 0xfb, 0xb5, 0x93,
	0x93, 0xe1, 0xe2, 0xae, 0x45, 0x6a, 0x8d, 0x04, 0x50, 0x74, 0x24, 0x71, 0x68, 0x51, 0xb8, 0x1f, 0xc6, 0xf5,
	0xf4, 0x12, 0xfb, 0x0d, 0xc1, 0x4d, 0x54, 0x7f, 0xe0, 0x87, 0x72, 0xbf, 0x0f, 0xb6, 0xe4, 0xeb, 0x90, 0x47,
	0x16, 0xf8, 0x6f, 0x25, 0x22, 0x34, 0x16, 0x8e, 0x75, 0x80, 0xb5, 0xb6, 0x5f, 0x5e, 0x0c, 0x57, 0x75, 0x0d};
static const uint8_t key_c[] = {0x01, 0x01, 0x03, 0x0d, 0x1b, 0x66, 0xc0, 0xe7, 0xa5, 0x3b, 0xa8, 0xa0, 0xa7, 0x1d,
	0x4a, 0x0c, 0x66, 0x50, 0x24, 0xd3, 0x8f, 0xc5, 0x92, 0xf5, 0x0e, 0x46, 0xa8, 0x4a, 0x82, 0xc8, 0x06, 0xfe,
	0x32, 0x21, 0x89, 0xab, 0x2f, 0xb8, 0x94, 0xc0, 0x36, 0xee, 0x20, 0x8a, 0xbe, 0xd3, 0xfe, 0x88, 0xf0, 0x34,
	0x0e, 0xb4, 0x0f, 0xf8, 0x92, 0xdc, 0x59, 0x62, 0x3d, 0x61, 0x8f, 0xb1, 0x40, 0x81, 0x08, 0xe3, 0x28, 0x90};
static const uint8_t key_a_revoked[] = {0x01, 0x81, 0x03, 0x0d, 0xc9, 0x18, 0xc3, 0xfa, 0xe0, 0x0a, 0xa6, 0x92, 0x74,
	0xb2, 0xb6, 0x06, 0x8e, 0x1e, 0x24, 0x76, 0xf4, 0x94, 0x65, 0xc9, 0xe6, 0x23, 0x03, 0x9f, 0x98, 0xf2, 0xbf,
	0xd3, 0xd9, 0x9a, 0xcc, 0xd2, 0x17, 0x0d, 0x23, 0x24, 0x7f, 0x19, 0xa5, 0xf7, 0x8c, 0x52, 0xea, 0x13, 0x12,
	0xc3, 0x0b, 0x52, 0x86, 0x60, 0xc1, 0x15, 0xca, 0x72, 0xbc, 0xf8, 0xa7, 0x43, 0x7c, 0x98, 0x25, 0xca, 0x9a,
	0x4d};
static const uint8_t sig_by_revoked[] = {0x00, 0x30, 0x0d, 0x01, 0x00, 0x00, 0x0e, 0x10, 0xb2, 0xd0, 0x5e, 0x00, 0x5f,
	0x5e, 0x10, 0x00, 0xdf, 0x75, 0x04, 0x6b, 0x65, 0x79, 0x73, 0x00, 0x7c, 0xf8, 0xeb, 0x44, 0xa6, 0xaf, 0x8b,
	0xee, 0x93, 0xfa, 0x60, 0x24, 0x12, 0x45, 0x8d, 0x60, 0xd4, 0xfc, 0x9f, 0x1b, 0x8f, 0x78, 0x16, 0xb9, 0x8d,
	0x86, 0x5d, 0xb7, 0x9f, 0xd7, 0x55, 0x62, 0x10, 0x0c, 0x01, 0x98, 0x87, 0x67, 0x5b, 0x59, 0x15, 0x6c, 0xb9,
	0x13, 0xf3, 0x22, 0x47, 0x9e, 0x10, 0xe9, 0x1a, 0xe5, 0x7f, 0xbe, 0x72, 0x98, 0xf3, 0xe7, 0xf2, 0x7c, 0x47,
	0x9b, 0x7e, 0x3e};
static const uint8_t sig_by_b[] = {0x00, 0x30, 0x0d, 0x01, 0x00, 0x00, 0x0e, 0x10, 0xb2, 0xd0, 0x5e, 0x00, 0x5f, 0x5e,
	0x10, 0x00, 0x2b, 0xce, 0x04, 0x6b, 0x65, 0x79, 0x73, 0x00, 0x72, 0x55, 0xa1, 0xc7, 0xff, 0xab, 0x41, 0xd7,
	0xe8, 0x7e, 0x5a, 0x21, 0x36, 0x1f, 0x3d, 0xf0, 0xe1, 0xdd, 0xf1, 0xfd, 0xd6, 0x58, 0x75, 0x02, 0xb0, 0xec,
	0x16, 0xa2, 0x5e, 0x1f, 0xe6, 0xc5, 0x8a, 0xd5, 0x77, 0x03, 0xf5, 0xb0, 0x22, 0xd7, 0xb6, 0x90, 0x37, 0x95,
	0xc2, 0xba, 0x33, 0x89, 0x87, 0xd4, 0x98, 0x02, 0x6d, 0x5e, 0x3a, 0xa3, 0x1f, 0xe9, 0x59, 0xe3, 0xa2, 0x8a,
	0x52, 0xa0};

enum { DAY_S = 86400, BEGIN_S = 1700000000 };

static struct arena arena;
static struct keyring *keyring;
static struct rollover *rollover;

static int begin(void **state)
{
	(void)state;
	hash_init();
	arena_init(&arena);
	keyring = keyring_new();
	rollover = arena_zalloc(&arena, sizeof(*rollover));
	struct anchors *anchors = anchors_new();
	assert_int_equal(anchors_add(anchors, set_name(&arena, "keys"), KNOT_RRTYPE_DNSKEY, key_a, sizeof(key_a)), 0);
	rollover_init(rollover, anchors_next(anchors, NULL));
	anchors_unref(anchors);
	return 0;
}

static int end(void **state)
{
	(void)state;
	rollover_deinit(rollover);
	keyring_free(keyring);
	arena_deinit(&arena);
	return 0;
}

/* A set of keys by their letters: a, b, c, and r for a revoked; "!": signed by b alone, not by what is revoked. */
static struct rrset *keys(const char *letters)
{
	struct rrset *set = set_new(&arena, "keys", KNOT_RRTYPE_DNSKEY, 3600);
	for (; *letters != '\0'; letters++) {
		switch (*letters) {
		case 'a': set_add(&arena, set, key_a, sizeof(key_a)); break;
		case 'b': set_add(&arena, set, key_b, sizeof(key_b)); break;
		case 'c': set_add(&arena, set, key_c, sizeof(key_c)); break;
		case 'r': set_add(&arena, set, key_a_revoked, sizeof(key_a_revoked)); break;
		case '!': set_add_to(&arena, &set->sigs, sig_by_b, sizeof(sig_by_b)); break;
		default: set_add_to(&arena, &set->sigs, sig_by_revoked, sizeof(sig_by_revoked)); break;
		}
	}
	return set;
}

/* What is trusted: the letters of the keys, in this order. */
static const char *trusted(void)
{
	static char out[8];
	size_t len = 0;
	struct anchors *anchors = anchors_new();
	rollover_add(rollover, anchors);
	const struct anchor *anchor = anchors_next(anchors, NULL);
	const struct {
		const uint8_t *data;
		char letter;
	} all[] = {{key_a, 'a'}, {key_b, 'b'}, {key_c, 'c'}};
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		struct rrset *one = set_new(&arena, "keys", KNOT_RRTYPE_DNSKEY, 1);
		set_add(&arena, one, all[i].data, sizeof(key_a));
		if (anchor != NULL && knot_rdataset_member(&anchor->keys, one->data.rdata))
			out[len++] = all[i].letter;
	}
	out[len] = '\0';
	anchors_unref(anchors);
	return out;
}

struct step {
	unsigned day;
	const char *keys;
	bool changes;
	const char *trusted;
};

static void walk(const struct step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool changed =
			rollover_see(rollover, keyring, &arena, keys(steps[i].keys), BEGIN_S + steps[i].day * DAY_S);
		if (changed != steps[i].changes || strcmp(trusted(), steps[i].trusted) != 0)
			fail_msg("step %zu: %d, trusted %s", i, changed, trusted());
	}
}

static void test_a_new_key(void **state)
{
	static const struct step steps[] = {
		{0, "a", true, "a"},
		{1, "ab", true, "a"},
		{2, "ab", false, "a"},
		{30, "ab", false, "a"},
		{31, "ab", true, "ab"},
		{32, "b", true, "ab"},
		{33, "b", false, "ab"},
		{34, "ab", true, "ab"},
	};
	(void)state;
	walk(steps, COUNT_OF(steps));
}

/* Who steals a key for less than a month gets no key of his own trusted. */
static void test_a_new_key_that_goes_away(void **state)
{
	static const struct step steps[] = {
		{0, "a", true, "a"},
		{1, "ac", true, "a"},
		{29, "a", true, "a"},
		{30, "ac", true, "a"},
		{59, "ac", false, "a"},
		{60, "ac", true, "ac"},
	};
	(void)state;
	walk(steps, COUNT_OF(steps));
}

static void test_a_key_that_revokes_itself(void **state)
{
	static const struct step steps[] = {
		{0, "ab", true, "a"},
		{31, "ab", true, "ab"},
		{40, "rb!", false, "ab"},
		/* somebody else says so */ {41, "ab", false, "ab"},
		{42, "rbs", true, "b"},
		{43, "ab", false, "b"}, /* it does not come back */
		{44, "b", false, "b"},
		{75, "b", false, "b"},
	};
	(void)state;
	walk(steps, COUNT_OF(steps));
}

static void test_file(void **state)
{
	char text[8192] = {0};
	(void)state;
	assert_true(rollover_see(rollover, keyring, &arena, keys("ab"), BEGIN_S));
	FILE *file = fmemopen(text, sizeof(text), "w");
	assert_int_equal(rollover_write(rollover, file), 0);
	fclose(file);
	struct rollover *copy = arena_zalloc(&arena, sizeof(*copy));
	struct anchors *anchors = anchors_new();
	assert_int_equal(anchors_add(anchors, rollover->zone, KNOT_RRTYPE_DNSKEY, key_a, sizeof(key_a)), 0);
	rollover_init(copy, anchors_next(anchors, NULL));
	char *rest = NULL, *lines = arena_copy(&arena, text, sizeof(text));
	for (char *line = strtok_r(lines, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
		assert_int_equal(rollover_read_line(copy, line), 0);
	assert_int_equal(copy->count, 2);
	assert_memory_equal(copy->key, rollover->key, sizeof(copy->key));
	/* Beside other anchors it does not count. */
	assert_int_equal(anchors_add(anchors, rollover->zone, KNOT_RRTYPE_DNSKEY, key_c, sizeof(key_c)), 0);
	rollover_deinit(copy);
	rollover_init(copy, anchors_next(anchors, NULL));
	lines = arena_copy(&arena, text, sizeof(text));
	assert_int_equal(rollover_read_line(copy, strtok_r(lines, "\n", &rest)), E_NOENT);
	rollover_deinit(copy);
	anchors_unref(anchors);
}

static void test_broken_lines(void **state)
{
	static const char *const lines[] = {"", "valid", "valid 1 keys.", "valid 1 keys. 0 ",
		"valid x keys. 0 0101030d00", "what 1 keys. 0 0101030d00", "valid 1 keys. 0 0101030d0",
		"valid 1 keys. 0 zz", "valid 1 a..b 0 0101030d00"};
	(void)state;
	rollover->origin = 0;
	for (size_t i = 0; i < COUNT_OF(lines); i++)
		assert_int_equal(rollover_read_line(rollover, lines[i]), E_MALFORMED);
	assert_int_equal(rollover->count, 0);
}

static void test_when_to_look_again(void **state)
{
	struct rrset *set = keys("as");
	(void)state;
	assert_int_equal(rollover_wait_s(NULL, BEGIN_S), 3600);
	assert_int_equal(rollover_wait_s(set, BEGIN_S), 3600); /* never more often than once an hour */
	set->ttl_s = 172800;
	assert_int_equal(rollover_wait_s(set, BEGIN_S), 86400);
	set->ttl_s = 100 * DAY_S;
	assert_int_equal(rollover_wait_s(set, BEGIN_S), 15 * DAY_S);
	assert_int_equal(
		rollover_wait_s(set, 3000000000u - 8 * DAY_S), 4 * DAY_S); /* half of what the signature has left */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_new_key, begin, end),
		cmocka_unit_test_setup_teardown(test_a_new_key_that_goes_away, begin, end),
		cmocka_unit_test_setup_teardown(test_a_key_that_revokes_itself, begin, end),
		cmocka_unit_test_setup_teardown(test_file, begin, end),
		cmocka_unit_test_setup_teardown(test_broken_lines, begin, end),
		cmocka_unit_test_setup_teardown(test_when_to_look_again, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
