/* The sockets that clients talk to. Each worker has its own for every address (where there are several: SO_REUSEPORT), bound before privileges
 * are dropped and served by the worker's loop.
 *
 *	if (listen_open(worker, &addr, false, why, size) != 0) ...        main thread, before the workers run
 *	listen_start(worker);                                       the worker's thread
 *	listen_close(worker);
 */
#pragma once

#include "daemon/server.h"

/* `early`: the machine may not have the address yet, as IPv6 while its duplicates are looked for (RFC 4862 5.4).
 * 0, or an error with one line in `why`. */
int listen_open(struct worker *worker, const struct addr *addr, bool early, char *why, size_t size);
/* A queue of an interface, which is the worker's from now on. */
void listen_add_xdp(struct worker *worker, struct xdp_listener *listener);
void listen_start(struct worker *worker);
void listen_flush(struct worker *worker); /* sends what waits: once a turn */
void listen_close(struct worker *worker);

/* For daemon/listen*.c. */
struct udp_listener *udp_listener_new(struct worker *worker, int fd, bool any, bool v6);
void udp_listener_start(struct udp_listener *listener);
void udp_listener_flush(struct udp_listener *listener);
void udp_listener_free(struct udp_listener *listener);
struct tcp_listener *tcp_listener_new(struct worker *worker, int fd);
void tcp_listener_start(struct tcp_listener *listener);
void tcp_listener_free(struct tcp_listener *listener);
void xdp_listener_start(struct xdp_listener *listener);
void xdp_listener_flush(struct xdp_listener *listener);
void xdp_listener_free(struct xdp_listener *listener);
