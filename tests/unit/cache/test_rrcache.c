/* Ageing by the wall clock, rank, bytes: with a clock that stands still until it is moved. */
#include "unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/limits.h"
#include "cache/rrcache.h"
#include "unit/fake/clock.h"
#include "unit/sets.h"

enum { A = KNOT_RRTYPE_A };

static struct arena arena;
static struct rrcache *cache;
static struct rrcache_conf conf = {.bytes = 16 << 20, .ttl_min_s = 0, .ttl_max_s = 86400};

static int begin(void **state)
{
	(void)state;
	hash_init();
	arena_init(&arena);
	cache = rrcache_new(&conf);
	return 0;
}

static int end(void **state)
{
	(void)state;
	rrcache_free(cache);
	arena_deinit(&arena);
	return 0;
}

static void store(struct cache_key *key, enum cache_kind kind, enum rank rank, uint32_t ttl_s,
	const struct rrset *const *sets, uint16_t count)
{
	rrcache_put(cache, key,
		&(struct cache_value){.kind = kind, .rank = rank, .ttl_s = ttl_s, .count = count, .set = sets});
}

static void put_in(enum cache_space space, const char *name, uint16_t type, enum cache_kind kind, enum rank rank,
	uint32_t ttl_s, const char *bytes)
{
	const struct rrset *set = set_a(&arena, name, ttl_s, bytes);
	struct cache_key key = {.name = set->owner, .type = type, .space = space};
	store(&key, kind, rank, ttl_s, &set, 1);
}

static void put(
	const char *name, uint16_t type, enum cache_kind kind, enum rank rank, uint32_t ttl_s, const char *bytes)
{
	put_in(CACHE_RRSET, name, type, kind, rank, ttl_s, bytes);
}

/* What is found: the last byte of the first record, or -1. */
static int get_in(enum cache_space space, const char *name, uint16_t type, enum rank least, struct cached *out)
{
	struct cached found;
	struct cache_key key = {.name = set_name(&arena, name), .type = type, .space = space};
	if (rrcache_get(cache, &arena, &key, least, &found) != 0)
		return -1;
	if (out != NULL)
		*out = found;
	return found.count > 0 ? rrset_rdata(found.set[0], 0)->data[3] : 0;
}

static int get(const char *name, uint16_t type, enum rank least, struct cached *out)
{
	return get_in(CACHE_RRSET, name, type, least, out);
}

/* RFC 2181 5.4.1: what is trusted less never replaces, nor answers for, what is trusted more. */
static void test_rank(void **state)
{
	static const struct {
		enum rank old, new;
		int left;
	} cases[] = {
		{RANK_GLUE, RANK_GLUE, 2},
		{RANK_GLUE, RANK_REFERRAL, 2},
		{RANK_GLUE, RANK_ANSWER, 2},
		{RANK_REFERRAL, RANK_GLUE, 1},
		{RANK_REFERRAL, RANK_REFERRAL, 2},
		{RANK_ANSWER, RANK_GLUE, 1},
		{RANK_ANSWER, RANK_REFERRAL, 1},
		{RANK_ANSWER, RANK_ANSWER, 2},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char name[32];
		struct cached found;
		snprintf(name, sizeof(name), "n%zu.example", i);
		put(name, A, CACHE_POSITIVE, cases[i].old, 100, "\0\0\0\1");
		put(name, A, CACHE_POSITIVE, cases[i].new, 100, "\0\0\0\2");
		assert_int_equal(get(name, A, RANK_GLUE, &found), cases[i].left);
		enum rank rank = found.rank;
		for (int least = RANK_GLUE; least <= RANK_ANSWER; least++)
			assert_int_equal(get(name, A, (enum rank)least, NULL), least <= (int)rank ? cases[i].left : -1);
		/* Expired, it does not stand in the way. */
		fake_pass_s(100);
		put(name, A, CACHE_POSITIVE, RANK_GLUE, 100, "\0\0\0\3");
		assert_int_equal(get(name, A, RANK_GLUE, NULL), 3);
	}
}

static void test_expiry(void **state)
{
	static const struct {
		uint32_t ttl_s, after_s, left_s; /* left 0: gone */
	} cases[] = {{300, 0, 300}, {300, 1, 299}, {300, 299, 1}, {300, 300, 0}, {300, 301, 0}, {1, 0, 1}, {1, 1, 0}};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct cached found;
		put("a.example", A, CACHE_POSITIVE, RANK_ANSWER, cases[i].ttl_s, "\0\0\0\1");
		fake_pass_s(cases[i].after_s);
		assert_int_equal(get("a.example", A, RANK_ANSWER, &found), cases[i].left_s > 0 ? 1 : -1);
		if (cases[i].left_s > 0) {
			assert_int_equal(found.set[0]->ttl_s, cases[i].left_s);
			assert_int_equal(found.age_s, cases[i].after_s);
		}
	}
}

/* The monotonic clock does not matter, and one set back makes nothing eternal. */
static void test_clock_set(void **state)
{
	(void)state;
	put("a.example", A, CACHE_POSITIVE, RANK_ANSWER, 300, "\0\0\0\1");
	fake_mono_us += 1000 * 1000000ull;
	assert_int_equal(get("a.example", A, RANK_ANSWER, NULL), 1);
	fake_wall_us -= 1000000;
	assert_int_equal(get("a.example", A, RANK_ANSWER, NULL), -1);
	fake_wall_us += 1000000; /* right again */
	assert_int_equal(get("a.example", A, RANK_ANSWER, NULL), 1);
	/* What lies in the future does not outrank what comes now. */
	put("a.example", A, CACHE_POSITIVE, RANK_ANSWER, 300, "\0\0\0\1");
	fake_wall_us -= 3600 * 1000000ull;
	put("a.example", A, CACHE_POSITIVE, RANK_GLUE, 300, "\0\0\0\2");
	assert_int_equal(get("a.example", A, RANK_GLUE, NULL), 2);
}

static void test_ttl_clamps(void **state)
{
	static const struct {
		uint32_t min_s, max_s, ttl_s, lives_s;
	} cases[] = {
		{0, 86400, 0, 0},
		{0, 86400, 86400, 86400},
		{0, 86400, 86401, 86400},
		{0, 86400, 0x7fffffff, 86400},
		{60, 86400, 5, 60},
		{60, 3600, 7200, 3600},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct rrcache_conf now = conf;
		now.ttl_min_s = cases[i].min_s;
		now.ttl_max_s = cases[i].max_s;
		rrcache_configure(cache, &now);
		put("a.example", A, CACHE_POSITIVE, RANK_ANSWER, cases[i].ttl_s, "\0\0\0\1");
		if (cases[i].lives_s > 0) {
			struct cached found;
			fake_pass_s(cases[i].lives_s - 1);
			assert_int_equal(get("a.example", A, RANK_ANSWER, &found), 1);
			assert_true(found.set[0]->ttl_s <= 1 || found.set[0]->ttl_s == cases[i].ttl_s);
			fake_pass_s(1);
		}
		assert_int_equal(get("a.example", A, RANK_ANSWER, NULL), -1);
	}
}

/* Types of one name apart; a cut is no NS rrset; an NXDOMAIN stands under the type of no question. */
static void test_types_apart(void **state)
{
	struct cached found;
	(void)state;
	put("a.example", A, CACHE_POSITIVE, RANK_ANSWER, 300, "\0\0\0\1");
	put("a.example", KNOT_RRTYPE_NS, CACHE_POSITIVE, RANK_ANSWER, 300, "\0\0\0\2");
	put_in(CACHE_CUT, "a.example", 2, CACHE_POSITIVE, RANK_REFERRAL, 300, "\0\0\0\3");
	put_in(CACHE_NAME, "a.example", 0, CACHE_NXDOMAIN, RANK_ANSWER, 300, "\0\0\0\4");
	put("b.example", A, CACHE_POSITIVE, RANK_ANSWER, 300, "\0\0\0\5");
	assert_int_equal(get("a.example", A, RANK_ANSWER, NULL), 1);
	assert_int_equal(get("a.example", KNOT_RRTYPE_NS, RANK_ANSWER, NULL), 2);
	assert_int_equal(get_in(CACHE_CUT, "a.example", 2, RANK_REFERRAL, NULL), 3);
	assert_int_equal(get_in(CACHE_CUT, "a.example", 2, RANK_ANSWER, NULL), -1);
	assert_int_equal(get_in(CACHE_NAME, "a.example", 0, RANK_ANSWER, &found), 4);
	assert_int_equal(found.kind, CACHE_NXDOMAIN);
	assert_int_equal(get("b.example", A, RANK_ANSWER, NULL), 5);
	assert_int_equal(get("b.example", KNOT_RRTYPE_AAAA, RANK_ANSWER, NULL), -1);
	assert_int_equal(get("example", A, RANK_ANSWER, NULL), -1);
	/* A child that says its NS anew does not touch the cut (ghost domains). */
	put("a.example", KNOT_RRTYPE_NS, CACHE_POSITIVE, RANK_ANSWER, 80000, "\0\0\0\6");
	fake_pass_s(300);
	assert_int_equal(get_in(CACHE_CUT, "a.example", 2, RANK_REFERRAL, NULL), -1);
	assert_int_equal(get("a.example", KNOT_RRTYPE_NS, RANK_ANSWER, NULL), 6);
}

/* Copies are whole: several rrsets, signatures, and independent of the cache. */
static void test_copies(void **state)
{
	const struct rrset *sets[3];
	struct cached found;
	(void)state;
	struct rrset *signed_set = set_a(&arena, "example", 300, "\0\0\0\1");
	set_add(&arena, signed_set, "\0\0\0\2", 4);
	set_add_to(&arena, &signed_set->sigs, "signature", 9);
	set_add_to(&arena, &signed_set->sigs, "another", 7);
	sets[0] = signed_set;
	sets[1] = set_new(&arena, "longer.name.example", KNOT_RRTYPE_TXT, 60);
	set_add(&arena, (struct rrset *)sets[1], "\5hello", 6);
	sets[2] = set_a(&arena, ".", 10, "\0\0\0\3");
	uint8_t *name = set_name(&arena, "denied.example");
	store(&(struct cache_key){.name = name, .type = A, .space = CACHE_RRSET}, CACHE_NODATA, RANK_ANSWER, 300, sets,
		3);
	fake_pass_s(250);
	assert_int_equal(rrcache_get(cache, &arena, &(struct cache_key){.name = name, .type = A, .space = CACHE_RRSET},
				 RANK_ANSWER, &found),
		0);
	store(&(struct cache_key){.name = name, .type = A, .space = CACHE_RRSET}, CACHE_NODATA, RANK_ANSWER, 300, sets,
		1); /* frees what was copied */
	assert_int_equal(found.kind, CACHE_NODATA);
	assert_int_equal(found.count, 3);
	assert_true(name_is_equal(found.set[1]->owner, sets[1]->owner));
	assert_int_equal(found.set[0]->data.count, 2);
	assert_int_equal(found.set[0]->sigs.count, 2);
	assert_true(knot_rdataset_eq(&found.set[0]->data, &sets[0]->data));
	assert_true(knot_rdataset_eq(&found.set[0]->sigs, &sets[0]->sigs));
	assert_memory_equal(rrset_rdata(found.set[1], 0)->data, "\5hello", 6);
	assert_int_equal(found.set[0]->ttl_s, 50);
	assert_int_equal(found.set[1]->ttl_s, 50);
	assert_int_equal(found.set[2]->ttl_s, 10); /* never more than it had */
	/* Nothing but the fact: a denial without proof. */
	store(&(struct cache_key){.name = name, .type = 0, .space = CACHE_NAME}, CACHE_NXDOMAIN, RANK_ANSWER, 300, NULL,
		0);
	assert_int_equal(rrcache_get(cache, &arena, &(struct cache_key){.name = name, .type = 0, .space = CACHE_NAME},
				 RANK_ANSWER, &found),
		0);
	assert_int_equal(found.count, 0);
}

/* Never more bytes than allowed, counted as the cache itself says; the least recently used go first. */
static void test_bytes(void **state)
{
	struct rrcache_conf small = {.bytes = 2 << 20, .ttl_max_s = 86400};
	struct rrcache_state now;
	char name[32];
	(void)state;
	rrcache_configure(cache, &small);
	for (int i = 0; i < 40000; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		put(name, A, CACHE_POSITIVE, RANK_ANSWER, 300, "\0\0\0\1");
		if (i % 100 == 0) {
			assert_int_equal(get("n0.example", A, RANK_ANSWER, NULL), 1); /* used all the time: it stays */
			rrcache_state(cache, &now);
			assert_true(now.bytes <= now.limit);
			arena_reset(&arena);
		}
	}
	assert_int_equal(now.limit, 2 << 20);
	assert_true(now.entries > 8000 && now.entries < 30000);
	assert_int_equal(get("n39999.example", A, RANK_ANSWER, NULL), 1);
	assert_int_equal(get("n1.example", A, RANK_ANSWER, NULL), -1);
	/* One that is larger than its share of the whole is not stored, and throws out nothing. */
	struct rrset *huge = set_new(&arena, "huge.example", KNOT_RRTYPE_TXT, 300);
	static uint8_t text[60000];
	set_add(&arena, huge, text, sizeof(text));
	rrcache_state(cache, &now);
	uint64_t entries = now.entries;
	const struct rrset *one = huge;
	store(&(struct cache_key){.name = huge->owner, .type = KNOT_RRTYPE_TXT, .space = CACHE_RRSET}, CACHE_POSITIVE,
		RANK_ANSWER, 300, &one, 1);
	rrcache_state(cache, &now);
	assert_int_equal(now.entries, entries);
	assert_int_equal(get("huge.example", KNOT_RRTYPE_TXT, RANK_ANSWER, NULL), -1);
}

/* No room at all: nothing is stored and nothing breaks. */
static void test_no_bytes(void **state)
{
	struct rrcache_conf none = {.bytes = 0, .ttl_max_s = 86400};
	(void)state;
	rrcache_configure(cache, &none);
	put("a.example", A, CACHE_POSITIVE, RANK_ANSWER, 300, "\0\0\0\1");
	assert_int_equal(get("a.example", A, RANK_ANSWER, NULL), -1);
}

static void *hammer(void *arg)
{
	struct arena mine;
	arena_init(&mine);
	for (uintptr_t i = 0; i < 20000; i++) {
		char name[32];
		struct cached found;
		snprintf(name, sizeof(name), "n%zu.example", (size_t)((i * 7 + (uintptr_t)arg) % 500));
		const struct rrset *set = set_a(&mine, name, 300, "\0\0\0\1");
		if (i % 3 == 0)
			store(&(struct cache_key){.name = set->owner, .type = A, .space = CACHE_RRSET}, CACHE_POSITIVE,
				RANK_ANSWER, 300, &set, 1);
		else if (rrcache_get(cache, &mine,
				 &(struct cache_key){.name = set->owner, .type = A, .space = CACHE_RRSET}, RANK_ANSWER,
				 &found) == 0 &&
			 rrset_rdata(found.set[0], 0)->data[3] != 1)
			return arg;
		arena_reset(&mine);
	}
	arena_deinit(&mine);
	return NULL;
}

static void test_threads(void **state)
{
	struct rrcache_conf small = {.bytes = 192 << 10, .ttl_max_s = 86400};
	pthread_t thread[4];
	void *ret;
	(void)state;
	rrcache_configure(cache, &small);
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, hammer, (void *)(i + 1));
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], &ret);
		assert_null(ret);
	}
}

static unsigned put_many(const char *letter, unsigned count)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < count; i++) {
		char name[32];
		snprintf(name, sizeof(name), "%s%u.example", letter, i);
		put(name, A, CACHE_POSITIVE, RANK_ANSWER, 300, "\0\0\0\1");
		kept += get(name, A, RANK_ANSWER, NULL) == 1;
		arena_reset(&arena);
	}
	return kept;
}

/* A reload makes the cache smaller than its tables alone have become: it goes on, and is within its limit soon. */
static void test_limit_lowered(void **state)
{
	struct rrcache_conf small = {.bytes = 400 << 10, .ttl_max_s = 86400};
	struct rrcache_state now;
	(void)state;
	assert_int_equal(put_many("a", 120000), 120000);
	rrcache_configure(cache, &small);
	assert_true(put_many("b", 4000) > 3000);
	rrcache_state(cache, &now);
	assert_true(now.bytes <= small.bytes && now.entries > 1000);
	rrcache_clear(cache);
	rrcache_state(cache, &now);
	assert_true(now.entries == 0 && now.bytes < 200 << 10);
}

static atomic_bool is_over;

static void *put_on(void *arg)
{
	struct arena mine;
	arena_init(&mine);
	for (uintptr_t i = (uintptr_t)arg; !is_over; i += 2) {
		char name[32];
		snprintf(name, sizeof(name), "n%zu.example", (size_t)(i % 20000));
		const struct rrset *set = set_a(&mine, name, 300, "\0\0\0\1");
		store(&(struct cache_key){.name = set->owner, .type = A, .space = CACHE_RRSET}, CACHE_POSITIVE,
			RANK_ANSWER, 300, &set, 1);
		arena_reset(&mine);
	}
	arena_deinit(&mine);
	return NULL;
}

/* The limit goes up and down while others put. */
static void test_limit_while_put(void **state)
{
	pthread_t thread[2];
	(void)state;
	is_over = false;
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, put_on, (void *)i);
	for (unsigned i = 0; i < 1000000; i++) {
		struct rrcache_conf other = {.bytes = i % 2 ? 16 << 20 : 64 << 10, .ttl_max_s = 86400};
		rrcache_configure(cache, &other);
	}
	is_over = true;
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* RFC 8767: what has expired is there for whoever asks for it, for so long, with a short TTL. */
static void test_stale(void **state)
{
	struct rrcache_conf kept = conf;
	struct cached found;
	(void)state;
	kept.stale_s = 100;
	rrcache_configure(cache, &kept);
	put("www.example", A, CACHE_POSITIVE, RANK_ANSWER, 50, "\300\0\2\1");
	struct cache_key key = {.name = set_name(&arena, "www.example"), .type = A, .space = CACHE_RRSET};
	assert_int_equal(rrcache_get_stale(cache, &arena, &key, RANK_ANSWER, &found), 0);
	assert_false(found.is_stale);
	assert_int_equal(found.set[0]->ttl_s, 50);
	fake_wall_us += 50 * 1000000ull;
	assert_int_equal(get("www.example", A, RANK_ANSWER, NULL), -1);
	assert_int_equal(rrcache_ttl_left(cache, &key), 0);
	fake_wall_us += 99 * 1000000ull;
	assert_int_equal(get("www.example", A, RANK_ANSWER, NULL), -1); /* and it is still there */
	assert_int_equal(rrcache_get_stale(cache, &arena, &key, RANK_ANSWER, &found), 0);
	assert_true(found.is_stale);
	assert_int_equal(found.set[0]->ttl_s, LIMIT_STALE_TTL_S);
	assert_int_equal(found.age_s, 149);
	fake_wall_us += 1000000ull;
	assert_int_equal(rrcache_get_stale(cache, &arena, &key, RANK_ANSWER, &found), E_NOENT);
	/* A clock that was set back, and something that was never kept for later. */
	put("www.example", A, CACHE_POSITIVE, RANK_ANSWER, 50, "\300\0\2\1");
	fake_wall_us -= 1000000ull;
	assert_int_equal(rrcache_get_stale(cache, &arena, &key, RANK_ANSWER, &found), E_NOENT);
	rrcache_configure(cache, &conf);
	put("www.example", A, CACHE_POSITIVE, RANK_ANSWER, 50, "\300\0\2\1");
	assert_int_equal(rrcache_ttl_left(cache, &key), 50);
	fake_wall_us += 50 * 1000000ull;
	assert_int_equal(rrcache_get_stale(cache, &arena, &key, RANK_ANSWER, &found), E_NOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rank),
		TEST(test_expiry),
		TEST(test_clock_set),
		TEST(test_ttl_clamps),
		TEST(test_stale),
		TEST(test_types_apart),
		TEST(test_copies),
		TEST(test_bytes),
		TEST(test_no_bytes),
		TEST(test_threads),
		TEST(test_limit_lowered),
		TEST(test_limit_while_put),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
