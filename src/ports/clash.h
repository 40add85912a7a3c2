/* What the ports that nobody registered are known to be used for, and which of them a resolver had better not lend.
 *
 *	const struct known_use *use;
 *	for (size_t i = 0; (use = clash_of_port(51820, i)) != NULL; i++)
 *		printf("%s: %s (%s)\n", use->who, use->why, use->source);
 *	port_set_subtract(&usable, clash_ports(&clashing));
 *
 * A clash is a UDP port that a widespread program needs, exactly this one, though it may not hold it yet: lent at the
 * moment in which that program starts, it keeps it from starting. A program that takes the next port when one is held
 * is no clash, and neither is one that was registered, which ports/registry knows. Every row says where it is from.
 * The rows are constants and live for ever. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ports/set.h"

struct known_use {
	struct port_range ports;
	uint8_t transports; /* bits of enum service_transport */
	bool is_clash;
	const char *who, *why, *source; /* why: what for, and for a clash what happens; source: a document, by name */
};

/* The row `index` of all, in the order of first ports; NULL after the last. */
const struct known_use *clash_row(size_t index);
/* The row `nth` that has the port, the one of the fewest ports first; NULL after the last. */
const struct known_use *clash_of_port(uint16_t port, size_t nth);
/* The row `nth` of a program whose name begins with that word, whatever its case; NULL after the last. */
const struct known_use *clash_of_name(const char *name, size_t nth) __attribute__((nonnull));
/* All ports of clashes; returns out. */
const struct port_set *clash_ports(struct port_set *out) __attribute__((nonnull, returns_nonnull));
