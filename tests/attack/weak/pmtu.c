/* Decides that sockets believe ICMP errors about the size of packets, as sockets do by themselves. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "ports/moor.h"

int __real_moor_open(int family, bool tcp);
int __wrap_moor_open(int family, bool tcp);

int __wrap_moor_open(int family, bool tcp)
{
	int fd = __real_moor_open(family, tcp), want = IP_PMTUDISC_WANT, want6 = IPV6_PMTUDISC_WANT;
	if (fd >= 0 && family == AF_INET)
		(void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &want, sizeof(want));
	if (fd >= 0 && family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &want6, sizeof(want6));
	return fd;
}
