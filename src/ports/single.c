/* Decides how many exchanges share one port without mixing up their replies. */
#include "ports/single.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/limits.h"
#include "ports/lack.h"
#include "ports/moor.h"

enum { PLACES = 4096, HASH_SEED = 0x0be1 };

struct single {
	struct port_space *space;
	uint16_t port;
	int holder[2]; /* keep the port while nobody asks, dark; -1: not wanted, or this machine lacks the family */
	_Atomic bool busy[PLACES]; /* by hash of the server: two that share a place wait for each other */
};

static _Atomic bool *place_of(struct single *single, const struct addr *server)
{
	size_t len;
	const uint8_t *ip = addr_bytes(server, &len);
	return &single->busy[hash_bytes(HASH_SEED + addr_port(server), ip, len) % PLACES];
}

static int open_shared(int domain, uint16_t port)
{
	int fd = moor_open(domain, false);
	if (fd < 0)
		return -1;
	if (moor_share(fd) == 0 && moor_bind(fd, domain, port) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* False: another program has the port. A family that this machine lacks is held nowhere, and that is all right. */
static bool hold(int domain, uint16_t port, int *holder)
{
	*holder = open_shared(domain, port);
	if (*holder >= 0 && moor_darken(*holder, domain) != 0) {
		close(*holder);
		*holder = -1;
		return true;
	}
	return *holder >= 0 || (errno != EADDRINUSE && errno != EACCES);
}

static void let_go(struct single *single)
{
	for (int v6 = 0; v6 < 2; v6++) {
		if (single->holder[v6] >= 0)
			close(single->holder[v6]);
		single->holder[v6] = -1;
	}
}

struct single *single_new(struct port_space *space, bool ipv4, bool ipv6)
{
	struct single *single = xzalloc(1, sizeof(*single));
	struct port_draw draw = {.space = space};
	single->space = space;
	single->holder[0] = single->holder[1] = -1;
	for (int i = 0; i < LIMIT_LEND_TRIES && single->port == 0; i++) {
		uint16_t port;
		if (port_draw(&draw, &port) != 0)
			break;
		bool had = (!ipv4 || hold(AF_INET, port, &single->holder[0])) &&
			   (!ipv6 || hold(AF_INET6, port, &single->holder[1]));
		if (had && (single->holder[0] >= 0 || single->holder[1] >= 0)) {
			single->port = port;
		} else {
			let_go(single);
			port_space_taken(space, port);
		}
	}
	port_draw_deinit(&draw);
	if (single->port != 0)
		return single;
	free(single);
	return NULL;
}

void single_free(struct single *single)
{
	let_go(single);
	port_space_release(single->space, single->port);
	free(single);
}

uint16_t single_port(const struct single *single)
{
	return single->port;
}

int single_take(struct single *single, const struct addr *server, int *fd)
{
	int domain = server->sa.sa_family;
	_Atomic bool *busy = place_of(single, server);
	if (atomic_exchange(busy, true))
		return E_BUSY;
	*fd = open_shared(domain, single->port);
	enum lack lack;
	int ret = *fd >= 0 ? 0 : lack_judge(errno, &lack);
	if (ret == E_EXIST)
		ret = E_NOPORT;
	if (ret == 0 && connect(*fd, &server->sa, addr_socklen(server)) != 0) {
		close(*fd);
		ret = E_UNREACH;
	}
	if (ret != 0)
		atomic_store(busy, false);
	return ret;
}

void single_give(struct single *single, const struct addr *server)
{
	atomic_store(place_of(single, server), false);
}
