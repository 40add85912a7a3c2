/* Zone cuts as they were put together a moment ago, servers, addresses and all: most lookups begin at the same few, and two
 * dozen looks into the cache for each of them is work done twice. For resolve/ only.
 *
 *	if (!cuts_find(cuts, &arena, zone, &cut)) {
 *		...                                    from the cache, piece by piece
 *		cuts_keep(cuts, &cut);
 *	}
 *
 * What is kept is good for the second of the wall clock in which it was put together: TTLs are whole seconds, so nothing is
 * used longer than its own. A new delegation of the zone ends it at once (cuts_forget). Copies go in and out.
 * Thread: one worker's. Never suspends. */
#pragma once

#include "resolve/cut.h"

struct cuts;

struct cuts *cuts_new(void);
void cuts_free(struct cuts *cuts);
bool cuts_find(struct cuts *cuts, struct arena *arena, const uint8_t *zone, struct cut *out);
/* Only cuts of which no server's address has to be looked for; of others this does nothing. */
void cuts_keep(struct cuts *cuts, const struct cut *cut);
void cuts_forget(struct cuts *cuts, const uint8_t *zone);
/* Whom to ask has changed. */
void cuts_clear(struct cuts *cuts);
