/* The rows of the history's file: written, counted, and thrown away when there are too many or they are too old. For
 * ports/history*.c alone.
 *
 *	struct history_rows *rows;
 *	if (history_rows_open(&rows, path, 64 << 20, 86400, why, size) != 0) ...
 *	if (history_rows_begin(rows) == SQLITE_OK && history_rows_add_batch(rows, pack, 0) == SQLITE_OK)
 *		ret = history_rows_commit(rows, now_us);
 *	history_rows_close(rows);
 *
 * What can fail returns a result of SQLite, 0 (SQLITE_OK) for success; after another one history_rows_undo. Thread: one
 * at a time. */
#pragma once

#include "ports/history.h"
#include "ports/history_file.h"
#include "ports/pack.h"

/* How a holding ended. */
enum history_end { HISTORY_STILL, HISTORY_EXACT, HISTORY_BEFORE, HISTORY_CUT };

enum { HISTORY_STATEMENTS = 12 };

struct history_rows {
	struct history_file file;
	sqlite3_stmt *statement[HISTORY_STATEMENTS];
	uint32_t age_s;
	int64_t file_pages;       /* the file may have so many, */
	int log_pages, log_usual; /* its log at most so many; it is worked off at the second number */
	int log_now;              /* written by SQLite's hook at each commit */
	bool is_jammed;           /* a reader keeps the log from being worked off: nothing is added */
	uint64_t loans, holdings, lost;
	struct pack_ports ports; /* of the batch that is added */
};

/* 0, or E_* with one line in `why`. */
int history_rows_open(struct history_rows **out, const struct history_conf *conf, char *why, size_t size)
	__attribute__((nonnull, warn_unused_result));
/* NULL is allowed. */
void history_rows_close(struct history_rows *rows);

int history_rows_begin(struct history_rows *rows) __attribute__((nonnull, warn_unused_result));
/* Throws away what is too old or too much, commits, and works off the log when it is long. */
int history_rows_commit(struct history_rows *rows, uint64_t now_us) __attribute__((nonnull, warn_unused_result));
void history_rows_undo(struct history_rows *rows) __attribute__((nonnull));
/* Tries again to work off the log. */
int history_rows_unjam(struct history_rows *rows) __attribute__((nonnull, warn_unused_result));

/* `lost`: loans that were not seen since the batch before. */
int history_rows_add_batch(struct history_rows *rows, const struct pack *pack, uint64_t lost)
	__attribute__((nonnull, warn_unused_result));
/* *id is the row's. */
int history_rows_add_holding(struct history_rows *rows, const struct history_holding *holding, int64_t *id)
	__attribute__((nonnull, warn_unused_result));
int history_rows_end_holding(struct history_rows *rows, int64_t id, uint64_t until_us, enum history_end end)
	__attribute__((nonnull, warn_unused_result));
/* The machine was looked at. */
int history_rows_looked(struct history_rows *rows, uint64_t now_us) __attribute__((nonnull, warn_unused_result));

void history_rows_state(struct history_rows *rows, struct history_state *out) __attribute__((nonnull));
