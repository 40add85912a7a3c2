/* Checks that stay in production builds.
 *
 *	require(slot->state == SLOT_LENT);      the programmer's fault: says where and aborts
 *	if (!expect(len <= size)) return ...;   should hold: counted, logged once in a while, and the caller goes on
 *
 * Neither is ever used on input from the network, a file or a user. Thread: any. */
#pragma once

#include <stdbool.h>

#define require(cond) ((cond) ? (void)0 : check_abort(#cond, __FILE__, __LINE__))
#define expect(cond)  ((cond) ? true : check_note(#cond, __FILE__, __LINE__))

_Noreturn void check_abort(const char *what, const char *file, int line);
bool check_note(const char *what, const char *file, int line);
