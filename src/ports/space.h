/* The ports of this process: which are usable, which are lent now, which were found taken by somebody else. One space
 * for all workers: a worker never has ports of its own, or an attacker who reaches one worker would have fewer ports to
 * guess (CVE-2026-50252).
 *
 *	struct port_space *space = port_space_new();
 *	port_space_set_usable(space, &set);
 *	struct port_draw draw = {.space = space};          one for each thread
 *	uint16_t port;
 *	if (port_draw(&draw, &port) == 0) { ...; port_space_release(space, port); }
 *
 * A draw is uniform over the usable ports that are neither lent nor known to be taken, from the kernel's CSPRNG.
 * Thread: any, but a port_draw is one thread's. Never suspends, never locks on the way of a draw. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ports/set.h"

struct port_space;

/* A thread's view of the usable ports, refreshed when they change. Start with .space set and all else zero. */
struct port_draw {
	struct port_space *space;
	uint64_t generation;
	unsigned count;
	uint16_t *port; /* [PORTS_ALL] */
};

/* What other programs hold, as it was when somebody looked last. */
struct port_others {
	unsigned held, top_held; /* UDP ports of this machine; of them, those of one user: */
	char top[40];
};

struct port_space *port_space_new(void);
void port_space_free(struct port_space *space);
/* Lent ports finish their loans; new draws obey. */
void port_space_set_usable(struct port_space *space, const struct port_set *usable);
/* Changes with the set of usable ports. */
uint64_t port_space_generation(const struct port_space *space);
bool port_space_is_usable(const struct port_space *space, uint16_t port);
/* How many ports of first..last are usable. */
unsigned port_space_usable(const struct port_space *space, uint16_t first, uint16_t last);
bool port_space_is_lent(const struct port_space *space, uint16_t port);
bool port_space_is_taken(const struct port_space *space, uint16_t port);
unsigned port_space_lent(const struct port_space *space);

/* Draws a port and marks it lent. 0, or E_NOPORT when no usable port is left. */
int port_draw(struct port_draw *draw, uint16_t *port) __attribute__((warn_unused_result));
void port_draw_deinit(struct port_draw *draw);
void port_space_release(struct port_space *space, uint16_t port);
/* The port turned out to be another program's: not lent, and not drawn again for LIMIT_PORT_TAKEN_S. */
void port_space_taken(struct port_space *space, uint16_t port);
/* Whether that happened since the last call: somebody should look who holds what. */
bool port_space_met_taken(struct port_space *space);
void port_space_note_others(struct port_space *space, unsigned held, const char *top, unsigned top_held);
void port_space_others(struct port_space *space, struct port_others *out);
