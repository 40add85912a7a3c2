/* Root hints: where resolution begins before anything is known (RFC 9609).
 *
 *	struct hints hints;
 *	hints_builtin(&hints);
 *	if (hints_read(&hints, path, why, sizeof(why)) != 0) ...           replaces them by a file's
 *
 * A value type of fixed size. Thread: written at start, read by all. */
#pragma once

#include <stddef.h>

#include "base/addr.h"
#include "dns/name.h"

enum { HINTS_MAX = 32 };

struct hint {
	uint8_t name[NAME_MAX_LEN];
	struct addr addr;
};

struct hints {
	struct hint hint[HINTS_MAX];
	size_t count;
};

void hints_builtin(struct hints *hints);
/* Reads a zone file with the root's NS, A and AAAA records. 0, or E_NOENT, E_MALFORMED (with a line in `why`). */
int hints_read(struct hints *hints, const char *path, char *why, size_t size);
