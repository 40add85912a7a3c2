/* What this machine itself says of a port, without berthd.
 *
 *	struct port_here here;
 *	port_here_look(&here, 60054, &machine);
 *	printf("%s\n", port_here_words(&here, words));
 *
 * Strings are the C library's or constant; the next look may overwrite them. Thread: one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ports/model.h"
#include "ports/probe.h"

enum { HERE_FAMILIES = 2, HERE_SERVICE = 64, HERE_WORDS = 128 };

/* The kernel's settings, read once. */
struct port_machine {
	struct port_range local; /* ip_local_port_range */
	struct port_set free;    /* all ports but ip_local_reserved_ports */
};

struct port_here {
	uint16_t port;
	bool in_local, reserved;
	struct port_range local;
	char service[PORT_TRANSPORTS][HERE_SERVICE];           /* getservbyport; "" when it knows none */
	enum port_probe probe[PORT_TRANSPORTS][HERE_FAMILIES]; /* IPv4, IPv6 */
};

/* NULL is never returned; free it. */
struct port_machine *port_machine_new(void);
void port_here_look(struct port_here *here, uint16_t port, const struct port_machine *machine);
/* "free", "held", "not tried: needs root", ... */
const char *port_probe_text(enum port_probe probe);
/* One of the above for all four tries; false when they differ. */
bool port_here_is_even(const struct port_here *here, enum port_probe *probe);
/* "free on UDP and TCP", "UDP held on IPv4, free on IPv6; TCP free" */
const char *port_here_words(const struct port_here *here, char out[static HERE_WORDS]);
/* The names that this machine gives the port, as far as the registry does not: "mine, on UDP alone"; "" for none. */
const char *port_service_words(const struct port_here *here, char out[static HERE_WORDS]);
