/* Which records are found for a name, what is refused, what goes when; and that what is found proves what all records of
 * a zone prove, with random zones. test_cache_denials ZONES SEED. */
#include "unit/dns/denials.h"

#include <pthread.h>

#include "base/check.h"
#include "base/error.h"
#include "base/hash.h"
#include "cache/denials.h"
#include "unit/fake/clock.h"

enum { MIB = 1 << 20, ZONES = 300, NODES_MOST = 40, HAMMERED = 1000 };

static struct arena arena;
static struct denials *denials;
static struct zone_sets z;
static uint64_t chance_state = 1;
static unsigned zones = ZONES;

static int begin(void **state)
{
	(void)state;
	hash_init();
	arena_init(&arena);
	denials = denials_new(16 * MIB);
	sets_begin(&z, &arena, "example");
	return 0;
}

static int end(void **state)
{
	(void)state;
	denials_free(denials);
	arena_deinit(&arena);
	return 0;
}

static void put_from(uint16_t first)
{
	for (uint16_t i = first; i < z.count; i++)
		denials_put(denials, z.zone, z.set[i]);
}

static void put_all(void)
{
	put_from(0);
}

static void put_soa(const char *zone, uint32_t ttl_s, uint32_t minimum_s)
{
	uint8_t rdata[22] = {0};
	knot_wire_write_u32(rdata + 18, minimum_s);
	struct rrset head = {.owner = name_of(&arena, zone), .type = KNOT_RRTYPE_SOA, .rclass = 1, .ttl_s = ttl_s};
	denials_put(denials, head.owner, rrset_of_one(&arena, &head, rdata, sizeof(rdata)));
}

static uint64_t records(void)
{
	struct denials_state now;
	denials_state(denials, &now);
	assert_true(now.bytes <= now.limit);
	return now.records;
}

static bool find(const char *name, bool above, struct denials_found *out)
{
	int ret = denials_find(denials, &arena, name_of(&arena, name), above, out);
	assert_true(ret == 0 || ret == E_NOENT);
	assert_true(ret != 0 || (out->count > 0 && out->count <= DENIALS_FOUND));
	return ret == 0;
}

static unsigned count_found(const char *name)
{
	struct denials_found found;
	return find(name, false, &found) ? found.count : 0;
}

static bool has_owner(const struct denials_found *found, const char *owner)
{
	for (uint16_t i = 0; i < found->count; i++)
		if (name_is_equal(found->set[i]->owner, name_of(&arena, owner)))
			return true;
	return false;
}

/* --- what is found --- */

static void make_nsec_zone(void)
{
	sets_nsec(&z, "example", "a.example", "NS SOA RRSIG NSEC");
	sets_nsec(&z, "a.example", "ns.ent.example", "NS RRSIG NSEC");
	sets_nsec(&z, "ns.ent.example", "*.w.example", "A RRSIG NSEC");
	sets_nsec(&z, "*.w.example", "x.w.example", "MX RRSIG NSEC");
	sets_nsec(&z, "x.w.example", "z.example", "A RRSIG NSEC");
	sets_nsec(&z, "z.example", "example", "A RRSIG NSEC");
	put_all();
}

static void test_nsec(void **state)
{
	static const struct {
		const char *name;
		bool above;
		const char *owner[2];
	} cases[] = {
		{"example", false, {"example"}},
		{"a.example", false, {"a.example"}},
		{"a.example", true, {"a.example"}},
		{"b.example", false, {"a.example", "example"}},
		{"ent.example", false, {"a.example"}},
		{"w.example", false, {"ns.ent.example"}},
		{"q.ent.example", false, {"ns.ent.example", "a.example"}},
		{"b.w.example", false, {"*.w.example"}},
		{"y.w.example", false, {"x.w.example", "*.w.example"}},
		{"*.w.example", false, {"*.w.example"}},
		{"q.y.w.example", true, {"x.w.example", "*.w.example"}},
		{"zz.example", false, {"z.example", "example"}},
		{"sub.a.example", false, {"a.example"}},
		{"example", true, {NULL}},
		{"other", false, {NULL}},
		{".", false, {NULL}},
		{".", true, {NULL}},
	};
	(void)state;
	make_nsec_zone();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct denials_found found = {.count = 0};
		bool is_found = find(cases[i].name, cases[i].above, &found);
		unsigned want = (cases[i].owner[0] != NULL) + (cases[i].owner[1] != NULL);
		if (is_found != (want > 0) || found.count != want)
			fail_msg("%s: %u records", cases[i].name, found.count);
		for (unsigned k = 0; k < want; k++)
			assert_true(has_owner(&found, cases[i].owner[k]));
		assert_true(!is_found || name_is_equal(found.zone, z.zone));
	}
}

/* Without the record at hand its neighbours do not stand in for it. */
static void test_gap(void **state)
{
	(void)state;
	sets_nsec(&z, "a.example", "c.example", "A");
	sets_nsec(&z, "m.example", "o.example", "A");
	put_all();
	assert_int_equal(count_found("b.example"), 1); /* nothing of the wildcard */
	assert_int_equal(count_found("c.example"), 0);
	assert_int_equal(count_found("d.example"), 0);
	assert_int_equal(count_found("example"), 0);
	assert_int_equal(count_found("z.example"), 0);
}

/* Signers may write the next name in capitals; the copy is as signed. */
static void test_copies(void **state)
{
	struct denials_found found;
	(void)state;
	struct rrset *set = sets_nsec(&z, "a.example", "c.example", "A");
	set->data.rdata->data[1] = 'C';
	uint8_t sig[] = {0, 47, 8, 2, 1, 2, 3}, space[16];
	knot_rdata_t *rdata = (knot_rdata_t *)space;
	knot_rdata_init(rdata, sizeof(sig), sig);
	set->sigs = (knot_rdataset_t){.count = 1, .size = (uint32_t)knot_rdata_size(sizeof(sig)), .rdata = rdata};
	put_all();
	assert_true(find("b.example", false, &found));
	denials_clear(denials);
	assert_int_equal(records(), 0);
	assert_true(knot_rdataset_eq(&found.set[0]->data, &set->data));
	assert_true(knot_rdataset_eq(&found.set[0]->sigs, &set->sigs));
	assert_int_equal(found.set[0]->rclass, 1);
	assert_null(found.soa);
}

static void test_deepest_zone(void **state)
{
	struct denials_found found;
	(void)state;
	make_nsec_zone();
	sets_begin(&z, &arena, "a.example");
	sets_nsec(&z, "a.example", "a.example", "NS SOA RRSIG NSEC");
	put_all();
	put_soa("a.example", 300, 300);
	assert_true(find("q.a.example", false, &found) && name_is_equal(found.zone, z.zone));
	assert_non_null(found.soa);
	assert_true(find("a.example", false, &found) && name_is_equal(found.zone, z.zone));
	assert_true(find("a.example", true, &found) && name_labels(found.zone) == 1);
	assert_null(found.soa);
	assert_true(find("q.a.example", true, &found) && name_is_equal(found.zone, z.zone));
	/* A zone of which too little is known is still not its parent's business. */
	put_soa("z.example", 300, 300);
	assert_false(find("q.z.example", false, &found));
	assert_true(find("z.example", true, &found));
}

static void begin_nsec3(const char *salt, uint16_t iterations)
{
	sets_begin(&z, &arena, "example");
	sets_salt(&z, salt, iterations);
}

static void test_nsec3(void **state)
{
	static const struct {
		const char *name;
		unsigned count;
	} cases[] = {
		{"example", 1},
		{"b.example", 3},
		{"q.b.example", 3},
		{"c.example", 0},
		{"w.example", 1},
		{"*.w.example", 1},
		{"b.w.example", 3},
		{"a.b.w.example", 3},
		{"n.example", 1},
		{"v.n.example", 2}, /* nothing of the wildcard */
		{"other", 0},
		/* Too many labels: those next to the zone count, and what ends there is found. */
		{"1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20.21.22.23.b.example", 3},
		{"5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20.21.22.23.example", 1},
		{"3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20.21.22.23.example", 0},
	};
	(void)state;
	begin_nsec3("beef", 2);
	sets_nsec3(&z, "example", NULL, 0, "NS SOA");
	sets_nsec3_cover(&z, "b.example", 0);
	sets_nsec3_cover(&z, "*.example", 0);
	sets_nsec3(&z, "w.example", NULL, 0, "");
	sets_nsec3(&z, "*.w.example", NULL, 0, "MX");
	sets_nsec3_cover(&z, "b.w.example", 0);
	sets_nsec3(&z, "n.example", NULL, 0, "A");
	sets_nsec3_cover(&z, "v.n.example", 0);
	sets_nsec3(&z, "5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20.21.22.23.example", NULL, 0, "A");
	put_all();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		unsigned count = count_found(cases[i].name);
		if (count != cases[i].count)
			fail_msg("%s: %u records", cases[i].name, count);
	}
}

/* One record that leads to itself spans all other hashes, those before it too. */
static void test_nsec3_alone(void **state)
{
	struct denials_found found;
	(void)state;
	begin_nsec3("", 0);
	sets_nsec3(&z, "example", "example", 0, "NS SOA");
	put_all();
	for (char c = 'a'; c <= 'z'; c++) {
		char name[] = {c, '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e', '\0'};
		struct denial denial;
		assert_true(find(name, false, &found));
		assert_int_equal(found.count, 1);
		denial_init(&denial, found.zone, found.set, found.count);
		assert_int_equal(denial_of_name(&denial, name_of(&arena, name)), DENIED);
	}
}

/* --- what is refused --- */

static struct rrset *with_rdata(struct rrset *set, size_t at, uint8_t byte)
{
	set->data.rdata->data[at] = byte;
	return set;
}

static void test_refused(void **state)
{
	(void)state;
	begin_nsec3("", 0);
	sets_nsec3(&z, "a.example", NULL, NSEC3_OPT_OUT, "A");
	with_rdata(sets_nsec3(&z, "b.example", NULL, 0, "A"), 1, 2);   /* flags */
	with_rdata(sets_nsec3(&z, "c.example", NULL, 0, "A"), 0, 2);   /* algorithm */
	with_rdata(sets_nsec3(&z, "d.example", NULL, 0, "A"), 5, 19);  /* hash length */
	with_rdata(sets_nsec3(&z, "d.example", NULL, 0, "A"), 4, 200); /* salt length */
	with_rdata(sets_nsec3(&z, "e.example", NULL, 0, "A"), 27, 33); /* bitmap */
	sets_nsec3(&z, "f.example", NULL, 0, "A")->owner = name_of(&arena, "f.example");
	struct rrset *deep = sets_nsec3(&z, "g.example", NULL, 0, "A");
	uint8_t owner[NAME_MAX_LEN];
	memcpy(owner, deep->owner, 33);
	memcpy(owner + 33, "\3sub", 4);
	memcpy(owner + 37, z.zone, name_len(z.zone));
	deep->owner = name_copy(&arena, owner);
	sets_nsec(&z, "a.example", "b.other", "A");
	sets_nsec(&z, "a.other", "example", "A");
	with_rdata(sets_nsec(&z, "a.example", "b.example", "A"), 0, 200);
	with_rdata(sets_nsec(&z, "a.example", "b.example", "A"), 12, 33);
	sets_nsec(&z, "a.example", "b.example", "A")->ttl_s = 0;
	sets_nsec(&z, "a.example", "b.example", "A")->type = KNOT_RRTYPE_TXT;
	sets_nsec(&z, "a.example", "b.example", "A")->data.count = 0;
	/* A wildcard's record under another name: its span is the attacker's choice (RFC 4034 3.1.3). */
	struct rrset *expanded = sets_nsec(&z, "a.example", "b.example", "A");
	uint8_t sig[] = {0, 47, 8, 1, 1, 2, 3, 4};
	static _Alignas(2) uint8_t space[16];
	knot_rdata_init((knot_rdata_t *)space, sizeof(sig), sig);
	expanded->sigs =
		(knot_rdataset_t){.count = 1, .size = (uint32_t)knot_rdata_size(8), .rdata = (knot_rdata_t *)space};
	sets_salt(&z, "", DENIALS_ITERATIONS + 1);
	sets_nsec3(&z, "a.example", NULL, 0, "A");
	put_all();
	put_soa("example", 300, 0);
	put_soa("example", 0, 300);
	assert_int_equal(records(), 0);
	struct denials_state now;
	denials_state(denials, &now);
	assert_int_equal(now.zones, 0);
	begin_nsec3("", DENIALS_ITERATIONS);
	sets_nsec3(&z, "a.example", NULL, 0, "A");
	put_all();
	assert_int_equal(records(), 1);
}

/* --- what replaces what --- */

static void test_replaced(void **state)
{
	struct denials_found found;
	(void)state;
	make_nsec_zone();
	assert_int_equal(records(), 6);
	put_all();
	assert_int_equal(records(), 6);
	uint16_t old = z.count;
	struct rrset *set = sets_nsec(&z, "a.example", "*.w.example", "MX");
	put_from(old);
	assert_int_equal(records(), 5); /* ns.ent lies in its span */
	assert_true(find("a.example", false, &found));
	assert_true(knot_rdataset_eq(&found.set[0]->data, &set->data));
	assert_int_equal(count_found("*.w.example"), 1);
	old = z.count;
	sets_nsec(&z, "x.w.example", "example", "A"); /* to the end */
	put_from(old);
	assert_int_equal(records(), 4);
	old = z.count;
	sets_nsec(&z, "example", "example", "SOA");
	put_from(old);
	assert_int_equal(records(), 1);
	put_soa("example", 300, 300);
	put_soa("example", 200, 200);
	assert_int_equal(records(), 2);
	assert_true(find("b.example", false, &found));
	assert_int_equal(found.soa->ttl_s, 200);
}

static void put_hashed(uint8_t from, uint8_t to)
{
	uint8_t owner[NSEC3_HASH] = {from}, next[NSEC3_HASH] = {to};
	uint16_t old = z.count;
	sets_nsec3_raw(&z, owner, next, 0, "A");
	put_from(old);
}

static void test_nsec3_replaced(void **state)
{
	(void)state;
	begin_nsec3("beef", 1);
	put_hashed(0x10, 0x20);
	put_hashed(0x20, 0x30);
	put_hashed(0x30, 0x40);
	put_hashed(0x40, 0x10);
	put_hashed(0x40, 0x10);
	assert_int_equal(records(), 4);
	put_hashed(0x20, 0x40);
	assert_int_equal(records(), 3);
	put_hashed(0x40, 0x15); /* over the end: 0x10 goes */
	assert_int_equal(records(), 2);
	put_hashed(0x50, 0x50);
	assert_int_equal(records(), 1);
	/* Of other parameters only the newest. */
	put_hashed(0x60, 0x61);
	put_hashed(0x70, 0x71);
	assert_int_equal(records(), 3);
	begin_nsec3("beee", 1);
	put_hashed(0x60, 0x61);
	assert_int_equal(records(), 1);
	put_hashed(0x70, 0x71);
	begin_nsec3("beee", 2);
	put_hashed(0x10, 0x11);
	assert_int_equal(records(), 1);
	begin_nsec3("", 2);
	put_hashed(0x20, 0x21);
	assert_int_equal(records(), 1);
}

/* A zone that changes from one kind to the other has both for a while. */
static void test_both_kinds(void **state)
{
	struct denials_found found;
	(void)state;
	sets_nsec(&z, "a.example", "c.example", "A");
	sets_nsec3(&z, "example", "example", 0, "NS SOA");
	put_all();
	assert_true(find("b.example", false, &found) && found.set[0]->type == KNOT_RRTYPE_NSEC);
	assert_true(find("d.example", false, &found) && found.set[0]->type == KNOT_RRTYPE_NSEC3);
}

/* --- time --- */

static void test_expiry(void **state)
{
	struct denials_found found;
	struct denials_state now;
	(void)state;
	sets_nsec(&z, "a.example", "c.example", "A")->ttl_s = 300;
	sets_nsec(&z, "example", "a.example", "SOA")->ttl_s = 200;
	put_all();
	put_soa("example", 100, 100);
	assert_true(find("b.example", false, &found));
	assert_int_equal(found.count, 2);
	assert_int_equal(found.soa->ttl_s, 100);
	fake_pass_s(99);
	assert_true(find("b.example", false, &found));
	assert_int_equal(found.set[0]->ttl_s, 201);
	assert_int_equal(found.set[1]->ttl_s, 101);
	assert_int_equal(found.soa->ttl_s, 1);
	fake_pass_s(1);
	assert_true(find("b.example", false, &found));
	assert_null(found.soa);
	assert_int_equal(records(), 2);
	fake_pass_s(100);
	assert_true(find("b.example", false, &found));
	assert_int_equal(found.count, 1);
	fake_pass_s(100);
	assert_false(find("b.example", false, &found));
	denials_state(denials, &now);
	assert_int_equal(now.records, 0);
	assert_int_equal(now.zones, 0);
	/* The longest TTL there can be overflows nothing. */
	sets_nsec(&z, "m.example", "o.example", "A")->ttl_s = UINT32_MAX;
	put_from(2);
	fake_pass_s(86399);
	assert_true(find("n.example", false, &found));
	assert_int_equal(found.set[0]->ttl_s, 1);
	fake_pass_s(1);
	assert_false(find("n.example", false, &found));
}

static void test_nsec3_expiry(void **state)
{
	(void)state;
	begin_nsec3("", 1);
	sets_nsec3(&z, "example", NULL, 0, "SOA")->ttl_s = 300;
	sets_nsec3_cover(&z, "b.example", 0)->ttl_s = 200;
	sets_nsec3_cover(&z, "*.example", 0)->ttl_s = 100;
	put_all();
	assert_int_equal(count_found("b.example"), 3);
	fake_pass_s(100);
	assert_int_equal(count_found("b.example"), 2);
	fake_pass_s(100);
	assert_int_equal(count_found("b.example"), 0);
	assert_int_equal(count_found("example"), 1);
	fake_pass_s(100);
	assert_int_equal(count_found("example"), 0);
	assert_int_equal(records(), 0);
}

static void test_clock_set(void **state)
{
	struct denials_found found;
	(void)state;
	make_nsec_zone();
	fake_mono_us += 1000 * 1000000ull;
	assert_true(find("b.example", false, &found));
	fake_wall_us -= 1000000;
	assert_false(find("b.example", false, &found));
	fake_wall_us += 1000000;
	assert_false(find("b.example", false, &found));
}

/* What has expired goes as new records come, without anybody asking. */
static void test_swept(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = 0; i < 20; i++) {
			char owner[32], next[32];
			snprintf(owner, sizeof(owner), "n%04u.example", round * 40 + i * 2);
			snprintf(next, sizeof(next), "n%04u.example", round * 40 + i * 2 + 1);
			sets_begin(&z, &arena, "example");
			sets_nsec(&z, owner, next, "A")->ttl_s = 60;
			put_all();
		}
		assert_true(records() <= 40);
		fake_pass_s(60);
	}
}

/* --- bytes --- */

static void put_small_zone(const char *zone)
{
	char a[64], c[64];
	snprintf(a, sizeof(a), "a.%s", zone);
	snprintf(c, sizeof(c), "c.%s", zone);
	sets_begin(&z, &arena, zone);
	sets_nsec(&z, zone, a, "SOA");
	sets_nsec(&z, a, c, "A");
	put_all();
	put_soa(zone, 3600, 3600);
}

static unsigned count_small_zones(unsigned count)
{
	unsigned there = 0;
	for (unsigned i = 0; i < count; i++) {
		char name[64];
		snprintf(name, sizeof(name), "b.z%u", i);
		there += count_found(name) == 2;
	}
	return there;
}

static void flood(unsigned i)
{
	char owner[64], next[64];
	snprintf(owner, sizeof(owner), "n%06u.flood", i * 2);
	snprintf(next, sizeof(next), "n%06u.flood", i * 2 + 1);
	sets_begin(&z, &arena, "flood");
	sets_nsec(&z, owner, next, "A");
	put_all();
}

/* One zone with ever more records throws out its own oldest, and none of a hundred others. */
static void test_flood(void **state)
{
	(void)state;
	denials_configure(denials, MIB);
	for (unsigned i = 0; i < 100; i++) {
		char zone[16];
		snprintf(zone, sizeof(zone), "z%u", i);
		put_small_zone(zone);
	}
	put_soa("flood", 3600, 3600);
	for (unsigned i = 0; i < 20000; i++) {
		flood(i);
		if (i % 100 == 0) {
			records();
			arena_reset(&arena);
		}
	}
	assert_int_equal(count_small_zones(100), 100);
	struct denials_found found;
	assert_true(find("n039998.flood", false, &found));
	assert_non_null(found.soa);
	assert_false(find("n000000.flood", false, &found));
	assert_true(records() > 900 && records() < 1300); /* 301, and what fills half of 256 KiB */
}

/* Very many zones: the least recently used go. */
static void test_many_zones(void **state)
{
	struct denials_state now;
	(void)state;
	denials_configure(denials, MIB);
	for (unsigned i = 0; i < 20000; i++) {
		char zone[16];
		snprintf(zone, sizeof(zone), "z%u", i);
		put_small_zone(zone);
		if (i % 10 == 9) {
			assert_int_equal(count_small_zones(3), 3);
			records();
			arena_reset(&arena);
		}
	}
	assert_int_equal(count_found("b.z19999"), 2);
	assert_int_equal(count_found("b.z1000"), 0);
	denials_state(denials, &now);
	assert_true(now.zones > 500 && now.zones < 2000);
	/* A smaller limit takes effect with what comes in next. */
	denials_configure(denials, MIB / 4);
	for (unsigned i = 0; i < 200; i++) {
		char zone[16];
		snprintf(zone, sizeof(zone), "y%u", i);
		put_small_zone(zone);
	}
	records();
	denials_configure(denials, 0);
	put_small_zone("x");
	assert_int_equal(count_found("b.x"), 0);
}

/* --- threads --- */

/* Made before the threads: the makers of sets are not theirs. */
static struct {
	uint8_t zone[NAME_MAX_LEN];
	const struct rrset *set;
	const uint8_t *name;
} prepared[HAMMERED];

static void prepare(unsigned i)
{
	char zone[16], owner[32], next[32];
	snprintf(zone, sizeof(zone), "z%u", i % 5);
	snprintf(owner, sizeof(owner), "n%03u.z%u", i % 97, i % 5);
	snprintf(next, sizeof(next), "n%03u.z%u", i % 97 + i % 3, i % 5);
	sets_begin(&z, &arena, zone);
	sets_salt(&z, "beef", i % 100 == 0);
	prepared[i].set = i % 2 == 0 ? sets_nsec3(&z, owner, next, 0, "A") : sets_nsec(&z, owner, next, "A");
	prepared[i].name = name_of(&arena, owner);
	memcpy(prepared[i].zone, z.zone, sizeof(z.zone));
}

static void hammer_once(struct arena *mine, unsigned i)
{
	struct denials_found found;
	unsigned which = i % HAMMERED, other = i * 31 % HAMMERED;
	denials_put(denials, prepared[which].zone, prepared[which].set);
	if (i % 4999 == 0)
		denials_clear(denials);
	if (denials_find(denials, mine, prepared[other].name, i % 7 == 0, &found) == 0)
		for (uint16_t k = 0; k < found.count; k++)
			require(name_is_within(found.set[k]->owner, found.zone));
}

static void *hammer(void *arg)
{
	struct arena mine;
	arena_init(&mine);
	for (unsigned i = 0; i < 5000; i++) {
		hammer_once(&mine, i * 7 + (unsigned)(uintptr_t)arg);
		arena_reset(&mine);
	}
	arena_deinit(&mine);
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t thread[8];
	(void)state;
	denials_configure(denials, MIB / 4);
	for (unsigned i = 0; i < HAMMERED; i++)
		prepare(i);
	for (uintptr_t i = 0; i < COUNT_OF(thread); i++)
		pthread_create(&thread[i], NULL, hammer, (void *)i);
	for (size_t i = 0; i < COUNT_OF(thread); i++)
		pthread_join(thread[i], NULL);
	records();
}

/* --- random zones --- */

/* The same in every run. */
static unsigned chance(unsigned bound)
{
	chance_state = chance_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(chance_state >> 33) % bound;
}

struct node {
	const uint8_t *name;
	const char *types;
};

struct nodes {
	struct node node[NODES_MOST];
	unsigned count;
};

static const uint8_t *random_name(unsigned depth)
{
	char text[32], *at = text;
	while (depth-- > 0)
		at += sprintf(at, "%c.", "abcd*"[chance(5)]);
	strcpy(at, "z");
	return name_of(&arena, text);
}

static bool is_there(const struct nodes *nodes, const uint8_t *name)
{
	for (unsigned i = 0; i < nodes->count; i++)
		if (name_is_equal(nodes->node[i].name, name))
			return true;
	return false;
}

static void add_node(struct nodes *nodes, const uint8_t *name, const char *types)
{
	if (is_there(nodes, name))
		return;
	assert_true(nodes->count < NODES_MOST);
	nodes->node[nodes->count++] = (struct node){name, types};
}

static bool is_under_cut(const struct nodes *nodes, const uint8_t *name)
{
	for (unsigned i = 1; i < nodes->count; i++)
		if (name_is_below(name, nodes->node[i].name) &&
			(strstr(nodes->node[i].types, "NS") || strstr(nodes->node[i].types, "DNAME")))
			return true;
	return false;
}

static int by_name(const void *a, const void *b)
{
	return name_compare_canonical(((const struct node *)a)->name, ((const struct node *)b)->name);
}

static int by_hash(const void *a, const void *b)
{
	uint8_t hash_a[NSEC3_HASH], hash_b[NSEC3_HASH];
	nsec3_hash(hash_a, ((const struct node *)a)->name, z.salt, z.salt_len, z.iterations);
	nsec3_hash(hash_b, ((const struct node *)b)->name, z.salt, z.salt_len, z.iterations);
	return memcmp(hash_a, hash_b, NSEC3_HASH);
}

static void make_nodes(struct nodes *nodes)
{
	static const char *const choices[] = {"A", "A MX", "MX", "NS", "NS DS", "CNAME", "DNAME"};
	struct nodes drawn = {.count = 0};
	nodes->count = 0;
	add_node(&drawn, name_of(&arena, "z"), "SOA NS");
	for (unsigned left = chance(12); left > 0; left--)
		add_node(&drawn, random_name(1 + chance(3)), choices[chance(COUNT_OF(choices))]);
	for (unsigned i = 0; i < drawn.count; i++)
		if (!is_under_cut(&drawn, drawn.node[i].name))
			add_node(nodes, drawn.node[i].name, drawn.node[i].types);
}

static void make_nsec(struct nodes *nodes)
{
	sets_begin(&z, &arena, "z");
	qsort(nodes->node, nodes->count, sizeof(nodes->node[0]), by_name);
	for (unsigned i = 0; i < nodes->count; i++)
		sets_nsec_names(
			&z, nodes->node[i].name, nodes->node[(i + 1) % nodes->count].name, nodes->node[i].types);
}

static void make_nsec3(struct nodes *nodes)
{
	for (unsigned i = 0, count = nodes->count; i < count; i++)
		for (const uint8_t *at = nodes->node[i].name; name_labels(at) > 1; at = name_parent(at))
			add_node(nodes, at, "");
	sets_begin(&z, &arena, "z");
	sets_salt(&z, chance(2) ? "" : "beef", (uint16_t)chance(3));
	qsort(nodes->node, nodes->count, sizeof(nodes->node[0]), by_hash);
	for (unsigned i = 0; i < nodes->count; i++) {
		uint8_t from[NSEC3_HASH], to[NSEC3_HASH];
		nsec3_hash(from, nodes->node[i].name, z.salt, z.salt_len, z.iterations);
		nsec3_hash(to, nodes->node[(i + 1) % nodes->count].name, z.salt, z.salt_len, z.iterations);
		sets_nsec3_raw(&z, from, to, 0, nodes->node[i].types);
	}
}

static void begin_denial(struct denial *denial, const uint8_t *name, bool above, struct denials_found *found)
{
	if (denials_find(denials, &arena, name, above, found) != 0)
		found->count = 0;
	assert_true(found->count <= DENIALS_FOUND);
	denial_init(denial, z.zone, found->set, found->count);
}

/* As much with the records found as with all of them; where some are not there, not more. */
static void judge(bool is_whole, enum denied said, enum denied truth, const uint8_t *name, unsigned what)
{
	char text[NAME_TEXT];
	if (said != truth && (is_whole || said != NOT_DENIED))
		fail_msg("%s, %u: %d, with all records %d", name_text(name, text), what, said, truth);
}

static void try_name(const uint8_t *name, bool is_whole)
{
	static const uint16_t types[] = {KNOT_RRTYPE_A, KNOT_RRTYPE_MX, KNOT_RRTYPE_NS, KNOT_RRTYPE_DS, 255};
	struct denial all, some;
	struct denials_found found;
	denial_init(&all, z.zone, z.set, z.count);
	begin_denial(&some, name, false, &found);
	judge(is_whole, denial_of_name(&some, name), denial_of_name(&all, name), name, 0);
	for (size_t i = 0; i < COUNT_OF(types); i++)
		judge(is_whole, denial_of_type(&some, name, types[i]), denial_of_type(&all, name, types[i]), name,
			types[i]);
	for (unsigned labels = 0; labels < name_labels(name); labels++)
		judge(is_whole && all.has_nsec, denial_of_closer(&some, name, labels),
			denial_of_closer(&all, name, labels), name, 1000 + labels);
	if (name_labels(name) < 2)
		return;
	begin_denial(&some, name, true, &found);
	judge(is_whole, denial_of_type(&some, name, KNOT_RRTYPE_DS), denial_of_type(&all, name, KNOT_RRTYPE_DS), name,
		2000);
	if (is_whole)
		assert_int_equal(denial_of_ds(&some, name), denial_of_ds(&all, name));
}

static void try_names(const struct nodes *nodes, bool is_whole)
{
	for (unsigned i = 0; i < 60; i++)
		try_name(i < nodes->count ? nodes->node[i].name : random_name(chance(5)), is_whole);
}

static void try_zone(const struct nodes *nodes)
{
	denials_clear(denials);
	put_all();
	assert_int_equal(records(), z.count);
	try_names(nodes, true);
	denials_clear(denials);
	for (uint16_t i = 0; i < z.count; i++)
		if (chance(3) > 0)
			denials_put(denials, z.zone, z.set[i]);
	try_names(nodes, false);
}

static void test_zones(void **state)
{
	(void)state;
	for (unsigned i = 0; i < zones; i++) {
		struct nodes nodes;
		make_nodes(&nodes);
		make_nsec(&nodes);
		try_zone(&nodes);
		make_nsec3(&nodes);
		try_zone(&nodes);
		arena_reset(&arena);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nsec),
		TEST(test_gap),
		TEST(test_copies),
		TEST(test_deepest_zone),
		TEST(test_nsec3),
		TEST(test_nsec3_alone),
		TEST(test_refused),
		TEST(test_replaced),
		TEST(test_nsec3_replaced),
		TEST(test_both_kinds),
		TEST(test_expiry),
		TEST(test_nsec3_expiry),
		TEST(test_clock_set),
		TEST(test_swept),
		TEST(test_flood),
		TEST(test_many_zones),
		TEST(test_threads),
		TEST(test_zones),
	};
	if (argc > 1)
		zones = (unsigned)atoi(argv[1]);
	if (argc > 2)
		chance_state = (uint64_t)atoi(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
