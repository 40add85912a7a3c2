/* Decides that the target of an alias is minimised like any other name: a question for each of its labels. */
#include "resolve/minimise.h"

struct question __real_minimiser_next(
	struct minimiser *m, const struct request *rq, const struct question *q, const struct cut *cut);
struct question __wrap_minimiser_next(
	struct minimiser *m, const struct request *rq, const struct question *q, const struct cut *cut);

struct question __wrap_minimiser_next(
	struct minimiser *m, const struct request *rq, const struct question *q, const struct cut *cut)
{
	m->aliases = 0;
	return __real_minimiser_next(m, rq, q, cut);
}
