/* Sockets that hold no port while they are idle, to be moored to any port in the kernel's range. For ports/ only.
 *
 *	struct moorings moorings;
 *	moorings_init(&moorings, &conf);
 *	if (moorings_can(&moorings, port) && (ret = moorings_moor(&moorings, server, port, &loan)) == 0) ...
 *	moorings_release(&moorings, loan);
 *
 * Thread: one worker's. Never suspends. */
#pragma once

#include "ports/pool.h"

struct moorings {
	struct port_range range; /* the kernel's; {0,0}: this kernel cannot do it */
	uint64_t range_read_us;  /* monotonic */
	unsigned moored;         /* so far */
	struct link idle[2];     /* IPv4, IPv6; last in, first out: warm in the caches */
	unsigned idle_count;
	size_t user_size;
};

/* A loan without a socket, and its end. */
struct loan *loan_new(size_t user_size);
void loan_free(struct loan *loan);

void moorings_init(struct moorings *moorings, const struct pool_conf *conf);
void moorings_deinit(struct moorings *moorings);
bool moorings_can(struct moorings *moorings, uint16_t port);
/* 0; E_BUSY: no socket is idle; E_EXIST: the port is another program's; E_UNREACH, E_NOPORT. */
int moorings_moor(struct moorings *moorings, const struct addr *server, uint16_t port, struct loan **out)
	__attribute__((warn_unused_result));
void moorings_release(struct moorings *moorings, struct loan *loan);
