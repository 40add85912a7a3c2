/* Decides where the process that holds a socket is searched for, and when the search ends. */
#include "ports/owner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "ports/cgroup.h"
#include "ports/fdtable.h"

enum {
	FEW = 16,    /* more sockets than this: every table is read */
	SMALL = 128, /* descriptors; larger tables are bisected first */
	HOLES = 4,   /* numbers without a descriptor that are tried before the list of descriptors is asked for */
};

struct search {
	struct owner_want *want;
	size_t count;
	const struct owner_want **by_inode; /* sorted */
	struct owner_found *found;
	size_t found_count, found_room;
	bool counts_fds; /* this kernel says how many descriptors a process has (Linux 6.2) */
	bool denied;
	pid_t pid; /* of the table being read */
	enum owner_how how;
};

/* --- what is wanted --- */

static int compare_wants(const void *a, const void *b)
{
	const struct owner_want *x = *(const struct owner_want *const *)a, *y = *(const struct owner_want *const *)b;
	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* The first one with that inode, or NULL: several may ask for the same socket. */
static const struct owner_want *const *find_wanted(const struct search *search, uint64_t inode)
{
	size_t low = 0, high = search->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (search->by_inode[middle]->inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	bool is_there = low < search->count && search->by_inode[low]->inode == inode;
	return is_there ? (const struct owner_want *const *)&search->by_inode[low] : NULL;
}

static void add(struct search *search, size_t want)
{
	if (search->found_count == search->found_room) {
		search->found_room = search->found_room == 0 ? FEW : search->found_room * 2;
		search->found = xrealloc(search->found, search->found_room * sizeof(*search->found));
	}
	search->found[search->found_count++] = (struct owner_found){want, search->pid};
	search->want[want].how = search->how;
}

static void on_socket(void *arg, unsigned fd, uint64_t inode)
{
	struct search *search = arg;
	(void)fd;
	const struct owner_want *const *want = find_wanted(search, inode);
	if (want == NULL)
		return;
	const struct owner_want *const *end = (const struct owner_want *const *)search->by_inode + search->count;
	for (; want < end && (*want)->inode == inode; want++)
		add(search, (size_t)(*want - search->want));
}

static void on_run_socket(void *arg, unsigned fd, uint64_t inode, bool is_seen)
{
	struct search *search = arg;
	search->how = is_seen ? OWNER_SCAN : OWNER_RUN;
	on_socket(search, fd, inode);
	search->how = OWNER_SCAN;
}

/* All of them are wanted, and made by the same user in the same cgroup. */
static bool is_run(void *arg, uint64_t first, uint64_t last)
{
	const struct search *search = arg;
	const struct owner_want *const *from = find_wanted(search, first);
	size_t count = (size_t)(last - first) + 1;
	const struct owner_want *const *end = (const struct owner_want *const *)search->by_inode + search->count;
	if (from == NULL || (size_t)(end - from) < count)
		return false;
	for (size_t i = 1; i < count; i++)
		if (from[i]->inode != first + i || from[i]->uid != (*from)->uid || from[i]->cgroup != (*from)->cgroup)
			return false;
	return true;
}

static bool is_done(const struct search *search)
{
	for (size_t i = 0; i < search->count; i++)
		if (search->want[i].how < OWNER_RUN)
			return false;
	return true;
}

/* --- one process --- */

/* "socket:[1234]" */
static int64_t inode_at(void *arg, unsigned fd)
{
	static const char head[] = "socket:[";
	const int *folder = arg;
	char name[16], text[40];
	snprintf(name, sizeof(name), "%u", fd);
	ssize_t len = readlinkat(*folder, name, text, sizeof(text) - 1);
	if (len < 0)
		return errno == EACCES || errno == EPERM ? FD_DENIED : FD_NONE;
	text[len] = '\0';
	if (strncmp(text, head, sizeof(head) - 1) != 0)
		return FD_OTHER;
	long long inode = strtoll(text + sizeof(head) - 1, NULL, 10);
	return inode > 0 ? inode : FD_OTHER;
}

/* The room that the process's table has, from /proc/PID/status; 0: it is gone. */
static unsigned table_size(pid_t pid)
{
	char text[1024];
	snprintf(text, sizeof(text), "/proc/%d/status", (int)pid);
	int fd = open(text, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t len = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	const char *line = strstr(text, "\nFDSize:");
	return line != NULL ? (unsigned)strtoul(line + strlen("\nFDSize:"), NULL, 10) : 0;
}

static int open_table(const struct search *search, pid_t pid, struct fd_table *table, int *folder)
{
	char path[32];
	struct stat st;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	*folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*folder < 0)
		return errno == EACCES || errno == EPERM ? E_ACCESS : E_NOENT;
	*table = (struct fd_table){.inode_at = inode_at, .arg = folder};
	if (search->counts_fds && fstat(*folder, &st) == 0)
		table->count = (unsigned)st.st_size;
	return 0;
}

/* The folder lists what is open, which costs more for each descriptor than asking for it by number does. */
static void read_listed(struct search *search, struct fd_table *table, unsigned from)
{
	const int *folder = table->arg;
	int fd = openat(*folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		unsigned number = (unsigned)strtoul(entry->d_name, NULL, 10);
		int64_t inode = number >= from ? inode_at(table->arg, number) : FD_NONE;
		if (inode > 0)
			on_socket(search, number, (uint64_t)inode);
	}
	closedir(dir);
}

/* Most tables are dense, so the numbers are tried from zero on. Some have a few descriptors far away, as every shell
 * does: after some holes the list is asked for. */
static int read_small(struct search *search, struct fd_table *table)
{
	unsigned fd = 0, seen = 0;
	for (; seen < table->count && fd - seen < HOLES; fd++) {
		int64_t inode = inode_at(table->arg, fd);
		if (inode == FD_DENIED)
			return E_ACCESS;
		seen += inode != FD_NONE;
		if (inode > 0)
			on_socket(search, fd, (uint64_t)inode);
	}
	if (seen < table->count)
		read_listed(search, table, fd);
	return 0;
}

/* Large tables are bisected for each socket that is wanted. */
static int bisect(struct search *search, struct fd_table *table)
{
	if (inode_at(table->arg, 0) == FD_DENIED)
		return E_ACCESS;
	for (size_t i = 0; i < search->count; i++)
		if (search->want[i].inode != 0 && fd_table_bisect(table, search->want[i].inode) >= 0)
			add(search, i);
	return 0;
}

enum depth {
	QUICK, /* small tables are read, large ones bisected */
	LARGE, /* large ones are read */
	WHOLE, /* all are, large ones by runs */
};

static int read_large(struct search *search, struct fd_table *table, enum depth depth)
{
	const struct fd_runs runs = {is_run, on_run_socket, search};
	switch (depth) {
	case QUICK: return bisect(search, table);
	case LARGE: return fd_table_pass(table, on_socket, search);
	default: return fd_table_pass_runs(table, &runs);
	}
}

static int look_at(struct search *search, enum depth depth)
{
	struct fd_table table;
	int folder, ret = open_table(search, search->pid, &table, &folder);
	if (ret != 0)
		return ret;
	bool is_small = search->counts_fds && table.count <= SMALL;
	if (is_small && depth != LARGE) {
		ret = read_small(search, &table);
	} else if (!is_small) {
		table.limit = table_size(search->pid);
		ret = read_large(search, &table, table.limit > SMALL ? depth : LARGE);
	}
	close(folder);
	return ret;
}

static void look_at_all(struct search *search, const struct pids *pids, enum depth depth)
{
	for (size_t i = 0; i < pids->count; i++) {
		search->pid = pids->pid[i];
		if (look_at(search, depth) == E_ACCESS)
			search->denied = true;
	}
}

/* --- the search --- */

/* A service manager opens sockets for others (socket activation): who finds one there has not found all. */
static bool gives_away(pid_t pid)
{
	char path[32], name[16] = "";
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 ? read(fd, name, sizeof(name) - 1) : 0;
	if (fd >= 0)
		close(fd);
	return pid == 1 || (len > 0 && strncmp(name, "systemd\n", 8) == 0);
}

static void search_cgroups(struct search *search)
{
	search->how = OWNER_CGROUP;
	for (size_t i = 0; i < search->count; i++) {
		struct pids pids = {0};
		uint64_t cgroup = search->want[i].cgroup;
		/* In the topmost cgroup is who is in no other: on a machine without cgroups, everybody. */
		if (search->want[i].how >= OWNER_CGROUP || cgroup <= CGROUP_ROOT)
			continue;
		if (cgroup_pids(cgroup, &pids) == 0)
			look_at_all(search, &pids, QUICK);
		pids_deinit(&pids);
	}
	for (size_t i = 0; i < search->found_count; i++)
		if (gives_away(search->found[i].pid))
			search->want[search->found[i].want].how = OWNER_NOBODY;
}

static void search_everywhere(struct search *search, struct pids *pids)
{
	if (pids->count == 0 && pids_all(pids) != 0)
		search->denied = true;
	if (search->count <= FEW) {
		search->how = OWNER_BISECT;
		look_at_all(search, pids, QUICK);
	}
	if (!is_done(search)) {
		search->how = OWNER_SCAN;
		look_at_all(search, pids, search->count <= FEW ? LARGE : WHOLE);
	}
}

static int compare_found(const void *a, const void *b)
{
	const struct owner_found *x = a, *y = b;
	if (x->want != y->want)
		return x->want < y->want ? -1 : 1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

/* Several descriptors of one process may be the same socket, by dup() or because a table was looked at twice. */
static void tidy(struct search *search)
{
	size_t kept = 0;
	if (search->found_count > 0)
		qsort(search->found, search->found_count, sizeof(*search->found), compare_found);
	for (size_t i = 0; i < search->found_count; i++)
		if (kept == 0 || compare_found(&search->found[kept - 1], &search->found[i]) != 0)
			search->found[kept++] = search->found[i];
	search->found_count = kept;
	/* Whom the search everywhere did not see again, because it ended meanwhile, was found all the same. */
	for (size_t i = 0; i < kept; i++)
		if (search->want[search->found[i].want].how < OWNER_RUN)
			search->want[search->found[i].want].how = OWNER_CGROUP;
}

static void search_all(struct search *search, struct pids *pids)
{
	struct stat st;
	search->counts_fds = stat("/proc/self/fd", &st) == 0 && st.st_size > 0;
	for (size_t i = 0; i < search->count; i++)
		search->by_inode[i] = &search->want[i];
	qsort(search->by_inode, search->count, sizeof(*search->by_inode), compare_wants);
	if (search->count <= FEW)
		search_cgroups(search);
	if (!is_done(search))
		search_everywhere(search, pids);
	tidy(search);
}

void owners_find(
	struct owner_want *want, size_t count, struct pids *pids, struct owner_found **found, size_t *found_count)
{
	struct search search = {.want = want, .count = count};
	search.by_inode = xalloc((count + 1) * sizeof(*search.by_inode));
	for (size_t i = 0; i < count; i++)
		want[i].how = want[i].inode == 0 ? OWNER_KERNEL : OWNER_NOBODY;
	search_all(&search, pids);
	for (size_t i = 0; i < count; i++)
		if (want[i].how == OWNER_NOBODY && search.denied)
			want[i].how = OWNER_DENIED;
	free(search.by_inode);
	*found = search.found;
	*found_count = search.found_count;
}

const char *owner_how_text(enum owner_how how)
{
	static const char *const texts[OWNER_HOWS] = {
		[OWNER_NOBODY] = "nobody",
		[OWNER_DENIED] = "denied",
		[OWNER_RUN] = "row",
		[OWNER_CGROUP] = "cgroup",
		[OWNER_BISECT] = "bisected",
		[OWNER_SCAN] = "scanned",
		[OWNER_KERNEL] = "kernel",
	};
	return how < OWNER_HOWS ? texts[how] : "unknown";
}
