/* What a process is: name, command line, user, since when, which unit or container.
 *
 *	struct process *process = process_read(&arena, 812);
 *	if (process != NULL)                                   NULL: it ended meanwhile
 *		printf("%s, pid %d, since %s\n", process->name, process->pid, ...);
 *
 * Everything that a program chooses (its name, its command line) is made harmless for a terminal here already. The
 * struct lives as long as the arena. Thread: any. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "ports/cgroup.h"

enum { PROCESS_NAME = 96, PROCESS_COMMAND = 512, PROCESS_USER = 64 };

struct process {
	pid_t pid;
	uid_t uid;                     /* effective */
	char name[PROCESS_NAME];       /* the kernel keeps 15 bytes of it */
	char command[PROCESS_COMMAND]; /* arguments with a space between; "" where there are none */
	unsigned descriptors;          /* open ones; 0: not known (Linux before 6.2 does not say) */
	uint64_t since_us;             /* since 1970; 0: not known */
	struct cgroup_place place;
};

/* NULL when there is no such process (any more). What may not be read stays empty. */
struct process *process_read(struct arena *arena, pid_t pid) __attribute__((nonnull));

struct process_stat {
	char name[PROCESS_NAME];
	uint64_t start_ticks; /* after the boot of the machine */
};

/* From the text of /proc/PID/stat: 0, or E_MALFORMED. A name may hold brackets and blanks. */
int process_stat_read(struct process_stat *stat, const char *text) __attribute__((nonnull, warn_unused_result));
/* The effective user in the text of /proc/PID/status; 0, or E_MALFORMED. */
int process_uid_read(uid_t *uid, const char *text) __attribute__((nonnull, warn_unused_result));

/* "ann", or "1000" for a user without a name; returns out. */
const char *process_user_text(uid_t uid, char out[static PROCESS_USER]);
