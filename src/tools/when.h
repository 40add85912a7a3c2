/* Moments of the past as people write them, and how exact they are.
 *
 *	struct when when;
 *	if (when_parse(&when, "14:02", clock_wall_us()) == 0)
 *		look(when.from_us, when.until_us);        that minute, of today or, if it is still to come, of yesterday
 *
 * "14:02", "14:02:30", "2026-11-26", "2026-11-26T14:02", "2026-11-26 14:02:30", in local time; and "90s", "30m", "1h",
 * "2d", which mean so long ago. Pure but for the time zone; thread: one. */
#pragma once

#include <stdint.h>

struct when {
	uint64_t from_us, until_us; /* the moment's first and last microsecond; of a span both are the same */
};

/* 0, or E_INVAL: none of these forms, or no moment of the past. */
int when_parse(struct when *out, const char *text, uint64_t now_us) __attribute__((nonnull, warn_unused_result));
