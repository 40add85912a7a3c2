/* Who chose the number of a port: the program, or the kernel. The kernel keeps no note of it that can be read, so it is
 * concluded, and says how sure that is.
 *
 *	struct origin origin = origin_of(&socket, local_range, has_listener);
 *	printf("%s (%s)\n", origin_text(origin.who), origin_sure_text(origin.sure));
 *
 * Pure; thread: any. */
#pragma once

#include <stdbool.h>

#include "ports/diag.h"

enum origin_who {
	ORIGIN_PROGRAM,  /* bind() with this number */
	ORIGIN_KERNEL,   /* connect() without one, or bind() to port 0: an ephemeral port */
	ORIGIN_LISTENER, /* a connection that was accepted has its listener's port */
	ORIGIN_WHOS,
};

enum origin_sure {
	ORIGIN_CERTAIN, /* nothing else is possible, unless the range of ephemeral ports was changed since */
	ORIGIN_LIKELY,  /* what nearly all programs do */
	ORIGIN_GUESS,   /* both are usual */
	ORIGIN_SURES,
};

struct origin {
	enum origin_who who;
	enum origin_sure sure;
};

/* `local` is ip_local_port_range of its namespace; has_listener: a TCP listener has the same port there. */
struct origin origin_of(const struct diag_socket *socket, struct port_range local, bool has_listener)
	__attribute__((nonnull));
/* "program", "kernel", "listener"; "certain", "likely", "guess" */
const char *origin_text(enum origin_who who);
const char *origin_sure_text(enum origin_sure sure);
