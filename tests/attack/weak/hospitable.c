/* Decides that any number of clients may wait for one lookup, to be answered in one burst. */
#include "resolve/waiters.h"

int __real_waiters_add(struct waiters *waiters, struct waiter *waiter);
int __wrap_waiters_add(struct waiters *waiters, struct waiter *waiter);

int __wrap_waiters_add(struct waiters *waiters, struct waiter *waiter)
{
	waiters->count = 0;
	return __real_waiters_add(waiters, waiter);
}
