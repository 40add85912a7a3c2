/* Decides that a request may cost whatever it can get done before its deadline. */
#include "base/error.h"
#include "resolve/budget.h"

int __wrap_budget_take(struct budget *budget, enum budget_line line, uint64_t now_us);

int __wrap_budget_take(struct budget *budget, enum budget_line line, uint64_t now_us)
{
	(void)line;
	return now_us >= budget->deadline_us ? E_TIMEOUT : 0;
}
