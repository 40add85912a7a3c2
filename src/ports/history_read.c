/* Decides how a history is read, also by processes that may not write it: nothing that stands in the file is believed,
 * and no file can keep a reader for long. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "ports/history_rows.h"

enum { BUSY_MS = 1000, PATIENCE_US = 10000000, STEPS_BETWEEN_LOOKS = 100000 };

struct history_reader {
	sqlite3 *db;
	uint64_t give_up_us;     /* monotonic */
	const atomic_bool *over; /* NULL: nobody hurries us */
};

/* --- open --- */

/* Nobody writes it now: SQLite need not make its index of a log, which an ordinary user could not. */
static bool has_no_log(const char *path)
{
	char log[HISTORY_PATH];
	return (size_t)snprintf(log, sizeof(log), "%s-wal", path) < sizeof(log) && access(log, F_OK) != 0 &&
	       errno == ENOENT;
}

/* SQLite's own words of a file that may not be opened name no cause. */
static int look_at_file(const char *path, char *why, size_t size)
{
	struct stat st;
	/* Not opened: to close it would drop the locks that a writer in this process has on it (fcntl(2)). */
	int number = stat(path, &st) != 0 || faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0 ? errno : 0;
	if (number == 0) {
		if (S_ISREG(st.st_mode))
			return 0;
		snprintf(why, size, "%s: not a file", path);
		return E_INVAL;
	}
	if (number == ENOENT || number == ENOTDIR)
		snprintf(why, size, "%s: there is no history", path);
	else if (number == EACCES || number == EPERM)
		snprintf(why, size, "%s: may not be read; root and the group of the file may", path);
	else
		snprintf(why, size, "%s: cannot be opened: %s", path, strerror(number));
	return number == ENOTDIR ? E_NOENT : error_of_errno(number);
}

/* A path may hold what a URI gives a meaning to. */
static char *uri_of(const char *path)
{
	static const char rest[] = "?immutable=1";
	char *uri = xalloc(strlen(path) * 3 + sizeof("file:") + sizeof(rest)), *to = uri;
	to += sprintf(to, "file:");
	for (; *path != '\0'; path++)
		to += sprintf(to, strchr("%?#", *path) != NULL ? "%%%02X" : "%c", (unsigned char)*path);
	strcpy(to, rest);
	return uri;
}

static int on_progress(void *arg)
{
	const struct history_reader *reader = arg;
	return clock_mono_us() > reader->give_up_us || (reader->over != NULL && atomic_load(reader->over));
}

static void begin_patience(struct history_reader *reader, const struct history_ask *ask)
{
	reader->give_up_us = clock_mono_us() + (ask->patience_us != 0 ? ask->patience_us : PATIENCE_US);
	reader->over = ask->over;
}

/* The next row. What is done with one may take longer than what SQLite does for it, so the time is looked at here too. */
static int next_row(struct history_reader *reader, sqlite3_stmt *rows)
{
	return on_progress(reader) ? SQLITE_INTERRUPT : sqlite3_step(rows);
}

int history_reader_open(struct history_reader **out, const char *path, char *why, size_t size)
{
	*out = NULL;
	int ret = look_at_file(path, why, size);
	if (ret != 0)
		return ret;
	struct history_reader *reader = xzalloc(1, sizeof(*reader));
	char *uri = has_no_log(path) ? uri_of(path) : NULL;
	int code = sqlite3_open_v2(uri != NULL ? uri : path, &reader->db,
		SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | (uri != NULL ? SQLITE_OPEN_URI : 0), NULL);
	free(uri);
	errno = 0;
	if (code != SQLITE_OK) {
		ret = history_file_complain(reader->db, code, path, why, size);
	} else {
		sqlite3_busy_timeout(reader->db, BUSY_MS);
		history_file_harden(reader->db);
		reader->give_up_us = clock_mono_us() + PATIENCE_US;
		sqlite3_progress_handler(reader->db, STEPS_BETWEEN_LOOKS, on_progress, reader);
		ret = history_file_check(reader->db, path, why, size);
		if (ret == E_NOENT)
			snprintf(why, size, "%s: empty", path);
	}
	if (ret == 0)
		*out = reader;
	else
		history_reader_close(reader);
	return ret;
}

void history_reader_close(struct history_reader *reader)
{
	if (reader == NULL)
		return;
	(void)sqlite3_close(reader->db);
	free(reader);
}

/* --- loans --- */

/* A loan that fits, kept until those of the other batches are known. */
struct kept {
	struct packed_loan loan;
	char question[PACK_TEXT + 1];
};

struct loans {
	const struct history_ask *ask;
	uint64_t until_us;
	struct kept *kept;
	size_t count, room, limit;
};

static bool fits(const struct loans *loans, const struct packed_loan *loan)
{
	const struct history_ask *ask = loans->ask;
	return loan->port >= ask->ports.first && loan->port <= ask->ports.last && loan->begin_us <= loans->until_us &&
	       loan->begin_us + loan->took_us >= ask->since_us;
}

static int compare_kept(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;
	return (x->loan.begin_us < y->loan.begin_us) - (x->loan.begin_us > y->loan.begin_us);
}

/* More than twice the limit are not kept at once. */
static void cut_to_limit(struct loans *loans)
{
	if (loans->count > 0)
		qsort(loans->kept, loans->count, sizeof(loans->kept[0]), compare_kept);
	if (loans->count > loans->limit)
		loans->count = loans->limit;
}

static void keep(struct loans *loans, const struct packed_loan *loan)
{
	if (loans->count == loans->room) {
		loans->room = loans->room == 0 ? 64 : loans->room * 2;
		loans->kept = xrealloc(loans->kept, loans->room * sizeof(loans->kept[0]));
	}
	struct kept *kept = &loans->kept[loans->count++];
	kept->loan = *loan;
	memcpy(kept->question, loan->question, loan->question_len);
	kept->question[loan->question_len] = '\0';
	kept->loan.question = NULL;
	if (loans->count >= 2 * loans->limit)
		cut_to_limit(loans);
}

/* No loan of a batch that ended before `last_us` can be among the newest any more. */
static bool has_enough(struct loans *loans, uint64_t last_us)
{
	if (loans->count < loans->limit)
		return false;
	cut_to_limit(loans);
	return loans->kept[loans->count - 1].loan.begin_us > last_us;
}

static void take_batch(struct loans *loans, sqlite3_stmt *row)
{
	const uint8_t *bitmap = sqlite3_column_blob(row, 1);
	if (bitmap != NULL && !pack_ports_may_have(bitmap, (size_t)sqlite3_column_bytes(row, 1), loans->ask->ports))
		return;
	const uint8_t *packed = sqlite3_column_blob(row, 2);
	size_t len = (size_t)sqlite3_column_bytes(row, 2);
	if (packed == NULL)
		return;
	struct unpack unpack = unpack_begin(packed, len);
	for (struct packed_loan loan; unpack_next(&unpack, &loan);)
		if (fits(loans, &loan))
			keep(loans, &loan);
}

static int64_t as_number(uint64_t us)
{
	return us < INT64_MAX ? (int64_t)us : INT64_MAX;
}

/* What a batch holds was begun before its last end, and ended after its first begin. */
static int collect(struct history_reader *reader, struct loans *loans)
{
	sqlite3_stmt *rows;
	int code = sqlite3_prepare_v2(reader->db,
		"SELECT last_us, ports, packed FROM loans WHERE last_us >= ? AND first_us <= ? ORDER BY last_us DESC",
		-1, &rows, NULL);
	if (code != SQLITE_OK)
		return E_SYSTEM;
	sqlite3_bind_int64(rows, 1, as_number(loans->ask->since_us));
	sqlite3_bind_int64(rows, 2, as_number(loans->until_us));
	begin_patience(reader, loans->ask);
	while ((code = next_row(reader, rows)) == SQLITE_ROW &&
		!has_enough(loans, (uint64_t)sqlite3_column_int64(rows, 0)))
		take_batch(loans, rows);
	sqlite3_finalize(rows);
	cut_to_limit(loans);
	return code == SQLITE_ROW || code == SQLITE_DONE ? 0 : E_SYSTEM;
}

static struct loans loans_for(const struct history_ask *ask)
{
	return (struct loans){
		.ask = ask,
		.until_us = ask->until_us != 0 ? ask->until_us : clock_wall_us(),
		.limit = ask->limit < HISTORY_LIMIT ? ask->limit : HISTORY_LIMIT,
	};
}

int history_read_loans(struct history_reader *reader, const struct history_ask *ask,
	bool (*on_loan)(void *arg, const struct history_loan *loan), void *arg)
{
	struct loans loans = loans_for(ask);
	char server[ADDR_TEXT];
	int ret = loans.limit > 0 ? collect(reader, &loans) : 0;
	for (size_t i = 0; i < loans.count; i++) {
		const struct packed_loan *loan = &loans.kept[i].loan;
		struct history_loan out = {
			.begin_us = loan->begin_us,
			.took_us = loan->took_us,
			.port = loan->port,
			.transport = loan->transport,
			.outcome = loan->outcome,
			.server = addr_text(&loan->server, server),
			.question = loans.kept[i].question,
		};
		if (!on_loan(arg, &out))
			break;
	}
	free(loans.kept);
	return ret;
}

/* --- how many --- */

static void count_batch(const struct loans *loans, sqlite3_stmt *row, uint64_t *count)
{
	const uint8_t *bitmap = sqlite3_column_blob(row, 0);
	if (bitmap != NULL && !pack_ports_may_have(bitmap, (size_t)sqlite3_column_bytes(row, 0), loans->ask->ports))
		return;
	const uint8_t *packed = sqlite3_column_blob(row, 1);
	if (packed == NULL)
		return;
	struct unpack unpack = unpack_begin(packed, (size_t)sqlite3_column_bytes(row, 1));
	for (struct packed_loan loan; unpack_next(&unpack, &loan);)
		if (fits(loans, &loan) && loan.begin_us >= loans->ask->since_us)
			++*count;
}

int history_count_loans(struct history_reader *reader, const struct history_ask *ask, uint64_t *count)
{
	struct loans loans = loans_for(ask);
	sqlite3_stmt *rows;
	*count = 0;
	int code = sqlite3_prepare_v2(
		reader->db, "SELECT ports, packed FROM loans WHERE last_us >= ? AND first_us <= ?", -1, &rows, NULL);
	if (code != SQLITE_OK)
		return E_SYSTEM;
	sqlite3_bind_int64(rows, 1, as_number(ask->since_us));
	sqlite3_bind_int64(rows, 2, as_number(loans.until_us));
	begin_patience(reader, ask);
	while ((code = next_row(reader, rows)) == SQLITE_ROW)
		count_batch(&loans, rows, count);
	sqlite3_finalize(rows);
	return code == SQLITE_DONE ? 0 : E_SYSTEM;
}

/* --- holdings --- */

static const char *text_at(sqlite3_stmt *row, int at)
{
	const char *text = (const char *)sqlite3_column_text(row, at);
	return text != NULL ? text : "";
}

static bool give_holding(
	sqlite3_stmt *row, bool (*on_holding)(void *arg, const struct history_holding *holding), void *arg)
{
	int64_t end = sqlite3_column_int64(row, 5);
	struct history_holding holding = {
		.port = (uint16_t)sqlite3_column_int64(row, 0),
		.transport = sqlite3_column_int64(row, 1) == PORT_TCP ? PORT_TCP : PORT_UDP,
		.from_us = (uint64_t)sqlite3_column_int64(row, 2),
		.until_us = (uint64_t)sqlite3_column_int64(row, 3),
		.from_is_early = sqlite3_column_int64(row, 4) != 0,
		.until_is_late = end == HISTORY_BEFORE,
		.is_cut = end == HISTORY_CUT,
		.uid = (uid_t)sqlite3_column_int64(row, 6),
		.pid = (pid_t)sqlite3_column_int64(row, 7),
		.who = text_at(row, 8),
		.local = text_at(row, 9),
		.peer = text_at(row, 10),
		.state = text_at(row, 11),
	};
	return on_holding(arg, &holding);
}

int history_read_holdings(struct history_reader *reader, const struct history_ask *ask,
	bool (*on_holding)(void *arg, const struct history_holding *holding), void *arg)
{
	sqlite3_stmt *rows;
	int code = sqlite3_prepare_v2(reader->db,
		"SELECT port, transport, from_us, until_us, is_early, end, uid, pid, who, local, peer, state FROM "
		"holdings"
		" WHERE port BETWEEN ? AND ? AND from_us <= ? AND (until_us = 0 OR until_us >= ?)"
		" ORDER BY from_us DESC LIMIT ?",
		-1, &rows, NULL);
	if (code != SQLITE_OK)
		return E_SYSTEM;
	sqlite3_bind_int(rows, 1, ask->ports.first);
	sqlite3_bind_int(rows, 2, ask->ports.last);
	sqlite3_bind_int64(rows, 3, as_number(ask->until_us != 0 ? ask->until_us : clock_wall_us()));
	sqlite3_bind_int64(rows, 4, as_number(ask->since_us));
	sqlite3_bind_int64(rows, 5, ask->limit < HISTORY_LIMIT ? (int64_t)ask->limit : HISTORY_LIMIT);
	begin_patience(reader, ask);
	while ((code = next_row(reader, rows)) == SQLITE_ROW)
		if (!give_holding(rows, on_holding, arg))
			break;
	sqlite3_finalize(rows);
	return code == SQLITE_ROW || code == SQLITE_DONE ? 0 : E_SYSTEM;
}
