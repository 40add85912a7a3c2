/* What NSEC and NSEC3 prove, and above all what they do not. Records and questions are short texts:
 *
 *	N owner next TYPES          an NSEC
 *	H hash next FLAGS TYPES     an NSEC3 by its hashes
 *	M name FLAGS TYPES          an NSEC3 at a name, no wider than that
 *	C name FLAGS                an NSEC3 that spans a name, no wider than that
 *
 *	name NAME, type NAME TYPE, closer NAME LABELS, ds NAME
 */
#include "unit/dns/denials.h"

#include <pthread.h>

#include "base/error.h"

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

static void add_record(struct zone_sets *z, const char *text)
{
	char kind, a[300], b[300] = "";
	unsigned flags = 0;
	int used = 0;
	assert_int_equal(sscanf(text, " %c %299s%n", &kind, a, &used), 2);
	text += used;
	if (kind == 'N' || kind == 'H') {
		assert_int_equal(sscanf(text, " %299s%n", b, &used), 1);
		text += used;
	}
	if (kind != 'N') {
		assert_int_equal(sscanf(text, " %u%n", &flags, &used), 1);
		text += used;
	}
	text += strspn(text, " ");
	switch (kind) {
	case 'N': sets_nsec(z, a, b, text); break;
	case 'H': sets_nsec3_hashed(z, a, b, (uint8_t)flags, text); break;
	case 'M': sets_nsec3(z, a, NULL, (uint8_t)flags, text); break;
	case 'C': sets_nsec3_cover(z, a, (uint8_t)flags); break;
	default: fail();
	}
}

static void add_records(struct zone_sets *z, const char *text)
{
	while (*text != '\0') {
		char one[600];
		size_t len = strcspn(text, "|");
		snprintf(one, sizeof(one), "%.*s", (int)len, text);
		add_record(z, one);
		text += len + (text[len] == '|');
	}
}

static const char *denied_word(enum denied denied)
{
	static const char *const words[] = {"no", "denied", "unsigned", "dear"};
	return words[denied];
}

static const char *no_ds_word(enum no_ds no_ds)
{
	static const char *const words[] = {"unknown", "delegation", "no cut", "no name", "dear"};
	return words[no_ds];
}

static const char *ask(struct denial *denial, const char *question)
{
	char verb[16], name[300], more[16] = "";
	uint16_t type;
	assert_true(sscanf(question, "%15s %299s %15s", verb, name, more) >= 2);
	const uint8_t *wire = name_of(&arena, name);
	if (strcmp(verb, "name") == 0)
		return denied_word(denial_of_name(denial, wire));
	if (strcmp(verb, "ds") == 0)
		return no_ds_word(denial_of_ds(denial, wire));
	if (strcmp(verb, "closer") == 0)
		return denied_word(denial_of_closer(denial, wire, (unsigned)atoi(more)));
	assert_string_equal(verb, "type");
	assert_int_equal(type_from_text(more, &type), 0);
	return denied_word(denial_of_type(denial, wire, type));
}

struct row {
	const char *records, *question, *expected;
};

static void check(struct zone_sets *z, const struct row *row)
{
	struct denial denial;
	denial_init(&denial, z->zone, z->set, z->count);
	const char *got = ask(&denial, row->question);
	if (strcmp(got, row->expected) != 0)
		fail_msg("%s\n%s: %s, expected %s", row->records, row->question, got, row->expected);
	assert_true(denial.hashes <= DENIAL_HASHES_MOST);
}

static void check_rows(const char *zone, const char *salt, uint16_t iterations, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct zone_sets z;
		sets_begin(&z, &arena, zone);
		sets_salt(&z, salt, iterations);
		add_records(&z, rows[i].records);
		check(&z, &rows[i]);
	}
}

/* RFC 4034 6.1. */
static void test_order(void **state)
{
	static const char *const sorted[] = {".", "a", "example", "a.example", "yljkjljk.a.example", "z.a.example",
		"zabc.a.example", "z.example", "\\001.z.example", "*.z.example", "\\200.z.example", "zz.example",
		"aa.zz.example", "examples", "f"};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(sorted); i++)
		for (size_t j = 0; j < COUNT_OF(sorted); j++) {
			int order = name_compare_canonical(name_of(&arena, sorted[i]), name_of(&arena, sorted[j]));
			int expected = i < j ? -1 : i > j;
			assert_int_equal((order > 0) - (order < 0), expected);
		}
}

static void test_covers(void **state)
{
	static const struct {
		const char *owner, *next, *name;
		bool covers;
	} rows[] = {
		{"b.example", "d.example", "c.example", true},
		{"b.example", "d.example", "x.b.example", true},
		{"b.example", "d.example", "x.y.c.example", true},
		{"b.example", "d.example", "b.example", false},
		{"b.example", "d.example", "d.example", false},
		{"b.example", "d.example", "a.example", false},
		{"b.example", "d.example", "a.d.example", false},
		{"b.example", "d.example", "c.other", false},
		{"b.example", "d.example", "c", false},
		/* the last of the chain */
		{"x.example", "example", "y.example", true},
		{"x.example", "example", "a.example", false},
		{"x.example", "example", "example", false},
		{"x.example", "example", "y.exampleb", false},
		/* a chain of one */
		{"example", "example", "a.example", true},
		{"example", "example", "example", false},
		/* empty non-terminals */
		{"b.example", "x.y.d.example", "d.example", false},
		{"b.example", "x.y.d.example", "y.d.example", false},
		{"b.example", "x.y.d.example", "a.d.example", true},
		{"b.example", "x.y.d.example", "a.y.d.example", true},
		/* not of the zone, backwards, alone but not at the apex */
		{"b.other", "d.example", "c.example", false},
		{"b.example", "d.other", "c.example", false},
		{"b.example", "e", "c.example", false},
		{"d.example", "b.example", "c.example", false},
		{"d.example", "b.example", "e.example", false},
		{"d.example", "b.example", "a.example", false},
		{"d.example", "d.example", "e.example", false},
	};
	(void)state;
	const uint8_t *zone = name_of(&arena, "example");
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (nsec_covers(name_of(&arena, rows[i].owner), name_of(&arena, rows[i].next), zone,
			    name_of(&arena, rows[i].name)) != rows[i].covers)
			fail_msg("%s %s: %s", rows[i].owner, rows[i].next, rows[i].name);
}

/* RFC 4035 B: the zone of appendix A. */
#define APEX "N example a.example NS SOA MX RRSIG NSEC DNSKEY"
#define A    "N a.example ai.example NS DS RRSIG NSEC"
#define B    "N b.example ns1.example NS RRSIG NSEC"
#define NS1  "N ns1.example ns2.example A RRSIG NSEC"
#define WILD "N *.w.example x.w.example MX RRSIG NSEC"
#define XYW  "N x.y.w.example xx.example MX RRSIG NSEC"
#define XW   "N x.w.example x.y.w.example MX RRSIG NSEC"
#define XX   "N xx.example example A HINFO AAAA RRSIG NSEC"

static void test_nsec(void **state)
{
	static const struct row rows[] = {
		/* B.2 */
		{B "|" APEX, "name ml.example", "denied"},
		{B, "name ml.example", "no"},
		{APEX, "name ml.example", "no"},
		{B "|" APEX, "ds ml.example", "no name"},
		{XX "|" APEX, "name z.example", "denied"},
		{XX "|" APEX, "name a.b.c.z.example", "denied"},
		{XX "|" APEX, "name xx.example", "no"},
		{XX "|" APEX, "name example", "no"},
		{XX "|" APEX, "name other", "no"},
		/* B.3 */
		{NS1, "type ns1.example MX", "denied"},
		{NS1, "type ns1.example A", "no"},
		{NS1, "type ns1.example DS", "denied"},
		{NS1, "type ns1.example ANY", "no"},
		{NS1, "name ns1.example", "no"},
		{NS1, "ds ns1.example", "no cut"},
		{"N c.example d.example CNAME RRSIG NSEC", "type c.example A", "no"},
		{"N c.example d.example CNAME RRSIG NSEC", "ds c.example", "no cut"},
		/* B.5: only DS is denied at the parent's side of a cut, and nothing below it */
		{B, "ds b.example", "delegation"},
		{B, "type b.example DS", "denied"},
		{B, "type b.example A", "no"},
		{B, "type b.example NS", "no"},
		{B "|" APEX, "name x.b.example", "no"},
		{B "|" APEX, "type x.b.example A", "no"},
		{B, "closer x.b.example 2", "no"},
		{B, "closer x.b.example 1", "no"},
		{B, "ds x.b.example", "unknown"},
		{A, "ds a.example", "unknown"},
		{A, "type a.example DS", "no"},
		/* the same for DNAME, but for types at it */
		{"N b.example d.example DNAME RRSIG NSEC|" APEX, "name x.b.example", "no"},
		{"N b.example d.example DNAME RRSIG NSEC|" APEX, "closer x.b.example 2", "no"},
		{"N b.example d.example DNAME RRSIG NSEC|" APEX, "ds x.b.example", "unknown"},
		{"N b.example d.example DNAME RRSIG NSEC", "type b.example A", "denied"},
		{"N b.example d.example DNAME RRSIG NSEC|" APEX, "name c.example", "denied"},
		{"N b.example x.y.b.example NS RRSIG NSEC", "type y.b.example A", "no"},
		{"N b.example x.y.b.example NS RRSIG NSEC", "ds y.b.example", "unknown"},
		/* B.6: a wildcard's answer, and a wildcard of the wrong level */
		{XYW, "closer a.z.w.example 2", "denied"},
		{XYW, "closer a.z.w.example 3", "denied"},
		{XYW, "closer a.z.w.example 1", "no"}, /* of *.example, though w.example exists */
		{XYW, "closer a.z.w.example 4", "no"},
		{XYW, "closer a.z.w.example 0", "no"},
		{XYW, "closer x.y.w.example 2", "no"},
		{XYW, "closer a.x.y.w.example 4", "denied"},
		{XYW, "closer a.x.y.w.example 3", "no"},
		{XW, "closer a.y.w.example 2", "no"}, /* y.w.example is an empty non-terminal */
		{XW, "closer a.y.w.example 3", "denied"},
		/* B.7 */
		{XYW "|" WILD, "type a.z.w.example AAAA", "denied"},
		{XYW "|" WILD, "type a.z.w.example MX", "no"},
		{XYW "|" WILD, "name a.z.w.example", "no"},
		{XYW, "type a.z.w.example AAAA", "no"},
		{WILD, "type a.z.w.example AAAA", "no"},
		{WILD, "type *.w.example AAAA", "denied"},
		{XYW "|" WILD, "ds a.z.w.example", "no name"},
		{XYW "|N *.w.example x.w.example NS RRSIG NSEC", "ds a.z.w.example", "unknown"},
		{XYW "|N *.w.example x.w.example NS RRSIG NSEC", "type a.z.w.example A", "no"},
		{XYW "|N *.w.example x.w.example CNAME RRSIG NSEC", "type a.z.w.example A", "no"},
		/* a wildcard of a level where none would stand for the name */
		{XYW "|N *.example a.example MX RRSIG NSEC", "type a.z.w.example A", "no"},
		{XYW "|" APEX, "name a.z.w.example", "no"},
		/* the wildcard itself is an empty non-terminal */
		{B "|N example a.*.example NS SOA", "type ml.example A", "denied"},
		{B "|N example a.*.example NS SOA", "name ml.example", "no"},
		/* B.8: only the parent denies the DS of an apex */
		{APEX, "type example DS", "no"},
		{APEX, "ds example", "unknown"},
		{APEX, "type example A", "denied"},
		{APEX, "type example NS", "no"},
		/* the child's own record, passed off as the parent's */
		{"N b.example d.b.example NS SOA RRSIG NSEC", "type b.example DS", "no"},
		{"N b.example d.b.example NS SOA RRSIG NSEC", "ds b.example", "unknown"},
		/* empty non-terminals */
		{XW, "type y.w.example A", "denied"},
		{XW, "type y.w.example DS", "denied"},
		{XW, "name y.w.example", "no"},
		{XW, "ds y.w.example", "no cut"},
		{"N ns2.example *.w.example A", "type w.example A", "denied"},
		{"N ns2.example *.w.example A|" APEX, "name w.example", "no"},
		/* a chain of one record, black lies (RFC 9824), a bitmap of several windows */
		{"N example example SOA NS", "name a.b.example", "denied"},
		{"N example example SOA NS", "type example A", "denied"},
		{"N x.example \\000.x.example RRSIG NSEC TYPE128", "type x.example A", "denied"},
		{"N x.example \\000.x.example RRSIG NSEC TYPE128", "type x.example ANY", "denied"},
		{"N x.example \\000.x.example RRSIG NSEC TYPE128", "name x.example", "no"},
		{"N x.example \\000.x.example RRSIG NSEC TYPE128", "ds x.example", "no cut"},
		{"N x.example z.example A CAA TYPE65280", "type x.example TYPE65280", "no"},
		{"N x.example z.example A CAA TYPE65280", "type x.example TYPE65281", "denied"},
		/* neither owner nor next of another zone */
		{"N b.other ns1.example A|" APEX, "name ml.example", "no"},
		{"N b.example ns1.other A|" APEX, "name ml.example", "no"},
		{"", "name ml.example", "no"},
		{"", "ds ml.example", "unknown"},
	};
	(void)state;
	check_rows("example", "", 0, rows, COUNT_OF(rows));
}

static void test_root(void **state)
{
	static const struct row rows[] = {
		{"N . aaa NS SOA RRSIG NSEC DNSKEY", "type . DS", "denied"},
		{"N . aaa NS SOA RRSIG NSEC DNSKEY", "type . A", "denied"},
		{"N com coop NS DS RRSIG NSEC|N . aaa NS SOA", "name con", "denied"},
		{"N com coop NS DS RRSIG NSEC|N . aaa NS SOA", "name a.con", "denied"},
		{"N com coop NS DS RRSIG NSEC|N . aaa NS SOA", "name a.com", "no"},
		{"N zw . NS DS RRSIG NSEC|N . aaa NS SOA", "name zz", "denied"},
		{"M . 0 NS SOA RRSIG", "type . DS", "denied"},
	};
	(void)state;
	check_rows(".", "", 0, rows, COUNT_OF(rows));
}

/* RFC 5155 A, B. */
#define H_APEX "H 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom 2t7b4g4vsa5smi47k61mv5bv1a22bojr 1 MX DNSKEY NS SOA NSEC3PARAM RRSIG"
#define H_NS1  "H 2t7b4g4vsa5smi47k61mv5bv1a22bojr 2vptu5timamqttgl4luu9kg21e0aor3s 1 A RRSIG"
#define H_A    "H 35mthgpgcu1qg68fab165klnsnk3dpvl b4um86eghhds6nea196smvmlo4ors995 1 NS DS RRSIG"
#define H_XW   "H b4um86eghhds6nea196smvmlo4ors995 gjeqe526plbf1g8mklp59enfd789njgi 1 MX RRSIG"
#define H_YW   "H ji6neoaepv8b5o6k4ev33abha8ht9fgc k8udemvp1j2f7eg6jebps17vp3n8i58h 1"
#define H_W    "H k8udemvp1j2f7eg6jebps17vp3n8i58h kohar7mbb8dc2ce8a9qvl8hon4k53uhi 1"
#define H_NS2  "H q04jkcevqvmu85r014c7dkba38o0ji5r r53bq7cc2uvmubfu5ocmm6pers9tk9en 1 A RRSIG"
#define H_WILD "H r53bq7cc2uvmubfu5ocmm6pers9tk9en t644ebqk9bibcna874givr6joj62mlhv 1 MX RRSIG"

static void test_rfc5155_hashes(void **state)
{
	static const struct {
		const char *name, *hash;
	} rows[] = {
		{"example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"},
		{"a.example", "35mthgpgcu1qg68fab165klnsnk3dpvl"},
		{"ai.example", "gjeqe526plbf1g8mklp59enfd789njgi"},
		{"ns1.example", "2t7b4g4vsa5smi47k61mv5bv1a22bojr"},
		{"ns2.example", "q04jkcevqvmu85r014c7dkba38o0ji5r"},
		{"w.example", "k8udemvp1j2f7eg6jebps17vp3n8i58h"},
		{"*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"},
		{"x.w.example", "b4um86eghhds6nea196smvmlo4ors995"},
		{"y.w.example", "ji6neoaepv8b5o6k4ev33abha8ht9fgc"},
		{"x.y.w.example", "2vptu5timamqttgl4luu9kg21e0aor3s"},
		{"xx.example", "t644ebqk9bibcna874givr6joj62mlhv"},
	};
	(void)state;
	struct zone_sets z;
	sets_begin(&z, &arena, "example");
	sets_salt(&z, "aabbccdd", 12);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		uint8_t hash[NSEC3_HASH], expected[NSEC3_HASH];
		sets_hash(&z, hash, rows[i].name);
		hash_of_text(expected, rows[i].hash);
		assert_memory_equal(hash, expected, NSEC3_HASH);
	}
}

static void test_rfc5155(void **state)
{
	static const struct row rows[] = {
		/* B.1 */
		{H_APEX "|" H_XW "|" H_A, "name a.c.x.w.example", "unsigned"},
		{H_APEX "|" H_XW, "name a.c.x.w.example", "no"},
		{H_XW "|" H_A, "name a.c.x.w.example", "no"},
		{H_APEX "|" H_A, "name a.c.x.w.example", "no"},
		/* B.2 */
		{H_NS1, "type ns1.example MX", "denied"},
		{H_NS1, "type ns1.example A", "no"},
		{H_NS1, "name ns1.example", "no"},
		{H_YW, "type y.w.example A", "denied"},
		{H_YW, "ds y.w.example", "no cut"},
		/* B.3: a delegation in an opt-out span */
		{H_A "|" H_APEX, "ds c.example", "delegation"},
		{H_A "|" H_APEX, "type c.example DS", "unsigned"},
		{H_APEX, "ds c.example", "unknown"},
		{H_A, "ds c.example", "unknown"},
		{H_A, "ds a.example", "unknown"},
		/* B.4 */
		{H_NS2, "closer a.z.w.example 2", "unsigned"},
		{H_NS2, "closer a.z.w.example 3", "no"},
		{H_NS2, "closer a.z.w.example 1", "no"},
		/* B.5 */
		{H_W "|" H_NS2 "|" H_WILD, "type a.z.w.example AAAA", "unsigned"},
		/* B.6 */
		{H_APEX, "type example DS", "no"},
	};
	(void)state;
	check_rows("example", "aabbccdd", 12, rows, COUNT_OF(rows));
}

static const struct row nsec3_rows[] = {
	/* NXDOMAIN: each of the three is needed */
	{"M z 0 SOA NS|C x.z 0|C *.z 0", "name x.z", "denied"},
	{"M z 0 SOA NS|C x.z 0|C *.z 0", "name a.b.x.z", "denied"},
	{"C x.z 0|C *.z 0", "name x.z", "no"},
	{"M z 0 SOA NS|C *.z 0", "name x.z", "no"},
	{"M z 0 SOA NS|C x.z 0", "name x.z", "no"},
	{"M z 0 SOA NS|C x.z 0|C *.z 0", "ds x.z", "no name"},
	{"M z 0 SOA NS|C x.z 0|C *.z 0", "closer x.z 1", "denied"},
	{"M z 0 SOA NS|C x.z 0|C *.z 0", "closer z 0", "no"},
	{"M z 0 SOA NS|C a.x.z 0|C *.z 0", "name a.x.z", "no"},
	{"M z 0 SOA NS|C x.z 0|C *.z 0", "name z", "no"},
	{"M z 0 SOA NS|C x.z 0|C *.z 0", "name y", "no"},
	{"M z 0 SOA NS|M x.z 0 A|C *.z 0", "name x.z", "no"},
	/* the wildcard's record must be that of the closest encloser */
	{"M z 0 SOA NS|M w.z 0|C a.w.z 0|C *.z 0", "name a.w.z", "no"},
	{"M z 0 SOA NS|M w.z 0|C a.w.z 0|C *.w.z 0", "name a.w.z", "denied"},
	/* a higher encloser, though a closer one exists */
	{"M z 0 SOA NS|M w.z 0|C *.z 0|C w.z 0", "name a.w.z", "no"},
	{"M w.z 0|C *.w.z 0|C a.w.z 0", "closer a.w.z 1", "no"},
	{"M w.z 0|C *.w.z 0|C a.w.z 0", "closer a.w.z 2", "denied"},
	/* opt-out counts at the next closer name only */
	{"M z 0 SOA NS|C x.z 1|C *.z 0", "name x.z", "unsigned"},
	{"M z 1 SOA NS|C x.z 0|C *.z 1", "name x.z", "denied"},
	{"M z 0 SOA NS|C x.z 1", "name x.z", "no"},
	{"M z 0 SOA NS|C x.z 1", "type x.z DS", "unsigned"},
	{"M z 0 SOA NS|C x.z 1", "type a.x.z DS", "unsigned"},
	{"M z 0 SOA NS|C x.z 1", "type x.z A", "unsigned"}, /* an empty non-terminal, perhaps */
	{"M z 0 SOA NS|C x.z 0", "type x.z DS", "no"},
	{"M z 0 SOA NS|C x.z 0", "ds x.z", "no name"},
	{"M z 0 SOA NS|C x.z 1", "ds x.z", "delegation"},
	{"M z 0 SOA NS|C x.z 1", "ds a.x.z", "delegation"},
	{"C x.z 1", "ds x.z", "unknown"},
	{"C x.z 1", "closer x.z 1", "unsigned"},
	/* a delegation or a DNAME as the closest encloser */
	{"M d.z 0 NS RRSIG|C x.d.z 0|C *.d.z 0", "name x.d.z", "no"},
	{"M d.z 0 NS RRSIG|C x.d.z 1", "type x.d.z DS", "no"},
	{"M d.z 0 NS RRSIG|C x.d.z 1", "ds x.d.z", "unknown"},
	{"M d.z 0 DNAME|C x.d.z 0|C *.d.z 0", "name x.d.z", "no"},
	{"M d.z 0 DNAME|C x.d.z 0", "ds x.d.z", "unknown"},
	{"M d.z 0 DNAME|C x.d.z 0|M *.d.z 0 TXT", "type x.d.z A", "no"},
	{"M d.z 0 DNAME", "type d.z A", "denied"},
	/* both sides of a cut */
	{"M d.z 0 NS RRSIG", "type d.z A", "no"},
	{"M d.z 0 NS RRSIG", "type d.z DS", "denied"},
	{"M d.z 0 NS RRSIG", "ds d.z", "delegation"},
	{"M d.z 0 NS DS RRSIG", "ds d.z", "unknown"},
	{"M d.z 0 NS SOA RRSIG", "type d.z DS", "no"},
	{"M d.z 0 NS SOA RRSIG", "ds d.z", "unknown"},
	{"M z 0 NS SOA", "type z DS", "no"},
	{"M z 0 NS SOA", "ds z", "unknown"},
	{"M z 0 A", "ds z", "unknown"},
	{"M z 0 A", "ds y", "unknown"},
	{"M z 0 A", "ds a.y", "unknown"},
	{"M z 0 A", "type y A", "no"},
	/* NODATA */
	{"M x.z 0 A", "type x.z MX", "denied"},
	{"M x.z 0 A", "type x.z A", "no"},
	{"M x.z 0 A", "type x.z ANY", "no"},
	{"M x.z 0", "type x.z ANY", "denied"},
	{"M x.z 0 CNAME", "type x.z A", "no"},
	{"M x.z 0 CNAME", "ds x.z", "no cut"},
	{"M x.z 0 A", "type y.z A", "no"},
	{"M z 0 SOA NS|C x.z 0|M *.z 0 A", "type x.z MX", "denied"},
	{"M z 0 SOA NS|C x.z 0|M *.z 0 A", "type x.z DS", "denied"},
	{"M z 0 SOA NS|C x.z 0|M *.z 0 A", "type x.z A", "no"},
	{"M z 0 SOA NS|C x.z 0|M *.z 0 CNAME", "type x.z A", "no"},
	{"M z 0 SOA NS|C x.z 0|M *.z 0 NS", "type x.z A", "no"},
	{"M z 0 SOA NS|C x.z 0|M *.z 0 NS", "ds x.z", "unknown"},
	{"M z 0 SOA NS|C x.z 0|M *.z 0 A", "ds x.z", "no name"},
	{"M z 0 SOA NS|M *.z 0 A", "type x.z MX", "no"},
	{"C x.z 0|M *.z 0 A", "type x.z MX", "no"},
	{"M z 0 SOA NS|M w.z 0|C x.w.z 0|M *.z 0 A", "type x.w.z MX", "no"},
	/* flags that nobody knows (RFC 5155 8.2) */
	{"M x.z 2 A", "type x.z MX", "no"},
	{"M x.z 3 A", "type x.z MX", "no"},
	{"M x.z 128 A", "type x.z MX", "no"},
};

static void test_nsec3(void **state)
{
	(void)state;
	check_rows("z", "", 0, nsec3_rows, COUNT_OF(nsec3_rows));
	check_rows("z", "ab", DENIAL_ITERATIONS_MOST, nsec3_rows, COUNT_OF(nsec3_rows));
	char salt[511];
	memset(salt, 'e', 510);
	salt[510] = '\0';
	check_rows("z", salt, 1, nsec3_rows, COUNT_OF(nsec3_rows));
}

/* A chain of one record, and the last of a chain. */
static void test_nsec3_around(void **state)
{
	static const char low[] = "00000000000000000000000000000001", high[] = "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvu";
	static const struct row one = {"one", "name x.z", "denied"}, last = {"last", "closer x.z 1", "no"},
				none = {"around", "closer x.z 1", "denied"};
	(void)state;
	struct zone_sets z;
	sets_begin(&z, &arena, "z");
	sets_nsec3(&z, "z", "z", 0, "SOA NS");
	check(&z, &one);
	check(&z, &(struct row){"one", "type z A", "denied"});
	check(&z, &(struct row){"one", "closer z 0", "no"});
	/* A wildcard above the zone: what would be hashed is not of the zone. */
	sets_begin(&z, &arena, "y.z");
	sets_nsec3(&z, "y.z", "y.z", 0, "SOA NS");
	check(&z, &(struct row){"above", "closer a.y.z 0", "no"});
	check(&z, &(struct row){"above", "closer a.y.z 1", "no"});
	check(&z, &(struct row){"above", "closer a.y.z 2", "denied"});
	sets_begin(&z, &arena, "z");
	sets_nsec3_hashed(&z, high, low, 0, "A");
	check(&z, &last);
	sets_begin(&z, &arena, "z");
	sets_nsec3_hashed(&z, low, high, 0, "A");
	check(&z, &none);
	sets_begin(&z, &arena, "z");
	uint8_t from[NSEC3_HASH], to[NSEC3_HASH];
	sets_hash(&z, from, "x.z");
	memcpy(to, from, NSEC3_HASH);
	/* Past the end and past the beginning. */
	memset(from, 0xff, NSEC3_HASH);
	hash_step(to, 1);
	sets_nsec3_raw(&z, from, to, 0, "A");
	check(&z, &none);
	sets_hash(&z, from, "x.z");
	hash_step(from, -1);
	memset(to, 0, NSEC3_HASH);
	sets_begin(&z, &arena, "z");
	sets_nsec3_raw(&z, from, to, 0, "A");
	check(&z, &none);
}

static void test_too_dear(void **state)
{
	static const char *const questions[] = {
		"name x.z", "type x.z A", "type x.z DS", "closer x.z 1", "ds x.z", "type z A", "name z"};
	(void)state;
	struct zone_sets z;
	sets_begin(&z, &arena, "z");
	sets_salt(&z, "", DENIAL_ITERATIONS_MOST + 1);
	add_records(&z, "M z 0 SOA NS|C x.z 0|C *.z 0");
	for (size_t i = 0; i < COUNT_OF(questions); i++) {
		struct denial denial;
		denial_init(&denial, z.zone, z.set, z.count);
		assert_true(denial.too_many_iterations);
		assert_string_equal(ask(&denial, questions[i]), "dear");
		assert_int_equal(denial.hashes, 0);
	}
}

static void test_hashes_counted(void **state)
{
	(void)state;
	struct zone_sets z;
	struct denial denial;
	sets_begin(&z, &arena, "z");
	add_records(&z, "M z 0 SOA NS|C x.z 0|C *.z 0");
	denial_init(&denial, z.zone, z.set, z.count);
	assert_string_equal(ask(&denial, "name a.b.x.z"), "denied");
	assert_int_equal(denial.hashes, 5); /* four names and the wildcard */
	assert_string_equal(ask(&denial, "name a.b.x.z"), "denied");
	assert_string_equal(ask(&denial, "type b.x.z A"), "no");
	assert_string_equal(ask(&denial, "ds x.z"), "no name");
	assert_string_equal(ask(&denial, "closer a.b.x.z 1"), "denied");
	assert_int_equal(denial.hashes, 5);
	/* Another's parameters in between change nothing but the cost. */
	struct zone_sets other;
	struct denial denial_2;
	sets_begin(&other, &arena, "z");
	sets_salt(&other, "01", 3);
	add_records(&other, "M z 0 SOA NS|C x.z 0|C *.z 0");
	denial_init(&denial_2, other.zone, other.set, other.count);
	assert_string_equal(ask(&denial_2, "name x.z"), "denied");
	assert_string_equal(ask(&denial, "name x.z"), "denied");
	assert_string_equal(ask(&denial_2, "name x.z"), "denied");
}

static void test_too_many_hashes(void **state)
{
	(void)state;
	struct zone_sets z;
	struct denial denial;
	char question[300] = "name ";
	for (unsigned labels = 60; labels < 70; labels++) {
		char *at = question + 5;
		for (unsigned i = 0; i < labels; i++)
			at += sprintf(at, "a.");
		strcpy(at, "z");
		sets_begin(&z, &arena, "z");
		add_records(&z, "M z 0 SOA NS|C a.z 0|C *.z 0");
		denial_init(&denial, z.zone, z.set, z.count);
		/* The name, its ancestors, the apex, and the wildcard. */
		unsigned needed = labels + 2;
		assert_string_equal(ask(&denial, question), needed <= DENIAL_HASHES_MOST ? "denied" : "dear");
		assert_int_equal(denial.hashes, needed < DENIAL_HASHES_MOST ? needed : DENIAL_HASHES_MOST);
	}
}

static void *hash_apart(void *out)
{
	for (unsigned i = 0; i < 1000; i++)
		nsec3_hash(out, (const uint8_t *)"\7example", (const uint8_t *)"\xaa\xbb\xcc\xdd", 4, 12);
	return NULL;
}

/* Each thread has a context of its own, and gives it back (a leak checker looks). */
static void test_threads(void **state)
{
	uint8_t expected[NSEC3_HASH], hash[4][NSEC3_HASH];
	pthread_t thread[4];
	(void)state;
	hash_of_text(expected, "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom");
	for (size_t i = 0; i < COUNT_OF(thread); i++)
		assert_int_equal(pthread_create(&thread[i], NULL, hash_apart, hash[i]), 0);
	for (size_t i = 0; i < COUNT_OF(thread); i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		assert_memory_equal(hash[i], expected, NSEC3_HASH);
	}
}

/* Only records like the first usable one count. */
static void test_parameters(void **state)
{
	static const struct row denied = {"", "type x.z A", "denied"}, no = {"", "type x.z A", "no"},
				dear = {"", "type x.z A", "dear"};
	(void)state;
	struct zone_sets z;
	sets_begin(&z, &arena, "z");
	sets_salt(&z, "ab", 1);
	sets_nsec3(&z, "y.z", NULL, 0, "MX");
	sets_salt(&z, "ac", 1);
	sets_nsec3(&z, "x.z", NULL, 0, "MX");
	sets_salt(&z, "ab", 2);
	sets_nsec3(&z, "x.z", NULL, 0, "MX");
	sets_salt(&z, "abab", 1);
	sets_nsec3(&z, "x.z", NULL, 0, "MX");
	check(&z, &no);
	sets_salt(&z, "ab", 1);
	sets_nsec3(&z, "x.z", NULL, 0, "MX");
	check(&z, &denied);
	/* A span under other parameters covers nothing. */
	for (unsigned i = 0; i < 6; i++) {
		static const char *const salts[] = {"ab", "ab", "ac", "abab", "ab00", ""};
		static const uint16_t iterations[] = {1, 2, 1, 1, 1, 1};
		sets_begin(&z, &arena, "z");
		sets_salt(&z, "ab", 1);
		sets_nsec3(&z, "z", NULL, 0, "SOA NS");
		sets_salt(&z, salts[i], iterations[i]);
		sets_nsec3_hashed(&z, "00000000000000000000000000000000", "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", 0, "A");
		check(&z, &(struct row){"span", "closer x.z 1", i == 0 ? "denied" : "no"});
	}
	/* What cannot be used is not the first. */
	sets_begin(&z, &arena, "z");
	sets_salt(&z, "cd", 100);
	z.algorithm = 2;
	sets_nsec3(&z, "x.z", NULL, 0, "MX");
	check(&z, &no);
	z.algorithm = 1;
	sets_nsec3(&z, "x.z", NULL, 4, "MX");
	sets_salt(&z, "ab", 1);
	sets_nsec3(&z, "x.z", NULL, 0, "MX");
	check(&z, &denied);
	/* The owner one label below the apex: neither deeper, nor in another zone, nor no hash at all. */
	for (unsigned i = 0; i < 3; i++) {
		static const char *const owners[] = {"a.z", "y", "."};
		sets_begin(&z, &arena, "z");
		memcpy(z.zone, name_of(&arena, owners[i]), name_len(name_of(&arena, owners[i])));
		sets_nsec3(&z, "x.z", NULL, 0, "MX");
		memcpy(z.zone, "\1z", 3);
		check(&z, &no);
	}
	sets_begin(&z, &arena, "z");
	struct rrset *set = sets_nsec3(&z, "x.z", NULL, 0, "MX");
	((uint8_t *)set->owner)[5] = 'w';
	check(&z, &no);
	/* An NSEC proves what it proves beside NSEC3 that are too dear. */
	sets_salt(&z, "", 1000);
	sets_nsec3(&z, "x.z", NULL, 0, "MX");
	check(&z, &dear);
	sets_nsec(&z, "x.z", "y.z", "MX");
	check(&z, &denied);
}

/* What `*.z NSEC` was expanded to, with a good signature, could span anything. */
static void test_expanded(void **state)
{
	static const uint8_t sig[] = {0, 47, 13, 1, 0, 0, 0, 0};
	(void)state;
	for (unsigned labels = 0; labels < 4; labels++) {
		struct zone_sets z;
		sets_begin(&z, &arena, "z");
		struct rrset *set = sets_nsec(&z, "a.z", "q.z", "A RRSIG NSEC");
		struct rrset *wild = sets_nsec(&z, "*.z", "a.z", "A RRSIG NSEC");
		uint8_t rdata[sizeof(sig)];
		memcpy(rdata, sig, sizeof(sig));
		rdata[3] = (uint8_t)labels;
		set->sigs = rrset_of_one(&arena, set, rdata, sizeof(rdata))->data;
		check(&z, &(struct row){"expanded", "closer b.z 1", labels < 2 ? "no" : "denied"});
		wild->sigs = rrset_of_one(&arena, set, sig, sizeof(sig))->data;
		check(&z, &(struct row){"wildcard", "type *.z MX", "denied"});
		wild->sigs = rrset_of_one(&arena, set, sig, 2)->data;
		check(&z, &(struct row){"cut sig", "type *.z MX", "denied"});
	}
}

/* A next name with capitals, as signers may write it. */
static void test_next_case(void **state)
{
	static const uint8_t next[] = "\1W\1X\1Z";
	(void)state;
	struct zone_sets z;
	sets_begin(&z, &arena, "z");
	sets_nsec_names(&z, name_of(&arena, "a.z"), next, "A");
	check(&z, &(struct row){"", "closer b.z 1", "denied"});
	check(&z, &(struct row){"", "type x.z A", "denied"});
	check(&z, &(struct row){"", "closer y.z 1", "no"});
}

static void test_bitmap(void **state)
{
	static const struct {
		const char *bytes;
		uint16_t len;
		bool sound;
	} rows[] = {
		{"", 0, true},
		{"\0\1\x40", 3, true},
		{"\0\1\0", 3, true},
		{"\0\1\x40\1\1\x40", 6, true},
		{"\0\x20"
		 "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@",
			34, true},
		{"\0\x21"
		 "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@",
			35, false},
		{"\0", 1, false},
		{"\0\0", 2, false},
		{"\0\1", 2, false},
		{"\0\2\x40", 3, false},
		{"\0\1\x40\0\1\x40", 6, false},
		{"\1\1\x40\0\1\x40", 6, false},
		{"\0\1\x40\1", 4, false},
		{"\0\1\x40\1\0", 5, false},
		{"\0\1\x40\xff\1\1", 6, true},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct zone_sets z;
		uint8_t rdata[64] = "\1b\1z", *tight = malloc(rows[i].len + 1u);
		const uint8_t *bitmap;
		uint16_t len;
		sets_begin(&z, &arena, "z");
		memcpy(rdata + 5, rows[i].bytes, rows[i].len);
		struct rrset *set = sets_add(&z, name_of(&arena, "a.z"), KNOT_RRTYPE_NSEC, rdata, 5u + rows[i].len);
		assert_int_equal(nsec_bitmap(set, &bitmap, &len), rows[i].sound);
		check(&z, &(struct row){"", "type a.z TYPE65000", rows[i].sound ? "denied" : "no"});
		/* Asked without a look before, it keeps within its bounds. */
		memcpy(tight, rows[i].bytes, rows[i].len);
		for (unsigned type = 0; type < 0x10000; type += 7)
			(void)bitmap_has(tight, rows[i].len, (uint16_t)type);
		free(tight);
	}
	assert_true(bitmap_has((const uint8_t *)"\0\1\x40\xff\1\1", 6, 1));
	assert_true(bitmap_has((const uint8_t *)"\0\1\x40\xff\1\1", 6, 0xff07));
	assert_false(bitmap_has((const uint8_t *)"\0\1\x40\xff\1\1", 6, 0xff06));
	assert_false(bitmap_has((const uint8_t *)"\0\1\x40\xff\1\1", 6, 0xff08));
	assert_false(bitmap_has((const uint8_t *)"\0\1\x40\xff\1\1", 6, 2));
}

/* Every shorter rdata of a good record, and counts other than one. */
static void test_cut_short(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 2; kind++) {
		struct zone_sets z;
		sets_begin(&z, &arena, "z");
		sets_salt(&z, "aabb", 2);
		struct rrset *whole = kind == 0 ? sets_nsec(&z, "x.z", "y.z", "A TYPE65280")
						: sets_nsec3(&z, "x.z", NULL, 0, "A TYPE65280");
		const knot_rdata_t *rdata = rrset_rdata(whole, 0);
		for (uint16_t len = 0; len <= rdata->len; len++) {
			knot_rdata_t *one = malloc(knot_rdata_size(rdata->len));
			one->len = len;
			memcpy(one->data, rdata->data, len);
			struct rrset cut = *whole;
			cut.data.rdata = one;
			z.set[0] = &cut;
			/* Between windows, or before them, a bitmap may end. */
			unsigned windows = rdata->len - (2 + 1) - (2 + 1);
			bool good = len == rdata->len || len == windows || len == windows + 3;
			check(&z, &(struct row){"cut short", "type x.z MX", good ? "denied" : "no"});
			cut.data.count = 0;
			check(&z, &(struct row){"none", "type x.z MX", "no"});
			free(one);
		}
		struct rrset two = *whole;
		two.data.count = 2;
		two.data.rdata = arena_zalloc(&arena, 2 * whole->data.size);
		memcpy(two.data.rdata, whole->data.rdata, whole->data.size);
		memcpy((uint8_t *)two.data.rdata + whole->data.size, whole->data.rdata, whole->data.size);
		two.data.size *= 2;
		z.set[0] = &two;
		check(&z, &(struct row){"two", "type x.z MX", "no"});
	}
}

static void test_nsec3_read(void **state)
{
	static const struct {
		const char *rdata;
		uint16_t len;
		bool good;
	} rows[] = {
		{"\1\0\0\1\2\xaa\xbb\3\1\2\3", 11, true},
		{"\1\0\0\1\0\3\1\2\3", 9, true},
		{"\1\0\0\1\0\0", 6, false},
		{"\1\0\0\1\0\4\1\2\3", 9, false},
		{"\1\0\0\1\4\3\1\2\3", 9, false},
		{"\1\0\0\1\xff\3\1\2\3", 9, false},
		{"\1\0\0\1\0", 5, false},
		{"\1\0\0\1", 4, false},
		{"", 0, false},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct zone_sets z;
		struct nsec3 nsec3;
		sets_begin(&z, &arena, "z");
		struct rrset *set =
			sets_add(&z, z.zone, KNOT_RRTYPE_NSEC3, (const uint8_t *)rows[i].rdata, rows[i].len);
		assert_int_equal(nsec3_read(&nsec3, set), rows[i].good ? 0 : E_MALFORMED);
		set->type = KNOT_RRTYPE_NSEC;
		assert_int_equal(nsec3_read(&nsec3, set), E_MALFORMED);
	}
	uint8_t hash[NSEC3_HASH];
	assert_int_equal(nsec3_owner_hash(hash, (const uint8_t *)"\x20"
								 "0123456789abcdefghijklmnopqrstuv"),
		0);
	assert_memory_equal(
		hash, "\x00\x44\x32\x14\xc7\x42\x54\xb6\x35\xcf\x84\x65\x3a\x56\xd7\xc6\x75\xbe\x77\xdf", 20);
	assert_int_equal(nsec3_owner_hash(hash, (const uint8_t *)"\x20"
								 "0123456789abcdefghijklmnopqrstuw"),
		E_MALFORMED);
	assert_int_equal(nsec3_owner_hash(hash, (const uint8_t *)"\x1f"
								 "0123456789abcdefghijklmnopqrstu"),
		E_MALFORMED);
	assert_int_equal(nsec3_owner_hash(hash, (const uint8_t *)""), E_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, begin, end),
		cmocka_unit_test_setup_teardown(test_covers, begin, end),
		cmocka_unit_test_setup_teardown(test_nsec, begin, end),
		cmocka_unit_test_setup_teardown(test_root, begin, end),
		cmocka_unit_test_setup_teardown(test_rfc5155_hashes, begin, end),
		cmocka_unit_test_setup_teardown(test_rfc5155, begin, end),
		cmocka_unit_test_setup_teardown(test_nsec3, begin, end),
		cmocka_unit_test_setup_teardown(test_nsec3_around, begin, end),
		cmocka_unit_test_setup_teardown(test_too_dear, begin, end),
		cmocka_unit_test_setup_teardown(test_hashes_counted, begin, end),
		cmocka_unit_test_setup_teardown(test_too_many_hashes, begin, end),
		cmocka_unit_test_setup_teardown(test_threads, begin, end),
		cmocka_unit_test_setup_teardown(test_parameters, begin, end),
		cmocka_unit_test_setup_teardown(test_expanded, begin, end),
		cmocka_unit_test_setup_teardown(test_next_case, begin, end),
		cmocka_unit_test_setup_teardown(test_bitmap, begin, end),
		cmocka_unit_test_setup_teardown(test_cut_short, begin, end),
		cmocka_unit_test_setup_teardown(test_nsec3_read, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
