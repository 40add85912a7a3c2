/* Real sockets for unit tests, in a network namespace of the test's own where that is possible.
 *
 *	sockets_enter_namespace();                         at the start of main
 *	struct addr server;
 *	int fd = sockets_listen("127.0.0.1", 5300, &server);   not of those that are lent
 *	assert_int_equal(sockets_port(fd), addr_port(&server));
 */
#pragma once

#include <poll.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"

/* Nobody else's ports disturb there, and there is no route but loopback. False: this machine does not let us. */
static inline bool sockets_enter_namespace(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
		print_message("no network namespace (%s): on this machine's loopback\n", strerror(errno));
		return false;
	}
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
	if (!up)
		print_message("loopback cannot be brought up: %s\n", strerror(errno));
	close(fd);
	return up;
}

/* A setting of the namespace, "net/ipv4/..."; false when it may not be written. */
static inline bool sockets_sysctl(const char *name, const char *value)
{
	char path[128];
	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool written = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	close(fd);
	return written;
}

/* A UDP socket on the address and the port. -1 with errno. */
static inline int sockets_bind(const struct addr *at)
{
	int fd = socket(at->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && bind(fd, &at->sa, addr_socklen(at)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static inline int sockets_listen(const char *text, uint16_t port, struct addr *out)
{
	assert_int_equal(addr_parse(out, text, port), 0);
	return sockets_bind(out);
}

/* Holds the port on the wildcard address, as another program would. */
static inline int sockets_hold(uint16_t port)
{
	struct addr any;
	assert_int_equal(addr_parse(&any, "0.0.0.0", port), 0);
	int fd = sockets_bind(&any);
	assert_true(fd >= 0);
	return fd;
}

static inline uint16_t sockets_port(int fd)
{
	struct addr addr;
	socklen_t len = sizeof(addr);
	assert_int_equal(getsockname(fd, &addr.sa, &len), 0);
	return addr_port(&addr);
}

static inline bool sockets_is_connected_to(int fd, const struct addr *peer)
{
	struct addr addr = {0};
	socklen_t len = sizeof(addr);
	return getpeername(fd, &addr.sa, &len) == 0 && addr_equal(&addr, peer);
}

/* Sends to a port of the same address as `from`'s own; false when the port refuses, as a closed one does. */
static inline bool sockets_send_to(int from, const struct addr *host, uint16_t port, const char *text)
{
	struct addr to = *host;
	char byte;
	addr_set_port(&to, port);
	assert_int_equal(connect(from, &to.sa, addr_socklen(&to)), 0);
	bool sent = send(from, text, strlen(text), 0) == (ssize_t)strlen(text);
	/* On loopback the refusal comes back at once, unless the machine is busy. */
	struct pollfd pollfd = {.fd = from};
	(void)poll(&pollfd, 1, 2000);
	bool refused = recv(from, &byte, 1, MSG_DONTWAIT) < 0 && errno == ECONNREFUSED;
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	(void)connect(from, &none, sizeof(none));
	return sent && !refused;
}

/* Something has come, or comes: over loopback at once, unless the machine is busy. */
static inline void sockets_wait(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&pollfd, 1, 2000), 1);
}

/* The lowest descriptor that is free. */
static inline int sockets_lowest(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	close(fd);
	return fd;
}

/* From now on `more` descriptors can be had; sockets_unlimit(&old) before anything else is asserted. */
static inline void sockets_limit(int more, struct rlimit *old)
{
	int limit = 0;
	for (int found = 0; found < more; limit++)
		found += fcntl(limit, F_GETFD) < 0;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, old), 0);
	struct rlimit few = {.rlim_cur = (rlim_t)limit, .rlim_max = old->rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
}

static inline void sockets_unlimit(const struct rlimit *old)
{
	(void)!setrlimit(RLIMIT_NOFILE, old);
}
