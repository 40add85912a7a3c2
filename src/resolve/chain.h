/* The room of the chain of trust (RFC 4035). Validation is an issue of its own: until it is built every answer is
 * indeterminate, AD is never set, and the daemon says so at start. DO and CD go all the way through, but the proofs of
 * wildcard answers are not kept yet. */
#pragma once

enum security {
	SECURITY_INDETERMINATE, /* no anchor says anything about it */
	SECURITY_INSECURE,
	SECURITY_SECURE,
	SECURITY_BOGUS,
};
