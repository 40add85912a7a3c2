/* Decides how many clients may wait for one lookup: all of them are answered at once, and so many packets leave in one
 * burst (DNSBomb, CVE-2024-33655). */
#include "resolve/waiters.h"

#include "base/error.h"
#include "base/limits.h"

void waiters_init(struct waiters *waiters)
{
	link_init(&waiters->all);
	waiters->count = 0;
}

int waiters_add(struct waiters *waiters, struct waiter *waiter)
{
	if (waiters->count >= LIMIT_WAITERS)
		return E_BUSY;
	link_append(&waiters->all, &waiter->link);
	waiters->count++;
	return 0;
}

struct waiter *waiters_take(struct waiters *waiters)
{
	if (link_is_empty(&waiters->all))
		return NULL;
	struct waiter *waiter = container_of(waiters->all.next, struct waiter, link);
	link_remove(&waiter->link);
	waiters->count--;
	return waiter;
}
