/* Decides the order of a turn: mail, descriptors, timers, fibers, the batch hook, sleep. */
#include "net/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "net/fiber_pool.h"

/* --- timers: a binary heap, index 1 is the earliest --- */

static void heap_place(struct loop *loop, size_t at, struct timer *timer)
{
	loop->heap[at] = timer;
	timer->place = at;
}

static void sift_up(struct loop *loop, size_t at)
{
	struct timer *timer = loop->heap[at];
	for (; at > 1 && loop->heap[at / 2]->at_us > timer->at_us; at /= 2)
		heap_place(loop, at, loop->heap[at / 2]);
	heap_place(loop, at, timer);
}

static void sift_down(struct loop *loop, size_t at)
{
	struct timer *timer = loop->heap[at];
	for (size_t child; (child = at * 2) <= loop->heap_count; at = child) {
		if (child < loop->heap_count && loop->heap[child + 1]->at_us < loop->heap[child]->at_us)
			child++;
		if (loop->heap[child]->at_us >= timer->at_us)
			break;
		heap_place(loop, at, loop->heap[child]);
	}
	heap_place(loop, at, timer);
}

void loop_timer_cancel(struct loop *loop, struct timer *timer)
{
	size_t at = timer->place;
	if (at == 0)
		return;
	timer->place = 0;
	struct timer *last = loop->heap[loop->heap_count--];
	if (last == timer)
		return;
	heap_place(loop, at, last);
	sift_up(loop, at);
	sift_down(loop, last->place);
}

void loop_timer_set(struct loop *loop, struct timer *timer, uint64_t at_us)
{
	loop_timer_cancel(loop, timer);
	if (loop->heap_count + 1 >= loop->heap_room) {
		loop->heap_room = loop->heap_room ? loop->heap_room * 2 : 256;
		loop->heap = xrealloc(loop->heap, loop->heap_room * sizeof(*loop->heap));
	}
	timer->at_us = at_us;
	loop->heap[++loop->heap_count] = timer;
	sift_up(loop, loop->heap_count);
}

static void run_timers(struct loop *loop)
{
	while (loop->heap_count > 0 && loop->heap[1]->at_us <= loop->now_us) {
		struct timer *timer = loop->heap[1];
		loop_timer_cancel(loop, timer);
		timer->on_timer(timer);
	}
}

/* --- mail --- */

void loop_post(struct loop *loop, struct mail *mail)
{
	mail->next = atomic_load_explicit(&loop->inbox, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(&loop->inbox, &mail->next, mail))
		continue;
	/* The reader says that it sleeps before it looks at the inbox a last time, so one of both sees the other. */
	if (atomic_exchange(&loop->asleep, false)) {
		uint64_t one = 1;
		(void)!write(loop->wake_watch.fd, &one, sizeof(one));
	}
}

bool loop_drain(struct loop *loop)
{
	if (atomic_load_explicit(&loop->inbox, memory_order_relaxed) == NULL)
		return false;
	struct mail *mail = atomic_exchange(&loop->inbox, NULL), *oldest = NULL;
	while (mail != NULL) {
		struct mail *next = mail->next;
		mail->next = oldest;
		oldest = mail;
		mail = next;
	}
	while (oldest != NULL) {
		mail = oldest;
		oldest = oldest->next; /* the receiver may free it */
		mail->on_mail(mail);
	}
	return true;
}

/* Edge-triggered: each write wakes anew, and nobody needs to read the sum. */
static void on_wake(struct watch *watch, uint32_t events)
{
	(void)watch;
	(void)events;
}

/* --- descriptors --- */

static int control(struct loop *loop, int op, struct watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};
	return epoll_ctl(loop->epoll_fd, op, watch->fd, &event) == 0 ? 0 : error_of_errno(errno);
}

int loop_watch(struct loop *loop, struct watch *watch, uint32_t events)
{
	return control(loop, EPOLL_CTL_ADD, watch, events);
}

int loop_rewatch(struct loop *loop, struct watch *watch, uint32_t events)
{
	return control(loop, EPOLL_CTL_MOD, watch, events);
}

void loop_forget(struct loop *loop, struct watch *watch)
{
	for (int i = loop->event_next; i < loop->event_count; i++)
		if (loop->events[i].data.ptr == watch)
			loop->events[i].data.ptr = NULL;
}

void loop_unwatch(struct loop *loop, struct watch *watch)
{
	(void)control(loop, EPOLL_CTL_DEL, watch, 0);
	loop_forget(loop, watch);
}

static void on_pause_over(struct timer *timer)
{
	struct pause *pause = container_of(timer, struct pause, timer);
	(void)loop_rewatch(pause->loop, pause->watch, pause->events);
}

void loop_pause(struct loop *loop, struct pause *pause, struct watch *watch, uint32_t events, unsigned ms)
{
	if (pause->timer.place != 0)
		return;
	*pause = (struct pause){.timer = {.on_timer = on_pause_over}, .loop = loop, .watch = watch, .events = events};
	(void)loop_rewatch(loop, watch, 0);
	loop_timer_set(loop, &pause->timer, loop->now_us + ms * 1000ull);
}

static int sleep_ms(const struct loop *loop)
{
	if (!link_is_empty(&loop->ready))
		return 0;
	if (loop->heap_count == 0)
		return -1;
	uint64_t at_us = loop->heap[1]->at_us, now_us = clock_mono_us();
	if (at_us <= now_us)
		return 0;
	uint64_t ms = (at_us - now_us + 999) / 1000;
	return ms > 60000 ? 60000 : (int)ms;
}

static void run_events(struct loop *loop)
{
	int timeout_ms = sleep_ms(loop);
	if (timeout_ms != 0) {
		atomic_store(&loop->asleep, true);
		if (atomic_load(&loop->inbox) != NULL || atomic_load(&loop->stop))
			timeout_ms = 0;
	}
	int count = epoll_wait(loop->epoll_fd, loop->events, LOOP_EVENTS, timeout_ms);
	atomic_store_explicit(&loop->asleep, false, memory_order_relaxed);
	loop->now_us = clock_mono_us();
	loop->event_count = count > 0 ? count : 0;
	for (loop->event_next = 0; loop->event_next < loop->event_count;) {
		struct epoll_event *event = &loop->events[loop->event_next++];
		struct watch *watch = event->data.ptr;
		if (watch != NULL)
			watch->on_ready(watch, event->events);
	}
	loop->event_count = 0;
}

int loop_init(struct loop *loop)
{
	memset(loop, 0, sizeof(*loop));
	link_init(&loop->ready);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->wake_watch = (struct watch){.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .on_ready = on_wake};
	loop->now_us = clock_mono_us();
	if (loop->epoll_fd < 0 || loop->wake_watch.fd < 0 ||
		loop_watch(loop, &loop->wake_watch, EPOLLIN | EPOLLET) != 0)
		return E_SYSTEM;
	loop->fibers = fiber_pool_new();
	return 0;
}

void loop_deinit(struct loop *loop)
{
	fiber_pool_free(loop->fibers);
	free(loop->heap);
	close(loop->wake_watch.fd);
	close(loop->epoll_fd);
}

void loop_run(struct loop *loop)
{
	while (!atomic_load_explicit(&loop->stop, memory_order_acquire)) {
		run_events(loop);
		loop_drain(loop);
		run_timers(loop);
		fiber_run_ready(loop);
		if (loop->on_turn != NULL)
			loop->on_turn(loop->on_turn_arg);
	}
}

void loop_stop(struct loop *loop)
{
	uint64_t one = 1;
	atomic_store_explicit(&loop->stop, true, memory_order_release);
	(void)!write(loop->wake_watch.fd, &one, sizeof(one)); /* async-signal-safe */
}
