/* What the ports did, kept over restarts: berthd's loans that ended, and who held which port of this machine from when
 * to when. One SQLite file, bounded in size and age.
 *
 *	struct history *history;
 *	struct history_conf conf = {.path = path, .bytes = 64 << 20, .age_s = 86400, .tag_text = loan_tag_text};
 *	if (history_new(&history, &conf, why, sizeof(why)) != 0) ...          says what is wrong, in one line
 *	history_add_loans(history, entries, count, lost);                     any thread; copied, never waits for a disk
 *	history_free(history);                                                what is queued is written first
 *
 *	struct history_reader *reader;
 *	struct history_ask ask = {.ports = {60054, 60054}, .since_us = then, .until_us = now, .limit = 100};
 *	if (history_reader_open(&reader, path, why, sizeof(why)) == 0)
 *		history_read_loans(reader, &ask, on_loan, arg);               newest first
 *	history_reader_close(reader);
 *
 * A thread of the history's own writes, in batches, about once a second. A full disk or a broken file ends the history
 * with one line in the log, and nothing else. Readers may be in other processes; a reader is one thread's.
 * Times are of the wall clock. Names that were asked for are private: the file is readable by its owner and group alone.
 * Ownership: what a callback is given lives for the call. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "ports/ledger.h"
#include "ports/probe.h"
#include "ports/set.h"

enum { HISTORY_QUESTION = 300, HISTORY_WHO = 256, HISTORY_PEER = 64, HISTORY_LIMIT = 100000 };

#define HISTORY_NO_USER ((uid_t)-1)

struct scout;

struct history_conf {
	const char *path;
	uint64_t bytes; /* of the file and its log; the oldest rows go first */
	uint32_t age_s; /* rows older than this go */
	bool watch;     /* the ports of this machine too */
	/* Writes a loan's tag as text; called in the history's thread. */
	const char *(*tag_text)(const struct loan_tag *tag, char *out, size_t size);
	/* With watch: is the port the pool's now? Such a one is left out, its loans are recorded already. Called in the
	 * history's thread. NULL: none is. */
	bool (*is_own)(void *arg, uint16_t port);
	void *arg;
	struct scout
		*scout; /* ports/scout.h, finds owners; taken over when history_new succeeds with watch. NULL: none */
};

struct history;

/* 0, or E_* with one line in `why`: where, what happened, what to do. */
int history_new(struct history **out, const struct history_conf *conf, char *why, size_t size)
	__attribute__((nonnull, warn_unused_result));
/* NULL is allowed. */
void history_free(struct history *history);
/* `lost`: loans that ended unseen since the last call; they are counted in the file. Beyond a bounded queue loans are
 * dropped and counted as lost too. */
void history_add_loans(struct history *history, const struct ledger_entry *entries, size_t count, uint64_t lost)
	__attribute__((nonnull(1)));

struct history_state {
	bool is_broken; /* it has stopped */
	uint64_t loans, holdings, lost, bytes;
	uint64_t oldest_us; /* of what is kept; 0: nothing */
};
/* Thread: any. */
void history_state(const struct history *history, struct history_state *out) __attribute__((nonnull));

/* --- reading --- */

struct history_loan {
	uint64_t begin_us;
	uint32_t took_us;
	uint16_t port;
	enum transport transport;
	enum loan_outcome outcome;
	const char *server;   /* ADDR_TEXT form */
	const char *question; /* as tag_text wrote it */
};

/* Somebody held a port. */
struct history_holding {
	uint64_t from_us, until_us; /* until 0: still, when the watch last looked */
	bool from_is_early;         /* it was there at from_us; since when, nobody saw */
	bool until_is_late;         /* its end was missed: some time before until_us */
	bool is_cut;                /* the watch ended at until_us, not the holding */
	uint16_t port;
	enum port_transport transport;
	uid_t uid;       /* HISTORY_NO_USER: not known */
	pid_t pid;       /* 0: not known, or the kernel */
	const char *who; /* "firefox", with unit or container: "unbound (unbound.service)"; "" where not known */
	const char *local, *peer; /* ADDR_TEXT form; peer "" for none */
	const char *state;        /* diag_state_text at its begin */
};

struct history_ask {
	struct port_range ports;
	uint64_t since_us, until_us; /* what touches this span; until 0: now */
	size_t limit;                /* at most HISTORY_LIMIT */
	uint64_t patience_us;        /* for each question; 0: ten seconds */
	const atomic_bool *over;     /* set by another thread: the question is given up; NULL: never */
};

struct history_reader;

/* 0, or E_NOENT (no such file: nothing was ever written), E_ACCESS, E_SYSTEM, with one line in `why`. */
int history_reader_open(struct history_reader **out, const char *path, char *why, size_t size)
	__attribute__((nonnull, warn_unused_result));
/* NULL is allowed. */
void history_reader_close(struct history_reader *reader);
/* Newest first, until the limit or until the callback returns false. 0, or E_SYSTEM when the file cannot be read. */
int history_read_loans(struct history_reader *reader, const struct history_ask *ask,
	bool (*on_loan)(void *arg, const struct history_loan *loan), void *arg) __attribute__((nonnull(1, 2, 3)));
int history_read_holdings(struct history_reader *reader, const struct history_ask *ask,
	bool (*on_holding)(void *arg, const struct history_holding *holding), void *arg)
	__attribute__((nonnull(1, 2, 3)));
/* How many loans of the port began in the span. */
int history_count_loans(struct history_reader *reader, const struct history_ask *ask, uint64_t *count)
	__attribute__((nonnull));
