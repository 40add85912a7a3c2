/* What it costs to keep a loan: collected from the ledger, packed, and written, in microseconds of CPU, the disk's share
 * of the kernel's time included; beside the plain way, a row for each loan with an index on the port. Then what it costs
 * to read one port's loans out of a full file.
 *
 *	bench/history [FOLDER [LOANS]] */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "dns/name.h"
#include "ports/history.h"
#include "ports/ledger.h"
#include "resolve/resolver.h"

enum { EACH_TIME = 10000, RING = 65536, COPY = 256 };

static uint64_t cpu_us(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static struct ledger_entry make_loan(unsigned number)
{
	struct ledger_entry entry = {.begin_us = 1790000000000000ull + number * 100ull,
		.took_us = 200 + (unsigned)random() % 50000,
		.port = (uint16_t)(49152 + random() % 16384),
		.outcome = LOAN_REPLY};
	char text[64], server[64];
	uint8_t name[NAME_MAX_LEN];
	snprintf(server, sizeof(server), "192.0.2.%u", number % 200);
	(void)addr_parse(&entry.server, server, 53);
	snprintf(text, sizeof(text), "host%u.example%u.org.", number, number % 997);
	entry.tag.bytes[1] = 1;
	(void)name_from_text(name, text);
	memcpy(entry.tag.bytes + 2, name, name_len(name));
	entry.tag.len = (uint8_t)(2 + name_len(name));
	return entry;
}

static void collect(const struct ledger *ledger, uint64_t *seen, struct history *history)
{
	struct ledger_entry copy[COPY];
	uint64_t lost = 0;
	for (size_t count; (count = ledger_since(ledger, seen, copy, COPY, &lost)) > 0;)
		history_add_loans(history, copy, count, lost);
}

static void bench_packed(const char *path, unsigned loans)
{
	char why[600];
	struct history *history;
	struct ledger *ledger = ledger_new(RING);
	struct history_conf conf = {.path = path, .bytes = 64 << 20, .age_s = 0, .tag_text = loan_tag_text};
	if (history_new(&history, &conf, why, sizeof(why)) != 0) {
		printf("%s\n", why);
		exit(1);
	}
	uint64_t seen = 0, making = 0, begin = cpu_us();
	for (unsigned i = 0; i < loans; i += EACH_TIME) {
		uint64_t before = cpu_us();
		for (unsigned k = 0; k < EACH_TIME; k++) {
			struct ledger_entry entry = make_loan(i + k);
			ledger_add(ledger, &entry);
		}
		making += cpu_us() - before;
		collect(ledger, &seen, history);
		usleep(i / EACH_TIME % 4 == 3 ? 1000000 : 1000); /* the thread turns once a second */
	}
	history_free(history);
	struct stat st = {0};
	(void)stat(path, &st);
	printf("packed: %.3f us of CPU for each of %u loans; file %.1f MiB\n",
		(double)(cpu_us() - begin - making) / loans, loans, (double)st.st_size / (1 << 20));
	ledger_free(ledger);
}

static void bench_rows(const char *path, unsigned loans)
{
	sqlite3 *db;
	sqlite3_stmt *add;
	char text[300], server[ADDR_TEXT];
	(void)sqlite3_open(path, &db);
	sqlite3_exec(db,
		"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; CREATE TABLE loans (begin_us INTEGER, took_us "
		"INTEGER, port INTEGER, flags INTEGER, server TEXT, question TEXT); CREATE INDEX p ON loans "
		"(port, begin_us)",
		NULL, NULL, NULL);
	(void)sqlite3_prepare_v2(db, "INSERT INTO loans VALUES (?, ?, ?, ?, ?, ?)", -1, &add, NULL);
	uint64_t spent = 0;
	for (unsigned i = 0; i < loans; i += EACH_TIME) {
		struct ledger_entry *entries = malloc(EACH_TIME * sizeof(*entries));
		for (unsigned k = 0; k < EACH_TIME; k++)
			entries[k] = make_loan(i + k);
		uint64_t begin = cpu_us();
		sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
		for (unsigned k = 0; k < EACH_TIME; k++) {
			const struct ledger_entry *entry = &entries[k];
			sqlite3_bind_int64(add, 1, (int64_t)entry->begin_us);
			sqlite3_bind_int64(add, 2, entry->took_us);
			sqlite3_bind_int64(add, 3, entry->port);
			sqlite3_bind_int64(add, 4, entry->outcome);
			sqlite3_bind_text(add, 5, addr_text(&entry->server, server), -1, SQLITE_STATIC);
			sqlite3_bind_text(add, 6, loan_tag_text(&entry->tag, text, sizeof(text)), -1, SQLITE_STATIC);
			sqlite3_step(add);
			sqlite3_reset(add);
		}
		sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
		spent += cpu_us() - begin;
		free(entries);
	}
	sqlite3_finalize(add);
	sqlite3_close(db);
	struct stat st = {0};
	(void)stat(path, &st);
	printf("rows:   %.3f us of CPU for each of %u loans; file %.1f MiB\n", (double)spent / loans, loans,
		(double)st.st_size / (1 << 20));
}

static void bench_text(void)
{
	char text[300];
	size_t sum = 0;
	struct ledger_entry entry = make_loan(7);
	uint64_t begin = cpu_us();
	for (unsigned i = 0; i < 1000000; i++)
		sum += loan_tag_text(&entry.tag, text, sizeof(text))[0];
	printf("of which the question's text: %.3f us%s\n", (double)(cpu_us() - begin) / 1e6, sum == 0 ? "?" : "");
}

static bool on_loan(void *arg, const struct history_loan *loan)
{
	(void)loan;
	++*(unsigned *)arg;
	return true;
}

static void bench_read(const char *path)
{
	char why[600];
	struct history_reader *reader;
	struct history_ask ask = {.ports = {60054, 60054}, .since_us = 0, .limit = 1000};
	unsigned found = 0;
	uint64_t count = 0, begin = cpu_us();
	if (history_reader_open(&reader, path, why, sizeof(why)) != 0) {
		printf("%s\n", why);
		return;
	}
	(void)history_read_loans(reader, &ask, on_loan, &found);
	uint64_t middle = cpu_us();
	(void)history_count_loans(reader, &ask, &count);
	printf("reading a port's %u loans: %.1f ms; counting %llu: %.1f ms\n", found, (double)(middle - begin) / 1000,
		(unsigned long long)count, (double)(cpu_us() - middle) / 1000);
	history_reader_close(reader);
}

int main(int argc, char **argv)
{
	const char *folder = argc > 1 ? argv[1] : "/tmp";
	unsigned loans = argc > 2 ? (unsigned)atoi(argv[2]) : 1000000;
	char packed[600], rows[600];
	snprintf(packed, sizeof(packed), "%s/bench-packed-%d.db", folder, (int)getpid());
	snprintf(rows, sizeof(rows), "%s/bench-rows-%d.db", folder, (int)getpid());
	log_init(LOG_LEVEL_NOTICE);
	hash_init();
	bench_packed(packed, loans);
	bench_text();
	bench_read(packed);
	bench_rows(rows, loans);
	unlink(packed);
	unlink(rows);
	strcat(packed, "-lock");
	unlink(packed);
	return 0;
}
