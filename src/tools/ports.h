/* The parts of `berth ports`.
 *
 *	if (tool->watch != NULL)
 *		return ports_watch(tool, interval_ms);
 *
 * Each gives the exit status. Thread: one. */
#pragma once

#include "tools/tool.h"

/* `key` is "exclude", "include" or "range"; the words are what is to be changed by it. */
int ports_change(const struct tool *tool, const char *key, int argc, char **argv);
/* Until Ctrl-C, "q" or a signal. */
int ports_watch(const struct tool *tool, unsigned interval_ms);
