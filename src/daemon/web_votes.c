/* Decides what is kept of "Was this page useful?": one vote of each visitor and page, the last one.
 *
 * The looker's thread alone touches the file. A file that does not work costs the votes and nothing else. */
#include "daemon/web_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/web_tries.h"
#include "ports/history_file.h"

enum { FACES = 3, WAIT_MS = 500, MARK = 1114797142 /* application_id: "BrtV" */ };

struct web_votes {
	struct web *web;
	sqlite3 *db; /* NULL: not open yet */
	bool is_broken;
	struct tries tries; /* the main thread's */
	char path[];
};

struct vote {
	struct look look;
	struct visit *visit;
	struct web_votes *votes;
	char visitor[WEB_TOKEN];
	uint16_t port;
	int face; /* -1: asked for, not given */
	/* the result */
	int error;
	int64_t count[FACES];
	int mine; /* -1: none */
};

static const char *const face_words[FACES] = {"yes", "partly", "no"};

/* --- the file, in the looker's thread --- */

/* SQLite would make it readable for all, and follow a link. What lies beside it gets the same mode. */
static bool make_file(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW, 0640);
	bool is_file = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	if (fd >= 0)
		close(fd); /* nobody in this process has locks on it that this could drop */
	return is_file;
}

/* Empty or ours; the first form had no mark. */
static bool is_ours(sqlite3 *db)
{
	int64_t mark = history_file_number(db, "PRAGMA application_id", -1);
	int64_t things = history_file_number(db, "SELECT count(*) FROM sqlite_schema", -1);
	int64_t ours = history_file_number(
		db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'vote'", -1);
	return mark == MARK || (mark == 0 && things >= 0 && things == ours);
}

static const char *open_database(struct web_votes *votes)
{
	static const char schema[] =
		"PRAGMA application_id = 1114797142; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
		"CREATE TABLE IF NOT EXISTS vote (port INTEGER NOT NULL, visitor TEXT NOT NULL, face INTEGER NOT NULL, "
		"at_s INTEGER NOT NULL, PRIMARY KEY (port, visitor)) WITHOUT ROWID";
	if (!make_file(votes->path))
		return "it cannot be opened, or is no file";
	if (sqlite3_open_v2(votes->path, &votes->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		return "it cannot be opened";
	sqlite3_busy_timeout(votes->db, WAIT_MS);
	history_file_harden(votes->db);
	if (!is_ours(votes->db))
		return "a database of another program";
	return sqlite3_exec(votes->db, schema, NULL, NULL, NULL) == SQLITE_OK ? NULL : sqlite3_errmsg(votes->db);
}

static int open_file(struct web_votes *votes)
{
	if (votes->db != NULL)
		return 0;
	const char *wrong = open_database(votes);
	if (wrong == NULL)
		return 0;
	if (!votes->is_broken)
		log_warning("web: votes cannot be kept in %s: %s; name another file with web: {votes: FILE}, or none",
			votes->path, wrong);
	votes->is_broken = true;
	sqlite3_close(votes->db);
	votes->db = NULL;
	return E_SYSTEM;
}

/* Runs a statement with the vote's values as ?1 port, ?2 visitor, ?3 face, ?4 the time, ?5 the limit. */
static int run_sql(struct vote *vote, const char *sql, void (*on_row)(struct vote *vote, sqlite3_stmt *row))
{
	sqlite3_stmt *statement;
	int ret = sqlite3_prepare_v2(vote->votes->db, sql, -1, &statement, NULL);
	if (ret != SQLITE_OK)
		return E_SYSTEM;
	sqlite3_bind_int(statement, 1, vote->port);
	sqlite3_bind_text(statement, 2, vote->visitor, -1, SQLITE_STATIC);
	sqlite3_bind_int(statement, 3, vote->face);
	sqlite3_bind_int64(statement, 4, clock_wall_s());
	sqlite3_bind_int(statement, 5, LIMIT_WEB_VOTES);
	while ((ret = sqlite3_step(statement)) == SQLITE_ROW)
		if (on_row != NULL)
			on_row(vote, statement);
	sqlite3_finalize(statement);
	return ret == SQLITE_DONE ? 0 : E_SYSTEM;
}

static void on_count(struct vote *vote, sqlite3_stmt *row)
{
	int face = sqlite3_column_int(row, 0);
	if (face >= 0 && face < FACES)
		vote->count[face] = sqlite3_column_int64(row, 1);
}

static void on_mine(struct vote *vote, sqlite3_stmt *row)
{
	vote->mine = sqlite3_column_int(row, 0);
}

static void run(struct look *look)
{
	struct vote *vote = container_of(look, struct vote, look);
	static const char cast[] =
		"INSERT INTO vote SELECT ?1, ?2, ?3, ?4 WHERE (SELECT count(*) FROM vote) < ?5 "
		"OR EXISTS (SELECT 1 FROM vote WHERE port = ?1 AND visitor = ?2) "
		"ON CONFLICT (port, visitor) DO UPDATE SET face = excluded.face, at_s = excluded.at_s";
	vote->error = open_file(vote->votes);
	if (vote->error == 0 && vote->face >= 0)
		vote->error = run_sql(vote, cast, NULL);
	if (vote->error == 0)
		vote->error = run_sql(vote, "SELECT face, count(*) FROM vote WHERE port = ?1 GROUP BY face", on_count);
	if (vote->error == 0)
		vote->error = run_sql(vote, "SELECT face FROM vote WHERE port = ?1 AND visitor = ?2", on_mine);
}

/* --- visits --- */

static json_t *vote_json(const struct vote *vote)
{
	json_t *counts = json_object();
	for (int i = 0; i < FACES; i++)
		json_object_set_new(counts, face_words[i], json_integer(vote->count[i]));
	return json_pack("{s:i, s:o, s:o}", "port", (int)vote->port, "votes", counts, "mine",
		vote->mine >= 0 && vote->mine < FACES ? json_string(face_words[vote->mine]) : json_null());
}

/* Who votes gets a name by which the vote can be changed, and which says nothing else. */
static void reply(struct vote *vote)
{
	char cookie[160], *text;
	json_t *value = vote_json(vote);
	text = json_dumps(value, JSON_COMPACT);
	json_decref(value);
	struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_COPY);
	free(text);
	MHD_add_response_header(response, "Content-Type", "application/json");
	if (vote->face >= 0) {
		snprintf(cookie, sizeof(cookie),
			"berth-visitor=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000", vote->visitor);
		MHD_add_response_header(response, "Set-Cookie", cookie);
	}
	web_reply(vote->visit, MHD_HTTP_OK, response);
}

static void done(struct look *look)
{
	struct vote *vote = container_of(look, struct vote, look);
	if (look->is_late || vote->error != 0)
		web_reply_error(vote->visit, MHD_HTTP_SERVICE_UNAVAILABLE, "votes cannot be kept now");
	else
		reply(vote);
	free(vote);
}

static void begin(struct visit *visit, uint16_t port, int face)
{
	if (visit->web->votes == NULL) {
		web_reply_error(visit, MHD_HTTP_NOT_FOUND, "no votes are taken here (web.votes)");
		return;
	}
	struct vote *vote = xzalloc(1, sizeof(*vote));
	vote->look = (struct look){.run = run, .done = done};
	vote->visit = visit;
	vote->votes = visit->web->votes;
	vote->port = port;
	vote->face = face;
	vote->mine = -1;
	if (face >= 0 && visit->visitor[0] == '\0')
		web_token(vote->visitor);
	else
		memcpy(vote->visitor, visit->visitor, sizeof(vote->visitor));
	if (looker_begin(visit->web->looker, &vote->look) == 0) {
		web_wait(visit);
		return;
	}
	free(vote);
	web_reply_error(visit, MHD_HTTP_SERVICE_UNAVAILABLE, "too much is being done; try again in a moment");
}

void votes_tell(struct visit *visit, uint16_t port)
{
	begin(visit, port, -1);
}

/* Each vote is a write to the disk, and a visitor's name is made up by the visitor. */
static bool may_vote(struct visit *visit)
{
	struct web_votes *votes = visit->web->votes;
	uint64_t now_us = clock_mono_us();
	struct addr who;
	(void)web_who(visit, &who);
	if (votes == NULL)
		return true; /* which is answered with that */
	if (!tries_have_room(&votes->tries, &who, LIMIT_WEB_VOTES_OF_ONE, now_us) ||
		!tries_have_room(&votes->tries, NULL, LIMIT_WEB_VOTES_OF_ALL, now_us)) {
		web_reply_error(visit, MHD_HTTP_TOO_MANY_REQUESTS, "too many votes; try again in a minute");
		return false;
	}
	tries_count(&votes->tries, &who, now_us);
	tries_count(&votes->tries, NULL, now_us);
	return true;
}

void votes_cast(struct visit *visit, const json_t *request)
{
	const json_t *port = json_object_get(request, "port");
	const char *word = json_string_value(json_object_get(request, "face"));
	int face = FACES;
	for (int i = 0; i < FACES && word != NULL; i++)
		if (strcmp(word, face_words[i]) == 0)
			face = i;
	if (face == FACES || !json_is_integer(port) || json_integer_value(port) < 0 || json_integer_value(port) > 65535)
		web_reply_error(visit, MHD_HTTP_BAD_REQUEST,
			"a vote is {\"port\": NUMBER, \"face\": \"yes\", \"partly\" or \"no\"}");
	else if (may_vote(visit))
		begin(visit, (uint16_t)json_integer_value(port), face);
}

/* --- begin and end --- */

struct web_votes *votes_new(struct web *web, const char *path)
{
	if (path == NULL)
		return NULL;
	struct web_votes *votes = xzalloc(1, sizeof(*votes) + strlen(path) + 1);
	votes->web = web;
	strcpy(votes->path, path);
	return votes;
}

void votes_free(struct web_votes *votes)
{
	if (votes == NULL)
		return;
	sqlite3_close(votes->db);
	free(votes);
}
