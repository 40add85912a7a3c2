#include "unit/unit.h"

#include "base/error.h"
#include "base/limits.h"
#include "resolve/budget.h"

static void test_lines(void **state)
{
	static const struct {
		enum budget_line line;
		unsigned limit;
	} cases[] = {
		{BUDGET_QUESTION, LIMIT_QUESTIONS},
		{BUDGET_SERVER_QUESTION, LIMIT_SERVER_QUESTIONS},
		{BUDGET_REFERRAL, LIMIT_REFERRALS},
		{BUDGET_ALIAS, LIMIT_ALIASES},
		{BUDGET_SERVER_LOOKUP, LIMIT_SERVER_LOOKUPS},
		{BUDGET_SIGNATURE, LIMIT_SIGNATURES},
		{BUDGET_SIGNATURE_BAD, LIMIT_SIGNATURES_BAD},
		{BUDGET_HASH, LIMIT_HASHES},
	};
	(void)state;
	assert_int_equal(COUNT_OF(cases), BUDGET_LINES);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct budget budget;
		budget_init(&budget, 1000);
		assert_int_equal(budget.spent, BUDGET_LINES);
		for (unsigned n = 0; n < cases[i].limit; n++)
			assert_int_equal(budget_take(&budget, cases[i].line, 1000), 0);
		assert_int_equal(budget_take(&budget, cases[i].line, 1000), E_BUDGET);
		assert_int_equal(budget_take(&budget, cases[i].line, 1000), E_BUDGET);
		assert_int_equal(budget.spent, cases[i].line);
		/* One line spent does not take from another. */
		for (size_t k = 0; k < COUNT_OF(cases); k++)
			if (k != i)
				assert_int_equal(budget_take(&budget, cases[k].line, 1000), 0);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(budget_line_text(cases[k].line), budget_line_text(cases[i].line));
	}
	assert_string_equal(budget_line_text(BUDGET_LINES), "nothing");
}

static void test_deadline(void **state)
{
	struct budget budget;
	(void)state;
	budget_init(&budget, 1000);
	uint64_t deadline_us = 1000 + LIMIT_DEADLINE_MS * 1000ull;
	assert_int_equal(budget.deadline_us, deadline_us);
	assert_int_equal(budget_take(&budget, BUDGET_QUESTION, deadline_us - 1), 0);
	assert_int_equal(budget_take(&budget, BUDGET_QUESTION, deadline_us), E_TIMEOUT);
	assert_int_equal(budget.left[BUDGET_QUESTION], LIMIT_QUESTIONS - 1);
	assert_int_equal(budget.spent, BUDGET_LINES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_deadline)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
