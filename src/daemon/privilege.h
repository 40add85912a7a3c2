/* Giving up what is not needed once all sockets are bound: root becomes the configured user, or keeps its number but
 * loses every capability save CAP_NET_BIND_SERVICE. Thread: main, before the workers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* user NULL: keep who we are. 0, or an error with one line in `why`. */
int privilege_drop(const char *user, char *why, size_t size);
/* Whether the process has all these capabilities, a bit each. */
bool privilege_has(uint64_t mask);
/* Raises the soft limit of descriptors to the hard one. */
void privilege_raise_files(void);
