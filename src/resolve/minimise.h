/* How much of a name a zone's servers are told (RFC 9156). For resolve/ only.
 *
 *	struct minimiser m = {.aliases = frame->aliases};
 *	struct question ask = minimiser_next(&m, rq, q, cut);             the whole one when ask.name == q->name
 *
 * Thread: the request's. Never suspends. */
#pragma once

#include "resolve/cut.h"

struct minimiser {
	unsigned labels; /* of the name asked last; 0: none yet, or a new cut */
	unsigned steps;
	bool off;
	unsigned aliases;      /* that led to the name: it is somebody else's choice */
	const uint8_t *denied; /* a minimised name that does not exist, if the whole name does not either */
};

/* The next question for the zone: one label more than the zone has or than was asked last; whole labels at once when
 * the name is long (RFC 9156 2.3). */
struct question minimiser_next(
	struct minimiser *m, const struct request *rq, const struct question *q, const struct cut *cut);
