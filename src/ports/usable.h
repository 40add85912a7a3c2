/* Which ports may be lent on this machine, and for each other one why not.
 *
 *	struct usable *usable = xalloc(sizeof(*usable));
 *	usable_make(usable, &rules, &held);
 *	port_space_set_usable(space, &usable->set);
 *	printf("%u: %s\n", port, port_why_text(usable->why[port]));
 *
 * Usable are the ports of the range, minus those excluded, minus ip_local_reserved_ports, minus those that another program
 * holds, minus those with a registered UDP service and those on the list of known clashes. What is
 * included by name is used although registered or on the list. Thread: the owner's. Never suspends. */
#pragma once

#include "ports/set.h"

/* The first that applies. */
enum port_why {
	PORT_USABLE,
	PORT_OUTSIDE,    /* of the range */
	PORT_EXCLUDED,   /* by the configuration or while running */
	PORT_RESERVED,   /* net.ipv4.ip_local_reserved_ports */
	PORT_PRIVILEGED, /* below ip_unprivileged_port_start, and this process may not bind it */
	PORT_HELD,       /* another program on this machine has it now */
	PORT_REGISTERED, /* IANA's, for a UDP service */
	PORT_CLASHING,   /* ports/clash: a program is known to want exactly this one */
	PORT_WHYS,
};

struct usable_rules {
	struct port_range range;
	struct port_set exclude, include;
};

struct usable {
	struct port_set set;
	uint8_t why[PORTS_ALL]; /* enum port_why */
	unsigned count[PORT_WHYS];
};

/* `held`: by other programs; NULL when that is not known. */
void usable_make(struct usable *out, const struct usable_rules *rules, const struct port_set *held);
/* "usable", "excluded by ports.exclude", ... */
const char *port_why_text(enum port_why why);
/* One word for programs: "usable", "excluded", ... */
const char *port_why_key(enum port_why why);
