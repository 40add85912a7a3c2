/* A worker: one thread with its loop, listeners, pool, answer cache and resolver. */
#pragma once

#include "daemon/server.h"

/* The cores that this process may run on. */
unsigned worker_cores(void);
/* Main thread, before start. 0, or an error with one line in `why`. */
int worker_init(struct worker *worker, struct server *server, unsigned index, char *why, size_t size);
/* The pool and the resolver: after all listeners have their descriptors. `sockets`: how many the pool may open. */
void worker_equip(struct worker *worker, unsigned sockets);
int worker_start(struct worker *worker);
/* Main thread: asks the worker to end and waits for it. */
void worker_join(struct worker *worker);
/* After all workers were joined: first every resolver ends (its waiters are told), then the rest is freed. */
void worker_end_lookups(struct worker *worker);
void worker_deinit(struct worker *worker);
/* In the worker's thread, or before it runs. Copies what it needs. */
void worker_apply(struct worker *worker, const struct settings *settings);
