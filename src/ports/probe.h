/* Is a port free on this machine now? Found out by taking it for an instant, which is the only sure way.
 *
 *	if (port_probe(60054, PORT_UDP, AF_INET6) == PROBE_HELD) ...
 *
 * The wildcard address is tried, so a port that somebody holds on any one address counts as held. No SO_REUSEADDR, and
 * IPV6_V6ONLY, or the families would answer for each other. The answer is old as soon as it is given. Thread: any. */
#pragma once

#include <stdint.h>

enum port_transport { PORT_UDP, PORT_TCP, PORT_TRANSPORTS };

enum port_probe {
	PROBE_FREE,
	PROBE_HELD,   /* EADDRINUSE */
	PROBE_DENIED, /* EACCES: the port needs a privilege that we do not have */
	PROBE_ABSENT, /* this machine does not speak that family */
	PROBE_FAILED, /* anything else, for instance no descriptor left; errno says what */
};

/* family is AF_INET or AF_INET6; port is not 0. */
enum port_probe port_probe(uint16_t port, enum port_transport transport, int family);
/* "udp", "tcp" */
const char *port_transport_text(enum port_transport transport);
