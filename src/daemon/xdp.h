/* Queries that are taken from an interface before the kernel's stack has them, and answered past it (AF_XDP).
 *
 *	struct xdp *xdp;
 *	if (xdp_open(&xdp, server, &conf, why, size) != 0) ...    ordinary sockets serve the interface alone
 *	listen_start(worker), listen_close(worker)                 the queues are the workers' listeners
 *	xdp_close(xdp);                                             after them
 *
 * Only UDP datagrams to the one port come this way; all else on the interface goes on to the kernel. libknot brings the
 * program that sorts them. It is tied to a descriptor of this process: however the process ends, the kernel takes the
 * program off the interface. Built without libknot's XDP, xdp_open says so and fails.
 * Thread: main, before the workers run and after they were joined. */
#pragma once

#include "daemon/server.h"

/* The interface's queues, a socket for each, are dealt out over the workers. 0, or an error with one line in `why`:
 * what is the matter and what to do. */
int xdp_open(struct xdp **xdp, struct server *server, const struct config_xdp *conf, char *why, size_t size)
	__attribute__((nonnull, warn_unused_result));
/* Takes the program off: queries go to the ordinary sockets from now on. NULL: nothing. */
void xdp_untie(struct xdp *xdp);
void xdp_close(struct xdp *xdp);
