/* Any bytes as the IANA's XML or CSV, and as packed loans: rows or one line of complaint, loans or an end; never a crash,
 * and nothing that drives a terminal. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ports/pack.h"
#include "ports/registry_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rows(const struct registry *registry)
{
	for (size_t i = 0; i < registry->count; i++) {
		const struct service *row = &registry->rows[i];
		const char *text = registry->texts + registry->descriptions[i];
		if (row->name[0] == '\0' || registry->by_name[i] >= registry->count ||
			strlen(text) >= REGISTRY_DESCRIPTION || strpbrk(text, "\n\x1b") != NULL)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct registry *registry;
	char why[REGISTRY_WHY] = "";
	if (registry_import(&registry, (const char *)data, size, why) == 0)
		check_rows(registry);
	else if (why[0] == '\0' || registry != NULL)
		abort();
	registry_free(registry);
	struct unpack unpack = unpack_begin(data, size);
	for (struct packed_loan loan; unpack_next(&unpack, &loan);)
		if (loan.question_len > PACK_TEXT || loan.question + loan.question_len > data + size)
			abort();
	(void)pack_ports_may_have(data, size, (struct port_range){60054, 60054});
	return 0;
}
