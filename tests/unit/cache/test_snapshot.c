/* What is written comes back, unproved; what is damaged, foreign or hostile is refused and harms nothing. */
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "cache/rrcache.h"
#include "cache/snapshot.h"
#include "unit/fake/clock.h"
#include "unit/sets.h"

enum { A = KNOT_RRTYPE_A };

static struct arena arena;
static struct rrcache *cache;
static atomic_bool stop;
static char path[64];
static struct snapshot_result result;

static int begin(void **state)
{
	(void)state;
	hash_init();
	arena_init(&arena);
	cache = rrcache_new(&(struct rrcache_conf){.bytes = 64 << 20, .ttl_max_s = 86400});
	snprintf(path, sizeof(path), "/tmp/berth-snapshot-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	return 0;
}

static int end(void **state)
{
	(void)state;
	unlink(path);
	rrcache_free(cache);
	arena_deinit(&arena);
	return 0;
}

static void put(unsigned number, enum security security, uint32_t ttl_s)
{
	char name[32];
	uint8_t bytes[4] = {192, 0, (uint8_t)(number >> 8), (uint8_t)number};
	snprintf(name, sizeof(name), "n%u.example", number);
	const struct rrset *set = set_a(&arena, name, ttl_s, (const char *)bytes);
	rrcache_put(cache, &(struct cache_key){.name = set->owner, .type = A, .space = CACHE_RRSET},
		&(struct cache_value){.kind = CACHE_POSITIVE,
			.rank = RANK_ANSWER,
			.security = security,
			.ttl_s = ttl_s,
			.count = 1,
			.set = &set});
}

/* The last byte of the address, or -1; what it counts as in *security. */
static int get(unsigned number, enum security *security)
{
	char name[32];
	struct cached found;
	snprintf(name, sizeof(name), "n%u.example", number);
	if (rrcache_get(cache, &arena,
		    &(struct cache_key){.name = set_name(&arena, name), .type = A, .space = CACHE_RRSET}, RANK_ANSWER,
		    &found) != 0)
		return -1;
	*security = found.security;
	assert_true(name_is_equal(found.set[0]->owner, set_name(&arena, name)));
	return rrset_rdata(found.set[0], 0)->data[3];
}

static void test_round(void **state)
{
	enum security security;
	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		put(i, i % 2 ? SECURITY_SECURE : SECURITY_UNCHECKED, i % 3 ? 300 : 10);
	put(1000, SECURITY_BOGUS, 300);
	assert_int_equal(snapshot_save(cache, path, &result), 0);
	assert_int_equal(result.records, 1000);
	rrcache_clear(cache);
	fake_pass_s(20);
	put(1, SECURITY_SECURE, 300); /* newer than the file */
	assert_int_equal(snapshot_load(cache, path, &stop, &result), 0);
	assert_int_equal(result.records, 1000);
	assert_int_equal(get(1, &security), 1);
	assert_int_equal(security, SECURITY_SECURE);
	assert_int_equal(get(5, &security), 5);
	assert_int_equal(security, SECURITY_UNCHECKED); /* has to be proved again */
	assert_int_equal(get(3, &security), -1);        /* had expired */
	assert_int_equal(get(1000, &security), -1);
	struct rrcache_state now;
	rrcache_state(cache, &now);
	assert_int_equal(now.entries, 666);
}

/* Any byte of the file may be another: it is refused, or was of no weight; nothing worse happens. */
static void test_damage(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++)
		put(i, SECURITY_UNCHECKED, 300);
	assert_int_equal(snapshot_save(cache, path, &result), 0);
	FILE *file = fopen(path, "r+");
	fseek(file, 0, SEEK_END);
	long size = ftell(file);
	for (long at = 0; at < size; at++) {
		fseek(file, at, SEEK_SET);
		int byte = fgetc(file);
		fseek(file, at, SEEK_SET);
		fputc(byte ^ 0x41, file);
		fflush(file);
		rrcache_clear(cache);
		int ret = snapshot_load(cache, path, &stop, &result);
		assert_int_equal(ret, at < 16 ? E_EXIST : E_MALFORMED);
		assert_true(strstr(result.why, path) != NULL);
		fseek(file, at, SEEK_SET);
		fputc(byte, file);
	}
	fclose(file);
	for (long len = 0; len < size; len += 7) {
		assert_int_equal(snapshot_save(cache, path, &result), 0);
		assert_int_equal(truncate(path, len), 0);
		int ret = snapshot_load(cache, path, &stop, &result);
		assert_int_equal(ret, len == 0 ? E_NOENT : len < 16 ? E_EXIST : E_MALFORMED); /* empty: as if none */
	}
}

/* Bytes whose sum is right, and which are no entry. */
static void test_hostile_entries(void **state)
{
	struct rrcache_part part = {0};
	(void)state;
	put(7, SECURITY_UNCHECKED, 300);
	for (unsigned i = 0; i < rrcache_parts() && part.len == 0; i++)
		rrcache_copy_part(cache, i, &part);
	assert_true(part.len > 0);
	rrcache_clear(cache);
	for (size_t at = 0; at < part.len; at++) {
		for (unsigned value = 0; value < 256; value += 15) {
			uint8_t *copy = malloc(part.len); /* of its size, for ASan */
			memcpy(copy, part.data, part.len);
			copy[at] = (uint8_t)value;
			(void)!rrcache_load(cache, copy, part.len);
			free(copy);
		}
	}
	for (size_t len = 0; len < part.len; len++) {
		uint8_t *copy = malloc(len + 1);
		memcpy(copy, part.data, len);
		assert_int_equal(rrcache_load(cache, copy, len), 0);
		free(copy);
	}
	free(part.data);
}

static void test_files(void **state)
{
	(void)state;
	assert_int_equal(snapshot_load(cache, "/nowhere/cache", &stop, &result), E_NOENT);
	assert_int_equal(snapshot_save(cache, "/nowhere/cache", &result), E_SYSTEM);
	assert_int_equal(snapshot_load(cache, "/bin/true", &stop, &result), E_EXIST);
	put(1, SECURITY_UNCHECKED, 300);
	assert_int_equal(snapshot_save(cache, path, &result), 0);
	atomic_bool now = true;
	assert_int_equal(snapshot_load(cache, path, &now, &result), E_CANCELED);
}

struct head {
	uint32_t size, stored_s, expire_s;
	uint16_t type, count;
	uint8_t kind, rank, space, name_len;
};

/* Loads an entry of a form that no put makes. */
static size_t load(struct head head, const void *bytes)
{
	size_t len = sizeof(head) + head.size;
	uint8_t *copy = malloc(len); /* so that ASan sees what is read behind it */
	head.expire_s = UINT32_MAX;
	memcpy(copy, &head, sizeof(head));
	memcpy(copy + sizeof(head), bytes, head.size);
	size_t taken = rrcache_load(cache, copy, len);
	free(copy);
	assert_true(taken == 0 || taken == len);
	return taken;
}

/* A record that says that its name has no bytes, and whose bytes are none. */
static void test_no_name(void **state)
{
	(void)state;
	assert_int_equal(load((struct head){.type = 1, .kind = CACHE_NODATA}, ""), 0);
}

/* The least there can be, and as many rrsets as an entry counts, and one more. */
static void test_sizes(void **state)
{
	static const uint8_t bytes[1 + 256 * 3]; /* the root, and rrsets of nothing */
	struct head head = {.size = 1, .type = 1, .kind = CACHE_NXDOMAIN, .name_len = 1};
	(void)state;
	assert_true(load(head, bytes) > 0);
	head = (struct head){.size = 1 + 255 * 3, .type = 2, .count = 255, .name_len = 1};
	assert_true(load(head, bytes) > 0);
	head.size += 3;
	head.count++;
	head.type++;
	assert_int_equal(load(head, bytes), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round, begin, end),
		cmocka_unit_test_setup_teardown(test_damage, begin, end),
		cmocka_unit_test_setup_teardown(test_hostile_entries, begin, end),
		cmocka_unit_test_setup_teardown(test_no_name, begin, end),
		cmocka_unit_test_setup_teardown(test_sizes, begin, end),
		cmocka_unit_test_setup_teardown(test_files, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
