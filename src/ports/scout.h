/* A process of its own that finds out whose sockets are, for a daemon that gave the right to look away: it is started
 * before that, keeps the two capabilities that looking takes (CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH), hears nobody but the
 * daemon, and ends with it.
 *
 *	struct scout *scout;
 *	if (scout_start(&scout, "berth") != 0) ...                           before there are threads
 *	struct scout_answer answers[SCOUT_MOST];
 *	if (scout_ask(scout, want, count, answers) == 0) puts(answers[0].who);
 *	scout_end(scout);
 *
 * What it is asked are numbers of sockets, at most SCOUT_MOST at a time; what it answers are names, made harmless for a
 * terminal. Thread: one at a time. May take some hundred milliseconds on a machine with very many descriptors. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>

#include "ports/owner.h"

/* A search costs much the same for one socket and for many. */
enum { SCOUT_MOST = 2048, SCOUT_WHO = 256 };

struct scout_answer {
	pid_t pid;           /* 0: not found, or the kernel's */
	char who[SCOUT_WHO]; /* "unbound (unbound.service)"; "" where not found */
};

struct scout;

/* As root it becomes that user, but for the two capabilities; NULL: it stays who we are. 0, or E_*; *out is NULL then. */
int scout_start(struct scout **out, const char *user) __attribute__((nonnull(1), warn_unused_result));
/* Once *over is set, which another thread may do, no question is waited for any longer. */
void scout_heed(struct scout *scout, const atomic_bool *over) __attribute__((nonnull));
/* 0, or E_CLOSED or E_TIMEOUT: then it can only be ended. */
int scout_ask(struct scout *scout, const struct owner_want *want, size_t count, struct scout_answer *answers)
	__attribute__((nonnull, warn_unused_result));
/* NULL is allowed. */
void scout_end(struct scout *scout);
/* The same answers, found by whoever calls. */
void scout_look(struct owner_want *want, size_t count, struct scout_answer *answers) __attribute__((nonnull));
