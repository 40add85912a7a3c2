#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ports/model.h"

static void test_class(void **state)
{
	static const struct {
		uint16_t port;
		const char *text;
	} cases[] = {{0, "System"}, {53, "System"}, {1023, "System"}, {1024, "User"}, {49151, "User"},
		{49152, "Dynamic"}, {60054, "Dynamic"}, {65535, "Dynamic"}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(port_class_text(port_class(cases[i].port)), cases[i].text);
}

/* The ranges of the classes are the classes of their ports, without a gap. */
static void test_ranges(void **state)
{
	(void)state;
	for (unsigned port = 0; port < PORTS_ALL; port++) {
		struct port_range range = port_class_range(port_class((uint16_t)port));
		assert_in_range(port, range.first, range.last);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_class), cmocka_unit_test(test_ranges)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
