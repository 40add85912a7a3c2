/* What is known of a port wherever it is: the services registered for it, and what else uses it.
 *
 *	char text[KNOWN_WORDS];
 *	printf("%u: %s\n", port, known_services_words(port, text));
 *	known_print_uses(port);
 *
 * Pure but for the printing; thread: one. */
#pragma once

#include <stdint.h>

#include "ports/clash.h"
#include "ports/registry.h"
#include "tools/print.h"

enum { KNOWN_WORDS = 512 };

/* "https, on UDP and TCP (RFC 9110), on SCTP (RFC 9260)"; "" when none is registered. */
const char *known_services_words(uint16_t port, char out[static KNOWN_WORDS]);
/* What an imported registry says of the port's first service; "" for nothing. */
const char *known_description(uint16_t port);
/* One name for a column: a service's, else that of the program it clashes with in brackets; "" when there is none. */
const char *known_short(uint16_t port, char out[static KNOWN_WORDS]);
/* Aligned lines, the first one with a label; nothing when there is no known use. */
void known_print_uses(uint16_t port);
/* "51820", "6881-6889" */
const char *known_range_words(struct port_range range, char out[static PRINT_NUMBER]);
