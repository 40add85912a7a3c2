/* Records on their way to be a registry. For ports/registry_*.c.
 *
 *	struct registry_rows rows = {0};
 *	if (registry_rows_add(&rows, &record) != 0) ...       E_SPACE: too many
 *	struct registry *registry = registry_rows_end(&rows, "2026-08-17");
 *
 * Thread: one. */
#pragma once

#include "ports/registry_import.h"

/* One record: of a range of ports, of one transport. */
struct registry_record {
	const char *name;      /* "" for none: the record is no service */
	const char *number;    /* "443", "6000-6063", "" */
	const char *transport; /* "udp", ..., "" */
	const char *description;
	unsigned rfc; /* 0: none */
	bool is_alias;
};

struct registry_raw {
	struct service row;
	uint32_t description; /* in texts */
};

struct registry_rows {
	struct registry_raw *raw;
	size_t count, room;
	char *texts;
	size_t texts_len, texts_room;
	size_t passed_over; /* records with a name, a number or a transport that none can have */
};

/* 0, or E_SPACE. */
int registry_rows_add(struct registry_rows *rows, const struct registry_record *record)
	__attribute__((nonnull, warn_unused_result));
/* Sorted and joined; frees what the rows hold. Never NULL; without rows it is an empty registry. */
struct registry *registry_rows_end(struct registry_rows *rows, const char *date)
	__attribute__((nonnull, returns_nonnull));
void registry_rows_free(struct registry_rows *rows) __attribute__((nonnull));
/* Is that note one of a second name of another row? */
bool registry_is_alias(const char *note) __attribute__((nonnull));

/* "2026-08-17"; not whether there is such a day. */
bool registry_is_date(const char *text) __attribute__((nonnull));

/* --- registry_xml.c, registry_csv.c --- */

/* *date is set when the text has one: "2026-08-17". 0, or E_* with one line in `why`. */
int registry_read_xml(struct registry_rows *rows, const char *text, size_t len, char date[static 12],
	char why[static REGISTRY_WHY]) __attribute__((nonnull, warn_unused_result));
int registry_read_csv(struct registry_rows *rows, const char *text, size_t len, char date[static 12],
	char why[static REGISTRY_WHY]) __attribute__((nonnull, warn_unused_result));
