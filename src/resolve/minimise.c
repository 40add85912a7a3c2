/* Decides which name is asked of which zone. */
#include "resolve/minimise.h"

/* Whoever strings aliases together must not choose how many questions each costs (CAMP, Unchained): the first few
 * targets are hidden from the root and from top-level domains, and then asked for whole, as all others are at once. */
static bool alias_goes_whole(const struct minimiser *m, unsigned have)
{
	return m->aliases > LIMIT_MINIMISE_ALIASES || have >= LIMIT_MINIMISE_ALIAS_LABELS ||
	       m->steps >= LIMIT_MINIMISE_ALIAS_STEPS;
}

struct question minimiser_next(
	struct minimiser *m, const struct request *rq, const struct question *q, const struct cut *cut)
{
	unsigned all = name_labels(q->name), have = name_labels(cut->zone);
	if (m->labels > have)
		have = m->labels;
	unsigned next = have + 1;
	if (m->aliases > 0 && alias_goes_whole(m, have))
		return *q;
	if (m->steps >= LIMIT_MINIMISE_SINGLE && all > have) {
		unsigned rounds = LIMIT_MINIMISE_STEPS > m->steps ? LIMIT_MINIMISE_STEPS - m->steps : 1;
		next = have + (all - have + rounds - 1) / rounds;
	}
	if (!rq->options.minimise || m->off || cut->recursive || m->steps >= LIMIT_MINIMISE_STEPS || next >= all)
		return *q;
	m->labels = next;
	m->steps++;
	return (struct question){.name = name_suffix(q->name, next), .type = KNOT_RRTYPE_A, .rclass = q->rclass};
}
