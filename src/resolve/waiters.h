/* The clients that wait for one lookup. For resolve/ only.
 *
 *	if (waiters_add(&job->waiters, waiter) != 0) return E_BUSY;
 *	while ((waiter = waiters_take(&job->waiters)) != NULL) waiter->on_answer(waiter, &outcome);
 *
 * Thread: the worker's. Never suspends. */
#pragma once

#include "resolve/resolver.h"

struct waiters {
	struct link all;
	unsigned count;
};

void waiters_init(struct waiters *waiters);
/* 0, or E_BUSY: as many wait as may. The waiter stays the caller's. */
int waiters_add(struct waiters *waiters, struct waiter *waiter) __attribute__((warn_unused_result));
/* The one who has waited longest, no longer among them; NULL: nobody is left. */
struct waiter *waiters_take(struct waiters *waiters);
