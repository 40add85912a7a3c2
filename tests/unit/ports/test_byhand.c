/* The number stands in the command, wherever it has its place, and nothing is cut. */
#include "unit/unit.h"

#include "ports/byhand.h"

static void test_commands(void **state)
{
	(void)state;
	const struct byhand *row;
	bool seen[BYHAND_SYSTEMS] = {false};
	char command[BYHAND_COMMAND];
	size_t i;
	for (i = 0; (row = byhand_row(i)) != NULL; i++) {
		byhand_command(row, 65535, command);
		seen[row->system] = true;
		assert_null(strstr(command, "PORT"));
		assert_int_equal(strstr(row->form, "PORT") != NULL, strstr(command, "65535") != NULL);
		assert_true(strlen(command) + 1 < BYHAND_COMMAND);
	}
	assert_true(i >= 9);
	for (int s = 0; s < BYHAND_SYSTEMS; s++)
		assert_true(seen[s]);
}

static void test_twice(void **state)
{
	(void)state;
	const struct byhand row = {BYHAND_LINUX, "a PORT/udp PORT/tcp b", "", false};
	char command[BYHAND_COMMAND];
	assert_string_equal(byhand_command(&row, 53, command), "a 53/udp 53/tcp b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_commands), cmocka_unit_test(test_twice)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
