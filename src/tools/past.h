/* The parts of `berth port` that look back: --at and --since, out of the history's file.
 *
 *	struct when span;
 *	if (past_span(tool, &span) == EXIT_GOOD)
 *		return past_show(tool, ranges, count, &span);
 *
 * Thread: one. */
#pragma once

#include "ports/set.h"
#include "tools/tool.h"
#include "tools/when.h"

/* The span that --at and --since name; EXIT_GOOD, or EXIT_USAGE after saying what is wrong with them. */
int past_span(const struct tool *tool, struct when *out);
/* What the ports did in it. The exit status. */
int past_show(const struct tool *tool, const struct port_range *ranges, int count, const struct when *span);
