/* One thread's event loop: descriptors (epoll), timers, mail from other threads, fibers that are ready.
 *
 *	struct loop loop;
 *	if (loop_init(&loop) != 0) ...
 *	struct watch w = {.fd = fd, .on_ready = on_ready};
 *	loop_watch(&loop, &w, EPOLLIN);
 *	loop_run(&loop);                 until loop_stop
 *	loop_deinit(&loop);
 *
 * Ownership: watches, timers and mail belong to the caller and must stay until unwatched, cancelled, delivered.
 * Thread: the loop's own, except loop_post and loop_stop, which any thread may call. Callbacks never suspend; they may
 * unwatch and cancel anything, themselves included. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/list.h"

struct watch {
	int fd;
	void (*on_ready)(struct watch *watch, uint32_t events);
};

struct timer {
	void (*on_timer)(struct timer *timer);
	uint64_t at_us;
	size_t place; /* in the heap, from 1; 0: not set */
};

/* A message to another thread, inside something that the sender allocated and the receiver now owns. */
struct mail {
	struct mail *next;
	void (*on_mail)(struct mail *mail);
};

enum { LOOP_EVENTS = 64 };

struct fiber_pool;

struct loop {
	int epoll_fd;
	uint64_t now_us; /* CLOCK_MONOTONIC at the begin of this turn */
	struct timer **heap;
	size_t heap_count, heap_room;
	struct epoll_event events[LOOP_EVENTS];
	int event_count, event_next; /* the batch being worked on */
	struct link ready;           /* fibers to run this turn */
	struct fiber_pool *fibers;
	void (*on_turn)(void *arg); /* after each turn, before sleeping; may be NULL */
	void *on_turn_arg;
	struct watch wake_watch;

	/* Any thread writes what follows. */
	_Alignas(64) _Atomic(struct mail *) inbox; /* newest first */
	_Atomic bool asleep;
	_Atomic bool stop;
};

/* 0, or E_SYSTEM. */
int loop_init(struct loop *loop);
void loop_deinit(struct loop *loop);
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Level-triggered unless `events` says otherwise. 0, or E_SYSTEM/E_NOMEM. */
int loop_watch(struct loop *loop, struct watch *watch, uint32_t events);
int loop_rewatch(struct loop *loop, struct watch *watch, uint32_t events);
/* Before the descriptor is closed. Events of this turn that were not delivered yet are not delivered any more. */
void loop_unwatch(struct loop *loop, struct watch *watch);
/* For a descriptor that was closed, which took it out of epoll: forgets undelivered events only. */
void loop_forget(struct loop *loop, struct watch *watch);

/* Takes a watch out for a while: for a listener that cannot accept now and would be called again and again. */
struct pause {
	struct timer timer;
	struct loop *loop;
	struct watch *watch;
	uint32_t events;
};
void loop_pause(struct loop *loop, struct pause *pause, struct watch *watch, uint32_t events, unsigned ms);

/* Sets or moves a timer; at_us is CLOCK_MONOTONIC. Equal times run in any order. */
void loop_timer_set(struct loop *loop, struct timer *timer, uint64_t at_us);
void loop_timer_cancel(struct loop *loop, struct timer *timer);

/* Delivers mail in the order in which each sender posted it. */
void loop_post(struct loop *loop, struct mail *mail);
/* Delivers what is in the inbox now; true when there was any. For the end, when the loop does not run any more: in the
 * loop's own thread, or after that was joined. */
bool loop_drain(struct loop *loop);
