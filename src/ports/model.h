/* What kind of port a number is (RFC 6335 section 6).
 *
 *	printf("%u is a %s port\n", port, port_class_text(port_class(port)));
 *
 * Pure; thread: any. */
#pragma once

#include <stdint.h>

#include "ports/set.h"

enum port_class {
	PORT_SYSTEM,  /* 0-1023: assigned by IETF Review or IESG Approval */
	PORT_USER,    /* 1024-49151: assigned by the IANA to those who ask */
	PORT_DYNAMIC, /* 49152-65535: never assigned, for anybody and for a while */
	PORT_CLASSES,
};

enum port_class port_class(uint16_t port);
/* "System", "User" or "Dynamic". */
const char *port_class_text(enum port_class class);
/* One line: who may use such a port, and for what. */
const char *port_class_help(enum port_class class);
struct port_range port_class_range(enum port_class class);
