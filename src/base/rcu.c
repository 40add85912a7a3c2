/* Decides how liburcu's thread begins, and what ThreadSanitizer is told of liburcu, which it cannot look into: that all
 * who read have ended before anything is freed. */
#include <signal.h>
#include <stdbool.h>

#include "base/rcu.h"

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#else
static inline void __tsan_acquire(void *address)
{
	(void)address;
}
static inline void __tsan_release(void *address)
{
	(void)address;
}
#endif

static char readers;

void rcu_prepare(void)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	(void)urcu_bp_get_default_call_rcu_data();
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void rcu_watched_end(void)
{
	__tsan_release(&readers);
}

void rcu_watched_unused(void)
{
	__tsan_acquire(&readers);
}
