/* Each kind of reply that servers give, well and ill behaved, to the question www.example.org A asked of example.org.
 */
#include "unit/unit.h"

#include "resolve/reply.h"
#include "unit/sets.h"
#include "unit/wire.h"

enum { QR = 0x8000, AA = 0x0400, MAX_RECORDS = 6 };

struct record {
	char section; /* 'a'nswer, a'u'thority, a'd'ditional; 0: no more */
	const char *owner;
	uint16_t type;
	const char *rdata;
	size_t len;
};

#define A(section, owner)                                                                                              \
	{                                                                                                              \
		section, owner, KNOT_RRTYPE_A, "\300\0\2\1", 4                                                         \
	}
#define CNAME(owner, target)                                                                                           \
	{                                                                                                              \
		'a', owner, KNOT_RRTYPE_CNAME, target, sizeof(target)                                                  \
	}
#define DNAME(owner, target)                                                                                           \
	{                                                                                                              \
		'a', owner, KNOT_RRTYPE_DNAME, target, sizeof(target)                                                  \
	}
#define NS(owner)                                                                                                      \
	{                                                                                                              \
		'u', owner, KNOT_RRTYPE_NS, "\2ns", 4                                                                  \
	}
#define SOA(owner)                                                                                                     \
	{                                                                                                              \
		'u', owner, KNOT_RRTYPE_SOA, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22                        \
	}
#define WWW "www.example.org"

static const struct {
	const char *what;
	unsigned flags; /* with the RCODE */
	bool edns;      /* in the reply */
	uint16_t type;  /* asked for */
	struct record record[MAX_RECORDS];
	enum reply_kind kind, kind_without; /* with, and without, EDNS in the question */
} cases[] = {
	/* errors */
	{"SERVFAIL", AA | 2, true, 1, {{0}}, REPLY_FAILED, REPLY_FAILED},
	{"REFUSED", 5, false, 1, {{0}}, REPLY_FAILED, REPLY_FAILED},
	{"NOTAUTH", 9, true, 1, {{0}}, REPLY_FAILED, REPLY_FAILED},
	{"YXDOMAIN", AA | 6, true, 1, {A('a', WWW)}, REPLY_FAILED, REPLY_FAILED},
	{"SERVFAIL with an answer all the same", AA | 2, true, 1, {A('a', WWW)}, REPLY_FAILED, REPLY_FAILED},
	{"FORMERR without OPT", 1, false, 1, {{0}}, REPLY_NO_EDNS, REPLY_FAILED},
	{"FORMERR with OPT", 1, true, 1, {{0}}, REPLY_FAILED, REPLY_FAILED},
	{"NOTIMP without OPT", 4, false, 1, {{0}}, REPLY_NO_EDNS, REPLY_FAILED},
	/* answers */
	{"an answer", AA, true, 1, {A('a', WWW)}, REPLY_ANSWER, REPLY_ANSWER},
	{"an answer in another case", AA, true, 1, {A('a', "WWW.Example.ORG")}, REPLY_ANSWER, REPLY_ANSWER},
	{"an answer without AA", 0, true, 1, {A('a', WWW)}, REPLY_ANSWER, REPLY_ANSWER},
	{"an answer and NS", AA, true, 1, {A('a', WWW), NS("example.org")}, REPLY_ANSWER, REPLY_ANSWER},
	{"an answer and an alias at one name", AA, true, 1, {CNAME(WWW, "\1b"), A('a', WWW)}, REPLY_ANSWER,
		REPLY_ANSWER},
	{"an answer to ANY", AA, true, 255, {{'a', WWW, 16, "\1x", 2}}, REPLY_ANSWER, REPLY_ANSWER},
	{"another name's answer", AA, true, 1, {A('a', "ww.example.org")}, REPLY_EMPTY, REPLY_EMPTY},
	{"another type's answer", AA, true, 28, {A('a', WWW)}, REPLY_EMPTY, REPLY_EMPTY},
	{"the answer in the wrong section", 0, true, 1, {A('u', WWW), A('d', WWW)}, REPLY_EMPTY, REPLY_EMPTY},
	/* aliases */
	{"an alias", AA, true, 1, {CNAME(WWW, "\1b")}, REPLY_ALIAS, REPLY_ALIAS},
	{"an alias and its answer", AA, true, 1, {CNAME(WWW, "\1b"), A('a', "b")}, REPLY_ALIAS, REPLY_ALIAS},
	{"an alias to nothing, NXDOMAIN", AA | 3, true, 1, {CNAME(WWW, "\1b"), SOA("example.org")}, REPLY_ALIAS,
		REPLY_ALIAS},
	{"the alias asked for", AA, true, 5, {CNAME(WWW, "\1b")}, REPLY_ANSWER, REPLY_ANSWER},
	{"two aliases at one name", AA, true, 1, {CNAME(WWW, "\1b"), CNAME(WWW, "\1c")}, REPLY_EMPTY, REPLY_EMPTY},
	{"another name's alias", AA, true, 1, {CNAME("b.example.org", "\1b")}, REPLY_EMPTY, REPLY_EMPTY},
	/* DNAMEs: RFC 6672 */
	{"an alias by DNAME", AA, true, 1, {DNAME("example.org", "\1b"), CNAME(WWW, "\3www\1b")}, REPLY_DNAME,
		REPLY_DNAME},
	{"a DNAME without its CNAME", AA, true, 1, {DNAME("example.org", "\1b")}, REPLY_DNAME, REPLY_DNAME},
	{"a DNAME that makes too long a name", AA | 6, true, 1, {DNAME("example.org", "\1b")}, REPLY_DNAME,
		REPLY_DNAME},
	{"YXDOMAIN without DNAME", AA | 6, true, 1, {{0}}, REPLY_FAILED, REPLY_FAILED},
	{"the DNAME of the name itself", AA, true, 1, {DNAME(WWW, "\1b")}, REPLY_EMPTY, REPLY_EMPTY},
	{"the DNAME of a zone above", AA, true, 1, {DNAME("org", "\1b")}, REPLY_EMPTY, REPLY_EMPTY},
	{"a neighbour's DNAME", AA, true, 1, {DNAME("b.example.org", "\1b")}, REPLY_EMPTY, REPLY_EMPTY},
	{"two DNAMEs at one name", AA, true, 1, {DNAME("example.org", "\1b"), DNAME("example.org", "\1c")}, REPLY_EMPTY,
		REPLY_EMPTY},
	/* denials */
	{"NXDOMAIN", AA | 3, true, 1, {SOA("example.org")}, REPLY_NXDOMAIN, REPLY_NXDOMAIN},
	{"NXDOMAIN without SOA", AA | 3, true, 1, {{0}}, REPLY_NXDOMAIN, REPLY_NXDOMAIN},
	{"NODATA", AA, true, 1, {SOA("example.org")}, REPLY_NODATA, REPLY_NODATA},
	{"NODATA of a zone in between", AA, true, 1, {SOA(WWW)}, REPLY_NODATA, REPLY_NODATA},
	{"NODATA without SOA, but AA", AA, true, 1, {{0}}, REPLY_EMPTY, REPLY_EMPTY},
	{"NODATA with NS and SOA", AA, true, 1, {NS("example.org"), SOA("example.org")}, REPLY_NODATA, REPLY_NODATA},
	{"the SOA of a zone above", 0, true, 1, {SOA("org")}, REPLY_LAME, REPLY_LAME},
	{"the SOA of a neighbour", 0, true, 1, {SOA("b.example.org")}, REPLY_LAME, REPLY_LAME},
	/* referrals */
	{"a referral", 0, true, 1, {NS(WWW), A('d', "ns")}, REPLY_REFERRAL, REPLY_REFERRAL},
	{"a referral with AA", AA, true, 1, {NS(WWW)}, REPLY_REFERRAL, REPLY_REFERRAL},
	{"a referral, asked for DS: the parent should know", 0, true, 43, {NS(WWW)}, REPLY_LAME, REPLY_LAME},
	{"a referral to itself", 0, true, 1, {NS("example.org")}, REPLY_LAME, REPLY_LAME},
	{"a referral upwards", 0, true, 1, {NS("org")}, REPLY_LAME, REPLY_LAME},
	{"a referral to the root", 0, true, 1, {NS(".")}, REPLY_LAME, REPLY_LAME},
	{"a referral upwards with AA", AA, true, 1, {NS(".")}, REPLY_LAME, REPLY_LAME},
	{"a referral sideways", 0, true, 1, {NS("b.example.org")}, REPLY_LAME, REPLY_LAME},
	{"a referral below the name", 0, true, 1, {NS("a." WWW)}, REPLY_LAME, REPLY_LAME},
	{"a referral out of the zone", 0, true, 1, {NS("www.example.net")}, REPLY_LAME, REPLY_LAME},
	{"nothing at all", 0, true, 1, {{0}}, REPLY_EMPTY, REPLY_EMPTY},
	{"nothing but an OPT missing", 0, false, 1, {{0}}, REPLY_EMPTY, REPLY_EMPTY},
};

static struct wire w;

static void build(size_t i)
{
	unsigned count[3] = {0, 0, 0};
	for (const struct record *r = cases[i].record; r < cases[i].record + MAX_RECORDS && r->section != 0; r++)
		count[r->section == 'a' ? 0 : r->section == 'u' ? 1 : 2]++;
	wire_begin(&w, 1, QR | cases[i].flags, 1, count[0], count[1], count[2] + cases[i].edns);
	wire_question(&w, WWW, cases[i].type);
	for (const char *section = "aud"; *section != '\0'; section++)
		for (const struct record *r = cases[i].record; r < cases[i].record + MAX_RECORDS && r->section; r++)
			if (r->section == *section)
				wire_rr(&w, r->owner, r->type, 300, r->rdata, r->len);
	if (cases[i].edns)
		wire_opt(&w, 1232, 0, 0);
}

static void test_kinds(void **state)
{
	struct arena arena;
	(void)state;
	arena_init(&arena);
	const uint8_t *zone = set_name(&arena, "example.org");
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct message msg;
		struct question q = {.name = set_name(&arena, WWW), .type = cases[i].type, .rclass = 1};
		build(i);
		assert_int_equal(message_read(&msg, &arena, w.bytes, w.len), 0);
		enum reply_kind kind = reply_kind(&msg, zone, &q, true);
		if (kind != cases[i].kind)
			print_error("%s: %s\n", cases[i].what, reply_kind_text(kind));
		assert_int_equal(kind, cases[i].kind);
		assert_int_equal(reply_kind(&msg, zone, &q, false), cases[i].kind_without);
		/* What the kind promises can be had. */
		if (kind == REPLY_ALIAS)
			assert_non_null(reply_alias(&msg, zone, q.name));
		if (kind == REPLY_REFERRAL)
			assert_true(name_is_below(reply_referral(&msg, zone, &q)->owner, zone));
	}
	arena_deinit(&arena);
}

static void test_badvers(void **state)
{
	struct arena arena;
	struct message msg;
	(void)state;
	arena_init(&arena);
	struct question q = {.name = set_name(&arena, WWW), .type = 1, .rclass = 1};
	wire_begin(&w, 1, QR, 1, 0, 0, 1);
	wire_question(&w, WWW, 1);
	wire_opt(&w, 1232, 0x0100, 0);
	assert_int_equal(message_read(&msg, &arena, w.bytes, w.len), 0);
	assert_int_equal(reply_kind(&msg, set_name(&arena, "example.org"), &q, true), REPLY_NO_EDNS);
	assert_int_equal(reply_kind(&msg, set_name(&arena, "example.org"), &q, false), REPLY_FAILED);
	arena_deinit(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds), cmocka_unit_test(test_badvers)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
