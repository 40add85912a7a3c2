/* Control groups: which systemd unit or container a process belongs to, and which processes a cgroup holds.
 *
 *	struct cgroup_place place;
 *	cgroup_place_read(&place, "0::/system.slice/unbound.service\n");       place.unit is "unbound.service"
 *	struct pids pids = {0};
 *	if (cgroup_pids(socket.cgroup, &pids) == 0) ...                        as root, with cgroup v2 mounted
 *
 * Names are made harmless for a terminal (base/escape). Thread: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ports/pids.h"

enum { CGROUP_UNIT = 160, CGROUP_CONTAINER = 96, CGROUP_RUNTIME = 16, CGROUP_ROOT = 1 /* the id of the topmost one */ };

struct cgroup_place {
	char unit[CGROUP_UNIT];           /* "unbound.service", the innermost; "" for none */
	char container[CGROUP_CONTAINER]; /* its id or name; "" for none */
	char runtime[CGROUP_RUNTIME]; /* "docker", "podman", "cri-o", "containerd", "kubernetes", "lxc", "machine" */
};

/* From the text of /proc/PID/cgroup, of version 2, 1 or both. */
void cgroup_place_read(struct cgroup_place *place, const char *text) __attribute__((nonnull));
/* Adds the processes of the cgroup with that id; 0, or E_*: no cgroup v2, not permitted, or gone. */
int cgroup_pids(uint64_t id, struct pids *pids) __attribute__((nonnull, warn_unused_result));
