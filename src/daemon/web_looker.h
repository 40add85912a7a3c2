/* One thread for what the main thread must not wait for: the kernel's socket tables, processes, files.
 *
 *	struct my { struct look look; ... } *my = ...;
 *	my->look = (struct look){.run = run, .done = done};
 *	if (looker_begin(looker, &my->look) != 0) ...          E_BUSY: too much is waiting already
 *
 * `run` is called in the looker's thread, then `done` in the loop's. Ownership: the job is the caller's, and must stay
 * until `done`, which comes in any case; when the looker ends before it ran, `is_late` is set. */
#pragma once

#include <stdbool.h>

#include "net/loop.h"

struct look {
	struct mail mail;
	void (*run)(struct look *look);
	void (*done)(struct look *look);
	bool is_late; /* it did not run */
	struct look *next;
};

struct looker;

/* No thread runs yet. */
struct looker *looker_new(struct loop *home);
/* 0, or E_SYSTEM. */
int looker_start(struct looker *looker);
/* What is under way ends, what waits comes home late. */
void looker_stop(struct looker *looker);
void looker_free(struct looker *looker);
int looker_begin(struct looker *looker, struct look *look) __attribute__((warn_unused_result));
