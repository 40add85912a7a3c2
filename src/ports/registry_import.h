/* IANA's registry as the IANA publishes it, XML or CSV, made into rows.
 *
 *	struct registry *registry;
 *	char why[REGISTRY_WHY];
 *	if (registry_import(&registry, text, len, why) != 0) ...          says what is wrong, and where
 *	if (registry_file_write(registry, path, why) != 0) ...
 *	registry_free(registry);
 *
 *	if (registry_file_load(&registry, path, why) == 0)
 *		registry_use(registry);
 *
 * What is read is believed in nothing: sizes, names and numbers are checked, a document type definition is refused (it
 * could make a small file endless), rows without a name are passed over, as scripts/make-registry does.
 * Thread: any. */
#pragma once

#include <stddef.h>

#include "ports/registry.h"

enum { REGISTRY_WHY = 600, REGISTRY_BYTES = 64 << 20, REGISTRY_ROWS = 65535, REGISTRY_DESCRIPTION = 400 };

/* 0, or E_MALFORMED, E_SPACE with one line in `why`; *out is NULL then. */
int registry_import(struct registry **out, const char *text, size_t len, char why[static REGISTRY_WHY])
	__attribute__((nonnull, warn_unused_result));
/* NULL is allowed. */
void registry_free(struct registry *registry);

/* --- registry_file.c --- */

/* Into a new file that takes the place of the old one when it is whole. 0, or E_* with one line in `why`. */
int registry_file_write(const struct registry *registry, const char *path, char why[static REGISTRY_WHY])
	__attribute__((nonnull, warn_unused_result));
/* 0, E_NOENT, or another E_* with one line in `why`: broken, of another machine, of another version. */
int registry_file_load(struct registry **out, const char *path, char why[static REGISTRY_WHY])
	__attribute__((nonnull, warn_unused_result));
