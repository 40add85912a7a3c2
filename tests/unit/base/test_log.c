/* What reaches standard error, with a clock that stands still. */
#include "unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "unit/fake/clock.h"

static int pipe_fd[2], old_stderr;
static char said[65536];

static int capture(void **state)
{
	(void)state;
	unsetenv("JOURNAL_STREAM");
	setenv("TZ", "UTC", 1);
	if (pipe2(pipe_fd, O_NONBLOCK) != 0)
		return -1;
	old_stderr = dup(STDERR_FILENO);
	return dup2(pipe_fd[1], STDERR_FILENO) < 0;
}

static int release(void **state)
{
	(void)state;
	dup2(old_stderr, STDERR_FILENO);
	close(old_stderr);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	return 0;
}

/* What was said since the last call. */
static const char *heard(void)
{
	ssize_t got = read(pipe_fd[0], said, sizeof(said) - 1);
	said[got > 0 ? got : 0] = '\0';
	return said;
}

static unsigned lines(const char *text)
{
	unsigned count = 0;
	for (; *text != '\0'; text++)
		count += *text == '\n';
	return count;
}

static void say(int times)
{
	for (int i = 0; i < times; i++)
		log_warning("drop %d", i);
}

static void test_levels(void **state)
{
	(void)state;
	log_init(LOG_LEVEL_NOTICE);
	log_info("not this");
	log_debug("nor this");
	assert_string_equal(heard(), "");
	log_notice("but this, %s", "once");
	assert_non_null(strstr(heard(), " notice: but this, once\n"));
	log_init(LOG_LEVEL_DEBUG);
	log_debug("now this");
	assert_non_null(strstr(heard(), " debug: now this\n"));
	log_init(LOG_LEVEL_ERROR);
	log_warning("nothing");
	assert_string_equal(heard(), "");
}

static void test_form(void **state)
{
	(void)state;
	fake_wall_us = 1800000000ull * 1000000;
	log_init(LOG_LEVEL_NOTICE);
	log_error("one");
	assert_string_equal(heard(), "2027-01-15 08:00:00 error: one\n");
	setenv("JOURNAL_STREAM", "8:1", 1);
	log_init(LOG_LEVEL_DEBUG);
	log_error("e");
	log_warning("w");
	log_notice("n");
	log_info("i");
	log_debug("d");
	assert_string_equal(heard(), "<3>e\n<4>w\n<5>n\n<6>i\n<7>d\n");
	unsetenv("JOURNAL_STREAM");
}

/* Five lines in ten seconds; the first of a later window says how many were left out. */
static void test_rate_limit(void **state)
{
	static const struct {
		int times;
		unsigned heard;
		const char *left_out; /* in the first line; NULL: nothing about it */
	} windows[] = {
		{3, 3, NULL},
		{5, 5, NULL},
		{100, 5, NULL},
		{1, 1, "drop 0 (and 95 more like it)\n"},
		{6, 5, NULL},
		{2, 2, "drop 0 (and 1 more like it)\n"},
		{1, 1, NULL},
	};
	(void)state;
	log_init(LOG_LEVEL_NOTICE);
	for (size_t i = 0; i < COUNT_OF(windows); i++) {
		fake_pass_s(10);
		say(windows[i].times);
		const char *text = heard();
		assert_int_equal(lines(text), windows[i].heard);
		if (windows[i].left_out != NULL)
			assert_non_null(strstr(text, windows[i].left_out));
		else
			assert_null(strstr(text, "more like it"));
	}
	fake_pass_s(10);
	say(50);
	heard();
	log_warning("another place is not silenced by it");
	assert_int_equal(lines(heard()), 1);
}

/* A line is never longer than its buffer, always one line, whatever is put in. */
static void test_long(void **state)
{
	static char text[4000];
	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	log_init(LOG_LEVEL_NOTICE);
	fake_pass_s(20);
	log_warning("%s", text);
	assert_int_equal(lines(heard()), 1);
	assert_true(strlen(said) <= 1024 && said[strlen(said) - 1] == '\n');
	for (size_t len = 900; len < 1100; len++) {
		fake_pass_s(10);
		log_notice("%.*s", (int)len, text);
		assert_int_equal(lines(heard()), 1);
		assert_true(strlen(said) <= 1024);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_levels, capture, release),
		cmocka_unit_test_setup_teardown(test_form, capture, release),
		cmocka_unit_test_setup_teardown(test_rate_limit, capture, release),
		cmocka_unit_test_setup_teardown(test_long, capture, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
