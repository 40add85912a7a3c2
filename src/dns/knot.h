/* libknot, and every difference between its releases (3.2 in Debian 12, 3.4 in Debian 13), in one place.
 *
 *	knot_mm_t mm = knot_mm_of(arena);                    who makes messages or rrsets with it: tests and benches
 *	knot_pkt_t *pkt = knot_pkt_new(wire, len, &mm);      freed with the arena
 *
 * Thread: the arena's owner. */
#pragma once

#include <libknot/libknot.h>

#include "base/arena.h"

static inline void *knot_arena_alloc(void *ctx, size_t len)
{
	return arena_alloc(ctx, len);
}

static inline void knot_arena_free(void *mem)
{
	(void)mem; /* the arena is freed as a whole */
}

static inline knot_mm_t knot_mm_of(struct arena *arena)
{
	return (knot_mm_t){.ctx = arena, .alloc = knot_arena_alloc, .free = knot_arena_free};
}
