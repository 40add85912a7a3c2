#include "unit/unit.h"

#include "base/error.h"
#include "base/hash.h"
#include "resolve/routes.h"

static struct routes *routes;

static const uint8_t *wire(const char *text)
{
	static uint8_t name[4][NAME_MAX_LEN];
	static unsigned at;
	uint8_t *out = name[at++ % 4];
	assert_int_equal(name_from_text(out, text), 0);
	return out;
}

static void add(const char *zone, enum route_kind kind, bool first)
{
	struct addr addr;
	assert_int_equal(addr_parse(&addr, "192.0.2.1", 53), 0);
	struct route what = {.first = first, .count = kind != ROUTE_ORDINARY, .addr = &addr};
	assert_int_equal(routes_add(routes, wire(zone), kind, &what), 0);
}

static void test_longest(void **state)
{
	static const struct {
		const char *name, *zone; /* NULL: none */
	} cases[] = {
		{"example.org", "example.org"},
		{"www.example.org", "example.org"},
		{"a.deep.example.org", "deep.example.org"},
		{"deep.example.org", "deep.example.org"},
		{"xdeep.example.org", "example.org"},
		{"notexample.org", NULL},
		{"org", NULL},
		{".", NULL},
	};
	char text[NAME_TEXT];
	(void)state;
	routes = routes_new();
	assert_null(routes_find(NULL, wire("org")));
	assert_null(routes_find(routes, wire("org")));
	add("example.org", ROUTE_FORWARD, true);
	add("deep.example.org", ROUTE_STUB, false);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct route *found = routes_find(routes, wire(cases[i].name));
		if (cases[i].zone == NULL) {
			assert_null(found);
			continue;
		}
		assert_non_null(found);
		name_text(found->name, text);
		text[strlen(text) - 1] = '\0';
		assert_string_equal(text, cases[i].zone);
	}
	assert_true(routes_find(routes, wire("example.org"))->first);
	assert_int_equal(routes_find(routes, wire("example.org"))->kind, ROUTE_FORWARD);
	assert_int_equal(addr_port(&routes_find(routes, wire("deep.example.org"))->addr[0]), 53);
	/* The root holds all that nothing else does. */
	add(".", ROUTE_FORWARD, false);
	assert_true(name_is_root(routes_find(routes, wire("notexample.org"))->name));
	assert_true(name_is_root(routes_find(routes, wire("."))->name));
	routes_unref(routes);
}

static void test_twice(void **state)
{
	(void)state;
	routes = routes_new();
	add("example.org", ROUTE_STUB, false);
	assert_int_equal(routes_add(routes, wire("example.org"), ROUTE_FORWARD, &(struct route){0}), E_BUSY);
	assert_int_equal(routes_find(routes, wire("example.org"))->kind, ROUTE_STUB);
	/* It lives as long as somebody refers to it. */
	struct routes *again = routes_ref(routes);
	routes_unref(routes);
	assert_non_null(routes_find(again, wire("example.org")));
	routes_unref(again);
	routes_unref(NULL);
	assert_null(routes_ref(NULL));
}

static void test_many(void **state)
{
	char zone[64];
	(void)state;
	routes = routes_new();
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(zone, sizeof(zone), "z%u.example", i);
		add(zone, ROUTE_FORWARD, false);
	}
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(zone, sizeof(zone), "www.z%u.example", i);
		assert_non_null(routes_find(routes, wire(zone)));
	}
	assert_null(routes_find(routes, wire("z5000.example")));
	routes_unref(routes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_many),
	};
	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
