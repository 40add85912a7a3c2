/* Decides where network namespaces are looked for, and how one is entered and left. */
#include "ports/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/error.h"
#include "base/escape.h"
#include "ports/kernel.h"

enum { LINE = 4096 };

uint64_t netns_id_read(const char *text)
{
	static const char head[] = "net:[";
	char *end;
	if (strncmp(text, head, sizeof(head) - 1) != 0)
		return 0;
	unsigned long long id = strtoull(text + sizeof(head) - 1, &end, 10);
	return *end == ']' ? id : 0;
}

/* --- the list --- */

static struct netns *find(const struct netns_list *list, uint64_t id)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->ns[i].id == id)
			return &list->ns[i];
	return NULL;
}

static struct netns *add(struct netns_list *list, uint64_t id, const char *path)
{
	if (list->count == list->room) {
		list->room = list->room == 0 ? 8 : list->room * 2;
		list->ns = xrealloc(list->ns, list->room * sizeof(*list->ns));
	}
	struct netns *ns = &list->ns[list->count++];
	*ns = (struct netns){.id = id};
	if ((size_t)snprintf(ns->path, sizeof(ns->path), "%s", path) >= sizeof(ns->path))
		ns->path[0] = '\0';
	return ns;
}

/* 0, or E_ACCESS; a process that is gone is no failure. */
static int add_of_process(struct netns_list *list, pid_t pid)
{
	char path[64], text[64];
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	ssize_t len = readlink(path, text, sizeof(text) - 1);
	if (len < 0)
		return errno == EACCES || errno == EPERM ? E_ACCESS : 0;
	text[len] = '\0';
	uint64_t id = netns_id_read(text);
	struct netns *ns = id != 0 ? find(list, id) : NULL;
	if (ns == NULL && id != 0)
		ns = add(list, id, path);
	if (ns != NULL && ns->pid == 0)
		ns->pid = pid;
	return 0;
}

/* "36 35 0:4 net:[4026532008] /run/netns/blue rw shared:1 - nsfs nsfs rw" */
static void add_of_mount(struct netns_list *list, char *line)
{
	char *save, *root = NULL, *place = NULL, *word = strtok_r(line, " ", &save);
	for (int i = 0; word != NULL && i < 5; i++, word = strtok_r(NULL, " ", &save)) {
		root = i == 3 ? word : root;
		place = i == 4 ? word : place;
	}
	uint64_t id = root != NULL ? netns_id_read(root) : 0;
	if (id == 0 || place == NULL)
		return;
	struct netns *ns = find(list, id);
	if (ns == NULL)
		ns = add(list, id, place);
	const char *slash = strrchr(place, '/');
	if (ns->name[0] == '\0')
		escape_text(ns->name, sizeof(ns->name), slash != NULL ? slash + 1 : place);
}

/* Entering the namespace that we are in changes nothing, and shows whether we may enter one. */
static bool can_enter(struct netns_list *list)
{
	if (list->home < 0 || setns(list->home, CLONE_NEWNET) != 0)
		list->is_denied = true;
	return !list->is_denied;
}

void netns_add_named(struct netns_list *list)
{
	if (!can_enter(list))
		return;
	FILE *file = fopen("/proc/self/mountinfo", "re");
	if (file == NULL)
		return;
	char *line = xalloc(LINE);
	while (fgets(line, LINE, file) != NULL)
		add_of_mount(list, line);
	free(line);
	fclose(file);
}

void netns_list_init(struct netns_list *list)
{
	char text[64] = "";
	*list = (struct netns_list){.home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
	ssize_t len = readlink("/proc/thread-self/ns/net", text, sizeof(text) - 1);
	text[len > 0 ? len : 0] = '\0';
	struct netns *ours = add(list, netns_id_read(text), "/proc/thread-self/ns/net");
	ours->is_ours = true;
	kernel_local_range(&ours->local);
}

void netns_add_lived_in(struct netns_list *list, struct pids *pids)
{
	if (!can_enter(list))
		return;
	if (pids->count == 0 && pids_all(pids) != 0)
		list->is_denied = true;
	for (size_t i = 0; i < pids->count; i++)
		if (add_of_process(list, pids->pid[i]) == E_ACCESS)
			list->is_denied = true;
}

void netns_list_deinit(struct netns_list *list)
{
	if (list->home >= 0)
		close(list->home);
	free(list->ns);
	*list = (struct netns_list){.home = -1};
}

/* --- one of them --- */

int netns_open(struct netns_list *list, size_t index, struct diag **out)
{
	struct netns *ns = &list->ns[index];
	*out = NULL;
	if (ns->is_ours)
		return diag_open(out);
	int fd = open(ns->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_of_errno(errno);
	struct stat st;
	/* The process may have ended, and another one have its pid. */
	int ret = fstat(fd, &st) == 0 && st.st_ino == ns->id ? 0 : E_NOENT;
	if (ret == 0 && setns(fd, CLONE_NEWNET) != 0)
		ret = error_of_errno(errno);
	if (ret == 0) {
		ret = diag_open(out);
		kernel_local_range(&ns->local);
		/* A thread that could not go home would say of one namespace what is true of another. */
		require(setns(list->home, CLONE_NEWNET) == 0);
	}
	close(fd);
	return ret;
}
