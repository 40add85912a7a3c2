#include "unit/unit.h"

#include <stdlib.h>

#include "dns/message.h"
#include "unit/wire.h"

enum { RD = 0x0100, TC = 0x0200, QR = 0x8000, AD = 0x0020, CD = 0x0010, DO = 0x8000 };

/* Reads a copy that has not a byte more, so that ASan sees every step too far. */
static enum query_verdict read_exactly(struct query *query, const void *bytes, size_t len)
{
	uint8_t *exact = malloc(len > 0 ? len : 1);
	memcpy(exact, bytes, len);
	memset(query, 0xee, sizeof(*query));
	enum query_verdict verdict = query_read(query, exact, len);
	free(exact);
	return verdict;
}

static struct wire w;

static void good(unsigned flags, unsigned opt_size, unsigned opt_flags)
{
	wire_begin(&w, 0x1234, flags, 1, 0, 0, opt_size > 0);
	wire_question(&w, "WWW.example", 1);
	if (opt_size > 0)
		wire_opt(&w, opt_size, 0, opt_flags);
}

static void test_good(void **state)
{
	static const struct {
		unsigned flags, opt_size, opt_flags;
		bool rd, ad, cd, edns, dnssec_ok;
		unsigned udp_size;
	} cases[] = {
		{0, 0, 0, false, false, false, false, false, 512}, {RD, 0, 0, true, false, false, false, false, 512},
		{RD | AD, 1232, 0, true, true, false, true, false, 1232},
		{RD | CD, 4096, DO, true, false, true, true, true, 4096},
		{RD, 1, DO, true, false, false, true, true, 512},
		{RD, 511, 0x7fff, true, false, false, true, false, 512},
		{RD, 65535, 0xffff, true, false, false, true, true, 65535},
		{RD | 0x048f, 0, 0, true, false, false, false, false, 512}, /* AA, RA, RCODE set: of no meaning here */
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct query q;
		good(cases[i].flags, cases[i].opt_size, cases[i].opt_flags);
		assert_int_equal(query_read(&q, w.bytes, w.len), QUERY_OK);
		assert_int_equal(q.id, 0x1234);
		assert_int_equal(q.rd, cases[i].rd);
		assert_int_equal(q.ad, cases[i].ad);
		assert_int_equal(q.cd, cases[i].cd);
		assert_int_equal(q.edns, cases[i].edns);
		assert_int_equal(q.dnssec_ok, cases[i].dnssec_ok);
		assert_int_equal(q.udp_size, cases[i].udp_size);
		assert_ptr_equal(q.raw_name, w.bytes + 12);
		assert_int_equal(q.name_len, 13);
		assert_int_equal(q.type, 1);
		assert_int_equal(q.rclass, 1);
		assert_int_equal(q.question_end, 12 + 13 + 4);
	}
}

/* No beginning of a good query is a query, and none is read beyond its end. */
static void test_truncated(void **state)
{
	struct query q;
	(void)state;
	good(RD, 1232, DO);
	size_t opt_len = 11 + 4 + 7;
	w.bytes[w.len - 1] = 11; /* an option of 7 bytes in the OPT */
	wire_bytes(&w, "\0\12\0\7cookies", 11);
	assert_int_equal(read_exactly(&q, w.bytes, w.len), QUERY_OK);
	for (size_t len = 0; len < w.len; len++) {
		assert_int_equal(read_exactly(&q, w.bytes, len), len < 12 ? QUERY_DROP : QUERY_FORMERR);
		if (len >= 12)
			assert_true(q.question_end == (len < w.len - opt_len ? 0 : w.len - opt_len));
	}
}

#define HEAD(flags, qd, an, ns, ar) "\x12\x34" flags "\0" qd "\0" an "\0" ns "\0" ar
#define Q                           "\1a\0\0\1\0\1"
#define OPT_                        "\0\0\x29\x04\xd0\0\0\0\0\0\0"

static void test_hostile(void **state)
{
	static const struct {
		const char *wire;
		size_t len;
		enum query_verdict verdict;
		unsigned question_end;
	} cases[] = {
#define CASE(bytes, verdict, end) {bytes, sizeof(bytes) - 1, verdict, end}
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\0") Q, QUERY_OK, 19),
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\1") Q OPT_, QUERY_OK, 19),
		/* the header */
		CASE(HEAD("\x81\0", "\1", "\0", "\0", "\0") Q, QUERY_DROP,
			0), /* QR: never answered, or two resolvers talk */
		CASE(HEAD("\x80\0", "\0", "\0", "\0", "\0"), QUERY_DROP, 0),
		CASE(HEAD("\x88\0", "\1", "\0", "\0", "\0") Q, QUERY_DROP, 0),   /* whatever the opcode */
		CASE(HEAD("\3\0", "\1", "\0", "\0", "\0") Q, QUERY_FORMERR, 0),  /* TC */
		CASE(HEAD("\x09\0", "\1", "\0", "\0", "\0") Q, QUERY_NOTIMP, 0), /* IQUERY */
		CASE(HEAD("\x11\0", "\1", "\0", "\0", "\0") Q, QUERY_NOTIMP, 0), /* STATUS */
		CASE(HEAD("\x21\0", "\1", "\0", "\0", "\0") Q, QUERY_NOTIMP, 0), /* NOTIFY */
		CASE(HEAD("\x29\0", "\1", "\0", "\0", "\0") Q, QUERY_NOTIMP, 0), /* UPDATE */
		CASE(HEAD("\x79\0", "\1", "\0", "\0", "\0") Q, QUERY_NOTIMP, 0), /* 15 */
		CASE(HEAD("\1\0", "\0", "\0", "\0", "\0"), QUERY_FORMERR, 0),
		CASE(HEAD("\1\0", "\0", "\0", "\0", "\1") OPT_, QUERY_FORMERR, 0),
		CASE(HEAD("\1\0", "\2", "\0", "\0", "\0") Q Q, QUERY_FORMERR, 0),
		CASE("\x12\x34\1\0\1\1\0\0\0\0\0\0" Q, QUERY_FORMERR, 0), /* 257 questions: not 1 in the low byte */
		CASE("\x12\x34\1\0\xff\xff\xff\xff\xff\xff\xff\xff" Q, QUERY_FORMERR, 0),
		CASE("\x12\x34\1\0\0\1\xff\xff\xff\xff\xff\xff" Q, QUERY_FORMERR, 19),
		CASE("\x12\x34\1\0\0\1\xff\xff\0\0\0\0" Q, QUERY_FORMERR, 19),
		CASE("\x12\x34\1\0\0\1\0\0\xff\xff\0\0" Q, QUERY_FORMERR, 19),
		CASE("\x12\x34\1\0\0\1\0\0\0\0\xff\xff" Q OPT_, QUERY_FORMERR, 19),
		/* the question */
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\0") "\xc0\x0c\0\1\0\1", QUERY_FORMERR,
			0), /* a pointer to itself */
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\0") "\xc0\0\0\1\0\1", QUERY_FORMERR, 0),
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\0") "\1a\xc0\x0c\0\1\0\1", QUERY_FORMERR, 0),
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\0") "\x41"
							  "a\0\0\1\0\1",
			QUERY_FORMERR, 0),                                                       /* RFC 2673 labels */
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\0") "\0\0\1\0\1", QUERY_OK, 17),           /* the root */
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\0") "\1a\0\0\0\0\1", QUERY_FORMERR, 19),   /* type 0 */
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\0") "\1a\0\0\x29\0\1", QUERY_FORMERR, 19), /* OPT */
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\0") "\1a\0\0\xf9\0\1", QUERY_FORMERR, 19), /* TKEY */
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\0") "\1a\0\0\xfa\0\1", QUERY_FORMERR, 19), /* TSIG */
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\0") "\1a\0\0\xff\0\1", QUERY_OK, 19),      /* ANY */
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\0") "\1a\0\xff\xff\0\1", QUERY_OK, 19),
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\0") "\1a\0\0\1\0\3", QUERY_OK,
			19), /* CH: the house decides later */
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\0") "\1a\0\0\1\0\0", QUERY_FORMERR, 19), /* class 0 */
		/* the OPT */
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\2") Q OPT_ OPT_, QUERY_FORMERR, 19),
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\1") Q "\1a" OPT_, QUERY_FORMERR, 19), /* with an owner */
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\1") Q "\xc0\x0e\0\x29\x04\xd0\0\0\0\0\0\0", QUERY_FORMERR,
			19), /* a pointer to the root: not the root byte that RFC 6891 wants */
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\1") Q "\0\0\x29\x04\xd0\0\1\0\0\0\0", QUERY_BADVERS, 19),
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\1") Q "\0\0\x29\x04\xd0\0\xff\0\0\0\0", QUERY_BADVERS, 19),
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\1") Q "\0\0\x29\x04\xd0\0\0\0\0\0\1", QUERY_FORMERR, 19),
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\1") Q "\0\0\x29\x04\xd0\0\0\0\0\xff\xff", QUERY_FORMERR, 19),
		CASE(HEAD("\1\0", "\1", "\1", "\0", "\0") Q OPT_, QUERY_OK, 19), /* not in its section: not an OPT */
		/* other records are walked over */
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\2") Q "\1b\0\0\1\0\1\0\0\0\0\0\4\1\2\3\4" OPT_, QUERY_OK, 19),
		CASE(HEAD("\1\0", "\1", "\1", "\1", "\1") Q "\xc0\x0c\0\1\0\1\0\0\0\0\0\0"
							    "\xc0\x0c\0\1\0\1\0\0\0\0\0\0" OPT_,
			QUERY_OK, 19),
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\1") Q "\x80\0\1\0\1\0\0\0\0\0\0", QUERY_FORMERR, 19),
		CASE(HEAD("\1\0", "\1", "\0", "\0", "\1") Q "\xc0", QUERY_FORMERR, 19),
#undef CASE
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct query q;
		enum query_verdict verdict = read_exactly(&q, cases[i].wire, cases[i].len);
		if (verdict != cases[i].verdict)
			print_error("case %zu\n", i);
		assert_int_equal(verdict, cases[i].verdict);
		if (verdict != QUERY_DROP)
			assert_int_equal(q.question_end, cases[i].question_end);
	}
}

static void test_longest_name(void **state)
{
	struct query q;
	(void)state;
	for (size_t last = 61; last <= 62; last++) {
		wire_begin(&w, 1, RD, 1, 0, 0, 0);
		memset(w.bytes + w.len, 'a', 300);
		for (int i = 0; i < 3; i++, w.len += 64)
			w.bytes[w.len] = 63;
		w.bytes[w.len] = (uint8_t)last;
		w.len += last + 1;
		wire_bytes(&w, "\0\0\1\0\1", 5);
		assert_int_equal(read_exactly(&q, w.bytes, w.len), last == 61 ? QUERY_OK : QUERY_FORMERR);
		if (last == 61)
			assert_int_equal(q.name_len, 255);
	}
}

/* Records of no content by the thousand: read in time that is in proportion, to the last. */
static void test_many_records(void **state)
{
	struct query q;
	(void)state;
	wire_begin(&w, 1, RD, 1, 5000, 0, 1);
	wire_question(&w, "a", 1);
	for (int i = 0; i < 5000; i++)
		wire_rr(&w, "", 1, 0, "", 0);
	wire_opt(&w, 1232, 0, 0);
	assert_int_equal(read_exactly(&q, w.bytes, w.len), QUERY_OK);
	assert_true(q.edns);
}

static void test_error(void **state)
{
	struct query q;
	(void)state;
	good(RD | CD | AD, 1232, DO);
	assert_int_equal(query_read(&q, w.bytes, w.len), QUERY_OK);
	assert_int_equal(query_write_error(w.bytes, &q, KNOT_RCODE_SERVFAIL), 29);
	assert_memory_equal(w.bytes, "\x12\x34\x81\x92\0\1\0\0\0\0\0\0\3WWW\7example\0\0\1\0\1", 29);
	wire_begin(&w, 0x1234, 0x2900, 1, 0, 0, 0);
	assert_int_equal(query_read(&q, w.bytes, w.len), QUERY_NOTIMP);
	assert_int_equal(query_write_error(w.bytes, &q, KNOT_RCODE_NOTIMPL), 12);
	assert_memory_equal(w.bytes, "\x12\x34\xa9\x84\0\0\0\0\0\0\0\0", 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_longest_name),
		cmocka_unit_test(test_many_records),
		cmocka_unit_test(test_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
