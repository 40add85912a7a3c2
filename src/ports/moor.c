/* Decides with which system calls a socket takes and leaves a port. */
#include "ports/moor.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 /* Linux 6.3; older headers do not know it */
#endif

/* More datagrams than a default receive buffer holds: nothing new arrives once the socket has let go of its port. */
enum { DRAIN_MAX = 4096 };

/* Forged ICMP "fragmentation needed" must leave no trace that tells open ports from closed ones (SAD DNS 2.0). */
static int set_omit(int fd, int family)
{
	int omit = IP_PMTUDISC_OMIT;
	if (family == AF_INET)
		return setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &omit, sizeof(omit));
	int only = 1, omit6 = IPV6_PMTUDISC_OMIT;
	/* V6ONLY: without it both families would fight over port numbers. */
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) != 0)
		return -1;
	return setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &omit6, sizeof(omit6));
}

int moor_open(int family, bool tcp)
{
	int fd = socket(family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (set_omit(fd, family) != 0) {
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

void moor_release(int fd)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	(void)connect(fd, &none, sizeof(none));
	/* A datagram or an ICMP error that was queued would be delivered to the next loan. */
	char byte;
	for (int i = 0; i < DRAIN_MAX; i++)
		if (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT | MSG_TRUNC) < 0 && errno == EAGAIN)
			break;
}
