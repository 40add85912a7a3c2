/* Decides which users of this machine see the machine without a password. That a viewer comes from loopback says little:
 * a reverse proxy does too, and so does every user here, while the history is for root and a group alone. The kernel
 * knows whose the other end of the connection is. */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "daemon/web_parts.h"
#include "ports/diag.h"

enum { USERS = 64 };

struct web_locals {
	struct diag *diag; /* NULL: the kernel cannot be asked, nobody is local */
	uid_t uid[USERS];
	size_t count;
};

static void add(struct web_locals *locals, uid_t uid)
{
	if (locals->count < USERS)
		locals->uid[locals->count++] = uid;
}

/* Who may use the control socket and read the history may see the page too. */
static void add_group(struct web_locals *locals)
{
	const struct group *group = getgrnam("berth");
	for (char **name = group != NULL ? group->gr_mem : NULL; name != NULL && *name != NULL; name++) {
		const struct passwd *entry = getpwnam(*name);
		if (entry != NULL)
			add(locals, entry->pw_uid);
	}
}

int locals_new(struct web_locals **out, const struct config *config, char *why, size_t size)
{
	struct web_locals *locals = *out = xzalloc(1, sizeof(*locals));
	if (!config->web.has_local)
		add_group(locals);
	for (size_t i = 0; i < config->web.local_count; i++) {
		const struct passwd *entry = getpwnam(config->web.local[i]);
		if (entry == NULL) {
			snprintf(why, size, "web.local: there is no user %s on this machine", config->web.local[i]);
			return E_INVAL;
		}
		add(locals, entry->pw_uid);
	}
	if (diag_open(&locals->diag) != 0)
		locals->diag = NULL;
	return 0;
}

void locals_free(struct web_locals *locals)
{
	if (locals == NULL)
		return;
	diag_close(locals->diag);
	free(locals);
}

static bool is_admitted(const struct web_locals *locals, uid_t uid)
{
	bool found = uid == 0 || uid == geteuid();
	for (size_t i = 0; i < locals->count; i++)
		found |= locals->uid[i] == uid;
	return found;
}

bool locals_have_peer(const struct web_locals *locals, int fd)
{
	struct addr here = {0}, there = {0};
	socklen_t here_len = sizeof(here), there_len = sizeof(there);
	struct diag_socket socket;
	return locals->diag != NULL && getsockname(fd, &here.sa, &here_len) == 0 &&
	       getpeername(fd, &there.sa, &there_len) == 0 &&
	       diag_find_tcp(locals->diag, &there, &here, &socket) == 0 && is_admitted(locals, socket.uid);
}
