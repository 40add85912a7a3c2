/* Which ports are usable and why the others are not (ports/usable.c), against plain arithmetic of sets. */
#include "unit/unit.h"

#include <stdlib.h>

#include "base/random.h"
#include "ports/clash.h"
#include "ports/kernel.h"
#include "ports/registry.h"
#include "ports/usable.h"
#include "unit/sockets.h"

static struct usable usable;
static struct usable_rules rules;
static struct port_set held, registered, clashing, reserved;
static bool can_reserve; /* ip_local_reserved_ports is ours to set */

static int begin(void **state)
{
	(void)state;
	memset(&rules, 0, sizeof(rules));
	memset(&held, 0, sizeof(held));
	memset(&reserved, 0, sizeof(reserved));
	rules.range = (struct port_range){49152, 65535};
	if (can_reserve)
		assert_true(sockets_sysctl("net/ipv4/ip_local_reserved_ports", "\n"));
	return 0;
}

static enum port_why why(uint16_t port)
{
	return (enum port_why)usable.why[port];
}

static void reserve(uint16_t first, uint16_t last)
{
	char text[32];
	snprintf(text, sizeof(text), "%u-%u\n", first, last);
	assert_true(sockets_sysctl("net/ipv4/ip_local_reserved_ports", text));
	port_set_add_range(&reserved, (struct port_range){first, last});
}

/* --- each reason --- */

static void test_each_reason(void **state)
{
	(void)state;
	rules.range = (struct port_range){5000, 65535};
	port_set_add_range(&rules.exclude, (struct port_range){60000, 60099});
	port_set_add(&held, 60200);
	usable_make(&usable, &rules, &held);
	assert_int_equal(why(4999), PORT_OUTSIDE);
	assert_int_equal(why(0), PORT_OUTSIDE);
	assert_int_equal(why(53), PORT_OUTSIDE);
	assert_int_equal(why(59999), PORT_USABLE);
	assert_int_equal(why(60000), PORT_EXCLUDED);
	assert_int_equal(why(60099), PORT_EXCLUDED);
	assert_int_equal(why(60100), PORT_USABLE);
	assert_int_equal(why(60200), PORT_HELD);
	assert_int_equal(why(5353), PORT_REGISTERED); /* mdns */
	assert_int_equal(why(51820), PORT_CLASHING);  /* WireGuard */
	assert_int_equal(why(65535), PORT_USABLE);
}

/* Port 0 is no port, even if somebody asks for a range from there. */
static void test_port_zero(void **state)
{
	(void)state;
	rules.range = (struct port_range){0, 65535};
	usable_make(&usable, &rules, NULL);
	assert_int_equal(why(0), PORT_OUTSIDE);
	assert_false(port_set_has(&usable.set, 0));
}

/* Including by name overrides the registry and the list of clashes, and nothing else. */
static void test_included(void **state)
{
	(void)state;
	rules.range = (struct port_range){5000, 65535};
	for (uint16_t port = 5353; port <= 5355; port++)
		port_set_add(&rules.include, port);
	port_set_add(&rules.include, 51820);
	port_set_add(&rules.include, 53); /* outside */
	port_set_add(&rules.exclude, 5354);
	port_set_add(&held, 5355);
	usable_make(&usable, &rules, &held);
	assert_int_equal(why(5353), PORT_USABLE);
	assert_int_equal(why(5354), PORT_EXCLUDED);
	assert_int_equal(why(5355), PORT_HELD);
	assert_int_equal(why(51820), PORT_USABLE);
	assert_int_equal(why(53), PORT_OUTSIDE);
}

/* An explicit bind() does not ask ip_local_reserved_ports, so it has to be asked here. */
static void test_reserved(void **state)
{
	(void)state;
	if (!can_reserve)
		skip();
	reserve(50000, 50009);
	port_set_add(&rules.include, 50001);
	port_set_add(&held, 50002);
	port_set_add(&rules.exclude, 50003);
	usable_make(&usable, &rules, &held);
	assert_int_equal(why(49999), PORT_USABLE);
	assert_int_equal(why(50000), PORT_RESERVED);
	assert_int_equal(why(50001), PORT_RESERVED); /* the administrator's word counts */
	assert_int_equal(why(50002), PORT_RESERVED);
	assert_int_equal(why(50003), PORT_EXCLUDED);
	assert_int_equal(why(50010), PORT_USABLE);
	assert_int_equal(usable.count[PORT_RESERVED], 9);
}

/* --- any rules --- */

static void scatter(struct port_set *set, unsigned pieces)
{
	for (unsigned i = 0; i < pieces; i++) {
		unsigned first = random_below(65536), last = first + random_below(200);
		port_set_add_range(set, (struct port_range){(uint16_t)first, (uint16_t)(last > 65535 ? 65535 : last)});
	}
}

static void make_rules(void)
{
	uint16_t first = (uint16_t)(1 + random_below(65535));
	rules.range = (struct port_range){first, (uint16_t)(first + random_below(65536u - first))};
	scatter(&rules.exclude, random_below(50));
	scatter(&rules.include, random_below(50));
	scatter(&held, random_below(50));
	if (can_reserve) {
		uint16_t at = (uint16_t)(1 + random_below(60000));
		reserve(at, (uint16_t)(at + random_below(1000)));
	}
}

/* What the header says, as set arithmetic. */
static void expected(struct port_set *out)
{
	static struct port_set spoken_for;
	spoken_for = registered;
	port_set_join(&spoken_for, &clashing);
	port_set_subtract(&spoken_for, &rules.include);
	port_set_fill(out, rules.range.first, rules.range.last);
	port_set_subtract(out, &rules.exclude);
	port_set_subtract(out, &reserved);
	port_set_subtract(out, &held);
	port_set_subtract(out, &spoken_for);
}

static bool is_so(uint16_t port, enum port_why reason)
{
	switch (reason) {
	case PORT_USABLE: return port_set_has(&usable.set, port);
	case PORT_OUTSIDE: return port < rules.range.first || port > rules.range.last;
	case PORT_EXCLUDED: return port_set_has(&rules.exclude, port);
	case PORT_RESERVED: return !can_reserve || port_set_has(&reserved, port);
	case PORT_HELD: return port_set_has(&held, port);
	case PORT_REGISTERED: return port_set_has(&registered, port) && !port_set_has(&rules.include, port);
	case PORT_CLASHING: return port_set_has(&clashing, port) && !port_set_has(&rules.include, port);
	default: return false;
	}
}

static void test_any_rules(void **state)
{
	static struct port_set wanted;
	for (int round = 0; round < 200; round++) {
		begin(state);
		make_rules();
		expected(&wanted);
		usable_make(&usable, &rules, &held);
		if (can_reserve)
			assert_memory_equal(&usable.set, &wanted, sizeof(wanted));
		unsigned count[PORT_WHYS] = {0};
		for (unsigned port = 0; port < PORTS_ALL; port++) {
			assert_true(is_so((uint16_t)port, why((uint16_t)port)));
			count[why((uint16_t)port)]++;
		}
		assert_memory_equal(count, usable.count, sizeof(count));
		assert_int_equal(count[PORT_USABLE], port_set_count(&usable.set));
	}
}

/* Nobody knows what is held: then nothing is. */
static void test_held_unknown(void **state)
{
	static struct usable with_none;
	(void)state;
	usable_make(&with_none, &rules, &held);
	usable_make(&usable, &rules, NULL);
	assert_memory_equal(&usable, &with_none, sizeof(usable));
	assert_int_equal(usable.count[PORT_HELD], 0);
}

/* --- words --- */

static void test_words(void **state)
{
	(void)state;
	for (int a = 0; a < PORT_WHYS; a++) {
		assert_string_not_equal(port_why_text((enum port_why)a), "?");
		assert_null(strchr(port_why_key((enum port_why)a), ' '));
		for (int b = 0; b < a; b++) {
			assert_string_not_equal(port_why_text((enum port_why)a), port_why_text((enum port_why)b));
			assert_string_not_equal(port_why_key((enum port_why)a), port_why_key((enum port_why)b));
		}
	}
	assert_string_equal(port_why_text(PORT_WHYS), "?");
	assert_string_equal(port_why_key(PORT_WHYS), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_each_reason, begin),
		cmocka_unit_test_setup(test_port_zero, begin),
		cmocka_unit_test_setup(test_included, begin),
		cmocka_unit_test_setup(test_reserved, begin),
		cmocka_unit_test(test_any_rules),
		cmocka_unit_test_setup(test_held_unknown, begin),
		cmocka_unit_test(test_words),
	};
	can_reserve = sockets_enter_namespace() && sockets_sysctl("net/ipv4/ip_local_reserved_ports", "\n");
	if (!can_reserve)
		print_message("skipped: ip_local_reserved_ports cannot be set here\n");
	registry_udp_ports(&registered);
	(void)clash_ports(&clashing);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
