/* What /proc says of a process (ports/process.c). */
#include "unit/unit.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "ports/process.h"

#define AFTER " S 1 812 812 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 9 10\n"

static void test_stat(void **state)
{
	static const struct {
		const char *text, *name;
	} good[] = {
		{"812 (firefox)" AFTER, "firefox"},
		{"812 (a b) c)" AFTER, "a b) c"},
		{"812 (()" AFTER, "("},
		{"812 ()" AFTER, ""},
		{"812 (x) S 1)" AFTER, "x) S 1"},
		{"812 (\033]0;x\a)" AFTER, "\\x1b]0;x\\x07"},
	};
	static const char *const bad[] = {"", "812", "812 (x", "812 x) S 1 2", "812 (x) S 1 2 3", ")(",
		"812 (x) S 1 812 812 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 -5 1",
		"812 (x) S 1 812 812 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 x 1"};
	struct process_stat stat;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		assert_int_equal(process_stat_read(&stat, good[i].text), 0);
		assert_string_equal(stat.name, good[i].name);
		assert_int_equal(stat.start_ticks, 123456);
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(process_stat_read(&stat, bad[i]), E_MALFORMED);
}

static void test_uid(void **state)
{
	uid_t uid = 7;
	(void)state;
	assert_int_equal(process_uid_read(&uid, "Name:\tx\nUid:\t1000\t33\t33\t33\nGid:\t1\n"), 0);
	assert_int_equal(uid, 33);
	/* A program may be called so. */
	assert_int_equal(process_uid_read(&uid, "Name:\tUid: 5 6\nUid:\t1\t2\t3\t4\n"), 0);
	assert_int_equal(uid, 2);
	assert_int_equal(process_uid_read(&uid, "Name:\tx\n"), E_MALFORMED);
	assert_int_equal(process_uid_read(&uid, "\nUid:\tx"), E_MALFORMED);
}

/* This process, as it is. */
static void test_self(void **state)
{
	struct arena arena;
	(void)state;
	arena_init(&arena);
	assert_int_equal(prctl(PR_SET_NAME, "o) \033[1mdd"), 0);
	const struct process *self = process_read(&arena, getpid());
	assert_non_null(self);
	assert_int_equal(self->pid, getpid());
	assert_int_equal(self->uid, geteuid());
	assert_string_equal(self->name, "o) \\x1b[1mdd");
	assert_non_null(strstr(self->command, "test_ports_process"));
	uint64_t now_us = (uint64_t)time(NULL) * 1000000;
	assert_true(self->since_us <= now_us + 2000000 && self->since_us + UINT64_C(300000000) > now_us);
	arena_deinit(&arena);
}

static void test_gone(void **state)
{
	struct arena arena;
	(void)state;
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	assert_true(child > 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	arena_init(&arena);
	assert_null(process_read(&arena, child));
	arena_deinit(&arena);
}

static void test_user(void **state)
{
	char text[PROCESS_USER];
	(void)state;
	assert_string_equal(process_user_text(0, text), "root");
	assert_string_equal(process_user_text(3999999999u, text), "3999999999");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat),
		cmocka_unit_test(test_uid),
		cmocka_unit_test(test_self),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_user),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
