/* The sockets of this machine that hold a port, asked of the kernel through sock_diag, as ss does.
 *
 *	struct sockets_survey *survey = xalloc(sizeof(*survey));
 *	if (sockets_survey(survey, space) == 0 && port_set_has(&survey->listened, 5353)) ...
 *
 * Of the calling process's network namespace; needs no privilege. Thread: any. May take milliseconds on a machine with
 * many sockets: not for a worker. Never suspends. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "ports/space.h"

struct sockets_survey {
	struct port_set listened;  /* a UDP socket without a peer, or a TCP listener, stands there */
	struct port_set connected; /* a UDP socket with a peer */
	unsigned held;             /* ports of UDP sockets */
	uid_t top;                 /* who holds most of them, */
	unsigned top_held;         /* and how many; 0: nobody holds any */
};

/* Ports that `space` has lent at that moment are left out, NULL: none are. 0, or E_SYSTEM with *out empty. */
int sockets_survey(struct sockets_survey *out, const struct port_space *space) __attribute__((warn_unused_result));
