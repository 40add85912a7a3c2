#include "unit/unit.h"

#include "base/error.h"
#include "dns/rrset.h"

static struct arena arena;

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

static struct rrset *set_of(uint16_t type, uint32_t ttl_s, const void *rdata, uint16_t len)
{
	struct rrset *set = arena_zalloc(&arena, sizeof(*set));
	knot_mm_t mm = knot_mm_of(&arena);
	knot_rdata_t *one = arena_zalloc(&arena, knot_rdata_size(len));
	knot_rdata_init(one, len, rdata);
	*set = (struct rrset){.owner = (const uint8_t *)"\7example", .type = type, .rclass = 1, .ttl_s = ttl_s};
	assert_int_equal(knot_rdataset_add(&set->data, one, &mm), 0);
	return set;
}

#define SOA_NAMES "\2ns\7example\0\4host\7example\0"
#define SOA_TIMES "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4"

static void test_limited_ttl(void **state)
{
	const struct rrset *const sets[] = {
		set_of(1, 300, "abcd", 4), set_of(1, 20, "abcd", 4), set_of(1, 60, "abcd", 4)};
	(void)state;
	assert_int_equal(rrset_least_ttl(sets, 3), 20);
	assert_int_equal(rrset_least_ttl(sets, 1), 300);
	assert_int_equal(rrset_least_ttl(sets, 0), UINT32_MAX);
	assert_ptr_equal(rrset_limit_ttl(&arena, sets[0], 300), sets[0]);
	const struct rrset *limited = rrset_limit_ttl(&arena, sets[0], 299);
	assert_int_equal(limited->ttl_s, 299);
	assert_int_equal(sets[0]->ttl_s, 300); /* others may have it */
	assert_ptr_equal(limited->data.rdata, sets[0]->data.rdata);
}

static void test_sample(void **state)
{
	static const char *const text[] = {"a", "bcd", "ef", "ghijk", "l"};
	struct rrset *set = set_of(KNOT_RRTYPE_TXT, 300, text[0], 1);
	knot_mm_t mm = knot_mm_of(&arena);
	unsigned drawn[5] = {0};
	(void)state;
	for (int i = 1; i < 5; i++) {
		const struct rrset *one = set_of(KNOT_RRTYPE_TXT, 300, text[i], (uint16_t)strlen(text[i]));
		assert_int_equal(knot_rdataset_add(&set->data, one->data.rdata, &mm), 0);
	}
	set->sigs = set->data;
	assert_ptr_equal(rrset_sample(&arena, set, 5), set);
	assert_ptr_equal(rrset_sample(&arena, set, UINT16_MAX), set);
	assert_int_equal(rrset_sample(&arena, set, 0)->data.count, 0);
	for (int round = 0; round < 2000; round++) {
		const struct rrset *sample = rrset_sample(&arena, set, 2);
		uint32_t size = 0;
		uint16_t at = 0;
		assert_int_equal(sample->data.count, 2);
		assert_int_equal(sample->sigs.count, 0); /* they sign all of it */
		for (uint16_t i = 0; i < 2; i++) {
			const knot_rdata_t *have = rrset_rdata(sample, i);
			while (at < 5 && knot_rdata_cmp(rrset_rdata(set, at), have) != 0)
				at++;
			assert_in_range(at, 0, 4); /* in their order, so none twice */
			drawn[at++]++;
			size += (uint32_t)knot_rdata_size(have->len);
		}
		assert_int_equal(sample->data.size, size);
	}
	for (int i = 0; i < 5; i++)
		assert_in_range(drawn[i], 650, 950); /* 800 +- 22 */
}

static void test_negative_ttl(void **state)
{
	static const struct {
		uint32_t ttl_s;
		const char *rdata;
		size_t len;
		uint32_t negative_s;
	} cases[] = {
		{3600, SOA_NAMES SOA_TIMES "\0\0\0\5", 46, 5},
		{4, SOA_NAMES SOA_TIMES "\0\0\0\5", 46, 4},
		{5, SOA_NAMES SOA_TIMES "\0\0\0\5", 46, 5},
		{3600, SOA_NAMES SOA_TIMES "\xff\xff\xff\xff", 46, 3600},
		{3600, SOA_NAMES SOA_TIMES "\0\0\0\0", 46, 0},
		/* broken */
		{3600, SOA_NAMES SOA_TIMES "\0\0\0", 45, 0},
		{3600, SOA_NAMES SOA_TIMES "\0\0\0\5\0", 47, 0},
		{3600, SOA_NAMES, 26, 0},
		{3600, "\2ns\7example", 12, 0},
		{3600, "\2ns\7exam", 7, 0},
		{3600, "\xc0\x0c\xc0\x0c" SOA_TIMES "\0\0\0\5", 24, 0},
		{3600, "", 0, 0},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(rrset_negative_ttl(set_of(
					 KNOT_RRTYPE_SOA, cases[i].ttl_s, cases[i].rdata, (uint16_t)cases[i].len)),
			cases[i].negative_s);
	struct rrset empty = {.type = KNOT_RRTYPE_SOA, .ttl_s = 1};
	assert_int_equal(rrset_negative_ttl(&empty), 0);
}

static void test_target(void **state)
{
	static const struct {
		const char *rdata;
		uint16_t len;
		const char *target; /* NULL: none */
	} cases[] = {
		{"\1A\2bC", 6, "a.bc."},
		{"", 1, "."},
		{"", 0, NULL},
		{"\1", 1, NULL},
		{"\1A", 2, NULL},
		{"\1A\2bC", 5, NULL},
		{"\xc0\x0c", 2, NULL},
		{"\1a\0junk", 7, "a."},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char text[NAME_TEXT];
		struct rrset *set = set_of(KNOT_RRTYPE_CNAME, 1, cases[i].rdata, cases[i].len);
		const uint8_t *target = rrset_target(&arena, set, 0);
		if (cases[i].target == NULL)
			assert_null(target);
		else
			assert_string_equal(name_text(target, text), cases[i].target);
		assert_null(rrset_target(&arena, set, 1));
	}
}

static void test_words(void **state)
{
	char text[64];
	uint16_t type;
	(void)state;
	assert_string_equal(type_text(KNOT_RRTYPE_AAAA, text), "AAAA");
	assert_string_equal(type_text(65280, text), "TYPE65280");
	assert_int_equal(type_from_text("mx", &type), 0);
	assert_int_equal(type, KNOT_RRTYPE_MX);
	assert_int_equal(type_from_text("TYPE65280", &type), 0);
	assert_int_equal(type, 65280);
	assert_int_equal(type_from_text("TYPE65536", &type), E_INVAL);
	assert_int_equal(type_from_text("NOSUCH", &type), E_INVAL);
	assert_int_equal(type_from_text("", &type), E_INVAL);
	assert_string_equal(rcode_text(0), "NOERROR");
	assert_string_equal(rcode_text(3), "NXDOMAIN");
	assert_string_equal(rcode_text(4095), "RCODE4095");
	struct question q = {.name = (const uint8_t *)"\7example", .type = KNOT_RRTYPE_NS, .rclass = 1};
	assert_string_equal(question_text(&q, text, sizeof(text)), "example. NS");
	assert_string_equal(question_text(&q, text, 5), "exam");
}

static void test_rdata_text(void **state)
{
	static const struct {
		uint16_t type;
		const char *rdata;
		uint16_t len;
		const char *text;
	} cases[] = {
		{KNOT_RRTYPE_A, "\300\0\2\1", 4, "192.0.2.1"},
		{KNOT_RRTYPE_NS, "\2ns", 4, "ns."},
		{KNOT_RRTYPE_TXT, "\3a\"\xff", 4, "\"a\\\"\\255\""},
		{65280, "\1\2", 2, "\\# 2 0102"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_string_equal(rrset_rdata_text(&arena, set_of(cases[i].type, 1, cases[i].rdata, cases[i].len), 0),
			cases[i].text);
	/* Rdata that is no such thing: words, no crash. */
	for (uint16_t type = 1; type < 300; type++)
		for (uint16_t len = 0; len < 40; len += 13)
			assert_non_null(rrset_rdata_text(&arena,
				set_of(type, 1,
					"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
					"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
					"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
					len),
				0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_limited_ttl, begin, end),
		cmocka_unit_test_setup_teardown(test_sample, begin, end),
		cmocka_unit_test_setup_teardown(test_negative_ttl, begin, end),
		cmocka_unit_test_setup_teardown(test_target, begin, end),
		cmocka_unit_test_setup_teardown(test_words, begin, end),
		cmocka_unit_test_setup_teardown(test_rdata_text, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
