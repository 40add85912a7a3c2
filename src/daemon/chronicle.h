/* The daemon's side of the history (ports/history.h): where its file is, and how the loans come from the workers to it.
 *
 *	chronicle_prepare(config);                           before privileges are dropped: the scout
 *	struct chronicle *chronicle = chronicle_new(server); after: the file; never fails, at worst there is no history
 *	chronicle_start(chronicle);                          collects once a second
 *	chronicle_stop(chronicle);                           when the workers have ended: the last loans, and the end
 *
 * Thread: main; the ledgers are read in their workers' threads. */
#pragma once

#include <jansson.h>

struct chronicle;
struct config;
struct server;

/* With watch, also the process that finds owners: while there are no threads. */
void chronicle_prepare(const struct config *config) __attribute__((nonnull));
struct chronicle *chronicle_new(struct server *server) __attribute__((nonnull, returns_nonnull));
void chronicle_start(struct chronicle *chronicle) __attribute__((nonnull));
/* NULL is allowed. */
void chronicle_stop(struct chronicle *chronicle);
/* HISTORY of doc/control.md; the caller's. NULL is allowed. */
json_t *chronicle_json(const struct chronicle *chronicle);
