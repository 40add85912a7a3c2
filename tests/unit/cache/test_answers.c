/* The answer cache, and with it what is written by answer_write (dns/answer.c) and patched by answer_fill. */
#include "unit/unit.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/limits.h"
#include "cache/answers.h"
#include "unit/sets.h"
#include "unit/wire.h"

enum { RD = 0x0100, AD = 0x0020, CD = 0x0010, DO = 0x8000, NOW = 1800000000 };

static struct arena arena;
static struct answers *cache;
static struct wire w;

static int begin(void **state)
{
	(void)state;
	hash_init();
	arena_init(&arena);
	cache = answers_new(1 << 20);
	return 0;
}

static int end(void **state)
{
	(void)state;
	answers_free(cache);
	arena_deinit(&arena);
	return 0;
}

/* A query as a client sends it; opt_size 0: without EDNS. */
static struct query ask(const char *name, unsigned type, unsigned flags, unsigned opt_size, unsigned opt_flags)
{
	struct query query;
	wire_begin(&w, 0x4321, flags, 1, 0, 0, opt_size > 0);
	wire_question(&w, name, type);
	if (opt_size > 0)
		wire_opt(&w, opt_size, 0, opt_flags);
	assert_int_equal(query_read(&query, w.bytes, w.len), QUERY_OK);
	return query;
}

static const struct rrset **sets_of(const struct rrset *a, const struct rrset *b)
{
	const struct rrset **sets = arena_alloc(&arena, 2 * sizeof(*sets));
	sets[0] = a;
	sets[1] = b;
	return sets;
}

/* www.example A with signature, TTL 300; NSEC and SOA beside it, TTL 60. */
static struct answer example(bool secure)
{
	struct rrset *a = set_a(&arena, "www.example", 300, "\300\0\2\1");
	struct rrset *soa = set_new(&arena, "example", KNOT_RRTYPE_SOA, 60);
	struct rrset *nsec = set_new(&arena, "www.example", KNOT_RRTYPE_NSEC, 60);
	set_add_to(&arena, &a->sigs, "\0\1\xd\2\0\0\1\x2c\0\0\0\0\0\0\0\0\0\1\0sig", 22);
	set_add(&arena, soa, "\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1", 22);
	set_add(&arena, nsec, "\0\0\1\x40", 4);
	return (struct answer){.security = secure ? SECURITY_SECURE : SECURITY_INSECURE,
		.ede = EDE_NONE,
		.set = {[SECTION_ANSWER] = sets_of(a, NULL), [SECTION_AUTHORITY] = sets_of(soa, nsec)},
		.count = {[SECTION_ANSWER] = 1, [SECTION_AUTHORITY] = 2}};
}

static struct answer_wire write_answer(const struct answer *answer, const char *name, uint16_t type, bool dnssec_ok)
{
	struct question q = {.name = set_name(&arena, name), .type = type, .rclass = 1};
	struct answer_wire out;
	assert_int_equal(answer_write(&out, &arena, answer, &q, dnssec_ok), 0);
	return out;
}

static struct message read_back(const uint8_t *wire, size_t len)
{
	struct message msg;
	assert_int_equal(message_read(&msg, &arena, wire, len), 0);
	return msg;
}

static void store(const struct query *query, const struct answer_wire *wire)
{
	struct answer_key key;
	answer_key_of(&key, query);
	answers_put(cache, &key, wire, NOW);
}

static const struct answer_entry *find(const struct query *query, uint32_t now_s)
{
	struct answer_key key;
	answer_key_of(&key, query);
	return answers_get(cache, &key, now_s);
}

/* --- answer_write --- */

static void test_dnssec_records(void **state)
{
	static const struct {
		uint16_t type;
		bool dnssec_ok;
		unsigned answers, sigs, authority;
	} cases[] = {
		{KNOT_RRTYPE_A, false, 1, 0, 1},
		{KNOT_RRTYPE_A, true, 1, 1, 2},
		{KNOT_RRTYPE_ANY, false, 1, 0, 1},
	};
	(void)state;
	struct answer answer = example(true);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct answer_wire wire = write_answer(&answer, "www.example", cases[i].type, cases[i].dnssec_ok);
		struct message msg = read_back(wire.wire, wire.len);
		assert_int_equal(msg.count[SECTION_ANSWER], cases[i].answers);
		assert_int_equal(msg.set[SECTION_ANSWER][0].sigs.count, cases[i].sigs);
		assert_int_equal(msg.count[SECTION_AUTHORITY], cases[i].authority);
		assert_true(msg.ad && msg.ra && !msg.aa && !msg.edns && msg.id == 0);
		assert_int_equal(wire.ttl_s, 60);
		assert_int_equal(wire.ttl_count, cases[i].answers + cases[i].sigs + cases[i].authority);
	}
	/* Asked for by its type, a DNSSEC record is an answer like others. */
	struct rrset *key = set_new(&arena, "example", KNOT_RRTYPE_DNSKEY, 7);
	set_add(&arena, key, "\1\1\3\xd key", 8);
	struct answer keys = {.ede = EDE_NONE, .set = {sets_of(key, NULL)}, .count = {1}};
	struct answer_wire wire = write_answer(&keys, "example", KNOT_RRTYPE_DNSKEY, false);
	assert_int_equal(read_back(wire.wire, wire.len).count[SECTION_ANSWER], 1);
}

static void test_empty_answer(void **state)
{
	struct answer answer = {.rcode = KNOT_RCODE_SERVFAIL, .ede = EDE_NO_REACHABLE, .ede_extra = "gone"};
	(void)state;
	struct answer_wire wire = write_answer(&answer, "a.example", KNOT_RRTYPE_A, false);
	assert_int_equal(wire.ttl_s, 0);
	assert_int_equal(wire.ttl_count, 0);
	struct message msg = read_back(wire.wire, wire.len);
	assert_int_equal(msg.rcode, KNOT_RCODE_SERVFAIL);
	assert_string_equal(wire.ede_extra, "gone");
}

/* 64 KiB do not hold it: said, not cut. */
static void test_too_large(void **state)
{
	static uint8_t text[33000];
	(void)state;
	struct rrset *a = set_new(&arena, "a.example", KNOT_RRTYPE_NULL, 1);
	struct rrset *b = set_new(&arena, "b.example", KNOT_RRTYPE_NULL, 1);
	set_add(&arena, a, text, sizeof(text));
	set_add(&arena, b, text, sizeof(text));
	struct answer answer = {.ede = EDE_NONE, .set = {sets_of(a, b)}, .count = {2}};
	struct question q = {.name = set_name(&arena, "a.example"), .type = KNOT_RRTYPE_NULL, .rclass = 1};
	struct answer_wire out;
	assert_int_equal(answer_write(&out, &arena, &answer, &q, false), E_SPACE);
	answer.count[SECTION_ANSWER] = 1;
	assert_int_equal(answer_write(&out, &arena, &answer, &q, false), 0);
}

/* --- what is patched --- */

static void test_flags(void **state)
{
	static const struct {
		bool secure;
		unsigned asked, opt_flags;
		bool rd, ad, cd;
	} cases[] = {
		{true, RD, 0, true, false, false}, /* AD only for who says that he understands it: RFC 6840 5.8 */
		{true, RD | AD, 0, true, true, false},
		{true, RD, DO, true, true, false},
		{true, 0, DO, false, true, false},
		{true, RD | CD, DO, true, true, true},
		{false, RD | AD, DO, true, false, false},
		{false, RD | AD | CD, 0, true, false, true},
		{false, 0, 0, false, false, false},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct answer answer = example(cases[i].secure);
		struct answer_wire wire = write_answer(&answer, "www.example", KNOT_RRTYPE_A, cases[i].opt_flags != 0);
		struct query query = ask("WWW.exAMPle", KNOT_RRTYPE_A, cases[i].asked, 1232, cases[i].opt_flags);
		uint8_t out[2][1232];
		store(&query, &wire);
		size_t len[2] = {answer_fill(out[0], 1232, find(&query, NOW), &query, NOW),
			answer_fill_wire(out[1], 1232, &wire, &query)};
		assert_int_equal(len[0], len[1]); /* the same from the cache and beside it */
		assert_memory_equal(out[0], out[1], len[0]);
		struct message msg = read_back(out[0], len[0]);
		assert_true(msg.rd == cases[i].rd && msg.ad == cases[i].ad && msg.cd == cases[i].cd);
		assert_true(msg.ra && !msg.aa && !msg.tc && msg.edns);
		assert_int_equal(msg.id, 0x4321);
		/* The name as it was asked, in its case. */
		assert_memory_equal(out[0] + 12, "\3WWW\7exAMPle", 13);
		assert_int_equal(message_match(out[0], len[0], 0x4321, query.raw_name, 1, 1), MATCH_YES);
	}
}

static void test_ttl_ages(void **state)
{
	static const uint32_t ages[] = {0, 1, 59};
	(void)state;
	struct answer answer = example(false);
	struct answer_wire wire = write_answer(&answer, "www.example", KNOT_RRTYPE_A, true);
	struct query query = ask("www.example", KNOT_RRTYPE_A, RD, 1232, DO);
	store(&query, &wire);
	for (size_t i = 0; i < COUNT_OF(ages); i++) {
		uint8_t out[1232];
		size_t len = answer_fill(out, 1232, find(&query, NOW + ages[i]), &query, NOW + ages[i]);
		struct message msg = read_back(out, len);
		assert_int_equal(msg.set[SECTION_ANSWER][0].ttl_s, 300 - ages[i]);
		for (uint16_t s = 0; s < msg.count[SECTION_AUTHORITY]; s++)
			assert_int_equal(msg.set[SECTION_AUTHORITY][s].ttl_s, 60 - ages[i]);
	}
	assert_null(find(&query, NOW + 60)); /* the smallest TTL is over: all of it goes */
	assert_null(find(&query, NOW));
}

static void test_clock_set_back(void **state)
{
	(void)state;
	struct answer answer = example(false);
	struct answer_wire wire = write_answer(&answer, "www.example", KNOT_RRTYPE_A, false);
	struct query query = ask("www.example", KNOT_RRTYPE_A, RD, 0, 0);
	store(&query, &wire);
	assert_null(find(&query, NOW - 1));
	assert_null(find(&query, NOW));
}

/* Where it does not fit: TC, the question, the OPT, and nothing else (RFC 2181 9). */
static void test_truncation(void **state)
{
	(void)state;
	struct rrset *txt = set_new(&arena, "www.example", KNOT_RRTYPE_TXT, 300);
	static uint8_t text[256];
	text[0] = 255;
	for (uint8_t i = 0; i < 4; i++) {
		text[1] = i;
		set_add(&arena, txt, text, 256);
	}
	struct answer answer = {.ede = EDE_NONE, .set = {sets_of(txt, NULL)}, .count = {1}};
	struct answer_wire wire = write_answer(&answer, "www.example", KNOT_RRTYPE_TXT, false);
	for (unsigned edns = 0; edns < 2; edns++) {
		struct query query = ask("www.example", KNOT_RRTYPE_TXT, RD, edns ? 1232 : 0, 0);
		size_t whole = wire.len + (edns ? MESSAGE_OPT : 0);
		store(&query, &wire);
		for (size_t room = 512; room < whole + 20; room++) {
			for (int cached = 0; cached < 2; cached++) {
				uint8_t *out = malloc(room); /* exactly, for ASan */
				size_t len = cached ? answer_fill(out, room, find(&query, NOW), &query, NOW)
						    : answer_fill_wire(out, room, &wire, &query);
				struct message msg = read_back(out, len);
				assert_true(len <= room);
				assert_int_equal(msg.tc, room < whole);
				assert_int_equal(msg.edns, edns);
				assert_int_equal(msg.count[SECTION_ANSWER], room < whole ? 0 : 1);
				assert_int_equal(len, room < whole ? 29u + (edns ? MESSAGE_OPT : 0) : whole);
				free(out);
			}
		}
	}
}

/* The OPT only for who sent one; an EDE in it, as far as there is room. */
static void test_opt_and_ede(void **state)
{
	char longest[300];
	uint8_t out[1232];
	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[299] = '\0';
	const char *const extras[] = {NULL, "", "no server", longest};
	const size_t option[] = {6, 6, 6 + 9, 6 + 160};
	for (size_t i = 0; i < COUNT_OF(extras); i++) {
		struct answer answer = {.rcode = 2, .ede = EDE_NO_REACHABLE, .ede_extra = extras[i]};
		struct answer_wire wire = write_answer(&answer, "a.example", KNOT_RRTYPE_A, true);
		wire.ttl_s = 5;
		struct query plain = ask("a.example", KNOT_RRTYPE_A, RD, 0, 0);
		assert_int_equal(answer_fill_wire(out, 512, &wire, &plain), wire.len);
		assert_int_equal(out[11], 0);
		struct query query = ask("a.example", KNOT_RRTYPE_A, RD, 1232, DO);
		store(&query, &wire);
		size_t len = answer_fill(out, 1232, find(&query, NOW), &query, NOW);
		assert_int_equal(len, wire.len + MESSAGE_OPT + option[i]);
		assert_int_equal(out[11], 1);
		const uint8_t *opt = out + wire.len;
		assert_memory_equal(opt, "\0\0\x29\4\xd0\0\0\x80\0", 9);
		assert_int_equal(opt[9] << 8 | opt[10], option[i]);
		assert_memory_equal(opt + 11, "\0\xf", 2);
		assert_int_equal(opt[15] << 8 | opt[16], 22);
		if (i == 2)
			assert_memory_equal(opt + 17, "no server", 9);
		read_back(out, len);
	}
	assert_int_equal(opt_write(out, 10, 1232, false, 0, EDE_NONE, NULL), 0);
	assert_int_equal(opt_write(out, 11, 1232, false, 1, EDE_OTHER, "x"), 11); /* no room: without */
	assert_int_equal(opt_write(out, 18, 1232, false, 1, EDE_OTHER, "x"), 18);
	assert_int_equal(out[5], 1);
}

/* --- the cache --- */

static void test_key(void **state)
{
	static const struct {
		const char *name;
		unsigned type, flags, opt_flags;
		bool same;
	} cases[] = {
		{"www.example", 1, RD, 0, true},
		{"WwW.ExAmPlE", 1, RD, 0, true},
		{"www.example", 1, 0, 0, true}, /* RD and AD change the answer's head only */
		{"www.example", 1, RD | AD, 0, true},
		{"www.example", 28, RD, 0, false},
		{"www.example", 1, RD | CD, 0, false},
		{"www.example", 1, RD, DO, false},
		{"www.exampl", 1, RD, 0, false},
		{"ww.example", 1, RD, 0, false},
		{"w@w.example", 1, RD, 0, false},
	};
	(void)state;
	struct answer answer = example(false);
	struct answer_wire wire = write_answer(&answer, "www.example", KNOT_RRTYPE_A, false);
	struct query query = ask("www.example", KNOT_RRTYPE_A, RD, 0, 0);
	store(&query, &wire);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct query other = ask(cases[i].name, cases[i].type, cases[i].flags, 1232, cases[i].opt_flags);
		assert_int_equal(find(&other, NOW) != NULL, cases[i].same);
		/* The resolver makes the same key from its own question. */
		struct answer_key of_query, made;
		struct question q = {
			.name = set_name(&arena, cases[i].name), .type = (uint16_t)cases[i].type, .rclass = 1};
		answer_key_of(&of_query, &other);
		answer_key_make(&made, &q, cases[i].opt_flags != 0, (cases[i].flags & CD) != 0);
		assert_true(made.hash == of_query.hash && made.len == of_query.len);
		assert_memory_equal(made.bytes, of_query.bytes, made.len);
	}
}

static void test_ttl_zero_is_not_kept(void **state)
{
	(void)state;
	struct answer answer = example(false);
	struct answer_wire wire = write_answer(&answer, "www.example", KNOT_RRTYPE_A, false);
	wire.ttl_s = 0;
	struct query query = ask("www.example", KNOT_RRTYPE_A, RD, 0, 0);
	store(&query, &wire);
	assert_null(find(&query, NOW));
}

/* A question is known from the second time on, for as long as not too many others come; another one is not. */
static void test_was_asked(void **state)
{
	(void)state;
	struct answer_key key, other;
	struct query query = ask("www.example", KNOT_RRTYPE_A, RD, 0, 0);
	answer_key_of(&key, &query);
	query = ask("www.example", KNOT_RRTYPE_AAAA, RD, 0, 0);
	answer_key_of(&other, &query);
	assert_false(answers_was_asked(cache, &key));
	assert_false(answers_was_asked(cache, &other));
	assert_true(answers_was_asked(cache, &key));
	unsigned known = 0;
	for (unsigned type = 256; type < 20256; type++) {
		query = ask("n.example", type, RD, 0, 0);
		answer_key_of(&other, &query);
		known += answers_was_asked(cache, &other);
	}
	assert_true(known < 8); /* by chance, where four marks are all in use: one of 8,192 */
}

/* Of many questions that are asked by turns none is new for ever because of the others. */
static void test_asked_by_turns(void **state)
{
	(void)state;
	unsigned known = 0;
	for (int turn = 0; turn < 2; turn++)
		for (unsigned type = 256; type < 2256; type++) {
			struct answer_key key;
			struct query query = ask("n.example", type, RD, 0, 0);
			answer_key_of(&key, &query);
			known += answers_was_asked(cache, &key);
		}
	assert_in_range(known, 1990, 2010); /* one mark for a place: 1,940; by chance: see above */
}

/* An answer to another question is not kept: its question is what it is found by. */
static void test_foreign_question(void **state)
{
	(void)state;
	struct answer answer = example(false);
	struct answer_wire wire = write_answer(&answer, "www.example", KNOT_RRTYPE_A, false);
	struct query query = ask("other.example", KNOT_RRTYPE_A, RD, 0, 0);
	store(&query, &wire);
	assert_null(find(&query, NOW));
}

/* Strict in bytes, least recently used first (by the second), through many times its size. */
static void test_bytes(void **state)
{
	(void)state;
	struct answer answer = example(false);
	struct answer_wire wire = write_answer(&answer, "first.example", KNOT_RRTYPE_A, false);
	struct query first = ask("first.example", KNOT_RRTYPE_A, RD, 0, 0);
	unsigned found = 0;
	store(&first, &wire);
	for (unsigned type = 256; type < 20256; type++) {
		struct query query = ask("n.example", type, RD, 0, 0);
		struct answer_wire other = write_answer(&answer, "n.example", (uint16_t)type, false);
		store(&query, &other);
		first = ask("first.example", KNOT_RRTYPE_A, RD, 0, 0);
		if (type % 64 == 0)
			assert_non_null(find(&first, NOW + (type / 64) % 2));
	}
	for (unsigned type = 256; type < 20256; type++) {
		struct query query = ask("n.example", type, RD, 0, 0);
		bool has = find(&query, NOW) != NULL;
		assert_false(found > 0 && !has); /* what is left are the last ones, without a gap */
		found += has;
	}
	size_t least = wire.len + wire.ttl_count * 2 + 16; /* more than that is the house's own business */
	assert_true(found > 1000 && found * least < 1 << 20);
	/* One that is larger than all is not stored and throws out nothing. */
	struct answer_wire huge = wire;
	struct answers *tiny = answers_new(600);
	struct answer_key key;
	first = ask("first.example", KNOT_RRTYPE_A, RD, 0, 0);
	answer_key_of(&key, &first);
	answers_put(tiny, &key, &wire, NOW);
	assert_non_null(answers_get(tiny, &key, NOW));
	huge.wire = arena_zalloc(&arena, 60000);
	huge.len = 60000;
	memcpy(huge.wire, write_answer(&answer, "other.example", KNOT_RRTYPE_A, false).wire, 32);
	first = ask("other.example", KNOT_RRTYPE_A, RD, 0, 0);
	struct answer_key other;
	answer_key_of(&other, &first);
	answers_put(tiny, &other, &huge, NOW);
	assert_null(answers_get(tiny, &other, NOW));
	assert_non_null(answers_get(tiny, &key, NOW));
	answers_free(tiny);
}

/* --- addresses in turn --- */

/* Answers with a CNAME before, or another rrset behind; `count` addresses of `type`. */
static struct answer crowd(uint16_t type, unsigned count, bool alias, bool more)
{
	struct answer answer = {.ede = EDE_NONE};
	answer.set[SECTION_ANSWER] = arena_alloc(&arena, 3 * sizeof(struct rrset *));
	struct rrset *set = set_new(&arena, alias ? "a.example" : "www.example", type, 300);
	uint8_t bytes[16] = {0};
	for (unsigned i = 0; i < count; i++) {
		bytes[3] = (uint8_t)(i + 1);
		set_add(&arena, set, (const char *)bytes, type == KNOT_RRTYPE_A ? 4 : 16);
	}
	if (alias) {
		struct rrset *cname = set_new(&arena, "www.example", KNOT_RRTYPE_CNAME, 300);
		set_add(&arena, cname, "\1a\7example", 11);
		answer.set[SECTION_ANSWER][answer.count[SECTION_ANSWER]++] = cname;
	}
	answer.set[SECTION_ANSWER][answer.count[SECTION_ANSWER]++] = set;
	if (more) {
		struct rrset *other =
			set_new(&arena, "www.example", type == KNOT_RRTYPE_A ? KNOT_RRTYPE_AAAA : KNOT_RRTYPE_A, 300);
		set_add(&arena, other, (const char *)bytes, type == KNOT_RRTYPE_A ? 16 : 4);
		answer.set[SECTION_ANSWER][answer.count[SECTION_ANSWER]++] = other;
	}
	return answer;
}

/* The fourth byte of each address of the answer, as they stand in the wire. */
static unsigned firsts(const uint8_t *wire, size_t len, uint16_t type, uint8_t out[static 64])
{
	unsigned count = 0;
	const char mark[] = {(char)(type >> 8), (char)type, 0, 1, 0, 0, 1, 0x2c, 0, type == KNOT_RRTYPE_A ? 4 : 16};
	for (size_t at = 0; at + sizeof(mark) + 4 <= len; at++)
		if (memcmp(wire + at, mark, sizeof(mark)) == 0)
			out[count++] = wire[at + sizeof(mark) + 3];
	return count;
}

static void test_turns(void **state)
{
	static const struct {
		uint16_t type;
		unsigned count;
		bool alias, more;
	} cases[] = {
		{KNOT_RRTYPE_A, 1, false, false}, {KNOT_RRTYPE_A, 2, false, false}, {KNOT_RRTYPE_A, 7, false, false},
		{KNOT_RRTYPE_A, 3, true, false}, {KNOT_RRTYPE_A, 2, false, true}, {KNOT_RRTYPE_A, 1, false, true},
		{KNOT_RRTYPE_AAAA, 4, false, false}, {KNOT_RRTYPE_AAAA, 5, true, false},
		{KNOT_RRTYPE_A, 40, false, false}, /* those beyond the first 32 stay where they are */
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct query query = ask("www.example", cases[i].type, 0x0100, 4096, 0);
		struct answer answer = crowd(cases[i].type, cases[i].count, cases[i].alias, cases[i].more);
		struct answer_wire wire = write_answer(&answer, "www.example", cases[i].type, false);
		store(&query, &wire);
		unsigned turning = cases[i].count < 32 ? cases[i].count : 32;
		for (unsigned turn = 0; turn < 2 * cases[i].count; turn++) {
			uint8_t out[4096], got[64];
			query.id = (uint16_t)turn;
			size_t len = answer_fill(out, sizeof(out), find(&query, NOW), &query, NOW);
			assert_int_equal(firsts(out, len, cases[i].type, got), cases[i].count);
			for (unsigned k = 0; k < cases[i].count; k++)
				assert_int_equal(got[k], k < turning ? (k + turn) % turning + 1 : k + 1);
			(void)read_back(out, len);
		}
	}
}

/* --- looked up again before the end --- */

static void test_refresh(void **state)
{
	(void)state;
	struct query query = ask("www.example", KNOT_RRTYPE_A, 0x0100, 1232, 0);
	struct answer answer = crowd(KNOT_RRTYPE_A, 1, false, false);
	struct answer_wire wire = write_answer(&answer, "www.example", KNOT_RRTYPE_A, false);
	store(&query, &wire);
	for (int i = 0; i < 5; i++)
		assert_false(answers_claim_refresh(find(&query, NOW + 269), NOW + 269)); /* of 300 s the last 30 */
	assert_true(answers_claim_refresh(find(&query, NOW + 270), NOW + 270));
	assert_false(answers_claim_refresh(find(&query, NOW + 271), NOW + 271)); /* once */
	/* Who is asked for now and then only waits for the next who asks. */
	store(&query, &wire);
	assert_false(answers_claim_refresh(find(&query, NOW + 290), NOW + 290));
	assert_false(answers_claim_refresh(find(&query, NOW + 290), NOW + 290));
	assert_true(answers_claim_refresh(find(&query, NOW + 290), NOW + 290));
	/* What lasts a moment, and errors, are not worth it. */
	wire.ttl_s = 9;
	store(&query, &wire);
	for (int i = 0; i < 5; i++)
		assert_false(answers_claim_refresh(find(&query, NOW + 8), NOW + 8));
	wire.ttl_s = 300;
	wire.ede = EDE_CACHED_ERROR;
	store(&query, &wire);
	for (int i = 0; i < 5; i++)
		assert_false(answers_claim_refresh(find(&query, NOW + 299), NOW + 299));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_dnssec_records),
		TEST(test_empty_answer),
		TEST(test_too_large),
		TEST(test_flags),
		TEST(test_ttl_ages),
		TEST(test_clock_set_back),
		TEST(test_truncation),
		TEST(test_opt_and_ede),
		TEST(test_key),
		TEST(test_ttl_zero_is_not_kept),
		TEST(test_was_asked),
		TEST(test_asked_by_turns),
		TEST(test_foreign_question),
		TEST(test_bytes),
		TEST(test_turns),
		TEST(test_refresh),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
