/* Decides that a datagram put together from IP fragments is as good as any other. */
#include "ports/moor.h"

ssize_t __real_moor_receive(int fd, uint8_t *data, size_t room, struct addr *from, bool *fragmented);
ssize_t __wrap_moor_receive(int fd, uint8_t *data, size_t room, struct addr *from, bool *fragmented);

ssize_t __wrap_moor_receive(int fd, uint8_t *data, size_t room, struct addr *from, bool *fragmented)
{
	ssize_t got = __real_moor_receive(fd, data, room, from, fragmented);
	*fragmented = false;
	return got;
}
