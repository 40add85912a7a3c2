/* Decides how one DNS message goes over a TCP connection that a fiber owns. */
#include "net/tcp.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/error.h"
#include "net/fiber.h"

int tcp_connect_await(int fd, const struct addr *to, uint64_t deadline_us)
{
	if (connect(fd, &to->sa, addr_socklen(to)) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return error_of_errno(errno);
	int ret = fiber_wait_fd_await(fd, EPOLLOUT, deadline_us);
	if (ret != 0)
		return ret;
	int error = 0;
	socklen_t len = sizeof(error);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		return E_SYSTEM;
	return error_of_errno(error);
}

int tcp_send_await(int fd, const uint8_t *wire, size_t len, uint64_t deadline_us)
{
	uint8_t head[2] = {(uint8_t)(len >> 8), (uint8_t)len};
	for (size_t sent = 0; sent < len + 2;) {
		/* Length and message in one segment: some servers want that (RFC 7766 8). */
		struct iovec parts[2] = {{head, 2}, {(void *)wire, len}};
		struct iovec *first = parts;
		if (sent >= 2) {
			first = &parts[1];
			first->iov_base = (void *)(wire + (sent - 2));
			first->iov_len = len + 2 - sent;
		} else {
			parts[0].iov_base = head + sent;
			parts[0].iov_len = 2 - sent;
		}
		struct msghdr msg = {.msg_iov = first, .msg_iovlen = (size_t)(parts + 2 - first)};
		ssize_t wrote = sendmsg(fd, &msg, MSG_NOSIGNAL);
		if (wrote >= 0) {
			sent += (size_t)wrote;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return error_of_errno(errno);
		int ret = fiber_wait_fd_await(fd, EPOLLOUT, deadline_us);
		if (ret != 0)
			return ret;
	}
	return 0;
}

static int read_exactly_await(int fd, uint8_t *out, size_t len, uint64_t deadline_us)
{
	for (size_t have = 0; have < len;) {
		ssize_t got = recv(fd, out + have, len - have, 0);
		if (got == 0)
			return E_CLOSED;
		if (got > 0) {
			have += (size_t)got;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return error_of_errno(errno);
		int ret = fiber_wait_fd_await(fd, EPOLLIN, deadline_us);
		if (ret != 0)
			return ret;
	}
	return 0;
}

int tcp_receive_await(int fd, uint8_t *wire, size_t *len, uint64_t deadline_us)
{
	uint8_t head[2];
	int ret = read_exactly_await(fd, head, 2, deadline_us);
	if (ret != 0)
		return ret;
	size_t size = (size_t)head[0] << 8 | head[1];
	if (size > *len)
		return E_SPACE;
	*len = size;
	return read_exactly_await(fd, wire, size, deadline_us);
}
