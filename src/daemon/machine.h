/* What a configuration asks of this machine beside ports, and the machine does not have: cores to pin workers to, interfaces, a
 * folder for the cache; and what is hardly meant. For `berth check` and for the log at the start.
 *
 *	machine_preflight(config, print_line, NULL);
 *
 * Thread: main. */
#pragma once

#include "daemon/config.h"
#include "ports/preflight.h"

/* Calls `say` for each finding, all of them warnings. */
void machine_preflight(
	const struct config *config, void (*say)(enum preflight_level, const char *text, void *arg), void *arg);
