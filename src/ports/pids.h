/* A list of processes, as /proc or a cgroup has them.
 *
 *	struct pids pids = {0};
 *	if (pids_all(&pids) == 0)
 *		for (size_t i = 0; i < pids.count; i++) ...
 *	pids_deinit(&pids);
 *
 * Processes come and go: a pid of the list may be gone, or another's. Thread: any. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct pids {
	pid_t *pid;
	size_t count, room;
};

void pids_add(struct pids *pids, pid_t pid) __attribute__((nonnull));
void pids_deinit(struct pids *pids) __attribute__((nonnull));
/* Adds all processes that this process can see; 0, or E_*. */
int pids_all(struct pids *pids) __attribute__((nonnull, warn_unused_result));
/* Adds the numbers of a text, one a line, as cgroup.procs has it. Zero, which stands for a process outside of our pid
 * namespace, and what is no number are left out. */
void pids_add_lines(struct pids *pids, const char *text) __attribute__((nonnull));
