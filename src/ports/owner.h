/* Which processes hold given sockets. The kernel does not say; it is searched for, the likely places first.
 *
 *	struct owner_want want[] = {{.inode = socket.inode, .cgroup = socket.cgroup}};
 *	struct owner_found *found;
 *	size_t count;
 *	struct pids pids = {0};                      filled when it is needed; pids_all() may have filled it before
 *	owners_find(want, 1, &pids, &found, &count);
 *	for (size_t i = 0; i < count; i++)
 *		printf("pid %d\n", found[i].pid);
 *	free(found);
 *
 * Few sockets: the processes of the cgroup that made them, then all; small tables of descriptors are read, large ones
 * bisected, and read where that did not help. Many sockets: every table is read once, long rows in large ones by samples. Other users' tables need root
 * (CAP_SYS_PTRACE). Thread: any. May take milliseconds. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "ports/pids.h"

enum owner_how {
	OWNER_NOBODY, /* every process was looked at: the kernel itself holds it, or it is on its way between two */
	OWNER_DENIED, /* not found, but some processes may not be looked at */
	OWNER_RUN,    /* taken for one of a row of descriptors of which others were looked at */
	OWNER_CGROUP, /* found in the cgroup that made it; a process elsewhere that has it too was not searched for */
	OWNER_BISECT, /* every process was looked at, large tables by bisecting */
	OWNER_SCAN,   /* every descriptor was looked at */
	OWNER_KERNEL, /* not searched for: a socket without an inode is no process's (TIME_WAIT and the like) */
	OWNER_HOWS,
};

struct owner_want {
	uint64_t inode, cgroup;
	uid_t uid;
	enum owner_how how; /* the result */
};

struct owner_found {
	size_t want; /* index */
	pid_t pid;
};

/* Sets `how` of each; *found, to be freed, has the pairs in the order of `want`, each once. `pids` is all processes,
 * listed when it is empty. */
void owners_find(struct owner_want *want, size_t count, struct pids *pids, struct owner_found **found,
	size_t *found_count) __attribute__((nonnull(3, 4, 5)));

/* "cgroup", "bisected", "scanned", ...: one word. */
const char *owner_how_text(enum owner_how how);
