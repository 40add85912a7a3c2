/* Who held which port of this machine from when to when, for the history: the kernel tells the end of each socket, and
 * all of them are listed every few seconds. For ports/history.c alone.
 *
 *	struct history_watch *watch = history_watch_new(is_own, arg, scout);
 *	poll(history_watch_fd(watch)) -> history_watch_read(watch, now_us);
 *	code = history_watch_turn(watch, rows, now_us);              once a second
 *	code = history_watch_end(watch, rows, now_us);
 *	history_watch_free(watch);
 *
 * Of a socket that lived between two lists only the end is known. Connections that a listener accepted have its port
 * and are not recorded, nor are the ports of the pool. Whose a socket is has to be searched for, which takes berthd the
 * right to look at others' processes; without it the user is what is known. Thread: the history's. */
#pragma once

#include "ports/history_rows.h"

struct history_watch;
struct scout;

/* From another thread: it is to end soon, owners are not searched for any longer. NULL is allowed. */
void history_watch_hurry(struct history_watch *watch);
/* Takes over the scout, which may be NULL. */
struct history_watch *history_watch_new(bool (*is_own)(void *arg, uint16_t port), void *arg, struct scout *scout)
	__attribute__((returns_nonnull));
/* NULL is allowed. */
void history_watch_free(struct history_watch *watch);
/* -1: the kernel does not tell of ends. */
int history_watch_fd(const struct history_watch *watch) __attribute__((nonnull));
void history_watch_read(struct history_watch *watch, uint64_t now_us) __attribute__((nonnull));
/* A loan that ended: the end of its socket is no news. */
void history_watch_note_loan(struct history_watch *watch, const struct ledger_entry *entry) __attribute__((nonnull));
/* Writes what there is to write, in a transaction of its own. A result of SQLite. */
int history_watch_turn(struct history_watch *watch, struct history_rows *rows, uint64_t now_us)
	__attribute__((nonnull, warn_unused_result));
/* Nobody watches any more: what is held is held on, as far as is known. */
int history_watch_end(struct history_watch *watch, struct history_rows *rows, uint64_t now_us)
	__attribute__((nonnull, warn_unused_result));
