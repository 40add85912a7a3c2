#include "unit/unit.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/limits.h"
#include "dns/rr.h"
#include "unit/wire.h"

static struct arena arena;
static struct wire w;

static int begin(void **state)
{
	(void)state;
	arena_init(&arena);
	w.len = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_deinit(&arena);
	return 0;
}

/* Reads the last record of a copy that has not a byte more, and leaves the wire behind. */
static int read_from(size_t at, struct rr *rr)
{
	uint8_t *exact = malloc(w.len);
	memcpy(exact, w.bytes, w.len);
	struct rr_reader reader = {.arena = &arena, .wire = exact, .len = w.len, .at = at};
	int ret = rr_read(&reader, rr);
	if (ret == 0)
		assert_int_equal(reader.at, w.len);
	free(exact);
	return ret;
}

static void put_head(const void *owner, size_t owner_len, unsigned type, unsigned rclass, size_t rdata_len)
{
	wire_bytes(&w, owner, owner_len);
	wire_u16(&w, type);
	wire_u16(&w, rclass);
	wire_u32(&w, 300);
	wire_u16(&w, (unsigned)rdata_len);
}

/* A name at 0, and behind it a record of that name. */
static void put_at_name(unsigned type, unsigned rclass, const char *rdata, size_t len)
{
	w.len = 0;
	wire_bytes(&w, "\1N\0", 3);
	put_head("\300\0", 2, type, rclass, len);
	wire_bytes(&w, rdata, len);
}

/* Of each form of rdata: names become whole and keep their case, the rest stays. "\1N\0" stands at 0. */
static void test_forms(void **state)
{
	static const struct {
		const char *what;
		unsigned type;
		const char *wire;
		size_t len;
		const char *read;
		size_t read_len;
	} cases[] = {
#define CASE(what, type, wire, read) {what, type, wire, sizeof(wire) - 1, read, sizeof(read) - 1}
		CASE("A", 1, "\1\2\3\4", "\1\2\3\4"),
		CASE("NS, a pointer", 2, "\300\0", "\1N\0"),
		CASE("NS, a label and a pointer", 2, "\1x\300\0", "\1x\1N\0"),
		CASE("NS, a pointer to the root", 2, "\300\2", "\0"),
		CASE("MX", 15, "\0\12\300\0", "\0\12\1N\0"),
		CASE("SOA whose pointers add nothing", 6, "\300\2\300\0abcdefghijklmnopqrst",
			"\0\1N\0abcdefghijklmnopqrst"),
		CASE("SRV", 33, "\0\1\0\2\0\3\300\0", "\0\1\0\2\0\3\1N\0"),
		CASE("NAPTR", 35, "\0\1\0\2\1s\1f\1r\300\0", "\0\1\0\2\1s\1f\1r\1N\0"),
		CASE("TXT", 16, "\2\300\0", "\2\300\0"),
		CASE("RRSIG without a signature", 46, "\0\1\15\2aaaabbbbccccdd\0", "\0\1\15\2aaaabbbbccccdd\0"),
		CASE("a type that nobody knows", 65280, "\300\0\300", "\300\0\300"),
#undef CASE
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct rr rr;
		put_at_name(cases[i].type, 1, cases[i].wire, cases[i].len);
		if (read_from(3, &rr) != 0 || rr.rdata->len != cases[i].read_len)
			print_error("%s\n", cases[i].what);
		assert_int_equal(rr.rdata->len, cases[i].read_len);
		assert_memory_equal(rr.rdata->data, cases[i].read, cases[i].read_len);
		assert_memory_equal(rr.owner, "\1n\0", 3);
		assert_int_equal(rr.owner_len, 3);
		assert_int_equal(rr.ttl_s, 300);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *what;
		unsigned type, rclass;
		const char *wire;
		size_t len;
	} cases[] = {
#define CASE(what, type, rclass, wire) {what, type, rclass, wire, sizeof(wire) - 1}
		CASE("A of three bytes", 1, 1, "\1\2\3"),
		CASE("A of five bytes", 1, 1, "\1\2\3\4\5"),
		CASE("A of none", 1, 1, ""),
		CASE("NS with a byte behind a pointer", 2, 1, "\300\0x"),
		CASE("NS that does not end", 2, 1, "\1x"),
		CASE("NS with half a pointer", 2, 1, "\300"),
		CASE("NS with a label of 64", 2, 1, "\100\0"),
		CASE("NS that points at itself", 2, 1, "\300\17"),
		CASE("SOA with too little", 6, 1, "\300\0\300\0abcdefghijklmnopqrs"),
		CASE("SOA with too much", 6, 1, "\300\0\300\0abcdefghijklmnopqrstu"),
		CASE("NAPTR whose text does not end", 35, 1, "\0\1\0\2\1s\1f\11r"),
#undef CASE
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct rr rr;
		put_at_name(cases[i].type, cases[i].rclass, cases[i].wire, cases[i].len);
		if (read_from(3, &rr) == 0)
			print_error("%s\n", cases[i].what);
		assert_int_equal(read_from(3, &rr), E_MALFORMED);
	}
}

static void test_empty(void **state)
{
	static const struct {
		unsigned type, rclass;
		int ret;
	} cases[] = {{42, 1, 0}, {65280, 1, 0}, {1, 255, 0}, {1, 1, E_MALFORMED}, {10, 1, E_MALFORMED}};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct rr rr;
		w.len = 0;
		put_head("\0", 1, cases[i].type, cases[i].rclass, 0);
		assert_int_equal(read_from(0, &rr), cases[i].ret);
		if (cases[i].ret == 0)
			assert_int_equal(rr.rdata->len, 0);
	}
}

/* A ladder of 100 pointers, each behind a label or not, may be climbed so often; not more often, and not round and round. */
static void test_steps(void **state)
{
	for (unsigned labels = 0; labels < 2; labels++) {
		struct rr rr;
		w.len = 0;
		wire_bytes(&w, "\1n", 3);
		size_t rung = 0;
		for (unsigned i = 0; i < 100; i++) {
			size_t at = w.len;
			wire_bytes(&w, "\1x", 2 * labels);
			wire_u16(&w, 0xc000u | (unsigned)rung);
			rung = at;
		}
		uint8_t owner[] = {1, 'o', (uint8_t)(0xc0 | rung >> 8), (uint8_t)rung};
		size_t steps = 2 + 100 * (1 + labels) + 2, climbs = LIMIT_MESSAGE_STEPS / steps;
		struct rr_reader reader = {.arena = &arena, .at = w.len};
		for (size_t i = 0; i <= climbs && w.len + 32 < sizeof(w.bytes); i++) {
			put_head(owner, sizeof(owner), 1, 1, 4);
			wire_bytes(&w, "\1\2\3\4", 4);
		}
		reader.wire = w.bytes;
		reader.len = w.len;
		for (size_t i = 0; i < climbs; i++)
			assert_int_equal(rr_read(&reader, &rr), 0);
		assert_int_equal(rr_read(&reader, &rr), E_MALFORMED);
	}
	struct rr rr;
	(void)state;
	w.len = 0;
	put_head("\1n\300\0", 4, 1, 1, 4);
	wire_bytes(&w, "\1\2\3\4", 4);
	assert_int_equal(read_from(0, &rr), E_MALFORMED);
}

/* 255 bytes are a name, 256 are none: also when a pointer makes it so long. */
static void test_long(void **state)
{
	(void)state;
	for (unsigned more = 0; more < 2; more++) {
		struct rr rr;
		w.len = 0;
		for (int i = 0; i < 3; i++) {
			wire_bytes(&w, "\77", 1);
			memset(w.bytes + w.len, 'a', 63);
			w.len += 63;
		}
		wire_bytes(&w, "", 1);
		uint8_t owner[64 + 2] = {(uint8_t)(61 + more)};
		memset(owner + 1, 'b', 61 + more);
		owner[62 + more] = 0xc0;
		owner[63 + more] = 0;
		size_t at = w.len;
		put_head(owner, 64 + more, 1, 1, 4);
		wire_bytes(&w, "\1\2\3\4", 4);
		assert_int_equal(read_from(at, &rr), more ? E_MALFORMED : 0);
		if (!more)
			assert_int_equal(rr.owner_len, NAME_MAX_LEN);
	}
}

static void put_address(const void *owner, size_t len)
{
	put_head(owner, len, 1, 1, 4);
	wire_bytes(&w, "\1\2\3\4", 4);
}

static const uint8_t *next_owner(struct rr_reader *reader, const void *owner, size_t len)
{
	struct rr rr;
	assert_int_equal(rr_read(reader, &rr), 0);
	assert_int_equal(rr.owner_len, len);
	assert_memory_equal(rr.owner, owner, len);
	return rr.owner;
}

/* Names are found again by where they stand, also after many others; what differs is not mixed up. */
static void test_owners(void **state)
{
	enum { ROUNDS = 4 * RR_NAMES };
	const uint8_t *shared[2] = {NULL, NULL};
	unsigned same = 0;
	(void)state;
	wire_bytes(&w, "\3www\1N", 7);
	for (unsigned i = 0; i < ROUNDS; i++) {
		const uint8_t owner[] = {1, (uint8_t)('a' + i % 26), 0xc0, 4};
		put_address(owner, sizeof(owner));
		put_address("\300\4", 2);
		put_address("\300\0", 2);
	}
	struct rr_reader reader = {.arena = &arena, .wire = w.bytes, .len = w.len, .at = 7};
	for (unsigned i = 0; i < ROUNDS; i++) {
		const uint8_t owner[] = {1, (uint8_t)('a' + i % 26), 1, 'n', 0};
		next_owner(&reader, owner, sizeof(owner));
		const uint8_t *owners[2] = {next_owner(&reader, "\1n", 3), next_owner(&reader, "\3www\1n", 7)};
		for (int k = 0; k < 2; k++) {
			same += owners[k] == shared[k];
			shared[k] = owners[k];
		}
	}
	assert_int_equal(reader.at, w.len);
	assert_true(same > ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_forms, begin, end),
		cmocka_unit_test_setup_teardown(test_refused, begin, end),
		cmocka_unit_test_setup_teardown(test_empty, begin, end),
		cmocka_unit_test_setup_teardown(test_steps, begin, end),
		cmocka_unit_test_setup_teardown(test_long, begin, end),
		cmocka_unit_test_setup_teardown(test_owners, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
