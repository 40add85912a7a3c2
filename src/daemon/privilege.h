/* Giving up what is not needed once all sockets are bound: root becomes the configured user, or keeps its number but
 * loses every capability save CAP_NET_BIND_SERVICE. Thread: main, before the workers. */
#pragma once

#include <stddef.h>

/* user NULL: keep who we are. 0, or an error with one line in `why`. */
int privilege_drop(const char *user, char *why, size_t size);
/* Raises the soft limit of descriptors to the hard one. */
void privilege_raise_files(void);
