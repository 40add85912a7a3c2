/* The table of known uses: each row is whole, and a clash is what clash.h says it is. */
#include "unit/unit.h"

#include "ports/clash.h"
#include "ports/model.h"
#include "ports/registry.h"

enum { CLASH_PORTS_MAX = 8 }; /* a program that needs exactly this port needs few */

static void assert_text(const char *text, size_t most)
{
	assert_non_null(text);
	assert_in_range(strlen(text), 3, most);
	for (; *text != '\0'; text++)
		assert_in_range(*text, ' ', '~');
}

static void test_rows(void **state)
{
	const struct known_use *use;
	uint16_t before = 0;
	size_t i = 0;
	(void)state;
	for (; (use = clash_row(i)) != NULL; i++) {
		assert_true(use->ports.first >= before && use->ports.first <= use->ports.last);
		before = use->ports.first;
		assert_int_not_equal(use->transports, 0);
		assert_int_equal(use->transports & ~(SERVICE_UDP | SERVICE_TCP), 0);
		assert_text(use->who, 40);
		assert_text(use->why, 88);
		assert_text(use->source, 100);
	}
	assert_true(i > 30);
	assert_null(clash_row(SIZE_MAX));
}

/* Few ports, over UDP, and none that is registered: the registry keeps those away already. */
static void test_clashes(void **state)
{
	static struct port_set registered, clashing, wanted;
	const struct known_use *use;
	(void)state;
	registry_udp_ports(&registered);
	memset(&wanted, 0, sizeof(wanted));
	for (size_t i = 0; (use = clash_row(i)) != NULL; i++) {
		if (!use->is_clash)
			continue;
		assert_true(use->transports & SERVICE_UDP);
		assert_in_range(use->ports.last - use->ports.first, 0, CLASH_PORTS_MAX - 1);
		for (unsigned port = use->ports.first; port <= use->ports.last; port++) {
			if (port_set_has(&registered, (uint16_t)port))
				fail_msg("port %u of %s is registered", port, use->who);
			port_set_add(&wanted, (uint16_t)port);
		}
	}
	assert_ptr_equal(clash_ports(&clashing), &clashing);
	assert_memory_equal(&clashing, &wanted, sizeof(wanted));
	static const uint16_t known[] = {51413, 51820, 51821, 51871, 57621, 64738};
	for (size_t i = 0; i < COUNT_OF(known); i++)
		assert_true(port_set_has(&clashing, known[i]));
	/* Where others only take part of a range nothing is taken away: a resolver needs its ports. */
	assert_false(port_set_has(&clashing, 60001) || port_set_has(&clashing, 49152));
	port_set_remove(&clashing, 0, 49151);
	assert_in_range(port_set_count(&clashing), 6, 50);
}

static void test_of_port(void **state)
{
	(void)state;
	for (unsigned port = 0; port < PORTS_ALL; port++) {
		const struct known_use *use, *row;
		size_t found = 0, wanted = 0;
		int width = 0;
		for (; (use = clash_of_port((uint16_t)port, found)) != NULL; found++) {
			assert_in_range(port, use->ports.first, use->ports.last);
			assert_true(use->ports.last - use->ports.first >= width);
			width = use->ports.last - use->ports.first;
		}
		for (size_t i = 0; (row = clash_row(i)) != NULL; i++)
			wanted += row->ports.first <= port && row->ports.last >= port;
		assert_int_equal(found, wanted);
	}
	assert_string_equal(clash_of_port(51820, 0)->who, "WireGuard");
	assert_int_equal(clash_of_port(60054, 0)->ports.first, 60023);
	assert_string_equal(clash_of_port(60054, 1)->who, "mosh");
	assert_null(clash_of_port(53, 0));
}

static void test_of_name(void **state)
{
	(void)state;
	assert_int_equal(clash_of_name("wireguard", 0)->ports.first, 51820);
	assert_int_equal(clash_of_name("WireGuard", 1)->ports.first, 51821);
	assert_null(clash_of_name("wireguard", 2));
	assert_int_equal(clash_of_name("flannel", 0)->ports.first, 8285); /* "flannel, udp backend" */
	static const char *const none[] = {"", "wire", "wireguard2", "plex media server"};
	for (size_t i = 0; i < COUNT_OF(none); i++)
		assert_null(clash_of_name(none[i], 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_clashes),
		cmocka_unit_test(test_of_port),
		cmocka_unit_test(test_of_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
