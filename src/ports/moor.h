/* The system calls that tie a socket to a port and a server, and let go again. For ports/ only.
 *
 * Re-mooring: a socket whose port the kernel chose gives it back on connect(AF_UNSPEC), one bound by bind() keeps it.
 * So the kernel is made to choose: IP_LOCAL_PORT_RANGE [p,p], then connect. It costs half of a fresh socket. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"

/* A nonblocking socket as the pool wants it (PMTUDISC_OMIT, V6ONLY, never SO_REUSEADDR), or -1 with errno. */
int moor_open(int family, bool tcp);
/* Asks for exactly this port at the next connect. 0, or -1 with errno. */
int moor_set_port(int fd, uint16_t port);
/* Binds the port explicitly, on the wildcard address. 0, or -1 with errno. */
int moor_bind(int fd, int family, uint16_t port);
/* Binds a port that other sockets of this user may share; before moor_bind. 0, or -1 with errno. */
int moor_share(int fd);
/* The next datagram, without waiting: its length, which may be more than `room`, or -1 with errno. *from is its source;
 * *fragmented: it came in IP fragments. */
ssize_t moor_receive(int fd, uint8_t *data, size_t room, struct addr *from, bool *fragmented);
/* Takes the socket away from its server and its source address; a port that bind() gave stays. */
void moor_unconnect(int fd);
/* Connects to a place that never answers, on this machine: from outside the port looks closed. A source
 * address that the socket has stays. 0, or -1 with errno. */
int moor_darken(int fd, int family);
/* Throws away what is queued: it would be delivered to the next loan. */
void moor_drain(int fd);
/* Lets go of server and, if the kernel chose it, port; throws away what was queued. */
void moor_release(int fd);
