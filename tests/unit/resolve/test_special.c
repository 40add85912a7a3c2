#include "unit/unit.h"

#include "base/hash.h"
#include "resolve/routes.h"
#include "resolve/special.h"

enum { A = 1, NS = 2, SOA = 6, PTR = 12, MX = 15, AAAA = 28, DS = 43 };
enum { NOT_SPECIAL = -1 };

static struct request rq;

static int find(const char *text, uint16_t type, struct found *out)
{
	struct question q = {.name = arena_alloc(&rq.arena, NAME_MAX_LEN), .type = type, .rclass = 1};
	assert_int_equal(name_from_text((uint8_t *)(uintptr_t)q.name, text), 0);
	return special_find(&rq, &q, out) ? (int)out->kind : NOT_SPECIAL;
}

static void test_table(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		int kind;
		const char *data; /* of the first record */
	} cases[] = {
		{"localhost", A, FOUND_ANSWER, "127.0.0.1"},
		{"localhost", AAAA, FOUND_ANSWER, "::1"},
		{"a.b.localhost", A, FOUND_ANSWER, "127.0.0.1"},
		{"localhost", MX, FOUND_NODATA, NULL},
		{"notlocalhost", A, NOT_SPECIAL, NULL},
		{"localhost.example", A, NOT_SPECIAL, NULL},
		{"invalid", A, FOUND_NXDOMAIN, NULL},
		{"www.invalid", A, FOUND_NXDOMAIN, NULL},
		{"invalid", DS, NOT_SPECIAL, NULL}, /* the root's to say */
		{"a.invalid", DS, FOUND_NXDOMAIN, NULL},
		{"www.test", AAAA, FOUND_NXDOMAIN, NULL},
		{"x.onion", A, FOUND_NXDOMAIN, NULL},
		{"x.alt", A, FOUND_NXDOMAIN, NULL},
		{"printer.local", A, FOUND_NXDOMAIN, NULL},
		{"notlocal", A, NOT_SPECIAL, NULL},
		{"home.arpa", SOA, FOUND_ANSWER, NULL},
		{"home.arpa", NS, FOUND_ANSWER, "home.arpa."},
		{"home.arpa", A, FOUND_NODATA, NULL},
		{"printer.home.arpa", A, FOUND_NXDOMAIN, NULL},
		{"_dns.resolver.arpa", 64, FOUND_NXDOMAIN, NULL},
		{"4.3.2.10.in-addr.arpa", PTR, FOUND_NXDOMAIN, NULL},
		{"10.in-addr.arpa", PTR, FOUND_NODATA, NULL},
		{"11.in-addr.arpa", PTR, NOT_SPECIAL, NULL},
		{"1.15.172.in-addr.arpa", PTR, NOT_SPECIAL, NULL},
		{"1.16.172.in-addr.arpa", PTR, FOUND_NXDOMAIN, NULL},
		{"1.31.172.in-addr.arpa", PTR, FOUND_NXDOMAIN, NULL},
		{"1.32.172.in-addr.arpa", PTR, NOT_SPECIAL, NULL},
		{"1.1.168.192.in-addr.arpa", PTR, FOUND_NXDOMAIN, NULL},
		{"1.63.100.in-addr.arpa", PTR, NOT_SPECIAL, NULL},
		{"1.64.100.in-addr.arpa", PTR, FOUND_NXDOMAIN, NULL},
		{"1.127.100.in-addr.arpa", PTR, FOUND_NXDOMAIN, NULL},
		{"1.128.100.in-addr.arpa", PTR, NOT_SPECIAL, NULL},
		{"1.0.0.127.in-addr.arpa", PTR, FOUND_ANSWER, "localhost."},
		{"1.0.0.127.in-addr.arpa", A, FOUND_NODATA, NULL},
		{"0.127.in-addr.arpa", A, FOUND_NODATA, NULL}, /* between the apex and the name that is there */
		{"2.0.0.127.in-addr.arpa", PTR, FOUND_NXDOMAIN, NULL},
		{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", PTR, FOUND_ANSWER,
			"localhost."},
		{"1.d.f.ip6.arpa", PTR, FOUND_NXDOMAIN, NULL},
		{"in-addr.arpa", SOA, NOT_SPECIAL, NULL},
		{".", NS, NOT_SPECIAL, NULL},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct found found;
		int kind = find(cases[i].name, cases[i].type, &found);
		if (kind != cases[i].kind)
			fail_msg("%s %u: %d", cases[i].name, cases[i].type, kind);
		if (kind == NOT_SPECIAL)
			continue;
		assert_int_equal(found.count, 1);
		if (kind != FOUND_ANSWER) /* so that whoever asks may keep it */
			assert_true(found.set[0]->type == SOA && rrset_negative_ttl(found.set[0]) > 0);
		if (cases[i].data != NULL)
			assert_string_equal(rrset_rdata_text(&rq.arena, found.set[0], 0), cases[i].data);
	}
}

/* What the operator says goes first: a zone of his own, or names that are looked up like any other. */
static void test_routes(void **state)
{
	static const struct {
		const char *zone;
		enum route_kind kind;
	} told[] = {{"test", ROUTE_ORDINARY}, {"2.10.in-addr.arpa", ROUTE_STUB}, {"home.arpa", ROUTE_FORWARD}};
	struct found found;
	uint8_t name[NAME_MAX_LEN];
	(void)state;
	rq.options.routes = routes_new();
	for (size_t i = 0; i < COUNT_OF(told); i++) {
		assert_int_equal(name_from_text(name, told[i].zone), 0);
		assert_int_equal(routes_add(rq.options.routes, name, told[i].kind, &(struct route){0}), 0);
	}
	assert_int_equal(find("www.test", A, &found), NOT_SPECIAL);
	assert_int_equal(find("1.2.10.in-addr.arpa", PTR, &found), NOT_SPECIAL);
	assert_int_equal(find("1.3.10.in-addr.arpa", PTR, &found), FOUND_NXDOMAIN);
	assert_int_equal(find("x.home.arpa", A, &found), NOT_SPECIAL);
	/* A forwarder for everything does not change what is special. */
	routes_unref(rq.options.routes);
	rq.options.routes = routes_new();
	assert_int_equal(routes_add(rq.options.routes, (const uint8_t *)"", ROUTE_FORWARD, &(struct route){0}), 0);
	assert_int_equal(find("www.test", A, &found), FOUND_NXDOMAIN);
	routes_unref(rq.options.routes);
	rq.options.routes = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_routes)};
	hash_init();
	arena_init(&rq.arena);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_deinit(&rq.arena);
	return failed;
}
