/* The registry's rows as scripts/make-registry writes them; nobody but registry.c includes this, which says what a row is.
 *
 *	for (size_t i = 0; i < registry_table_count; i++)
 *		puts(registry_table[registry_table_by_name[i]].name);
 *
 * Constant; thread: any. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "ports/registry.h"

extern const char registry_table_date[]; /* "2026-08-17" */
extern const size_t registry_table_count;
extern const struct service registry_table[]; /* by port; of a port, aliases last; then by name */
extern const uint16_t registry_table_by_name[];
