/* Decides what the kernel's answer to a bind says about a port. */
#include "ports/probe.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"

static enum port_probe probe_of_errno(int number)
{
	switch (number) {
	case 0: return PROBE_FREE;
	case EADDRINUSE: return PROBE_HELD;
	case EACCES:
	case EPERM: return PROBE_DENIED;
	case EAFNOSUPPORT:
	case EADDRNOTAVAIL: return PROBE_ABSENT; /* IPv6 switched off by sysctl keeps its sockets but no address */
	default: return PROBE_FAILED;
	}
}

static int try_bind(int fd, const struct addr *addr)
{
	const int on = 1;
	if (addr_is_v6(addr) && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0)
		return errno;
	return bind(fd, &addr->sa, addr_socklen(addr)) == 0 ? 0 : errno;
}

enum port_probe port_probe(uint16_t port, enum port_transport transport, int family)
{
	static const uint8_t any[16];
	struct addr addr = addr_of_bytes(any, family == AF_INET6 ? 16 : 4, port);
	int fd = socket(family, (transport == PORT_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return probe_of_errno(errno);
	int number = try_bind(fd, &addr);
	close(fd);
	errno = number;
	return probe_of_errno(number);
}

const char *port_transport_text(enum port_transport transport)
{
	return transport == PORT_UDP ? "udp" : "tcp";
}
