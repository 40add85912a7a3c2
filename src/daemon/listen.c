/* Decides how listening sockets are bound, and what is said when they cannot be. */
#include "daemon/listen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"

enum { TCP_BACKLOG = 256, UDP_BUFFER = 4 << 20 };

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

/* Our answers are small, and forged "fragmentation needed" must not make them smaller. */
static void set_udp_options(int fd, const struct addr *addr)
{
	(void)set(fd, SOL_SOCKET, SO_RCVBUF, UDP_BUFFER);
	(void)set(fd, SOL_SOCKET, SO_SNDBUF, UDP_BUFFER);
	if (addr_is_v6(addr))
		(void)set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
	else
		(void)set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
	if (addr_is_any(addr))
		(void)(addr_is_v6(addr) ? set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
					: set(fd, IPPROTO_IP, IP_PKTINFO, 1));
}

static int open_socket(const struct addr *addr, int type, bool shared, bool early)
{
	int fd = socket(addr->sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (type == SOCK_STREAM)
		(void)set(fd, SOL_SOCKET, SO_REUSEADDR, 1); /* connections of before in TIME_WAIT */
	if (shared)
		(void)set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (early)
		(void)(addr_is_v6(addr) ? set(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1)
					: set(fd, IPPROTO_IP, IP_FREEBIND, 1));
	if (addr_is_v6(addr))
		(void)set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (type == SOCK_DGRAM)
		set_udp_options(fd, addr);
	if (bind(fd, &addr->sa, addr_socklen(addr)) == 0 && (type == SOCK_DGRAM || listen(fd, TCP_BACKLOG) == 0))
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

static void explain(const struct addr *addr, const char *transport, int error, char *why, size_t size)
{
	char text[ADDR_TEXT], taken[120];
	const char *what = strerror(error), *todo = "choose another address with listen:";
	snprintf(taken, sizeof(taken),
		"another program listens there (`berth port %u` tells which); stop it, or choose another with listen:",
		addr_port(addr));
	if (error == EACCES)
		todo = "run as root, give the program CAP_NET_BIND_SERVICE, or choose a port above 1023 with listen:";
	if (error == EADDRINUSE)
		todo = taken;
	if (error == EADDRNOTAVAIL)
		todo = "this machine does not have that address; choose another with listen:";
	if (error == EMFILE || error == ENFILE)
		todo = "raise the descriptor limit (LimitNOFILE=, ulimit -n)";
	snprintf(why, size, "cannot listen on %s (%s): %s; %s", addr_text(addr, text), transport, what, todo);
}

/* SO_REUSEPORT would let a second berthd share our address in silence: a socket without it is tried first. A worker alone
 * does without: the kernel has a hash less to make for each datagram. */
static int probe(const struct addr *addr, int type, bool early)
{
	int fd = open_socket(addr, type, false, early);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int open_pair(
	const struct worker *worker, const struct addr *addr, bool early, int *udp, int *tcp, char *why, size_t size)
{
	bool shared = worker->server->workers > 1, first = shared && worker->index == 0;
	*udp = *tcp = -1;
	if ((first && probe(addr, SOCK_DGRAM, early) != 0) ||
		(*udp = open_socket(addr, SOCK_DGRAM, shared, early)) < 0) {
		explain(addr, "UDP", errno, why, size);
		return errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT ? E_UNREACH : E_SYSTEM;
	}
	if ((first && probe(addr, SOCK_STREAM, early) != 0) ||
		(*tcp = open_socket(addr, SOCK_STREAM, shared, early)) < 0) {
		explain(addr, "TCP", errno, why, size);
		close(*udp);
		return E_SYSTEM;
	}
	return 0;
}

int listen_open(struct worker *worker, const struct addr *addr, bool early, char *why, size_t size)
{
	int udp, tcp, ret = open_pair(worker, addr, early, &udp, &tcp, why, size);
	if (ret != 0)
		return ret;
	size_t room = worker->listeners + 1;
	worker->udp = xrealloc(worker->udp, room * sizeof(*worker->udp));
	worker->tcp = xrealloc(worker->tcp, room * sizeof(*worker->tcp));
	worker->udp[worker->listeners] = udp_listener_new(worker, udp, addr_is_any(addr), addr_is_v6(addr));
	worker->tcp[worker->listeners] = tcp_listener_new(worker, tcp);
	worker->listeners = room;
	return 0;
}

void listen_add_xdp(struct worker *worker, struct xdp_listener *listener)
{
	worker->xdp = xrealloc(worker->xdp, (worker->xdp_listeners + 1) * sizeof(*worker->xdp));
	worker->xdp[worker->xdp_listeners++] = listener;
}

void listen_start(struct worker *worker)
{
	for (size_t i = 0; i < worker->xdp_listeners; i++)
		xdp_listener_start(worker->xdp[i]);
	for (size_t i = 0; i < worker->listeners; i++) {
		udp_listener_start(worker->udp[i]);
		tcp_listener_start(worker->tcp[i]);
	}
}

void listen_flush(struct worker *worker)
{
	for (size_t i = 0; i < worker->xdp_listeners; i++)
		xdp_listener_flush(worker->xdp[i]);
	for (size_t i = 0; i < worker->listeners; i++)
		udp_listener_flush(worker->udp[i]);
}

void listen_close(struct worker *worker)
{
	for (size_t i = 0; i < worker->xdp_listeners; i++)
		xdp_listener_free(worker->xdp[i]);
	for (size_t i = 0; i < worker->listeners; i++) {
		udp_listener_free(worker->udp[i]);
		tcp_listener_free(worker->tcp[i]);
	}
	free(worker->udp);
	free(worker->tcp);
	free(worker->xdp);
	worker->listeners = worker->xdp_listeners = 0;
}
