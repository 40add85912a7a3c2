/* How to look at a port by hand, with what each operating system has: for the tool and for the web page.
 *
 *	const struct byhand *row;
 *	char command[BYHAND_COMMAND];
 *	for (size_t i = 0; (row = byhand_row(i)) != NULL; i++)
 *		printf("%s: %s   (%s)\n", byhand_system_text(row->system), byhand_command(row, 60054, command), row->says);
 *
 * Rows of one system stand together. Constant; thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum byhand_system { BYHAND_LINUX, BYHAND_MACOS, BYHAND_WINDOWS, BYHAND_SYSTEMS };

enum { BYHAND_COMMAND = 192 };

struct byhand {
	enum byhand_system system;
	const char *form; /* the command, PORT where the number goes */
	const char *says; /* what it tells, a few words */
	bool needs_root;  /* an administrator's, or it tells less */
};

/* NULL behind the last. */
const struct byhand *byhand_row(size_t index);
/* The command with the number in it; returns out. */
const char *byhand_command(const struct byhand *row, uint16_t port, char out[static BYHAND_COMMAND])
	__attribute__((nonnull, returns_nonnull));
/* "Linux", "macOS", "Windows" */
const char *byhand_system_text(enum byhand_system system);
