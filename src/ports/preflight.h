/* What the pool of ports is worth on this machine, before it is used: for the start of berthd, `berth check` and
 * `berth ports`.
 *
 *	struct preflight flight = {.usable = usable, .range = range, .wanted = 2500, .pool = 2500, .among = n, .max = 10000};
 *	preflight(&flight, say, arg);
 *
 * Thread: any. Reads some files in /proc and /sys. Never suspends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ports/usable.h"

struct preflight {
	const struct usable *usable;
	struct port_range range;
	bool reserved;
	unsigned wanted, pool; /* ports.pool, and what of it can be: sockets, or ports held of each family */
	unsigned among;        /* of so many ports each question's is drawn */
	unsigned max;
	unsigned long files; /* descriptors that the process may have; 0: any number */
};

enum preflight_level { PREFLIGHT_GOOD, PREFLIGHT_NOTE, PREFLIGHT_WARNING, PREFLIGHT_LEVELS };

/* Calls `say` for each line, one sentence or two each. */
void preflight(
	const struct preflight *flight, void (*say)(enum preflight_level, const char *text, void *arg), void *arg);
/* "good", "note", "warning" */
const char *preflight_level_text(enum preflight_level level);
/* How many bits a port is worth to guess when it is one of so many. */
double port_bits(unsigned count);
