/* Decides that an idle reserved port is not connected to anything: whoever probes it hears nothing, where a closed port
 * answers with an ICMP error. As in Windows. (Of IPv6 sockets that were lent before, Linux goes on to compare the peer's
 * address after the connection is undone: a scan misses those few.) */
#include "ports/moor.h"

int __wrap_moor_darken(int fd, int family);

int __wrap_moor_darken(int fd, int family)
{
	(void)family;
	moor_unconnect(fd);
	return 0;
}
