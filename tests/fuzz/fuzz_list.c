/* Any text as a list of ports: taken, or refused with one line that is safe for a terminal; never a crash. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ports/list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct port_set none;
	struct port_set set = none;
	char *text = malloc(size + 1), why[PORT_LIST_WHY] = "";
	memcpy(text, data, size);
	text[size] = '\0';
	if (port_list_parse(&set, text, why, sizeof(why)) == 0) {
		if (port_set_count(&set) == 0 || port_set_has(&set, 0))
			abort(); /* every list names a port, and port 0 is none */
	} else if (memcmp(&set, &none, sizeof(set)) != 0 || why[0] == '\0' || strpbrk(why, "\n\x1b") != NULL) {
		abort();
	}
	free(text);
	return 0;
}
