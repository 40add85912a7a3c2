#include "unit/unit.h"

#include <errno.h>

#include "base/error.h"

static void test_texts(void **state)
{
	(void)state;
	assert_string_equal(error_text(0), "success");
	assert_string_equal(error_text(E_NOMEM), "out of memory");
	for (int a = E_BASE + 1; a < E_LAST; a++) {
		assert_true(a < 0);
		assert_string_not_equal(error_text(a), "unknown error");
		for (int b = E_BASE + 1; b < a; b++)
			assert_string_not_equal(error_text(a), error_text(b));
	}
	assert_string_equal(error_text(E_LAST), "unknown error");
	assert_string_equal(error_text(-ENOENT), "unknown error"); /* a stray errno is seen as one */
	assert_string_equal(error_text(7), "unknown error");
}

static void test_of_errno(void **state)
{
	static const struct {
		int number, error;
	} cases[] = {
		{0, E_OK},
		{ENOMEM, E_NOMEM},
		{ENOBUFS, E_NOMEM},
		{ETIMEDOUT, E_TIMEOUT},
		{ECONNREFUSED, E_REFUSED},
		{ECONNRESET, E_CLOSED},
		{EPIPE, E_CLOSED},
		{ENETUNREACH, E_UNREACH},
		{EHOSTUNREACH, E_UNREACH},
		{EAFNOSUPPORT, E_UNREACH},
		{EACCES, E_ACCESS},
		{EADDRINUSE, E_EXIST},
		{EBADF, E_SYSTEM},
		{99999, E_SYSTEM},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(error_of_errno(cases[i].number), cases[i].error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts), cmocka_unit_test(test_of_errno)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
