/* Decides that TCP connections end in TIME_WAIT, as they do by themselves: each keeps its port for a minute. */
#include <sys/socket.h>

#include "ports/moor.h"

int __real_moor_open(int family, bool tcp);
int __wrap_moor_open(int family, bool tcp);

int __wrap_moor_open(int family, bool tcp)
{
	int fd = __real_moor_open(family, tcp);
	const struct linger as_usual = {0};
	if (fd >= 0 && tcp)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &as_usual, sizeof(as_usual));
	return fd;
}
