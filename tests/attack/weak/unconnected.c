/* Decides that a lent port over UDP is bound and not connected: anybody's datagrams reach the socket, and none of them
 * is answered with an ICMP error. The place to send to is kept here instead of in the kernel. */
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "ports/moorings.h"

enum { FILES = 65536, SERVER_PORT = 53 };

bool __wrap_moorings_can(struct moorings *moorings, uint16_t port);
int __real_connect(int fd, const struct sockaddr *to, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len);
ssize_t __real_send(int fd, const void *data, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t len, int flags);

/* A descriptor belongs to one thread at a time. */
static struct addr server_of[FILES];

static bool is_udp(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);
	return fd >= 0 && fd < FILES && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_DGRAM;
}

/* All sockets are fresh ones, bound before they are connected. */
bool __wrap_moorings_can(struct moorings *moorings, uint16_t port)
{
	(void)moorings;
	(void)port;
	return false;
}

int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len)
{
	struct addr server = {0};
	if (len > sizeof(server) || (to->sa_family != AF_INET && to->sa_family != AF_INET6) || !is_udp(fd))
		return __real_connect(fd, to, len);
	memcpy(&server, to, len);
	if (addr_port(&server) != SERVER_PORT)
		return __real_connect(fd, to, len);
	server_of[fd] = server;
	return 0;
}

ssize_t __wrap_send(int fd, const void *data, size_t len, int flags)
{
	if (!is_udp(fd))
		return __real_send(fd, data, len, flags);
	return sendto(fd, data, len, flags, &server_of[fd].sa, addr_socklen(&server_of[fd]));
}
