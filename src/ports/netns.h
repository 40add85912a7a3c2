/* The network namespaces of this machine: each has all ports for itself.
 *
 *	struct netns_list list;
 *	netns_list_init(&list);                  our own
 *	netns_add_named(&list);                  and those that are mounted under a name (ip netns, Docker)
 *	netns_add_lived_in(&list, &pids);        and those that a process lives in
 *	for (size_t i = 0; i < list.count; i++)
 *		if (netns_open(&list, i, &diag) == 0) ...
 *	netns_list_deinit(&list);
 *
 * The first is the calling thread's own. Others are root's to see (CAP_SYS_ADMIN). One that nobody lives in, without a
 * name, kept by a descriptor alone, is not found. Asking all processes takes some 7 us for each. Thread: one; its
 * namespace is changed for the length of netns_open alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ports/diag.h"
#include "ports/pids.h"

enum { NETNS_NAME = 64, NETNS_PATH = 128 };

struct netns {
	uint64_t id; /* the inode of its file in /proc; 0: not known */
	bool is_ours;
	pid_t pid;               /* a process that lives in it; 0: none was found */
	char name[NETNS_NAME];   /* the last word of where it is mounted, made harmless; "" for none */
	char path[NETNS_PATH];   /* what setns() is given */
	struct port_range local; /* its ip_local_port_range; set by netns_open */
};

struct netns_list {
	struct netns *ns;
	size_t count, room;
	int home;       /* a descriptor of our own */
	bool is_denied; /* we may not look for others, or not at them */
};

void netns_list_init(struct netns_list *list) __attribute__((nonnull));
void netns_list_deinit(struct netns_list *list) __attribute__((nonnull));
/* Where we may not enter others, these add nothing and set is_denied. Adding moves the namespaces: hold no pointer to
 * one. `pids` is all processes, listed when it is empty. */
void netns_add_named(struct netns_list *list) __attribute__((nonnull));
void netns_add_lived_in(struct netns_list *list, struct pids *pids) __attribute__((nonnull));
/* The tables of that namespace; 0, or E_*: not permitted, or gone. */
int netns_open(struct netns_list *list, size_t index, struct diag **out) __attribute__((nonnull, warn_unused_result));
/* Takes "4026532008" out of "net:[4026532008]"; 0 when it is nothing like it. */
uint64_t netns_id_read(const char *text) __attribute__((nonnull));
