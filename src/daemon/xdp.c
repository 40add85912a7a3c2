/* Decides whether an interface can be served by XDP, and which worker has which of its queues. */
#include "daemon/xdp.h"

#include <dlfcn.h>
#include <libknot/error.h>
#include <libknot/xdp/eth.h>
#include <linux/capability.h>
#include <net/if_arp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "daemon/listen.h"
#include "daemon/privilege.h"
#include "daemon/xdp_parts.h"

enum {
	QUEUES_MAX = 256, /* the filter's tables have no more (libknot's bpf-kernel.c) */
	BUSY_TRIES = 100,
	BUSY_PAUSE_US = 20000,
	MTU_MIN = 576, /* less leaves no room for an answer of 512 bytes beside IPv6's headers (RFC 1035 4.2.1) */
};

#define CAPABILITIES ((UINT64_C(1) << CAP_NET_ADMIN) | (UINT64_C(1) << CAP_NET_RAW) | (UINT64_C(1) << CAP_SYS_ADMIN))

/* libbpf and libxdp tell standard error in many lines what they tell us by a number. They are libknot's own and may not
 * have headers here: so they are found by name. Their callbacks differ in nothing that a silent one looks at. */
static int say_nothing(int level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static void silence(const char *setter)
{
	void *(*set)(int (*)(int, const char *, va_list));
	*(void **)(void *)&set = dlsym(RTLD_DEFAULT, setter);
	if (set != NULL)
		(void)set(say_nothing);
}

static int try_queue(const struct config_xdp *conf, unsigned queue, knot_xdp_load_bpf_t load, knot_xdp_socket_t **out)
{
#ifdef XDP_INIT_WITH_CONFIG
	return knot_xdp_init(out, conf->interface, (int)queue, KNOT_XDP_FILTER_UDP, conf->port, 0, load, NULL);
#else
	return knot_xdp_init(out, conf->interface, (int)queue, KNOT_XDP_FILTER_UDP, conf->port, 0, load);
#endif
}

/* The kernel gives a queue free some time after its socket was closed (xp_release_deferred): ours of a moment ago, or
 * that of the berthd before this one. */
int xdp_queue_open(const struct config_xdp *conf, unsigned queue, bool load_program, knot_xdp_socket_t **out)
{
	knot_xdp_load_bpf_t load = load_program ? KNOT_XDP_LOAD_BPF_ALWAYS : KNOT_XDP_LOAD_BPF_NEVER;
	int ret = try_queue(conf, queue, load, out);
	for (int i = 0; ret == KNOT_EBUSY && i < BUSY_TRIES; i++) {
		usleep(BUSY_PAUSE_US);
		ret = try_queue(conf, queue, load, out);
	}
	return ret;
}

/* False for what is no Ethernet, such as the loopback interface. */
static bool read_mac(struct xdp *xdp)
{
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	memcpy(request.ifr_name, xdp->conf->interface, sizeof(request.ifr_name)); /* both IF_NAMESIZE, with the zero */
	bool is = fd >= 0 && ioctl(fd, SIOCGIFHWADDR, &request) == 0 && request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
	memcpy(xdp->mac, request.ifr_hwaddr.sa_data, sizeof(xdp->mac));
	if (fd >= 0)
		close(fd);
	return is;
}

static int measure(struct xdp *xdp, char *why, size_t size)
{
	const struct config_xdp *conf = xdp->conf;
	int mtu = knot_eth_mtu(conf->interface), queues = knot_eth_queues(conf->interface);
	xdp->index = if_nametoindex(conf->interface);
	if (!read_mac(xdp)) {
		snprintf(why, size, "it is no Ethernet; XDP serves no other");
		return E_INVAL;
	}
	if (!privilege_has(CAPABILITIES)) {
		snprintf(why, size,
			"XDP needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN at the start; start berthd as root");
		return E_ACCESS;
	}
	if (mtu < MTU_MIN) {
		snprintf(why, size, "its MTU of %d leaves no room for answers; XDP needs %d", mtu, MTU_MIN);
		return E_RANGE;
	}
	if (queues < 1 || queues > QUEUES_MAX) {
		snprintf(why, size, "it has %d queues, and libknot serves 1 to %d; set another number with ethtool -L",
			queues, QUEUES_MAX);
		return E_RANGE;
	}
	xdp->mtu = (size_t)mtu;
	xdp->queues = (unsigned)queues;
	return 0;
}

static int open_queues(struct xdp *xdp, char *why, size_t size)
{
	xdp->socket = xzalloc(xdp->queues, sizeof(*xdp->socket)); /* NOLINT(bugprone-sizeof-expression) */
	for (unsigned i = 0; i < xdp->queues; i++) {
		int ret = xdp_queue_open(xdp->conf, i, false, &xdp->socket[i]);
		if (ret == KNOT_EOK)
			continue;
		xdp->socket[i] = NULL;
		snprintf(
			why, size, "queue %u cannot be taken: %s; does another program use it?", i, knot_strerror(ret));
		return E_SYSTEM;
	}
	return 0;
}

static void deal_out(struct xdp *xdp, struct server *server)
{
	for (unsigned i = 0; i < xdp->queues; i++) {
		struct worker *worker = &server->worker[i % server->workers];
		listen_add_xdp(worker, xdp_listener_new(worker, xdp, xdp->socket[i]));
		xdp->socket[i] = NULL;
	}
}

int xdp_open(struct xdp **out, struct server *server, const struct config_xdp *conf, char *why, size_t size)
{
	char what[300];
	struct xdp *xdp = xzalloc(1, sizeof(*xdp));
	xdp->conf = conf;
	xdp->tie = -1;
	silence("libbpf_set_print");
	silence("libxdp_set_print");
	places_add_interface(&xdp->local, conf->interface, conf->port);
	int ret = measure(xdp, what, sizeof(what));
	if (ret == 0)
		ret = (xdp->tie = xdp_program_tie(conf, xdp->index, what, sizeof(what))) >= 0 ? 0 : E_SYSTEM;
	if (ret == 0)
		ret = open_queues(xdp, what, sizeof(what));
	*out = ret == 0 ? xdp : NULL;
	if (ret == 0) {
		deal_out(xdp, server);
		return 0;
	}
	snprintf(why, size, "%s@%u xdp: %s; ordinary sockets serve it", conf->interface, conf->port, what);
	xdp_close(xdp);
	return ret;
}

void xdp_untie(struct xdp *xdp)
{
	if (xdp != NULL && xdp->tie >= 0)
		close(xdp->tie);
	if (xdp != NULL)
		xdp->tie = -1;
}

void xdp_close(struct xdp *xdp)
{
	if (xdp == NULL)
		return;
	xdp_untie(xdp);
	for (unsigned i = 0; xdp->socket != NULL && i < xdp->queues; i++)
		knot_xdp_deinit(xdp->socket[i]);
	free(xdp->socket);
	places_free(&xdp->local);
	free(xdp);
}
