#include "unit/unit.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/limits.h"
#include "dns/message.h"
#include "unit/wire.h"

enum { QR = 0x8000, AA = 0x0400, TC = 0x0200, RD = 0x0100, RA = 0x0080 };

static struct arena arena;
static struct wire w;

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

/* Reads a copy that has not a byte more, so that ASan sees every step too far. */
static int read_exactly(struct message *msg, const void *bytes, size_t len)
{
	uint8_t *exact = malloc(len > 0 ? len : 1);
	memcpy(exact, bytes, len);
	int ret = message_read(msg, &arena, exact, len);
	free(exact); /* what was read must not need it any more */
	return ret;
}

static const uint8_t *name_of(const char *text)
{
	static uint8_t name[4][NAME_MAX_LEN];
	static int next;
	next = (next + 1) % 4;
	assert_int_equal(name_from_text(name[next], text), 0);
	return name[next];
}

/* A reply as libknot would write it: compressed names, an OPT, an alias, a signature, glue. */
static void good_reply(void)
{
	static const struct {
		knot_section_t section;
		const char *owner;
		uint16_t type;
		uint32_t ttl_s;
		const char *rdata;
		uint16_t len;
	} records[] = {
		{KNOT_ANSWER, "www.example", KNOT_RRTYPE_CNAME, 300, "\3web\7example", 13},
		{KNOT_ANSWER, "web.example", KNOT_RRTYPE_A, 60, "\300\0\2\1", 4},
		{KNOT_ANSWER, "web.example", KNOT_RRTYPE_A, 60, "\300\0\2\2", 4},
		{KNOT_ANSWER, "web.example", KNOT_RRTYPE_RRSIG, 60,
			"\0\1\xd\2\0\0\0\x3c\x7f\0\0\0\x60\0\0\0\x12\x34\7example\0signature", 36},
		{KNOT_AUTHORITY, "example", KNOT_RRTYPE_NS, 86400, "\2ns\7example", 12},
		{KNOT_ADDITIONAL, "ns.example", KNOT_RRTYPE_A, 86400, "\300\0\2\65", 4},
	};
	static uint8_t buffer[1232];
	knot_mm_t mm = knot_mm_of(&arena);
	knot_pkt_t *pkt = knot_pkt_new(buffer, sizeof(buffer), &mm);
	memset(buffer, 0, 12);
	assert_int_equal(knot_pkt_put_question(pkt, name_of("www.example"), 1, KNOT_RRTYPE_A), 0);
	knot_wire_set_id(buffer, 0x1234);
	knot_wire_set_qr(buffer);
	knot_wire_set_aa(buffer);
	for (size_t i = 0; i < COUNT_OF(records); i++) {
		knot_rrset_t rr;
		if (i == 0 || records[i].section != records[i - 1].section)
			knot_pkt_begin(pkt, records[i].section);
		knot_rrset_init(
			&rr, knot_dname_copy(name_of(records[i].owner), &mm), records[i].type, 1, records[i].ttl_s);
		assert_int_equal(knot_rrset_add_rdata(&rr, (const uint8_t *)records[i].rdata, records[i].len, &mm), 0);
		assert_int_equal(knot_pkt_put(pkt, KNOT_COMPR_HINT_NONE, &rr, 0), 0);
	}
	w.len = 0;
	wire_bytes(&w, buffer, pkt->size);
	w.bytes[11]++; /* ARCOUNT */
	wire_opt(&w, 1232, 0, 0x8000);
}

static void test_round_trip(void **state)
{
	struct message msg;
	char text[NAME_TEXT];
	(void)state;
	good_reply();
	assert_int_equal(read_exactly(&msg, w.bytes, w.len), 0);
	assert_int_equal(msg.id, 0x1234);
	assert_true(msg.aa && msg.edns && !msg.tc && !msg.ra && !msg.rd && !msg.ad && !msg.cd);
	assert_int_equal(msg.rcode, 0);
	assert_string_equal(name_text(msg.question.name, text), "www.example.");
	assert_int_equal(msg.question.type, KNOT_RRTYPE_A);
	assert_int_equal(msg.count[SECTION_ANSWER], 2);
	assert_int_equal(msg.count[SECTION_AUTHORITY], 1);
	assert_int_equal(msg.count[SECTION_ADDITIONAL], 1);

	const struct rrset *alias = message_find(&msg, SECTION_ANSWER, name_of("www.example"), KNOT_RRTYPE_CNAME);
	assert_non_null(alias);
	assert_string_equal(name_text(rrset_target(&arena, alias, 0), text), "web.example.");
	const struct rrset *set = message_find(&msg, SECTION_ANSWER, name_of("web.example"), KNOT_RRTYPE_A);
	assert_non_null(set);
	assert_int_equal(set->data.count, 2);
	assert_int_equal(set->sigs.count, 1);
	assert_int_equal(set->ttl_s, 60);
	assert_memory_equal(rrset_rdata(set, 1)->data, "\300\0\2\2", 4);
	assert_null(message_find(&msg, SECTION_ANSWER, name_of("web.example"), KNOT_RRTYPE_AAAA));
	assert_null(message_find(&msg, SECTION_ANSWER, name_of("example"), KNOT_RRTYPE_A));
	assert_non_null(message_find(&msg, SECTION_ADDITIONAL, name_of("ns.example"), KNOT_RRTYPE_A));
}

static void test_truncated(void **state)
{
	struct message msg;
	(void)state;
	good_reply();
	for (size_t len = 0; len < w.len; len++) {
		arena_reset(&arena);
		assert_int_equal(read_exactly(&msg, w.bytes, len), E_MALFORMED);
	}
}

/* Every byte of a good reply set to every hostile value: read or refused, never a crash, never outside. */
static void test_every_byte_spoilt(void **state)
{
	static const uint8_t values[] = {0, 1, 0x0c, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff};
	static struct wire good;
	struct message msg;
	(void)state;
	good_reply();
	good = w;
	for (size_t at = 0; at < good.len; at++) {
		for (size_t v = 0; v < COUNT_OF(values); v++) {
			arena_reset(&arena);
			w = good;
			w.bytes[at] = values[v];
			int ret = read_exactly(&msg, w.bytes, w.len);
			assert_true(ret == 0 || ret == E_MALFORMED || ret == E_SPACE);
		}
	}
}

static void test_hostile(void **state)
{
	static const struct {
		const char *what;
		unsigned counts[4];
		const char *body;
		size_t len;
		int ret;
	} cases[] = {
#define CASE(what, qd, an, ns, ar, body, ret) {what, {qd, an, ns, ar}, body, sizeof(body) - 1, ret}
#define Q                                     "\1a\0\0\1\0\1"
#define A                                     "\xc0\x0c\0\1\0\1\0\0\0\1\0\4\1\2\3\4"
		CASE("good", 1, 1, 0, 0, Q A, 0),
		CASE("no question", 0, 0, 0, 0, "", 0),
		CASE("two questions", 2, 0, 0, 0, Q Q, E_MALFORMED),
		CASE("one record less", 1, 2, 0, 0, Q A, E_MALFORMED),
		CASE("all counts lie", 1, 65535, 65535, 65535, Q A, E_MALFORMED),
		CASE("the sum would overflow 16 bits", 1, 32768, 32768, 1, Q A, E_MALFORMED),
		CASE("counts in another section", 1, 0, 0, 2, Q A, E_MALFORMED),
		CASE("question count lies", 1, 0, 0, 0, "", E_MALFORMED),
		CASE("owner points to itself", 1, 1, 0, 0, Q "\xc0\x13\0\1\0\1\0\0\0\1\0\4\1\2\3\4", E_MALFORMED),
		CASE("owners point at each other", 1, 2, 0, 0,
			Q "\xc0\x23\0\1\0\1\0\0\0\1\0\4\1\2\3\4\xc0\x13\0\1\0\1\0\0\0\1\0\4\1\2\3\4", E_MALFORMED),
		CASE("owner points forward", 1, 1, 0, 0, Q "\xc0\x1f\0\1\0\1\0\0\0\1\0\4\1b\0\4", E_MALFORMED),
		CASE("owner points out of the message", 1, 1, 0, 0, Q "\xff\xff\0\1\0\1\0\0\0\1\0\4\1\2\3\4",
			E_MALFORMED),
		CASE("label and a loop behind it", 1, 1, 0, 0, Q "\1b\xc0\x13\0\1\0\1\0\0\0\1\0\4\1\2\3\4",
			E_MALFORMED),
		CASE("loop in the rdata of a CNAME", 1, 1, 0, 0, Q "\xc0\x0c\0\5\0\1\0\0\0\1\0\2\xc0\x1f", E_MALFORMED),
		CASE("pointer in the question", 1, 0, 0, 0, "\xc0\x0c\0\1\0\1", E_MALFORMED),
		CASE("rdata longer than the message", 1, 1, 0, 0, Q "\xc0\x0c\0\1\0\1\0\0\0\1\0\5\1\2\3\4",
			E_MALFORMED),
		CASE("rdata of 65535 bytes", 1, 1, 0, 0, Q "\xc0\x0c\0\1\0\1\0\0\0\1\xff\xff\1\2\3\4", E_MALFORMED),
		CASE("two OPTs", 1, 0, 0, 2, Q "\0\0\x29\4\xd0\0\0\0\0\0\0\0\0\x29\4\xd0\0\0\0\0\0\0", E_MALFORMED),
		CASE("OPT among the answers", 1, 1, 0, 0, Q "\0\0\x29\4\xd0\0\0\0\0\0\0", E_MALFORMED),
		/* libknot lets this pass; nothing of an OPT but its RCODE bits is used */
		CASE("OPT with an owner", 1, 0, 0, 1, Q "\xc0\x0c\0\x29\4\xd0\0\0\0\0\0\0", 0),
		CASE("NS whose name fills less than its rdata", 1, 1, 0, 0, Q "\xc0\x0c\0\2\0\1\0\0\0\1\0\4\1b\0\0",
			E_MALFORMED),
#undef CASE
	};
	struct message msg;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		wire_begin(&w, 1, QR, cases[i].counts[0], cases[i].counts[1], cases[i].counts[2], cases[i].counts[3]);
		wire_bytes(&w, cases[i].body, cases[i].len);
		int ret = read_exactly(&msg, w.bytes, w.len);
		if (ret != cases[i].ret)
			print_error("%s: %s\n", cases[i].what, error_text(ret));
		assert_int_equal(ret, cases[i].ret);
	}
}

/* More records than are kept: refused before anything is done with them; as many as allowed are read. */
static void test_many_records(void **state)
{
	(void)state;
	for (unsigned more = 0; more < 2; more++) {
		struct message msg;
		unsigned count = LIMIT_MESSAGE_RRS + more;
		wire_begin(&w, 1, QR, 1, count, 0, 0);
		wire_question(&w, "", 10);
		for (unsigned i = 0; i < count; i++) {
			uint8_t rdata[2] = {(uint8_t)(i >> 8), (uint8_t)i};
			wire_rr(&w, "", 10, 1, rdata, 2);
		}
		assert_int_equal(read_exactly(&msg, w.bytes, w.len), more ? E_SPACE : 0);
		if (!more) {
			assert_int_equal(msg.count[SECTION_ANSWER], 1);
			assert_int_equal(msg.set[SECTION_ANSWER][0].data.count, LIMIT_MESSAGE_RRS);
		}
	}
}

static void test_too_long(void **state)
{
	static uint8_t wire[70000];
	struct message msg;
	(void)state;
	wire[2] = 0x80;
	assert_int_equal(message_read(&msg, &arena, wire, 65536), E_MALFORMED);
	assert_int_equal(message_read(&msg, &arena, wire, 70000), E_MALFORMED);
}

/* Equal records once (RFC 2181 5), in any case of the owner; the smallest TTL counts for all (5.2). */
static void test_merged(void **state)
{
	struct message msg;
	(void)state;
	wire_begin(&w, 1, QR | AA, 1, 6, 0, 0);
	wire_question(&w, "a.example", 1);
	wire_rr(&w, "a.example", 1, 300, "\1\1\1\1", 4);
	wire_rr(&w, "b.example", 1, 7, "\1\1\1\1", 4);
	wire_rr(&w, "A.eXample", 1, 200, "\2\2\2\2", 4);
	wire_rr(&w, "a.example", 1, 100, "\1\1\1\1", 4);
	wire_rr(&w, "a.example", 16, 5, "\1x", 2);
	wire_rr(&w, "a.example", 1, 400, "\2\2\2\2", 4);
	assert_int_equal(read_exactly(&msg, w.bytes, w.len), 0);
	assert_int_equal(msg.count[SECTION_ANSWER], 3);
	struct rrset *set = message_find(&msg, SECTION_ANSWER, name_of("a.example"), 1);
	assert_int_equal(set->data.count, 2);
	assert_int_equal(set->ttl_s, 100);
	assert_int_equal(message_find(&msg, SECTION_ANSWER, name_of("b.example"), 1)->ttl_s, 7);
	assert_int_equal(message_find(&msg, SECTION_ANSWER, name_of("a.example"), 16)->ttl_s, 5);
}

static void put_sig(const char *owner, unsigned covered, uint8_t tag, uint32_t ttl_s)
{
	uint8_t rdata[20] = {(uint8_t)(covered >> 8), (uint8_t)covered, 13, 2};
	rdata[17] = tag; /* then the root as signer, and one byte of signature */
	rdata[19] = tag;
	wire_rr(&w, owner, 46, ttl_s, rdata, sizeof(rdata));
}

/* RRSIGs go with what they cover and nowhere else; one that covers nothing stands alone. */
static void test_signatures(void **state)
{
	struct message msg;
	(void)state;
	wire_begin(&w, 1, QR | AA, 1, 7, 0, 0);
	wire_question(&w, "a", 1);
	put_sig("a", 1, 1, 50);
	wire_rr(&w, "a", 1, 300, "\1\1\1\1", 4);
	wire_rr(&w, "a", 28, 300, "\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1", 16);
	put_sig("a", 1, 2, 60);
	put_sig("A", 1, 2, 60);
	put_sig("b", 28, 3, 60);
	put_sig("a", 15, 4, 60);
	assert_int_equal(read_exactly(&msg, w.bytes, w.len), 0);
	assert_int_equal(msg.count[SECTION_ANSWER], 4);
	struct rrset *a = message_find(&msg, SECTION_ANSWER, name_of("a"), 1);
	assert_int_equal(a->data.count, 1);
	assert_int_equal(a->sigs.count, 2);
	assert_int_equal(a->ttl_s, 50);
	assert_int_equal(message_find(&msg, SECTION_ANSWER, name_of("a"), 28)->sigs.count, 0);
	struct rrset *lone = message_find(&msg, SECTION_ANSWER, name_of("b"), KNOT_RRTYPE_RRSIG);
	assert_non_null(lone);
	assert_int_equal(lone->data.count, 1);
	assert_int_equal(lone->sigs.count, 0);
	assert_non_null(message_find(&msg, SECTION_ANSWER, name_of("a"), KNOT_RRTYPE_RRSIG));
}

static void test_ttl(void **state)
{
	static const struct {
		uint32_t wire, read;
	} cases[] = {{0, 0}, {1, 1}, {0x7fffffff, 0x7fffffff}, {0x80000000, 0}, {0xffffffff, 0}};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct message msg;
		wire_begin(&w, 1, QR, 1, 1, 0, 0);
		wire_question(&w, "a", 1);
		wire_rr(&w, "a", 1, cases[i].wire, "\1\1\1\1", 4);
		assert_int_equal(read_exactly(&msg, w.bytes, w.len), 0);
		assert_int_equal(msg.set[SECTION_ANSWER][0].ttl_s, cases[i].read);
	}
}

static void test_flags(void **state)
{
	static const struct {
		unsigned flags;
		bool aa, tc, rd, ra, ad, cd;
		unsigned rcode, ext;
	} cases[] = {
		{QR, false, false, false, false, false, false, 0, 0},
		{QR | AA, true, false, false, false, false, false, 0, 0},
		{QR | TC, false, true, false, false, false, false, 0, 0},
		{QR | RD, false, false, true, false, false, false, 0, 0},
		{QR | RA, false, false, false, true, false, false, 0, 0},
		{QR | 0x20, false, false, false, false, true, false, 0, 0},
		{QR | 0x10, false, false, false, false, false, true, 0, 0},
		{QR | 5, false, false, false, false, false, false, 5, 0},
		{QR, false, false, false, false, false, false, 16, 0x0100}, /* BADVERS: upper bits of the OPT */
		{QR | 7, false, false, false, false, false, false, 23, 0x0100},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct message msg;
		wire_begin(&w, 1, cases[i].flags, 1, 0, 0, 1);
		wire_question(&w, "a", 1);
		wire_opt(&w, 1232, cases[i].ext, 0);
		assert_int_equal(read_exactly(&msg, w.bytes, w.len), 0);
		assert_true(msg.aa == cases[i].aa && msg.tc == cases[i].tc && msg.rd == cases[i].rd);
		assert_true(msg.ra == cases[i].ra && msg.ad == cases[i].ad && msg.cd == cases[i].cd);
		assert_int_equal(msg.rcode, cases[i].rcode);
		assert_true(msg.edns);
	}
}

/* Another class is not found where class IN is meant, and is not merged with it. */
static void test_class(void **state)
{
	struct message msg;
	(void)state;
	wire_begin(&w, 1, QR, 1, 2, 0, 0);
	wire_question(&w, "a", 1);
	wire_rr(&w, "a", 1, 1, "\1\1\1\1", 4);
	size_t at = w.len;
	wire_rr(&w, "a", 1, 1, "\2\2\2\2", 4);
	w.bytes[at + 6] = 3; /* CH */
	assert_int_equal(read_exactly(&msg, w.bytes, w.len), 0);
	assert_int_equal(msg.count[SECTION_ANSWER], 2);
	assert_int_equal(message_find(&msg, SECTION_ANSWER, name_of("a"), 1)->rclass, 1);
}

static void test_match(void **state)
{
	static const struct {
		const char *what;
		size_t at; /* of the byte that is changed */
		uint8_t to;
		enum match_kind match;
	} cases[] = {
		{"nothing", 0, 0x12, MATCH_YES},
		{"ID, high byte", 0, 0x13, MATCH_NO},
		{"ID, low byte", 1, 0x35, MATCH_NO},
		{"not a response", 2, 0x04, MATCH_NO},
		{"opcode", 2, 0x94, MATCH_NO},
		{"AA and TC do not matter", 2, 0x82, MATCH_YES},
		{"RCODE does not matter", 3, 0x05, MATCH_YES},
		{"no question", 5, 0, MATCH_NO},
		{"two questions", 5, 2, MATCH_NO},
		{"257 questions", 4, 1, MATCH_NO},
		{"counts do not matter", 7, 200, MATCH_YES},
		{"a letter of the name", 13, 'x', MATCH_NO},
		{"the case of a letter", 13, 'w', MATCH_CASE},
		{"a dot that is none", 16, 6, MATCH_NO},
		{"a pointer", 12, 0xc0, MATCH_NO},
		{"an empty name", 12, 0, MATCH_NO},
		{"type, high byte", 25, 1, MATCH_NO},
		{"type, low byte", 26, 28, MATCH_NO},
		{"class, high byte", 27, 1, MATCH_NO},
		{"class, low byte", 28, 3, MATCH_NO},
	};
	static const uint8_t *sent = (const uint8_t *)"\3WwW\7example";
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		wire_begin(&w, 0x1234, QR | AA, 1, 0, 0, 0);
		wire_question(&w, "WwW.example", 1);
		w.bytes[cases[i].at] = cases[i].to;
		enum match_kind match = message_match(w.bytes, w.len, 0x1234, sent, 1, 1);
		if (match != cases[i].match)
			print_error("%s\n", cases[i].what);
		assert_int_equal(match, cases[i].match);
	}
	wire_begin(&w, 0x1234, QR | AA, 1, 0, 0, 0);
	wire_question(&w, "WwW.example", 1);
	for (size_t len = 0; len < w.len; len++) {
		uint8_t *exact = malloc(len > 0 ? len : 1);
		memcpy(exact, w.bytes, len);
		assert_int_equal(message_match(exact, len, 0x1234, sent, 1, 1), MATCH_NO);
		free(exact);
	}
	assert_int_equal(message_match(w.bytes, w.len, 0x1234, (const uint8_t *)"\3WwW", 1, 1), MATCH_NO);
	assert_int_equal(message_match(w.bytes, w.len, 0x1234, (const uint8_t *)"\3WwW\7example\3org", 1, 1), MATCH_NO);
}

static void test_write_question(void **state)
{
	uint8_t wire[MESSAGE_QUERY_MAX], name[NAME_MAX_LEN];
	(void)state;
	struct question_form form = {.id = 0x1234, .raw_name = (const uint8_t *)"\1A", .type = 28, .rclass = 1};
	assert_int_equal(message_write_question(wire, &form), 12 + 3 + 4);
	assert_memory_equal(wire, "\x12\x34\0\0\0\1\0\0\0\0\0\0\1A\0\0\x1c\0\1", 19);
	form = (struct question_form){.id = 1,
		.raw_name = (const uint8_t *)"\1a",
		.type = 1,
		.rclass = 1,
		.rd = true,
		.cd = true,
		.edns = true,
		.dnssec_ok = true};
	assert_int_equal(message_write_question(wire, &form), 30);
	assert_memory_equal(wire, "\0\1\1\x10\0\1\0\0\0\0\0\1\1a\0\0\1\0\1\0\0\x29\4\xd0\0\0\x80\0\0\0", 30);
	struct query query;
	assert_int_equal(query_read(&query, wire, 30), QUERY_OK);
	memset(name, 'a', sizeof(name));
	name[0] = name[64] = name[128] = 63;
	name[192] = 61;
	name[254] = 0;
	struct cookie cookie = {.server_len = COOKIE_SERVER_MAX};
	form.raw_name = name;
	form.cookie = &cookie;
	assert_int_equal(message_write_question(wire, &form), MESSAGE_QUERY_MAX);
	assert_int_equal(query_read(&query, wire, MESSAGE_QUERY_MAX), QUERY_OK);
	cookie.server_len = 0;
	form.raw_name = (const uint8_t *)"\1a";
	assert_int_equal(message_write_question(wire, &form), 30 + 4 + COOKIE_CLIENT);
	assert_memory_equal(wire + 28, "\0\x0c\0\x0a\0\x08", 6);
}

/* Mixed case: the same name, and over many draws every letter in both cases, nothing else changed. */
static void test_mix_case(void **state)
{
	static const uint8_t *name = (const uint8_t *)"\3w-1\7example";
	uint8_t raw[NAME_MAX_LEN], seen[16] = {0};
	(void)state;
	for (int i = 0; i < 200; i++) {
		name_mix_case(raw, name);
		assert_true(name_is_equal_nocase(raw, name));
		for (size_t at = 0; at < 13; at++)
			seen[at] |= raw[at] == name[at] ? 1 : 2;
	}
	for (size_t at = 0; at < 13; at++)
		assert_int_equal(seen[at], name[at] >= 'a' ? 3 : 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, begin, end),
		cmocka_unit_test_setup_teardown(test_truncated, begin, end),
		cmocka_unit_test_setup_teardown(test_every_byte_spoilt, begin, end),
		cmocka_unit_test_setup_teardown(test_hostile, begin, end),
		cmocka_unit_test_setup_teardown(test_many_records, begin, end),
		cmocka_unit_test_setup_teardown(test_too_long, begin, end),
		cmocka_unit_test_setup_teardown(test_merged, begin, end),
		cmocka_unit_test_setup_teardown(test_signatures, begin, end),
		cmocka_unit_test_setup_teardown(test_ttl, begin, end),
		cmocka_unit_test_setup_teardown(test_flags, begin, end),
		cmocka_unit_test_setup_teardown(test_class, begin, end),
		cmocka_unit_test_setup_teardown(test_match, begin, end),
		cmocka_unit_test_setup_teardown(test_write_question, begin, end),
		cmocka_unit_test_setup_teardown(test_mix_case, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
