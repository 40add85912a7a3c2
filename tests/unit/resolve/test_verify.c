/* How many keys of a zone are looked at: all of a small set, the first ones of a large set, and nothing behind its end. The
 * set is in memory of its own, so that a sanitizer sees a step too far. */
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "resolve/verify.h"

enum { KEY = 68 };

static size_t stride(void)
{
	return knot_rdata_size(KEY);
}

/* Keys of flags 256, protocol 3, algorithm 13, each with other bytes. */
static void fill(struct rrset *set, unsigned count)
{
	uint8_t *at = calloc(count, stride());
	assert_non_null(at);
	*set = (struct rrset){.owner = (uint8_t *)"\4trap", .type = KNOT_RRTYPE_DNSKEY};
	set->data = (knot_rdataset_t){.count = (uint16_t)count, .rdata = (knot_rdata_t *)at};
	set->data.size = (uint32_t)(count * stride());
	for (unsigned i = 0; i < count; i++, at += stride()) {
		knot_rdata_t *rdata = (knot_rdata_t *)at;
		rdata->len = KEY;
		memcpy(rdata->data, "\1\0\3\15", 4);
		knot_wire_write_u16(rdata->data + 4, (uint16_t)i);
	}
}

static void test_keys_taken(void **state)
{
	static const struct {
		unsigned there, taken;
	} cases[] = {{1, 1}, {LIMIT_ZONE_KEYS - 1, LIMIT_ZONE_KEYS - 1}, {LIMIT_ZONE_KEYS, LIMIT_ZONE_KEYS},
		{LIMIT_ZONE_KEYS + 1, LIMIT_ZONE_KEYS}, {100, LIMIT_ZONE_KEYS}, {LIMIT_KEYS + 1, LIMIT_ZONE_KEYS}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct request rq = {0};
		struct trust trust = {0};
		struct rrset set;
		arena_init(&rq.arena);
		fill(&set, cases[i].there);
		verify_take_keys(&rq, &set, &trust);
		assert_int_equal(trust.keys, cases[i].taken);
		for (unsigned k = 0; k < trust.keys; k++)
			assert_int_equal(knot_wire_read_u16(trust.key[k].key), k);
		arena_deinit(&rq.arena);
		free(set.data.rdata);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys_taken)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
