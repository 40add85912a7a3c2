/* Fibers: straight-line code that waits. Each runs on its own small stack, on the thread of its loop, until it calls
 * something that ends in `_await`.
 *
 *	static void run(void *arg) { int ret = fiber_wait_await(deadline_us); ... }
 *	fiber_spawn(loop, run, arg);
 *	fiber_wake(fiber, 0);            from a callback of the same loop: the wait returns 0
 *
 * No lock, no pointer into a cache and no errno lives across an `_await`; loop->now_us has moved after it.
 * Ownership: a fiber ends when its function returns; its stack is kept for the next. Thread: the loop's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"

struct fiber;

/* Runs fn(arg) soon, in this loop. 0, or E_NOMEM when no stack can be mapped. */
int fiber_spawn(struct loop *loop, void (*fn)(void *arg), void *arg);

/* The running fiber; NULL outside of one. */
struct fiber *fiber_self(void);

/* Sleeps until fiber_wake, or the deadline (CLOCK_MONOTONIC). Returns what the waker said, E_TIMEOUT, or E_CANCELED. */
int fiber_wait_await(uint64_t deadline_us) __attribute__((warn_unused_result));
/* Ends the wait with `result`. Without effect when it was woken already or does not wait. */
void fiber_wake(struct fiber *fiber, int result);
/* This and each later wait of the fiber return E_CANCELED: it unwinds by ordinary returns. */
void fiber_cancel(struct fiber *fiber);

/* Waits for EPOLLIN or EPOLLOUT of a descriptor that nobody else watches. 0, E_TIMEOUT, E_CANCELED, E_SYSTEM. */
int fiber_wait_fd_await(int fd, uint32_t events, uint64_t deadline_us) __attribute__((warn_unused_result));
/* Lets everything else that is ready run first. 0, or E_CANCELED. */
int fiber_yield_await(void) __attribute__((warn_unused_result));

/* Fibers of this loop that have not ended. */
size_t fiber_count(const struct loop *loop);
