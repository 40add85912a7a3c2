/* Every holder of a port, or of all ports, of this machine: socket, process, user, unit, network namespace.
 *
 *	struct inspect_ask ask = {.ports = {60054, 60054}};
 *	struct inspection *seen;
 *	if (inspect(&seen, &ask) == 0)
 *		for (size_t i = 0; i < seen->count; i++)
 *			printf("%s\n", seen->holders[i].owner_count > 0 ? seen->holders[i].owners[0]->name : "the kernel");
 *	inspect_free(seen);
 *
 * An ordinary user sees all sockets of the own namespace, but only the own processes; `is_denied` of an answer says what
 * root would add. Whether a port is free is not for this to say: bind() knows (ports/probe), and what it found free need
 * not be searched for. The answer owns everything in it, and is old as soon as it is given. Thread: one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "ports/diag.h"
#include "ports/netns.h"
#include "ports/origin.h"
#include "ports/owner.h"
#include "ports/process.h"

enum inspect_reach {
	INSPECT_NEAR, /* our namespace and those with a name; the others too when nobody holds the port in ours */
	INSPECT_ALL,  /* all that can be found, which means to ask every process */
	INSPECT_OURS,
};

struct inspect_ask {
	struct port_range ports; /* 1 to 65535 for all */
	/* In our namespace nobody holds the port on either family, so it is not looked for there. */
	bool is_free[PORT_TRANSPORTS];
	enum inspect_reach reach;
};

struct holder {
	struct diag_socket socket;
	const struct netns *ns;
	struct origin origin;
	enum owner_how how;
	/* In the order of pids; none where the kernel holds it, or where we may not see who does. */
	const struct process *const *owners;
	size_t owner_count;
};

struct inspection {
	struct holder *holders; /* by port, ours first, then transport, state, family */
	size_t count;
	size_t namespaces;        /* others than ours that were looked at */
	bool is_everywhere;       /* every process was asked for its namespace */
	bool is_owner_denied;     /* some holder's process may not be seen */
	bool is_namespace_denied; /* there may be others that may not be seen */
	bool is_socket_denied;    /* a namespace's tables could not be read */
	struct arena arena;       /* of the above */
	struct netns_list netns;
};

/* 0, or E_* when the kernel's tables cannot be had at all; *out is NULL then. */
int inspect(struct inspection **out, const struct inspect_ask *ask) __attribute__((nonnull, warn_unused_result));
/* NULL is allowed. */
void inspect_free(struct inspection *seen);
/* The holders of one port: the first, and how many stand there together; NULL and 0 for none. */
const struct holder *inspect_of_port(const struct inspection *seen, uint16_t port, size_t *count)
	__attribute__((nonnull));

/* How many of a hundred UDP ports of the range, drawn by lot, are held on the same address by sockets of the same user
 * and cgroup, that have no peer either: what a resolver with ports held ahead looks like. Costs 0.2 ms however many
 * sockets there are; 0 when it cannot be asked. */
unsigned inspect_share(const struct holder *holder, struct port_range range) __attribute__((nonnull));
