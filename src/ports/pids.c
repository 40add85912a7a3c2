/* Decides what counts as a process in /proc and in a cgroup. */
#include "ports/pids.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"

void pids_add(struct pids *pids, pid_t pid)
{
	if (pids->count == pids->room) {
		pids->room = pids->room == 0 ? 256 : pids->room * 2;
		pids->pid = xrealloc(pids->pid, pids->room * sizeof(*pids->pid));
	}
	pids->pid[pids->count++] = pid;
}

void pids_deinit(struct pids *pids)
{
	free(pids->pid);
	*pids = (struct pids){0};
}

/* Takes "812" and what ends in `end` after it; 0: no pid. */
static pid_t pid_of(const char *text, char end)
{
	char *rest;
	if (*text < '1' || *text > '9')
		return 0;
	unsigned long number = strtoul(text, &rest, 10);
	return (*rest == end || *rest == '\0') && number <= INT_MAX ? (pid_t)number : 0;
}

int pids_all(struct pids *pids)
{
	DIR *proc = opendir("/proc");
	if (proc == NULL)
		return error_of_errno(errno);
	for (const struct dirent *entry; (entry = readdir(proc)) != NULL;) {
		pid_t pid = pid_of(entry->d_name, '\0');
		if (pid != 0)
			pids_add(pids, pid);
	}
	closedir(proc);
	return 0;
}

void pids_add_lines(struct pids *pids, const char *text)
{
	while (*text != '\0') {
		pid_t pid = pid_of(text, '\n');
		if (pid != 0)
			pids_add(pids, pid);
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
}
