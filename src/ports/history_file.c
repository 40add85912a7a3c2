/* Decides what a history's file has to look like, and leaves alone what looks otherwise: nothing is written to a file
 * before it is known to be empty or ours. */
#include "ports/history_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

enum { BUSY_MS = 2000, MODE = 0640 };

static const char tables[] =
	"CREATE TABLE loans (id INTEGER PRIMARY KEY, first_us INTEGER NOT NULL, last_us INTEGER NOT NULL,"
	" count INTEGER NOT NULL, lost INTEGER NOT NULL, ports BLOB NOT NULL, packed BLOB NOT NULL) STRICT;"
	"CREATE INDEX loans_last ON loans (last_us);"
	"CREATE TABLE holdings (id INTEGER PRIMARY KEY, port INTEGER NOT NULL, transport INTEGER NOT NULL,"
	" from_us INTEGER NOT NULL, until_us INTEGER NOT NULL, is_early INTEGER NOT NULL, end INTEGER NOT NULL,"
	" uid INTEGER NOT NULL, pid INTEGER NOT NULL, who TEXT NOT NULL, local TEXT NOT NULL, peer TEXT NOT NULL,"
	" state TEXT NOT NULL) STRICT;"
	"CREATE INDEX holdings_port ON holdings (port, from_us);"
	"CREATE INDEX holdings_until ON holdings (until_us);"
	"CREATE TABLE watch (id INTEGER PRIMARY KEY CHECK (id = 1), looked_us INTEGER NOT NULL) STRICT;";

/* --- words --- */

int history_file_complain(sqlite3 *db, int code, const char *path, char *why, size_t size)
{
	const char *words = db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(code);
	switch (code & 0xff) {
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		snprintf(why, size, "%s: broken (%s); move it away, and a new one is made at the next start", path,
			words);
		return E_MALFORMED;
	case SQLITE_FULL:
		snprintf(why, size, "%s: the disk is full; make room and restart berthd", path);
		return E_SPACE;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: snprintf(why, size, "%s: another program keeps it locked", path); return E_BUSY;
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		snprintf(why, size, "%s: may not be opened or written (%s); see its folder's owner and mode", path,
			words);
		return E_ACCESS;
	default:
		snprintf(why, size, "%s: %s%s%s", path, words, errno != 0 ? ", " : "",
			errno != 0 ? strerror(errno) : "");
		return E_SYSTEM;
	}
}

static int complain_errno(int number, const char *path, char *why, size_t size)
{
	snprintf(why, size, "%s: cannot be opened: %s", path, strerror(number));
	return error_of_errno(number);
}

/* --- small steps --- */

int history_file_run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int64_t history_file_number(sqlite3 *db, const char *sql, int64_t otherwise)
{
	sqlite3_stmt *statement;
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		return otherwise;
	int64_t number = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : otherwise;
	sqlite3_finalize(statement);
	return number;
}

void history_file_harden(sqlite3 *db)
{
	/* Triggers, views and functions that a stranger wrote into the schema do nothing. */
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	(void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 4 << 20);
	(void)sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
}

int history_file_check(sqlite3 *db, const char *path, char *why, size_t size)
{
	int64_t mark = history_file_number(db, "PRAGMA application_id", -1);
	int64_t form = history_file_number(db, "PRAGMA user_version", -1);
	int64_t things = history_file_number(db, "SELECT count(*) FROM sqlite_schema", -1);
	if (mark < 0 || form < 0 || things < 0)
		return history_file_complain(db, sqlite3_errcode(db), path, why, size);
	if (mark == 0 && form == 0 && things == 0)
		return E_NOENT;
	if (mark != HISTORY_MARK)
		snprintf(why, size, "%s: a database of another program; name another file", path);
	else if (form != HISTORY_FORM)
		snprintf(why, size, "%s: of form %lld, written by a newer berthd; this one knows form %d", path,
			(long long)form, HISTORY_FORM);
	else
		return 0;
	return E_EXIST;
}

/* --- the writer's --- */

/* SQLite would make it readable for all; what a pipe or a folder does to it nobody needs to learn. */
static int make_file(const char *path, char *why, size_t size)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW, MODE);
	if (fd < 0)
		return complain_errno(errno, path, why, size);
	bool is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	close(fd); /* nobody has locks on it yet that this could drop: we hold PATH-lock */
	if (is_file)
		return 0;
	snprintf(why, size, "%s: not a file; name another", path);
	return E_INVAL;
}

/* A file of its own: closing any descriptor of the database would drop SQLite's locks (fcntl(2)). */
static int lock_file(struct history_file *file, const char *path, char *why, size_t size)
{
	char lock[HISTORY_PATH];
	if ((size_t)snprintf(lock, sizeof(lock), "%s-lock", path) >= sizeof(lock)) {
		snprintf(why, size, "the path of the history is too long");
		return E_SPACE;
	}
	file->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW, MODE);
	if (file->lock < 0)
		return complain_errno(errno, lock, why, size);
	if (flock(file->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	snprintf(why, size, "%s: another berthd writes it; name another file with history.file", path);
	return E_BUSY;
}

static int make_tables(sqlite3 *db)
{
	char mark[160];
	/* Numbers of ours, no data: pragmas take no parameters. */
	snprintf(
		mark, sizeof(mark), "PRAGMA application_id = %d; PRAGMA user_version = %d", HISTORY_MARK, HISTORY_FORM);
	int code = history_file_run(db, "PRAGMA auto_vacuum = INCREMENTAL; BEGIN EXCLUSIVE");
	if (code == SQLITE_OK)
		code = history_file_run(db, mark);
	if (code == SQLITE_OK)
		code = history_file_run(db, tables);
	if (code == SQLITE_OK)
		code = history_file_run(db, "COMMIT");
	return code;
}

static int open_database(struct history_file *file, const char *path, char *why, size_t size)
{
	int code = sqlite3_open_v2(path, &file->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (code != SQLITE_OK)
		return history_file_complain(file->db, code, path, why, size);
	sqlite3_busy_timeout(file->db, BUSY_MS);
	history_file_harden(file->db);
	int ret = history_file_check(file->db, path, why, size);
	if (ret != 0 && ret != E_NOENT)
		return ret;
	if (ret == E_NOENT)
		code = make_tables(file->db);
	if (code == SQLITE_OK)
		code = history_file_run(file->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
	return code == SQLITE_OK ? 0 : history_file_complain(file->db, code, path, why, size);
}

int history_file_open(struct history_file *file, const char *path, char *why, size_t size)
{
	*file = (struct history_file){.lock = -1};
	errno = 0;
	int ret = lock_file(file, path, why, size);
	if (ret == 0)
		ret = make_file(path, why, size);
	if (ret == 0)
		ret = open_database(file, path, why, size);
	if (ret != 0)
		history_file_close(file);
	return ret;
}

void history_file_close(struct history_file *file)
{
	if (file->db != NULL)
		(void)sqlite3_close(file->db);
	if (file->lock >= 0)
		close(file->lock);
	*file = (struct history_file){.lock = -1};
}
