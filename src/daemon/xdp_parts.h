/* What the files of XDP share; nobody else includes this.
 *
 *	xdp.c          an interface, its queues, what can be in the way
 *	xdp_program.c  the program on the interface, and that it goes with the process
 *	listen_xdp.c   a queue: datagrams in, answers out
 */
#pragma once

#include <libknot/xdp/xdp.h>

#include "daemon/config.h"
#include "daemon/places.h"

struct worker;

struct xdp {
	const struct config_xdp *conf;
	unsigned index; /* of the interface */
	int tie;        /* while it is open, the program is on the interface */
	size_t mtu;
	uint8_t mac[6];
	struct places local;        /* the interface's own addresses, as at the start */
	knot_xdp_socket_t **socket; /* one for each queue; NULL once a listener has it */
	unsigned queues;
};

/* One queue of an interface with libknot's filter for the port. libknot's error. */
int xdp_queue_open(const struct config_xdp *conf, unsigned queue, bool load_program, knot_xdp_socket_t **out);

/* Puts libknot's program onto the interface. The descriptor that it is tied to, or -1 with one line in `why`. */
int xdp_program_tie(const struct config_xdp *conf, unsigned index, char *why, size_t size);

/* --- listen_xdp.c --- */

/* The listener owns the socket; the interface stays until after it. */
struct xdp_listener *xdp_listener_new(struct worker *worker, const struct xdp *xdp, knot_xdp_socket_t *socket);
