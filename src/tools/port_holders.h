/* The part of `berth port` that says who holds the port, and what to think of it.
 *
 *	struct inspection *seen = port_holders_of(&here, false);     NULL: the kernel could not be asked, which is told
 *	port_holders_print(seen, &here, reply, 11);
 *	inspect_free(seen);
 *
 * `reply` is berthd's on the port, or NULL. Strings live until the next call. Thread: one. */
#pragma once

#include <jansson.h>

#include "ports/inspect.h"
#include "ports/here.h"

/* The holders of one port that was looked at: what is free needs no search. `everywhere`: every process is asked for its
 * network namespace, whoever holds the port in ours. */
struct inspection *port_holders_of(const struct port_here *here, bool everywhere);
struct inspection *port_holders_of_range(struct port_range range, bool everywhere);

/* The verdict and the holders, text from that column on. */
void port_holders_print(const struct inspection *seen, const struct port_here *here, const json_t *reply, int column);
/* "firefox 812", "the kernel", "user ann", "-" */
const char *port_holders_short(const struct inspection *seen, const struct port_here *here);
/* Adds "verdict", "holders", "searched". */
void port_holders_add_json(
	json_t *entry, const struct inspection *seen, const struct port_here *here, const json_t *reply);
