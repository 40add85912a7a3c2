/* Reading without a lock what somebody else changes (read-copy-update; liburcu).
 *
 *	rcu_begin();                                            who reads
 *	struct entry *entry = atomic_load_explicit(&head, memory_order_acquire);
 *	copy(entry);
 *	rcu_end();
 *
 *	atomic_store_explicit(&head, entry->next, memory_order_release);    who changes, under a lock of his own
 *	rcu_retire(&entry->later, on_unused);
 *
 *	static void on_unused(struct rcu_head *later) { rcu_is_unused(); free(container_of(later, struct entry, later)); }
 *
 * What was taken out stays whole until all who were reading at that time have ended; then on_unused frees it, in another
 * thread. So nothing between begin and end may suspend, or wait for somebody who waits for readers.
 * Thread: any, without preparation. Begin and end cost a few nanoseconds and write to no memory that is shared. */
#pragma once

/* Sanitizers look at liburcu from outside: inline, ThreadSanitizer would judge what it does not understand, and 0.13 has
 * its readers less aligned than it says. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RCU_IS_WATCHED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define RCU_IS_WATCHED true
#endif
#endif
#ifndef RCU_IS_WATCHED
#define RCU_IS_WATCHED false
#define _LGPL_SOURCE   /* its inline functions; the GPL goes with the LGPL */
#endif
#include <urcu/urcu-bp.h>

/* ThreadSanitizer does not see how liburcu waits: these tell it that whoever read or retired has ended before what is
 * retired is freed. */
void rcu_watched_end(void);
void rcu_watched_unused(void);

static inline void rcu_begin(void)
{
	urcu_bp_read_lock();
}

static inline void rcu_end(void)
{
	if (RCU_IS_WATCHED)
		rcu_watched_end();
	urcu_bp_read_unlock();
}

/* `later` lies in what is retired, and nothing else uses it from then on. */
static inline void rcu_retire(struct rcu_head *later, void (*on_unused)(struct rcu_head *later))
{
	if (RCU_IS_WATCHED)
		rcu_watched_end();
	urcu_bp_call_rcu(later, on_unused);
}

/* The first words of an on_unused. */
static inline void rcu_is_unused(void)
{
	if (RCU_IS_WATCHED)
		rcu_watched_unused();
}

/* Starts the thread that frees what is retired, with all signals blocked; else who retires first would start it, and leave it
 * its signals and its core. Main thread. */
void rcu_prepare(void);

/* Returns when all that was retired before has been freed. Not between begin and end. */
static inline void rcu_settle(void)
{
	urcu_bp_barrier();
}
