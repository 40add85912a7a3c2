#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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

static void test_state(void **state)
{
	char path[PATH_FOLDER];
	(void)state;
	who = 0;
	assert_int_equal(path_state_dir(path, sizeof(path)), 0);
	assert_string_equal(path, "/var/lib/berth");
	who = 4242;
	setenv("XDG_STATE_HOME", "/s", 1);
	assert_int_equal(path_state_dir(path, sizeof(path)), 0);
	assert_string_equal(path, "/s/berth");
	setenv("XDG_STATE_HOME", "s", 1); /* relative: ignored */
	setenv("HOME", "/home/ann", 1);
	assert_int_equal(path_state_dir(path, sizeof(path)), 0);
	assert_string_equal(path, "/home/ann/.local/state/berth");
	assert_int_equal(path_state_dir(path, 10), E_SPACE);
	unsetenv("HOME");
	assert_int_equal(path_state_dir(path, sizeof(path)), E_NOENT);
}

static void test_make_folder(void **state)
{
	char top[] = "/tmp/berth-paths-XXXXXX", path[64], command[64];
	struct stat st;
	bool is_new = false;
	(void)state;
	assert_non_null(mkdtemp(top));
	snprintf(path, sizeof(path), "%s/a/b", top);
	assert_int_equal(path_make_folder(path, &is_new), 0);
	assert_true(is_new);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777 & ~0750, 0);
	assert_int_equal(path_make_folder(path, &is_new), 0);
	assert_false(is_new);
	assert_int_equal(path_make_folder("/dev/null/x", NULL), E_SYSTEM);
	assert_int_equal(path_make_folder("/dev/null", NULL), E_EXIST);
	snprintf(command, sizeof(command), "rm -r %s", top);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_socket), cmocka_unit_test(test_state), cmocka_unit_test(test_make_folder)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
