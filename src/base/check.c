/* Decides what happens when a check of the program's own state fails. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/counters.h"
#include "base/log.h"

_Noreturn void check_abort(const char *what, const char *file, int line)
{
	fprintf(stderr, "berth: fault of the program at %s:%d: %s does not hold; please report it\n", file, line, what);
	abort();
}

bool check_note(const char *what, const char *file, int line)
{
	counters_add(COUNT_EXPECT_FAILED, 1);
	log_error("fault of the program at %s:%d: %s does not hold; going on, please report it", file, line, what);
	return false;
}
