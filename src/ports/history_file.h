/* The history's file as writer and reader share it: how it is opened, and whether it is one. For ports/history*.c alone;
 * doc/history.md describes the file.
 *
 *	struct history_file file;
 *	int ret = history_file_open(&file, path, why, size);      for the writer: made when it is not there, and locked
 *	history_file_close(&file);
 *
 * Thread: one at a time. */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HISTORY_PATH = 1024,
	HISTORY_FORM = 1,          /* user_version: of the tables and of what is packed in them */
	HISTORY_MARK = 0x42727468, /* application_id: "Brth" */
	HISTORY_PAGE = 4096,
	HISTORY_BATCH = 256 << 10, /* bytes of packed loans in one row */
};

struct history_file {
	sqlite3 *db;
	int lock; /* a descriptor of PATH-lock with flock(2): another writer keeps away */
};

/* 0, or E_BUSY (another process writes it), E_EXIST (a file of somebody else, or of a newer berthd), E_MALFORMED,
 * E_ACCESS, E_SYSTEM, with one line in `why`. */
int history_file_open(struct history_file *file, const char *path, char *why, size_t size)
	__attribute__((nonnull, warn_unused_result));
void history_file_close(struct history_file *file) __attribute__((nonnull));

/* Is this database a history of a form that we know? 0, E_NOENT: it is empty, E_EXIST or what SQLite met. */
int history_file_check(sqlite3 *db, const char *path, char *why, size_t size)
	__attribute__((nonnull, warn_unused_result));
/* Runs constant statements; 0, or what SQLite met. */
int history_file_run(sqlite3 *db, const char *sql) __attribute__((nonnull, warn_unused_result));
/* The number that a statement of one row gives; `otherwise` when it gives none. */
int64_t history_file_number(sqlite3 *db, const char *sql, int64_t otherwise) __attribute__((nonnull));
/* E_* of an error of SQLite, and its words in `why` behind the path. */
int history_file_complain(sqlite3 *db, int code, const char *path, char *why, size_t size)
	__attribute__((nonnull(3, 4)));
/* Limits what a file that others wrote can make SQLite do. */
void history_file_harden(sqlite3 *db) __attribute__((nonnull));
