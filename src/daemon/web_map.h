/* The map of all ports: a code for each, as the API gives it.
 *
 *	json_t *changes = map_changes(before, now);        [[first, last, code], ...], NULL when they are too many
 *
 * Pure; thread: any. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "ports/set.h"

enum map_code {
	MAP_FREE,
	MAP_LISTENING, /* a TCP listener, or a UDP socket that hears everybody */
	MAP_CLIENT,    /* a connection from a port that the kernel chose */
	MAP_HELD,      /* bound by number, and no listener */
	MAP_ENDED,     /* kept by the kernel for a connection that ended */
	MAP_POOL,      /* berthd holds it, lent or not */
	MAP_CODES,
	MAP_USABLE = 0x10, /* added to a code: berthd may lend it */
};

enum { MAP_CHANGES = 2000 };

json_t *map_changes(const uint8_t before[static PORTS_ALL], const uint8_t now[static PORTS_ALL]);
/* The codes in base64; to be freed. */
char *map_base64(const uint8_t codes[static PORTS_ALL]);
/* "free", "listening", ...: one word. */
const char *map_code_text(enum map_code code);
