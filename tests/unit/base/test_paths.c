#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/paths.h"

static uid_t who;

/* Replaces the C library's for this program. */
uid_t geteuid(void)
{
	return who;
}

static void test_socket(void **state)
{
	char path[PATH_SOCKET], long_name[200] = "/";
	(void)state;
	who = 0;
	setenv("XDG_RUNTIME_DIR", "/run/user/0", 1);
	assert_int_equal(path_control_socket(path, sizeof(path)), 0);
	assert_string_equal(path, "/run/berth/control");
	who = 4242; /* nobody, one hopes */
	setenv("XDG_RUNTIME_DIR", "/x/y", 1);
	assert_int_equal(path_control_socket(path, sizeof(path)), 0);
	assert_string_equal(path, "/x/y/berth-control");
	setenv("XDG_RUNTIME_DIR", "x/y", 1);
	assert_int_equal(path_control_socket(path, sizeof(path)), 0);
	assert_string_equal(path, "/tmp/berth-4242-control");
	memset(long_name + 1, 'l', 150);
	setenv("XDG_RUNTIME_DIR", long_name, 1);
	assert_int_equal(path_control_socket(path, sizeof(path)), 0);
	assert_string_equal(path, "/tmp/berth-4242-control");
	unsetenv("XDG_RUNTIME_DIR");
	assert_int_equal(path_control_socket(path, 10), E_SPACE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_socket)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
