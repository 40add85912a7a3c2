/* Decides how fibers are made, switched and ended. The switch itself is Boost.Context's (12 ns there and back); stacks
 * have a guard page below and are kept on a free list, because mapping and touching one anew costs a thousand times
 * that. */
#include "net/fiber.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/limits.h"
#include "net/fiber_pool.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define WITH_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#endif

#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef WITH_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* Boost.Context's C symbols (boost/context/detail/fcontext.hpp is C++). */
typedef void *fcontext_t; /* Boost's own name */
struct transfer {
	fcontext_t from;
	void *data;
};
extern struct transfer jump_fcontext(fcontext_t to, void *data);
extern fcontext_t make_fcontext(void *stack_top, size_t size, void (*fn)(struct transfer));

enum { PAINT_CHECK_EVERY = 64, FIBERS_A_TURN = 16 };

struct fiber {
	struct link link; /* in loop->ready, or in the pool's list of all that live */
	struct link alive;
	struct loop *loop;
	fcontext_t context;
	void (*fn)(void *arg);
	void *arg;
	uint8_t *stack; /* lowest usable byte, above the guard page */
	struct timer timer;
	int result;
	bool waiting, canceled, done;
	struct fiber *next_free;
#ifdef WITH_TSAN
	void *tsan;
#endif
};

struct fiber_pool {
	struct fiber *idle;
	size_t idle_count, alive_count;
	struct link alive;
	unsigned ended;
	fcontext_t scheduler; /* where the loop goes on */
#ifdef WITH_ASAN
	const void *loop_stack;
	size_t loop_stack_size;
#endif
#ifdef WITH_TSAN
	void *loop_tsan;
#endif
};

static _Thread_local struct fiber *current;

/* --- stacks --- */

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static struct fiber *make_fiber(void)
{
	size_t guard = page_size();
	uint8_t *mem = mmap(NULL, guard + LIMIT_FIBER_STACK, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (mem == MAP_FAILED)
		return NULL;
	if (mprotect(mem, guard, PROT_NONE) != 0) {
		munmap(mem, guard + LIMIT_FIBER_STACK);
		return NULL;
	}
	struct fiber *fiber = xzalloc(1, sizeof(*fiber));
	fiber->stack = mem + guard;
	return fiber;
}

/* Frames that were never left (the last of a fiber that ended, all of an abandoned one) are still poisoned for ASan,
 * which would hold it against whoever gets this memory next, from the free list or from mmap. */
static void unpoison(const struct fiber *fiber)
{
	(void)fiber;
#ifdef WITH_ASAN
	__asan_unpoison_memory_region(fiber->stack, LIMIT_FIBER_STACK);
#endif
}

static void unmap_fiber(struct fiber *fiber)
{
	unpoison(fiber);
	munmap(fiber->stack - page_size(), page_size() + LIMIT_FIBER_STACK);
#ifdef WITH_TSAN
	if (fiber->tsan != NULL)
		__tsan_destroy_fiber(fiber->tsan);
#endif
	free(fiber);
}

/* A mapped stack is zero until written: the lowest byte that is not tells how deep it ever was. Looked at now and then
 * only; what one fiber left behind is still there when the next one is looked at. */
static void note_depth(const struct fiber *fiber)
{
	const uint64_t *word = (const uint64_t *)(const void *)fiber->stack;
	size_t words = LIMIT_FIBER_STACK / sizeof(*word), i = 0;
	while (i < words && word[i] == 0)
		i++;
	counters_max(COUNT_FIBERS_PEAK_STACK, (words - i) * sizeof(*word));
}

struct fiber_pool *fiber_pool_new(void)
{
	struct fiber_pool *pool = xzalloc(1, sizeof(*pool));
	link_init(&pool->alive);
	return pool;
}

void fiber_pool_free(struct fiber_pool *pool)
{
	while (!link_is_empty(&pool->alive)) {
		struct fiber *fiber = container_of(pool->alive.next, struct fiber, alive);
		link_remove(&fiber->alive);
		unmap_fiber(fiber);
	}
	while (pool->idle != NULL) {
		struct fiber *fiber = pool->idle;
		pool->idle = fiber->next_free;
		unmap_fiber(fiber);
	}
	free(pool);
}

/* --- the switch, with what the sanitizers want to know about it --- */

static void enter_loop(struct fiber *fiber)
{
	struct fiber_pool *pool = fiber->loop->fibers;
#ifdef WITH_ASAN
	void *fake = NULL;
	__sanitizer_start_switch_fiber(fiber->done ? NULL : &fake, pool->loop_stack, pool->loop_stack_size);
#endif
#ifdef WITH_TSAN
	__tsan_switch_to_fiber(pool->loop_tsan, 0);
#endif
	struct transfer back = jump_fcontext(pool->scheduler, NULL);
#ifdef WITH_ASAN
	__sanitizer_finish_switch_fiber(fake, &pool->loop_stack, &pool->loop_stack_size);
#endif
	pool->scheduler = back.from;
}

static void enter_fiber(struct fiber *fiber)
{
	struct fiber_pool *pool = fiber->loop->fibers;
	(void)pool;
	current = fiber;
#ifdef WITH_ASAN
	void *fake = NULL;
	__sanitizer_start_switch_fiber(&fake, fiber->stack, LIMIT_FIBER_STACK);
#endif
#ifdef WITH_TSAN
	pool->loop_tsan = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(fiber->tsan, 0);
#endif
	struct transfer back = jump_fcontext(fiber->context, fiber);
#ifdef WITH_ASAN
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
	current = NULL;
	fiber->context = back.from;
}

static void fiber_main(struct transfer first)
{
	struct fiber *fiber = first.data;
	struct fiber_pool *pool = fiber->loop->fibers;
#ifdef WITH_ASAN
	__sanitizer_finish_switch_fiber(NULL, &pool->loop_stack, &pool->loop_stack_size);
#endif
	pool->scheduler = first.from;
	fiber->fn(fiber->arg);
	fiber->done = true;
	enter_loop(fiber);
	require(!"a fiber that has ended was run again");
}

static void retire(struct fiber *fiber)
{
	struct fiber_pool *pool = fiber->loop->fibers;
	link_remove(&fiber->alive);
	pool->alive_count--;
	if (pool->ended++ % PAINT_CHECK_EVERY == 0)
		note_depth(fiber);
	if (pool->idle_count >= LIMIT_FIBERS_KEPT) {
		unmap_fiber(fiber);
		return;
	}
	unpoison(fiber);
	fiber->next_free = pool->idle;
	pool->idle = fiber;
	pool->idle_count++;
}

void fiber_run_ready(struct loop *loop)
{
	/* Only those that are ready now: a fiber that yields comes after everything else of the next turn. And only so
	 * many: when thousands of questions time out together, answers from the cache do not wait for all of them. */
	struct link batch = LINK_INIT(batch);
	for (int i = 0; i < FIBERS_A_TURN && !link_is_empty(&loop->ready); i++) {
		struct link *first = loop->ready.next;
		link_remove(first);
		link_append(&batch, first);
	}
	while (!link_is_empty(&batch)) {
		struct fiber *fiber = container_of(batch.next, struct fiber, link);
		link_remove(&fiber->link);
		enter_fiber(fiber);
		if (fiber->done)
			retire(fiber);
	}
}

/* --- what fibers call --- */

static void on_deadline(struct timer *timer)
{
	fiber_wake(container_of(timer, struct fiber, timer), E_TIMEOUT);
}

int fiber_spawn(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	struct fiber_pool *pool = loop->fibers;
	struct fiber *fiber = pool->idle;
	if (fiber != NULL) {
		pool->idle = fiber->next_free;
		pool->idle_count--;
	} else if ((fiber = make_fiber()) == NULL) {
		return E_NOMEM;
	}
	fiber->loop = loop;
	fiber->fn = fn;
	fiber->arg = arg;
	fiber->waiting = fiber->canceled = fiber->done = false;
	fiber->timer = (struct timer){.on_timer = on_deadline};
	fiber->context = make_fcontext(fiber->stack + LIMIT_FIBER_STACK, LIMIT_FIBER_STACK, fiber_main);
#ifdef WITH_TSAN
	if (fiber->tsan != NULL)
		__tsan_destroy_fiber(fiber->tsan);
	fiber->tsan = __tsan_create_fiber(0);
#endif
	link_append(&pool->alive, &fiber->alive);
	pool->alive_count++;
	link_append(&loop->ready, &fiber->link);
	return 0;
}

struct fiber *fiber_self(void)
{
	return current;
}

int fiber_wait_await(uint64_t deadline_us)
{
	struct fiber *fiber = current;
	require(fiber != NULL);
	if (fiber->canceled)
		return E_CANCELED;
	fiber->waiting = true;
	if (deadline_us != UINT64_MAX)
		loop_timer_set(fiber->loop, &fiber->timer, deadline_us);
	enter_loop(fiber);
	return fiber->result;
}

void fiber_wake(struct fiber *fiber, int result)
{
	if (!fiber->waiting)
		return;
	fiber->waiting = false;
	fiber->result = result;
	loop_timer_cancel(fiber->loop, &fiber->timer);
	link_append(&fiber->loop->ready, &fiber->link);
}

void fiber_cancel(struct fiber *fiber)
{
	fiber->canceled = true;
	fiber_wake(fiber, E_CANCELED);
}

int fiber_yield_await(void)
{
	struct fiber *fiber = current;
	if (fiber->canceled)
		return E_CANCELED;
	fiber->waiting = true;
	fiber_wake(fiber, 0);
	enter_loop(fiber);
	return 0;
}

struct fd_wait {
	struct watch watch;
	struct fiber *fiber;
};

static void on_fd(struct watch *watch, uint32_t events)
{
	(void)events;
	fiber_wake(container_of(watch, struct fd_wait, watch)->fiber, 0);
}

int fiber_wait_fd_await(int fd, uint32_t events, uint64_t deadline_us)
{
	struct loop *loop = current->loop;
	struct fd_wait wait = {.watch = {.fd = fd, .on_ready = on_fd}, .fiber = current};
	if (loop_watch(loop, &wait.watch, events | EPOLLONESHOT) != 0)
		return E_SYSTEM;
	int ret = fiber_wait_await(deadline_us);
	loop_unwatch(loop, &wait.watch);
	return ret;
}

size_t fiber_count(const struct loop *loop)
{
	return loop->fibers->alive_count;
}
