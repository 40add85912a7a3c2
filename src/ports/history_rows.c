/* Decides how rows are written, and which go when the file is full: the oldest, batches of loans and holdings alike.
 *
 * Three quarters of the bytes are the file's and one is its write-ahead log's. Pages of rows that went are used again,
 * so that a full file stays as large as it is. */
#include "ports/history_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"

enum {
	LOG_USUAL = 1000, /* pages, SQLite's own habit */
	LOG_LEAST = 16,
	DELETE_AT_ONCE = 64, /* rows that are too old, of each commit: after a long pause the rest follows */
	DELETE_ROUNDS = 512, /* batches thrown away for room, of each commit */
	SHRINK_PAGES = 256,  /* given back to the disk at once, when the limit was lowered */
};

/* In the order of statement[]. */
enum {
	BEGIN,
	COMMIT,
	UNDO,
	ADD_BATCH,
	DROP_BATCHES,
	ADD_HOLDING,
	END_HOLDING,
	DROP_HOLDINGS,
	OLDEST,
	PAGES,
	LOOKED,
	SHRINK
};

static const char *const texts[HISTORY_STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[UNDO] = "ROLLBACK",
	[ADD_BATCH] = "INSERT INTO loans (first_us, last_us, count, lost, ports, packed) VALUES (?, ?, ?, ?, ?, ?)",
	[DROP_BATCHES] =
		"DELETE FROM loans WHERE id IN (SELECT id FROM loans WHERE last_us < ? ORDER BY last_us LIMIT ?)"
		" RETURNING count, lost",
	[ADD_HOLDING] = "INSERT INTO holdings (port, transport, from_us, until_us, is_early, end, uid, pid, who, local,"
			" peer, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[END_HOLDING] = "UPDATE holdings SET until_us = ?, end = ? WHERE id = ? AND until_us = 0",
	[DROP_HOLDINGS] =
		"DELETE FROM holdings WHERE id IN (SELECT id FROM holdings WHERE until_us > 0 AND until_us < ?"
		" ORDER BY until_us LIMIT ?) RETURNING 1, 0",
	[OLDEST] = "SELECT (SELECT last_us FROM loans ORDER BY last_us LIMIT 1),"
		   " (SELECT until_us FROM holdings WHERE until_us > 0 ORDER BY until_us LIMIT 1)",
	[PAGES] = "SELECT page_count, freelist_count FROM pragma_page_count, pragma_freelist_count",
	[LOOKED] = "INSERT INTO watch (id, looked_us) VALUES (1, ?)"
		   " ON CONFLICT (id) DO UPDATE SET looked_us = excluded.looked_us",
	[SHRINK] = "PRAGMA incremental_vacuum(256)",
};

/* --- statements --- */

static int step_all(sqlite3_stmt *statement)
{
	int code;
	do
		code = sqlite3_step(statement);
	while (code == SQLITE_ROW);
	int reset = sqlite3_reset(statement);
	return code == SQLITE_DONE ? SQLITE_OK : reset != SQLITE_OK ? reset : code;
}

static int run(struct history_rows *rows, int which)
{
	return step_all(rows->statement[which]);
}

static int prepare(struct history_rows *rows)
{
	for (int i = 0; i < HISTORY_STATEMENTS; i++) {
		int code = sqlite3_prepare_v3(
			rows->file.db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &rows->statement[i], NULL);
		if (code != SQLITE_OK)
			return code;
	}
	return SQLITE_OK;
}

/* --- open, close --- */

static int on_log(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct history_rows *rows = arg;
	(void)db;
	(void)name;
	rows->log_now = pages;
	return SQLITE_OK;
}

static int at_most(int64_t value, int most)
{
	return value < most ? (int)value : most;
}

static void set_limits(struct history_rows *rows, const struct history_conf *conf)
{
	int64_t pages = (int64_t)(conf->bytes / HISTORY_PAGE);
	rows->file_pages = pages / 4 * 3;
	rows->log_pages = at_most(pages / 4, 1 << 30);
	rows->log_usual = at_most(pages / 8, LOG_USUAL);
	if (rows->log_usual < LOG_LEAST)
		rows->log_usual = LOG_LEAST;
	rows->age_s = conf->age_s;
}

/* What the watch of another time left open ended when it last looked, as far as anybody knows. */
static int close_open_holdings(struct history_rows *rows)
{
	int64_t open = history_file_number(rows->file.db, "SELECT count(*) FROM holdings WHERE until_us = 0", 0);
	if (open == 0)
		return SQLITE_OK;
	return history_file_run(rows->file.db,
		"UPDATE holdings SET end = 3, until_us = max(from_us, coalesce((SELECT looked_us FROM watch), 0), 1)"
		" WHERE until_us = 0");
}

static int begin_rows(struct history_rows *rows)
{
	int code = prepare(rows);
	if (code != SQLITE_OK)
		return code;
	sqlite3 *db = rows->file.db;
	/* Each of these reads the whole table or an index of it: what is broken there shows now. */
	int64_t loans = history_file_number(db, "SELECT coalesce(sum(count), 0) FROM loans", -1);
	int64_t lost = history_file_number(db, "SELECT coalesce(sum(lost), 0) FROM loans", -1);
	int64_t holdings = history_file_number(db, "SELECT count(*) FROM holdings", -1);
	if (loans < 0 || lost < 0 || holdings < 0)
		return sqlite3_errcode(db) != SQLITE_OK ? sqlite3_errcode(db) : SQLITE_CORRUPT;
	rows->loans = (uint64_t)loans;
	rows->lost = (uint64_t)lost;
	rows->holdings = (uint64_t)holdings;
	(void)sqlite3_wal_hook(db, on_log, rows);
	return close_open_holdings(rows);
}

int history_rows_open(struct history_rows **out, const struct history_conf *conf, char *why, size_t size)
{
	struct history_rows *rows = xzalloc(1, sizeof(*rows));
	set_limits(rows, conf);
	*out = NULL;
	int ret = history_file_open(&rows->file, conf->path, why, size);
	if (ret == 0) {
		int code = begin_rows(rows);
		if (code != SQLITE_OK)
			ret = history_file_complain(rows->file.db, code, conf->path, why, size);
	}
	if (ret != 0)
		history_rows_close(rows);
	else
		*out = rows;
	return ret;
}

void history_rows_close(struct history_rows *rows)
{
	if (rows == NULL)
		return;
	for (int i = 0; i < HISTORY_STATEMENTS; i++)
		(void)sqlite3_finalize(rows->statement[i]);
	history_file_close(&rows->file);
	free(rows);
}

/* --- adding --- */

int history_rows_add_batch(struct history_rows *rows, const struct pack *pack, uint64_t lost)
{
	static const uint8_t nothing[1];
	sqlite3_stmt *add = rows->statement[ADD_BATCH];
	pack_ports(pack, &rows->ports);
	sqlite3_bind_int64(add, 1, (int64_t)pack->first_us);
	sqlite3_bind_int64(add, 2, (int64_t)pack->last_us);
	sqlite3_bind_int64(add, 3, pack->count);
	sqlite3_bind_int64(add, 4, (int64_t)lost);
	sqlite3_bind_blob(add, 5, rows->ports.bytes, (int)rows->ports.len, SQLITE_STATIC);
	sqlite3_bind_blob(add, 6, pack->len > 0 ? pack->bytes : nothing, (int)pack->len, SQLITE_STATIC);
	int code = step_all(add);
	sqlite3_clear_bindings(add);
	if (code != SQLITE_OK)
		return code;
	rows->loans += pack->count;
	rows->lost += lost;
	return SQLITE_OK;
}

static void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
	sqlite3_bind_text(statement, at, text != NULL ? text : "", -1, SQLITE_STATIC);
}

static enum history_end end_of(const struct history_holding *holding)
{
	if (holding->until_us == 0)
		return HISTORY_STILL;
	return holding->is_cut ? HISTORY_CUT : holding->until_is_late ? HISTORY_BEFORE : HISTORY_EXACT;
}

int history_rows_add_holding(struct history_rows *rows, const struct history_holding *holding, int64_t *id)
{
	sqlite3_stmt *add = rows->statement[ADD_HOLDING];
	const int64_t numbers[] = {holding->port, holding->transport, (int64_t)holding->from_us,
		(int64_t)holding->until_us, holding->from_is_early, end_of(holding), holding->uid, holding->pid};
	const char *const words[] = {holding->who, holding->local, holding->peer, holding->state};
	const int count = sizeof(numbers) / sizeof(numbers[0]);
	for (int i = 0; i < count; i++)
		sqlite3_bind_int64(add, i + 1, numbers[i]);
	for (int i = 0; i < (int)(sizeof(words) / sizeof(words[0])); i++)
		bind_text(add, count + i + 1, words[i]);
	int code = step_all(add);
	sqlite3_clear_bindings(add);
	if (code != SQLITE_OK)
		return code;
	*id = sqlite3_last_insert_rowid(rows->file.db);
	rows->holdings++;
	return SQLITE_OK;
}

int history_rows_end_holding(struct history_rows *rows, int64_t id, uint64_t until_us, enum history_end end)
{
	sqlite3_stmt *statement = rows->statement[END_HOLDING];
	sqlite3_bind_int64(statement, 1, (int64_t)until_us);
	sqlite3_bind_int64(statement, 2, end);
	sqlite3_bind_int64(statement, 3, id);
	return step_all(statement);
}

int history_rows_looked(struct history_rows *rows, uint64_t now_us)
{
	sqlite3_bind_int64(rows->statement[LOOKED], 1, (int64_t)now_us);
	return run(rows, LOOKED);
}

/* --- throwing away --- */

static void forget(uint64_t *count, int64_t gone)
{
	*count -= gone > 0 && (uint64_t)gone < *count ? (uint64_t)gone : *count * (gone > 0);
}

/* At most `limit` rows that ended before that moment; *gone is how many went. */
static int drop(struct history_rows *rows, int which, int64_t before_us, int limit, int *gone)
{
	sqlite3_stmt *statement = rows->statement[which];
	int code;
	sqlite3_bind_int64(statement, 1, before_us);
	sqlite3_bind_int(statement, 2, limit);
	for (*gone = 0; (code = sqlite3_step(statement)) == SQLITE_ROW; ++*gone) {
		forget(which == DROP_BATCHES ? &rows->loans : &rows->holdings, sqlite3_column_int64(statement, 0));
		if (which == DROP_BATCHES)
			forget(&rows->lost, sqlite3_column_int64(statement, 1));
	}
	int reset = sqlite3_reset(statement);
	return code == SQLITE_DONE ? SQLITE_OK : reset != SQLITE_OK ? reset : code;
}

static int drop_old(struct history_rows *rows, uint64_t now_us)
{
	int gone;
	int64_t before_us = (int64_t)now_us - (int64_t)rows->age_s * 1000000;
	if (rows->age_s == 0)
		return SQLITE_OK;
	int code = drop(rows, DROP_BATCHES, before_us, DELETE_AT_ONCE, &gone);
	return code == SQLITE_OK ? drop(rows, DROP_HOLDINGS, before_us, DELETE_AT_ONCE, &gone) : code;
}

static int count_pages(struct history_rows *rows, int64_t *all, int64_t *spare)
{
	sqlite3_stmt *statement = rows->statement[PAGES];
	int code = sqlite3_step(statement);
	*all = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
	*spare = code == SQLITE_ROW ? sqlite3_column_int64(statement, 1) : 0;
	int reset = sqlite3_reset(statement);
	return code == SQLITE_ROW ? SQLITE_OK : reset;
}

/* A batch of loans, or as many holdings, whichever ended first. */
static int drop_oldest(struct history_rows *rows, int *gone)
{
	sqlite3_stmt *oldest = rows->statement[OLDEST];
	*gone = 0;
	int code = sqlite3_step(oldest);
	bool has_loans = code == SQLITE_ROW && sqlite3_column_type(oldest, 0) != SQLITE_NULL;
	bool has_holdings = code == SQLITE_ROW && sqlite3_column_type(oldest, 1) != SQLITE_NULL;
	bool loans_first =
		has_loans && (!has_holdings || sqlite3_column_int64(oldest, 0) <= sqlite3_column_int64(oldest, 1));
	int reset = sqlite3_reset(oldest);
	if (code != SQLITE_ROW)
		return reset;
	if (!has_loans && !has_holdings)
		return SQLITE_OK;
	return loans_first ? drop(rows, DROP_BATCHES, INT64_MAX, 1, gone)
			   : drop(rows, DROP_HOLDINGS, INT64_MAX, DELETE_AT_ONCE, gone);
}

static int drop_for_room(struct history_rows *rows)
{
	int64_t all, spare;
	int gone = 1, code = count_pages(rows, &all, &spare);
	for (int i = 0; i < DELETE_ROUNDS && code == SQLITE_OK && gone > 0 && all - spare > rows->file_pages; i++) {
		code = drop_oldest(rows, &gone);
		if (code == SQLITE_OK)
			code = count_pages(rows, &all, &spare);
	}
	if (code == SQLITE_OK && all > rows->file_pages && spare > 0)
		code = run(rows, SHRINK);
	return code;
}

/* --- transactions --- */

int history_rows_begin(struct history_rows *rows)
{
	errno = 0;
	return run(rows, BEGIN);
}

void history_rows_undo(struct history_rows *rows)
{
	if (sqlite3_get_autocommit(rows->file.db) == 0)
		(void)run(rows, UNDO);
}

/* A reader that reads on and on keeps its part of the log: then nothing is added until it is done. */
static int work_off_log(struct history_rows *rows)
{
	int mode = rows->log_now > rows->log_pages ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
	int log = 0, done = 0;
	int code = sqlite3_wal_checkpoint_v2(rows->file.db, NULL, mode, &log, &done);
	if (code == SQLITE_OK)
		rows->log_now = log;
	rows->is_jammed = rows->log_now > rows->log_pages;
	return code == SQLITE_BUSY || code == SQLITE_LOCKED ? SQLITE_OK : code;
}

int history_rows_unjam(struct history_rows *rows)
{
	return work_off_log(rows);
}

int history_rows_commit(struct history_rows *rows, uint64_t now_us)
{
	int code = drop_old(rows, now_us);
	if (code == SQLITE_OK)
		code = drop_for_room(rows);
	if (code == SQLITE_OK)
		code = run(rows, COMMIT);
	if (code == SQLITE_OK && (rows->log_now >= rows->log_usual || rows->is_jammed))
		code = work_off_log(rows);
	return code;
}

void history_rows_state(struct history_rows *rows, struct history_state *out)
{
	int64_t all, spare;
	*out = (struct history_state){.loans = rows->loans, .holdings = rows->holdings, .lost = rows->lost};
	if (count_pages(rows, &all, &spare) == SQLITE_OK)
		out->bytes = (uint64_t)(all + rows->log_now) * HISTORY_PAGE;
	int64_t loan = history_file_number(
		rows->file.db, "SELECT first_us FROM loans WHERE count > 0 ORDER BY last_us LIMIT 1", 0);
	int64_t held = history_file_number(
		rows->file.db, "SELECT from_us FROM holdings WHERE until_us > 0 ORDER BY until_us LIMIT 1", 0);
	out->oldest_us = (uint64_t)(loan != 0 && (held == 0 || loan < held) ? loan : held);
}
