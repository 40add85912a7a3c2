/* Lists of ports as people write them: "51820, 60100-60199, mdns".
 *
 *	struct port_set set = {0};
 *	char why[PORT_LIST_WHY];
 *	if (port_list_parse(&set, text, why, sizeof(why)) != 0)
 *		return complain("%s", why);
 *
 * A word is a port, a range, or a service's name in the registry (whatever its case), which stands for all of its ports,
 * of all transports. Words have commas between them, and blanks where one likes; a port may be said twice.
 * Pure; thread: any. */
#pragma once

#include <stddef.h>

#include "ports/set.h"

enum { PORT_LIST_WHY = 256 };

/* Adds the ports of the list to the set. 0, or E_INVAL: then `why` says which word is wrong and what would be right, safe
 * for a terminal, and the set is as it was. */
int port_list_parse(struct port_set *out, const char *text, char *why, size_t size) __attribute__((nonnull));
