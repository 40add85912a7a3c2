/* A doubly linked list whose links live in the members.
 *
 *	struct link waiters = LINK_INIT(waiters);
 *	link_append(&waiters, &w->link);
 *	for (struct link *l = waiters.next; l != &waiters; l = l->next)
 *		struct waiter *w = container_of(l, struct waiter, link);
 *
 * The owner of the members owns everything. Not thread safe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *next, *prev;
};

#define LINK_INIT(name)                                                                                                \
	{                                                                                                              \
		&(name), &(name)                                                                                       \
	}
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void link_init(struct link *l)
{
	l->next = l->prev = l;
}

static inline bool link_is_empty(const struct link *head)
{
	return head->next == head;
}

static inline void link_append(struct link *head, struct link *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

/* Takes a member out; doing so twice is harmless. */
static inline void link_remove(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	link_init(l);
}
