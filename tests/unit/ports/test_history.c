/* Loans that were added are read back, the file stays within its bytes, and no file, disk or neighbour can do more than
 * end the history. */
#include "unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "ports/history.h"
#include "ports/history_rows.h"

enum { WHY = 600, MANY = 2000 };

static char folder[64], path[128];

/* --- what the tests stand on --- */

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/berth-history-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/history.db", folder);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];
	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static const char *tag_text(const struct loan_tag *tag, char *out, size_t size)
{
	snprintf(out, size, "q%u.example. A", tag->bytes[0] | tag->bytes[1] << 8);
	return out;
}

static struct history_conf conf_of(uint64_t bytes, uint32_t age_s)
{
	return (struct history_conf){.path = path, .bytes = bytes, .age_s = age_s, .tag_text = tag_text};
}

static struct history *open_history(uint64_t bytes, uint32_t age_s)
{
	struct history *history;
	struct history_conf conf = conf_of(bytes, age_s);
	char why[WHY] = "";
	if (history_new(&history, &conf, why, sizeof(why)) != 0)
		fail_msg("%s", why);
	return history;
}

static struct ledger_entry loan(uint16_t port, uint64_t begin_us, unsigned number)
{
	struct ledger_entry entry = {.begin_us = begin_us, .took_us = 1000, .port = port, .outcome = LOAN_REPLY};
	assert_int_equal(addr_parse(&entry.server, "192.0.2.53@53", 53), 0);
	entry.tag.bytes[0] = (uint8_t)number;
	entry.tag.bytes[1] = (uint8_t)(number >> 8);
	entry.tag.len = 2;
	return entry;
}

static void add_one(struct history *history, uint16_t port, uint64_t begin_us, unsigned number)
{
	struct ledger_entry entry = loan(port, begin_us, number);
	history_add_loans(history, &entry, 1, 0);
}

/* Until the thread has turned. */
static void wait_for(struct history *history, bool (*is_so)(const struct history_state *))
{
	struct history_state state;
	for (int i = 0; i < 500; i++) {
		history_state(history, &state);
		if (is_so(&state))
			return;
		usleep(20000);
	}
	fail_msg("it never came so");
}

static bool is_broken(const struct history_state *state)
{
	return state->is_broken;
}

static bool has_one(const struct history_state *state)
{
	return state->loans >= 1;
}

struct seen {
	unsigned count;
	uint64_t last_us;
	char first[64], server[64];
};

static bool on_loan(void *arg, const struct history_loan *found)
{
	struct seen *seen = arg;
	if (seen->count++ == 0) {
		snprintf(seen->first, sizeof(seen->first), "%s", found->question);
		snprintf(seen->server, sizeof(seen->server), "%s", found->server);
	} else {
		assert_true(found->begin_us <= seen->last_us); /* newest first */
	}
	seen->last_us = found->begin_us;
	return true;
}

static struct seen read_back(struct history_ask ask)
{
	struct history_reader *reader;
	struct seen seen = {0};
	char why[WHY];
	if (history_reader_open(&reader, path, why, sizeof(why)) != 0)
		fail_msg("%s", why);
	assert_int_equal(history_read_loans(reader, &ask, on_loan, &seen), 0);
	history_reader_close(reader);
	return seen;
}

static struct history_ask all_of(uint16_t first, uint16_t last)
{
	return (struct history_ask){.ports = {first, last}, .until_us = INT64_MAX, .limit = HISTORY_LIMIT};
}

/* --- writing and reading --- */

static void test_round(void **state)
{
	(void)state;
	uint64_t now_us = clock_wall_us() - 60000000;
	for (unsigned half = 0; half < 2; half++) { /* a restart between */
		struct history *history = open_history(16 << 20, 86400);
		for (unsigned i = half * MANY / 2; i < (half + 1) * MANY / 2; i++)
			add_one(history, (uint16_t)(50000 + i % 10), now_us + (i ^ 1) * 1000, i);
		history_free(history);
	}
	struct seen seen = read_back(all_of(50003, 50003));
	assert_int_equal(seen.count, MANY / 10);
	assert_string_equal(seen.first, "q1993.example. A");
	assert_string_equal(seen.server, "192.0.2.53@53");
	assert_int_equal(read_back(all_of(50000, 50009)).count, MANY);
	assert_int_equal(read_back(all_of(1, 49999)).count, 0);
	struct history_ask ask = all_of(50000, 50009);
	ask.limit = 7;
	seen = read_back(ask);
	assert_int_equal(seen.count, 7);
	assert_int_equal(seen.last_us, now_us + (MANY - 7) * 1000);
	ask.limit = 0;
	assert_int_equal(read_back(ask).count, 0);
	/* A loan that began before and ended within the span touches it. */
	ask = (struct history_ask){
		.ports = {50000, 50009}, .since_us = now_us + 10500, .until_us = now_us + 20000, .limit = 100};
	assert_int_equal(read_back(ask).count, 11);
	struct history_reader *reader;
	char why[WHY];
	uint64_t count;
	assert_int_equal(history_reader_open(&reader, path, why, sizeof(why)), 0);
	assert_int_equal(history_count_loans(reader, &ask, &count), 0);
	assert_int_equal(count, 10);
	history_reader_close(reader);
}

/* A question ends when nobody waits for it any more. */
static void test_patience(void **state)
{
	(void)state;
	static const atomic_bool over = true;
	struct history_reader *reader;
	struct seen seen = {0};
	uint64_t count;
	char why[WHY];
	struct history *history = open_history(16 << 20, 86400);
	add_one(history, 50000, clock_wall_us(), 1);
	history_free(history);
	assert_int_equal(history_reader_open(&reader, path, why, sizeof(why)), 0);
	struct history_ask ask = all_of(50000, 50009), ended = ask;
	ended.over = &over;
	assert_int_equal(history_read_loans(reader, &ended, on_loan, &seen), E_SYSTEM);
	assert_int_equal(history_count_loans(reader, &ended, &count), E_SYSTEM);
	assert_int_equal(history_read_loans(reader, &ask, on_loan, &seen), 0);
	assert_true(seen.count > 0);
	history_reader_close(reader);
}

static void test_state(void **state)
{
	(void)state;
	struct history_state found;
	struct history *history = open_history(16 << 20, 0);
	struct ledger_entry entry = loan(50000, 5000000, 1);
	history_add_loans(history, &entry, 1, 41);
	wait_for(history, has_one);
	history_state(history, &found);
	assert_int_equal(found.lost, 41);
	assert_int_equal(found.oldest_us, 5000000);
	assert_true(found.bytes >= 4096);
	history_free(history);
	history = open_history(16 << 20, 0);
	history_state(history, &found);
	assert_int_equal(found.loans, 1);
	assert_int_equal(found.lost, 41);
	history_free(history);
}

static off_t size_of(const char *end)
{
	char name[160];
	struct stat st;
	snprintf(name, sizeof(name), "%s%s", path, end);
	return stat(name, &st) == 0 ? st.st_size : 0;
}

static uint64_t newest_us;

/* One loan begins every 100 us and none is lost: the oldest and the number tell which is the newest that is written. */
static bool has_newest(const struct history_state *state)
{
	return state->oldest_us + state->loans * 100 > newest_us;
}

static void test_bounded(void **state)
{
	(void)state;
	const off_t bytes = 2 << 20;
	uint64_t now_us = clock_wall_us() - 3600000000ull;
	struct history *history = open_history((uint64_t)bytes, 0);
	static struct ledger_entry batch[5000];
	struct history_state found;
	for (unsigned round = 0; round < 60; round++) {
		for (unsigned i = 0; i < COUNT_OF(batch); i++)
			batch[i] = loan((uint16_t)(49152 + i), now_us + (round * COUNT_OF(batch) + i) * 100, i);
		history_add_loans(history, batch, COUNT_OF(batch), 0);
		assert_true(size_of("") + size_of("-wal") <= bytes);
		newest_us = batch[COUNT_OF(batch) - 1].begin_us;
		if (round % 12 == 11) /* the queue holds as many */
			wait_for(history, has_newest);
	}
	history_state(history, &found);
	assert_int_equal(found.lost, 0);
	history_free(history);
	assert_true(size_of("") <= bytes);
	struct seen seen = read_back(all_of(49152, 65535));
	assert_true(seen.count > 10000 && seen.count < 60 * COUNT_OF(batch)); /* the newest, and not all */
	assert_string_equal(seen.first, "q4999.example. A");
	/* Less room than there is: it shrinks. */
	history = open_history(1 << 20, 0);
	for (unsigned i = 0; i < 4; i++) {
		add_one(history, 50000, now_us + 40000000, 1);
		usleep(1100000);
	}
	history_free(history);
	assert_true(size_of("") <= 1 << 20);
}

static void test_age(void **state)
{
	(void)state;
	uint64_t now_us = clock_wall_us();
	struct history *history = open_history(16 << 20, 0);
	add_one(history, 50000, now_us - 300000000, 1);
	history_free(history);
	history = open_history(16 << 20, 0);
	add_one(history, 50000, now_us, 2);
	history_free(history);
	assert_int_equal(read_back(all_of(50000, 50000)).count, 2);
	history = open_history(16 << 20, 200);
	add_one(history, 50000, now_us, 3);
	history_free(history);
	struct seen seen = read_back(all_of(50000, 50000));
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.last_us, now_us);
}

static void test_killed(void **state)
{
	(void)state;
	uint64_t now_us = clock_wall_us();
	int ready[2];
	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	if (child == 0) {
		struct history *history = open_history(16 << 20, 0);
		for (unsigned i = 0; i < 1000; i++)
			add_one(history, 50000, now_us + i, i);
		wait_for(history, has_one);
		(void)!write(ready[1], "x", 1);
		for (unsigned i = 1000;; i++)
			add_one(history, 50000, now_us + i, i);
	}
	char c;
	assert_int_equal(read(ready[0], &c, 1), 1);
	usleep(300000);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_true(read_back(all_of(50000, 50000)).count >= 1000); /* while nobody has put it in order */
	struct history *history = open_history(16 << 20, 0);
	add_one(history, 50001, now_us, 1);
	history_free(history);
	assert_true(read_back(all_of(50000, 50000)).count >= 1000);
	assert_int_equal(read_back(all_of(50001, 50001)).count, 1);
	close(ready[0]);
	close(ready[1]);
}

/* --- holdings --- */

static bool on_holding(void *arg, const struct history_holding *found)
{
	struct history_holding *out = arg;
	*out = *found;
	assert_string_equal(found->who, "firefox (app.slice)");
	assert_string_equal(found->peer, "");
	return true;
}

static void test_holdings(void **state)
{
	(void)state;
	char why[WHY];
	struct history_rows *rows;
	struct history_conf conf = conf_of(16 << 20, 0);
	struct history_holding holding = {.port = 50000,
		.transport = PORT_TCP,
		.from_us = 1000,
		.uid = HISTORY_NO_USER,
		.pid = 7,
		.who = "firefox (app.slice)",
		.local = "127.0.0.1@50000",
		.peer = "",
		.state = "listening"};
	static const struct {
		enum history_end end;
		bool is_late, is_cut;
		uint64_t until_us;
	} ends[] = {{HISTORY_EXACT, false, false, 2000}, {HISTORY_BEFORE, true, false, 2000},
		{HISTORY_CUT, false, true, 2000}, {HISTORY_STILL, false, false, 0}};
	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		int64_t row;
		holding.port = (uint16_t)(50000 + i);
		assert_int_equal(history_rows_open(&rows, &conf, why, sizeof(why)), 0);
		assert_int_equal(history_rows_begin(rows), 0);
		assert_int_equal(history_rows_add_holding(rows, &holding, &row), 0);
		if (ends[i].until_us != 0)
			assert_int_equal(history_rows_end_holding(rows, row, ends[i].until_us, ends[i].end), 0);
		assert_int_equal(history_rows_looked(rows, 1700), 0);
		assert_int_equal(history_rows_commit(rows, clock_wall_us()), 0);
		struct history_reader *reader;
		struct history_holding found = {0};
		struct history_ask ask = all_of(holding.port, holding.port);
		ask.since_us = 1500;
		assert_int_equal(history_reader_open(&reader, path, why, sizeof(why)), 0);
		assert_int_equal(history_read_holdings(reader, &ask, on_holding, &found), 0);
		assert_int_equal(found.port, holding.port);
		assert_int_equal(found.transport, PORT_TCP);
		assert_int_equal(found.until_us, ends[i].until_us);
		assert_int_equal(found.until_is_late, ends[i].is_late);
		assert_int_equal(found.is_cut, ends[i].is_cut);
		assert_true(found.uid == HISTORY_NO_USER && found.pid == 7);
		ask.since_us = 2001; /* after its end, unless it is held still */
		found.port = 0;
		assert_int_equal(history_read_holdings(reader, &ask, on_holding, &found), 0);
		assert_int_equal(found.port, ends[i].until_us == 0 ? holding.port : 0);
		history_reader_close(reader);
		history_rows_close(rows);
	}
	/* The next start closes what was left open, when the watch last looked. */
	assert_int_equal(history_rows_open(&rows, &conf, why, sizeof(why)), 0);
	assert_int_equal(history_file_number(rows->file.db, "SELECT count(*) FROM holdings WHERE until_us = 0", -1), 0);
	assert_int_equal(
		history_file_number(rows->file.db, "SELECT until_us FROM holdings WHERE port = 50003", -1), 1700);
	history_rows_close(rows);
}

/* --- what can go wrong --- */

static void write_file(const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

static void run_sql(const char *sql)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void make_garbage(void)
{
	static char junk[20000];
	memset(junk, 'j', sizeof(junk));
	write_file(junk, sizeof(junk));
}

static void make_cut(void)
{
	struct history *history = open_history(16 << 20, 0);
	for (unsigned i = 0; i < 30000; i++)
		add_one(history, 50000, clock_wall_us(), i);
	history_free(history);
	assert_int_equal(truncate(path, size_of("") / 2 + 100), 0);
}

static void make_foreign(void)
{
	run_sql("CREATE TABLE cookies (a); INSERT INTO cookies VALUES (1)");
}

static void make_newer(void)
{
	history_free(open_history(16 << 20, 0));
	run_sql("PRAGMA user_version = 2");
}

static void make_hollow(void)
{
	history_free(open_history(16 << 20, 0));
	run_sql("DROP TABLE loans");
}

static void make_folder(void)
{
	assert_int_equal(mkdir(path, 0755), 0);
}

static void make_pipe(void)
{
	assert_int_equal(mkfifo(path, 0644), 0);
}

static void make_link(void)
{
	assert_int_equal(symlink("/etc/passwd", path), 0);
}

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		void (*make)(void);
		int ret;
		const char *words;
	} cases[] = {
		{make_garbage, E_MALFORMED, "broken"},
		{make_cut, E_MALFORMED, "broken"},
		{make_foreign, E_EXIST, "another program"},
		{make_newer, E_EXIST, "newer berthd"},
		{make_hollow, E_SYSTEM, "loans"},
		{make_folder, 0, ""},
		{make_pipe, E_INVAL, "not a file"},
		{make_link, 0, ""},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct history *history;
		struct history_conf conf = conf_of(16 << 20, 0);
		char why[WHY] = "";
		struct stat before, after;
		assert_int_equal(tear_down(NULL), 0);
		assert_int_equal(set_up(NULL), 0);
		conf.path = path;
		cases[i].make();
		assert_int_equal(lstat(path, &before), 0);
		int ret = history_new(&history, &conf, why, sizeof(why));
		assert_int_not_equal(ret, 0);
		if (cases[i].ret != 0)
			assert_int_equal(ret, cases[i].ret);
		if (strstr(why, cases[i].words) == NULL || strstr(why, path) == NULL || strchr(why, '\n') != NULL)
			fail_msg("case %zu: %s", i, why);
		assert_int_equal(lstat(path, &after), 0);
		assert_int_equal(before.st_size, after.st_size);
		assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
		assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	}
}

static void test_second_writer(void **state)
{
	(void)state;
	struct history *first = open_history(16 << 20, 0), *second;
	struct history_conf conf = conf_of(16 << 20, 0);
	char why[WHY] = "";
	assert_int_equal(history_new(&second, &conf, why, sizeof(why)), E_BUSY);
	assert_non_null(strstr(why, "another berthd writes it"));
	add_one(first, 50000, clock_wall_us(), 1);
	wait_for(first, has_one);
	history_free(first);
	history_free(open_history(16 << 20, 0)); /* the lock went with the first */
}

static void test_modes(void **state)
{
	(void)state;
	struct stat st;
	struct history *history = open_history(16 << 20, 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640 & ~0027 & 0640);
	history_free(history);
}

/* As a disk that is full: no file may grow beyond that. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_full_disk(void **state)
{
	(void)state;
	struct history_state found;
	signal(SIGXFSZ, SIG_IGN);
	struct history *history = open_history(16 << 20, 0);
	add_one(history, 50000, clock_wall_us(), 1);
	wait_for(history, has_one);
	limit_files(100000);
	for (unsigned i = 0; i < 20000; i++)
		add_one(history, 50000, clock_wall_us(), i);
	wait_for(history, is_broken);
	add_one(history, 50000, clock_wall_us(), 3); /* harmless */
	history_state(history, &found);
	assert_true(found.is_broken);
	history_free(history);
	limit_files(RLIM_INFINITY);
	assert_true(read_back(all_of(50000, 50000)).count >= 1); /* what was there is there */
	history = open_history(16 << 20, 0);                     /* and with room it goes on */
	add_one(history, 50001, clock_wall_us(), 1);
	history_free(history);
	assert_int_equal(read_back(all_of(50001, 50001)).count, 1);
}

static void test_scribbled_while_running(void **state)
{
	(void)state;
	static char junk[4096];
	struct history *history = open_history(16 << 20, 0);
	for (unsigned i = 0; i < 20000; i++)
		add_one(history, 50000, clock_wall_us(), i);
	history_free(history);
	history = open_history(1 << 20, 0); /* so full that the oldest have to go, which means to read them */
	memset(junk, 0x77, sizeof(junk));
	int fd = open(path, O_WRONLY);
	for (off_t at = sizeof(junk); at < size_of(""); at += (off_t)sizeof(junk))
		assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
	for (unsigned i = 0; i < 20000; i++)
		add_one(history, 50000, clock_wall_us(), i);
	wait_for(history, is_broken);
	history_free(history);
	close(fd);
}

/* As root anything may be read: so as somebody else. */
static void test_who_may_read(void **state)
{
	(void)state;
	struct history_reader *reader;
	char why[WHY] = "";
	assert_int_equal(history_reader_open(&reader, path, why, sizeof(why)), E_NOENT);
	struct history *history = open_history(16 << 20, 0);
	add_one(history, 50000, clock_wall_us(), 1);
	wait_for(history, has_one);
	if (geteuid() != 0)
		skip();
	const gid_t group = 65533;
	assert_int_equal(chmod(folder, 0750), 0);
	assert_int_equal(chown(folder, 0, group), 0);
	for (int round = 0; round < 2; round++) { /* while it is written, and when it is not */
		static const char *const ends[] = {"", "-wal", "-shm"};
		for (size_t i = 0; i < COUNT_OF(ends); i++) {
			char name[160];
			snprintf(name, sizeof(name), "%s%s", path, ends[i]);
			(void)!chown(name, 0, group);
		}
		assert_int_equal(setegid(65534), 0);
		assert_int_equal(seteuid(65534), 0);
		assert_int_equal(history_reader_open(&reader, path, why, sizeof(why)), E_ACCESS);
		assert_non_null(strstr(why, "may not be read"));
		assert_int_equal(seteuid(0), 0);
		assert_int_equal(setegid(group), 0);
		assert_int_equal(seteuid(65534), 0);
		assert_int_equal(read_back(all_of(50000, 50000)).count, 1);
		assert_int_equal(seteuid(0), 0);
		assert_int_equal(setegid(0), 0);
		history_free(history);
		history = NULL;
	}
}

int main(void)
{
	log_init(LOG_LEVEL_ERROR);
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {TEST(test_round), TEST(test_patience), TEST(test_state), TEST(test_bounded),
		TEST(test_age), TEST(test_killed), TEST(test_holdings), TEST(test_refused), TEST(test_second_writer),
		TEST(test_modes), TEST(test_full_disk), TEST(test_scribbled_while_running), TEST(test_who_may_read)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
