/* One port for all exchanges: `lend: reserved` with a pool of 0, as Windows' SocketPoolSize 0. For firewalls that let
 * exactly one port out; what an attacker has to guess is 16 bits fewer.
 *
 *	struct single *single = single_new(space, ipv4, ipv6);
 *	int fd;
 *	if (single_take(single, &server, &fd) == 0) { ...; close(fd); single_give(single, &server); }
 *
 * Each exchange has a socket of its own on the port, shared among this process's sockets by SO_REUSEPORT, and connected,
 * so that the kernel knows whose a datagram is. That needs each server to be asked one thing at a time.
 * Thread: any. Never suspends. */
#pragma once

#include "base/addr.h"
#include "ports/space.h"

struct single;

/* NULL when no port could be had. */
struct single *single_new(struct port_space *space, bool ipv4, bool ipv6);
void single_free(struct single *single);
uint16_t single_port(const struct single *single);
/* 0; E_BUSY: the server is being asked already; E_UNREACH; E_NOPORT with errno. */
int single_take(struct single *single, const struct addr *server, int *fd) __attribute__((warn_unused_result));
void single_give(struct single *single, const struct addr *server);
