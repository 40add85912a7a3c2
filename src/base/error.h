/* One list of errors for the whole house: 0 is success, E_* are negative. DNS outcomes (NXDOMAIN, bogus, ...) are
 * results, not errors, and have no place here.
 *
 *	int ret = pool_lend(pool, server, tag, &slot);
 *	if (ret != 0)
 *		log_notice("no port for %s: %s", text, error_text(ret));
 *
 * Thread: any. */
#pragma once

#define ERROR_LIST(X)                                                                                                  \
	X(E_NOMEM, "out of memory")                                                                                    \
	X(E_INVAL, "not valid")                                                                                        \
	X(E_MALFORMED, "malformed")                                                                                    \
	X(E_RANGE, "out of range")                                                                                     \
	X(E_SPACE, "no room left")                                                                                     \
	X(E_NOENT, "not found")                                                                                        \
	X(E_EXIST, "exists already")                                                                                   \
	X(E_ACCESS, "not permitted")                                                                                   \
	X(E_TIMEOUT, "timed out")                                                                                      \
	X(E_CANCELED, "canceled")                                                                                      \
	X(E_BUDGET, "budget of the request is spent")                                                                  \
	X(E_REFUSED, "refused by the other side")                                                                      \
	X(E_UNREACH, "no route")                                                                                       \
	X(E_MISMATCH, "a reply that does not match")                                                                   \
	X(E_CLOSED, "closed by the other side")                                                                        \
	X(E_NOPORT, "no port could be borrowed")                                                                       \
	X(E_NOSERVER, "no server answered")                                                                            \
	X(E_CROWDED, "too many questions are at that server already")                                                  \
	X(E_BUSY, "too busy")                                                                                          \
	X(E_SYSTEM, "system call failed")

enum error {
	E_OK = 0,
	E_BASE = -1000, /* below errno's range, so that a stray errno is seen as one */
#define X(name, text) name,
	ERROR_LIST(X)
#undef X
		E_LAST,
};

/* The text of an E_* value; never NULL. */
const char *error_text(int error);

/* The E_* value that stands for an errno of a socket or file call. */
int error_of_errno(int number);
