/* Decides which idle socket is moored, and whether the kernel did what was asked. */
#include "ports/moorings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "ports/kernel.h"
#include "ports/lack.h"
#include "ports/moor.h"

enum { LOOK_ONE_IN = 32, RANGE_EVERY_US = 5000000 };

struct loan *loan_new(size_t user_size)
{
	struct loan *loan = xzalloc(1, sizeof(*loan) + user_size);
	loan->fd = -1;
	link_init(&loan->link);
	return loan;
}

void loan_free(struct loan *loan)
{
	if (loan->fd >= 0)
		close(loan->fd);
	link_remove(&loan->link);
	free(loan);
}

static void push_idle(struct moorings *moorings, struct loan *loan, bool v6)
{
	link_append(&moorings->idle[v6], &loan->link);
	moorings->idle_count++;
}

static struct loan *pop_idle(struct moorings *moorings, bool v6)
{
	if (link_is_empty(&moorings->idle[v6]))
		return NULL;
	struct loan *loan = container_of(moorings->idle[v6].prev, struct loan, link);
	link_remove(&loan->link);
	moorings->idle_count--;
	return loan;
}

static int open_idle(bool v6)
{
	return moor_open(v6 ? AF_INET6 : AF_INET, false);
}

/* Idle sockets of one family are opened ahead; the other family's replace them as they are needed. */
static void open_ahead(struct moorings *moorings, const struct pool_conf *conf)
{
	for (unsigned i = 0; i < conf->size; i++) {
		int fd = open_idle(!conf->ipv4);
		if (fd < 0) {
			log_warning(
				"only %u of %u sockets of the pool could be opened (%s); raise the descriptor limit "
				"(ulimit -n, LimitNOFILE=)",
				i, conf->size, strerror(errno));
			return;
		}
		struct loan *loan = loan_new(conf->user_size);
		loan->fd = fd;
		push_idle(moorings, loan, !conf->ipv4);
	}
}

void moorings_init(struct moorings *moorings, const struct pool_conf *conf)
{
	*moorings = (struct moorings){.user_size = conf->user_size};
	link_init(&moorings->idle[0]);
	link_init(&moorings->idle[1]);
	if (!kernel_can_moor())
		return;
	kernel_local_range(&moorings->range);
	open_ahead(moorings, conf);
}

void moorings_deinit(struct moorings *moorings)
{
	for (int v6 = 0; v6 < 2; v6++)
		for (struct loan *loan; (loan = pop_idle(moorings, v6)) != NULL;)
			loan_free(loan);
}

static void refresh_range(struct moorings *moorings)
{
	uint64_t now_us = clock_mono_us();
	if (moorings->range.last == 0 || now_us - moorings->range_read_us < RANGE_EVERY_US)
		return;
	moorings->range_read_us = now_us;
	kernel_local_range(&moorings->range);
}

bool moorings_can(struct moorings *moorings, uint16_t port)
{
	refresh_range(moorings);
	return port >= moorings->range.first && port <= moorings->range.last && moorings->range.last > 0;
}

/* An idle socket of the family: one that waits, one opened in place of the other family's, or none. */
static struct loan *take_idle(struct moorings *moorings, bool v6)
{
	struct loan *loan = pop_idle(moorings, v6);
	if (loan != NULL)
		return loan;
	loan = pop_idle(moorings, !v6);
	if (loan == NULL)
		return NULL;
	close(loan->fd);
	loan->watched = false;
	loan->fd = open_idle(v6);
	if (loan->fd >= 0)
		return loan;
	loan_free(loan);
	return NULL;
}

/* The operator may narrow ip_local_port_range while we run; outside of it the kernel ignores [p,p] and chooses by
 * itself. So the range is read again now and then, and some of the moorings are looked at. */
static bool is_on_port(struct moorings *moorings, const struct loan *loan, uint16_t port)
{
	struct addr local;
	socklen_t len = sizeof(local);
	if (++moorings->moored % LOOK_ONE_IN != 0 || getsockname(loan->fd, &local.sa, &len) != 0)
		return true;
	if (addr_port(&local) == port)
		return true;
	kernel_local_range(&moorings->range);
	return false;
}

/* The kernel has to find the port in this call, and says EAGAIN when [p,p] is full. Everything else is about the way to
 * the server: no route, no address of that family, broadcast, a rule that forbids it. */
static int judge_connect(int error)
{
	if (error == EAGAIN || error == EADDRINUSE) {
		lack_count(LACK_TAKEN);
		return E_EXIST;
	}
	return lack_judge_way(error);
}

int moorings_moor(struct moorings *moorings, const struct addr *server, uint16_t port, struct loan **out)
{
	struct loan *loan = take_idle(moorings, addr_is_v6(server));
	if (loan == NULL)
		return E_BUSY;
	int ret = E_SYSTEM;
	if (moor_set_port(loan->fd, port) == 0) {
		ret = connect(loan->fd, &server->sa, addr_socklen(server)) == 0 ? 0 : judge_connect(errno);
		if (ret == 0 && !is_on_port(moorings, loan, port))
			ret = E_EXIST;
	}
	if (ret != 0) {
		moor_release(loan->fd);
		push_idle(moorings, loan, addr_is_v6(server));
		return ret;
	}
	*out = loan;
	return 0;
}

void moorings_release(struct moorings *moorings, struct loan *loan)
{
	moor_release(loan->fd);
	push_idle(moorings, loan, addr_is_v6(&loan->server));
}
