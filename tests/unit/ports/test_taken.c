/* Ports found to be another program's (ports/space.c), with a clock that stands still. */
#include "unit/unit.h"

#include "base/error.h"
#include "base/limits.h"
#include "ports/space.h"
#include "unit/fake/clock.h"

static void test_taken_come_back(void **state)
{
	static struct port_set set;
	struct port_space *space = port_space_new();
	struct port_draw draw = {.space = space};
	uint16_t port, other;
	(void)state;
	port_set_fill(&set, 50000, 50001);
	port_space_set_usable(space, &set);
	assert_int_equal(port_draw(&draw, &port), 0);
	port_space_taken(space, port);
	assert_false(port_space_is_lent(space, port));
	assert_true(port_space_is_taken(space, port));
	assert_int_equal(port_space_lent(space), 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(port_draw(&draw, &other), 0);
		assert_int_not_equal(other, port);
		port_space_release(space, other);
	}
	fake_pass_s(LIMIT_PORT_TAKEN_S - 1);
	assert_true(port_space_is_taken(space, port));
	fake_pass_s(1);
	assert_false(port_space_is_taken(space, port));
	assert_int_equal(port_draw(&draw, &other), 0);
	assert_int_equal(port_draw(&draw, &other), 0);
	assert_int_equal(port_draw(&draw, &other), E_NOPORT);
	/* All taken: none is left, and no draw goes on for ever. */
	port_space_taken(space, 50000);
	port_space_taken(space, 50001);
	assert_int_equal(port_draw(&draw, &other), E_NOPORT);
	port_draw_deinit(&draw);
	port_space_free(space);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_taken_come_back)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
