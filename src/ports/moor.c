/* Decides with which system calls a socket takes and leaves a port. */
#include "ports/moor.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 /* Linux 6.3; older headers do not know it */
#endif

/* More datagrams than a default receive buffer holds: nothing new arrives once the socket has let go of its port. */
enum { DRAIN_MAX = 4096 };

/* Privileged, so that no ordinary program of this machine can speak from there. */
enum { DARK_PORT = 1 };

#ifndef IP_RECVFRAGSIZE
#define IP_RECVFRAGSIZE 25 /* Linux 4.14 */
#endif
#ifndef IPV6_RECVFRAGSIZE
#define IPV6_RECVFRAGSIZE 77
#endif

/* Forged ICMP "fragmentation needed" must leave no trace that tells open ports from closed ones (SAD DNS 2.0). */
static int set_options(int fd, int family)
{
	int omit = IP_PMTUDISC_OMIT, one = 1;
	if (family == AF_INET) {
		(void)setsockopt(fd, IPPROTO_IP, IP_RECVFRAGSIZE, &one, sizeof(one));
		return setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &omit, sizeof(omit));
	}
	int only = 1, omit6 = IPV6_PMTUDISC_OMIT;
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVFRAGSIZE, &one, sizeof(one));
	/* V6ONLY: without it both families would fight over port numbers. */
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) != 0)
		return -1;
	return setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &omit6, sizeof(omit6));
}

/* We close first, after the one reply: TIME_WAIT would hold the port for a minute, for all servers. Whoever can move
 * questions to TCP, with a few forged packets, could use up all ports that way. A reset leaves no such trace. */
static void end_at_once(int fd)
{
	const struct linger none = {.l_onoff = 1};
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

int moor_open(int family, bool tcp)
{
	int fd = socket(family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (tcp)
		end_at_once(fd);
	if (set_options(fd, family) != 0) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

int moor_set_port(int fd, uint16_t port)
{
	uint32_t range = (uint32_t)port << 16 | port;
	return setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof(range));
}

int moor_bind(int fd, int family, uint16_t port)
{
	struct addr any;
	memset(&any, 0, sizeof(any));
	any.sa.sa_family = (sa_family_t)family;
	addr_set_port(&any, port);
	return bind(fd, &any.sa, addr_socklen(&any));
}

static bool is_fragment_note(const struct cmsghdr *c)
{
	return (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVFRAGSIZE) ||
	       (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVFRAGSIZE);
}

ssize_t moor_receive(int fd, uint8_t *data, size_t room, struct addr *from, bool *fragmented)
{
	_Alignas(struct cmsghdr) uint8_t control[64];
	struct iovec iov = {data, room};
	struct msghdr msg = {.msg_name = from,
		.msg_namelen = sizeof(*from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t got = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_TRUNC);
	*fragmented = false;
	for (struct cmsghdr *c = got >= 0 ? CMSG_FIRSTHDR(&msg) : NULL; c != NULL; c = CMSG_NXTHDR(&msg, c))
		*fragmented |= is_fragment_note(c);
	return got;
}

int moor_share(int fd)
{
	int one = 1;
	/* Not SO_REUSEADDR: that would let any user in. SO_REUSEPORT asks for the same user (socket(7)). */
	return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
}

void moor_unconnect(int fd)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	(void)connect(fd, &none, sizeof(none));
}

int moor_darken(int fd, int family)
{
	struct addr nowhere;
	(void)addr_parse(&nowhere, family == AF_INET ? "127.0.0.1" : "::1", DARK_PORT);
	return connect(fd, &nowhere.sa, addr_socklen(&nowhere));
}

void moor_drain(int fd)
{
	char byte;
	for (int i = 0; i < DRAIN_MAX; i++)
		if (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT | MSG_TRUNC) < 0 && errno == EAGAIN)
			break;
}

void moor_release(int fd)
{
	moor_unconnect(fd);
	moor_drain(fd);
}
