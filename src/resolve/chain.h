/* The room of the chain of trust (RFC 4035). Validation is an issue of its own: until it is built every answer is
 * indeterminate, AD is never set, and the daemon says so at start. DO, CD and AD already go all the way through. */
#pragma once

enum security {
	SECURITY_INDETERMINATE, /* no anchor says anything about it */
	SECURITY_INSECURE,
	SECURITY_SECURE,
	SECURITY_BOGUS,
};
