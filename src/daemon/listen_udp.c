/* Decides how datagrams of clients are taken in and answered: in batches, one system call for up to 32 of each. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "daemon/listen.h"
#include "daemon/serve.h"

/* APART: a cache line, for buffers that are 4 KiB from each other all want the same few lines of the nearest cache. */
enum { BATCH = 32, CROWD = BATCH / 2, ROUNDS = 4, AGAIN_MS = 1, CONTROL = 64, APART = 64 };

/* Datagrams of one direction, with all that recvmmsg and sendmmsg want. */
struct batch {
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	struct addr addr[BATCH];
	_Alignas(struct cmsghdr) uint8_t control[BATCH][CONTROL];
	uint8_t *data; /* BATCH buffers of `room` bytes, APART more from one to the next */
	size_t room;
	unsigned count;
};

struct udp_listener {
	struct watch watch;
	struct timer again; /* when it could not be watched */
	bool is_watched, is_told;
	struct worker *worker;
	bool any; /* the reply must leave from the address that was asked */
	bool v6;
	struct batch in, out;
	struct asked asked[BATCH]; /* those of `in` that can be answered; */
	uint8_t place[BATCH];      /* and where they lie there */
};

static void batch_init(struct batch *batch, size_t room)
{
	batch->room = room;
	batch->data = xalloc(BATCH * (room + APART));
	for (unsigned i = 0; i < BATCH; i++) {
		batch->iov[i] = (struct iovec){batch->data + i * (room + APART), room};
		batch->msg[i].msg_hdr =
			(struct msghdr){.msg_iov = &batch->iov[i], .msg_iovlen = 1, .msg_name = &batch->addr[i]};
	}
}

/* --- out --- */

void udp_listener_flush(struct udp_listener *listener)
{
	struct batch *out = &listener->out;
	for (unsigned sent = 0; sent < out->count;) {
		int ret = sendmmsg(listener->watch.fd, out->msg + sent, out->count - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (ret > 0) {
			counters_add(COUNT_ANSWERS_SENT, (uint64_t)ret);
			sent += (unsigned)ret;
		} else if (errno != EINTR) {
			/* The first of them cannot be sent (no route, full buffer): the client will ask again. */
			counters_add(COUNT_ANSWERS_UNSENT, 1);
			sent++;
		}
	}
	out->count = 0;
}

static uint8_t *next_out(struct udp_listener *listener)
{
	if (listener->out.count == BATCH)
		udp_listener_flush(listener);
	return listener->out.iov[listener->out.count].iov_base;
}

static void commit(struct udp_listener *listener, const struct peer *peer, size_t len)
{
	struct batch *out = &listener->out;
	unsigned i = out->count++;
	out->addr[i] = peer->addr;
	out->iov[i].iov_len = len;
	struct msghdr *msg = &out->msg[i].msg_hdr;
	msg->msg_namelen = addr_socklen(&peer->addr);
	msg->msg_controllen = peer->local_len;
	msg->msg_control = NULL;
	if (peer->local_len > 0)
		msg->msg_control = memcpy(out->control[i], peer->local, peer->local_len);
}

static uint8_t *reserve(const struct peer *peer, size_t *room)
{
	struct udp_listener *listener = peer->from;
	*room = listener->out.room;
	return next_out(listener);
}

static void send_reply(const struct peer *peer, size_t len)
{
	commit(peer->from, peer, len);
}

/* --- in --- */

/* The interface is left to routing, but for addresses that mean nothing without one. */
static void forget_interface(struct cmsghdr *c, bool v6)
{
	if (v6) {
		struct in6_pktinfo *info = (struct in6_pktinfo *)(void *)CMSG_DATA(c);
		if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr))
			info->ipi6_ifindex = 0;
	} else {
		struct in_pktinfo *info = (struct in_pktinfo *)(void *)CMSG_DATA(c);
		info->ipi_ifindex = 0;
		info->ipi_spec_dst = info->ipi_addr;
	}
}

/* The address that was asked, as control data for the reply. */
static void keep_local(const struct udp_listener *listener, struct msghdr *msg, struct peer *peer)
{
	int level = listener->v6 ? IPPROTO_IPV6 : IPPROTO_IP, type = listener->v6 ? IPV6_PKTINFO : IP_PKTINFO;
	peer->local_len = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		size_t len = CMSG_SPACE(c->cmsg_len - CMSG_LEN(0));
		if (c->cmsg_level != level || c->cmsg_type != type || len > sizeof(peer->local))
			continue;
		forget_interface(c, listener->v6);
		memcpy(peer->local, c, c->cmsg_len);
		peer->local_len = (uint8_t)len;
	}
}

/* How many of the batch can be answered: port 0 cannot, and a cut datagram was longer than any query. */
static unsigned read_batch(struct udp_listener *listener, unsigned count)
{
	unsigned good = 0;
	uint32_t now_s = clock_wall_s();
	for (unsigned i = 0; i < count; i++) {
		const struct mmsghdr *msg = &listener->in.msg[i];
		if (msg->msg_hdr.msg_flags & MSG_TRUNC || addr_port(&listener->in.addr[i]) == 0)
			continue;
		serve_read(listener->worker, &listener->asked[good], now_s, listener->in.iov[i].iov_base, msg->msg_len);
		listener->place[good++] = (uint8_t)i;
	}
	return good;
}

static void serve_batch(struct udp_listener *listener, unsigned count)
{
	struct peer peer = {.from = listener, .room_max = LIMIT_UDP_PAYLOAD, .reserve = reserve, .send = send_reply};
	unsigned good = read_batch(listener, count);
	counters_add(COUNT_QUERIES_UDP, count);
	counters_add(COUNT_QUERIES_DROPPED, count - good);
	for (unsigned i = 0; i < good; i++)
		serve_fetch(listener->worker, &listener->asked[i]);
	for (unsigned i = 0; i < good; i++) {
		unsigned place = listener->place[i];
		peer.addr = listener->in.addr[place];
		if (listener->any)
			keep_local(listener, &listener->in.msg[place].msg_hdr, &peer);
		uint8_t *out = next_out(listener);
		size_t len = serve_asked(listener->worker, &peer, &listener->asked[i], out, listener->out.room);
		if (len > 0)
			commit(listener, &peer, len);
	}
}

static void prepare(struct udp_listener *listener)
{
	for (unsigned i = 0; i < BATCH; i++) {
		struct msghdr *msg = &listener->in.msg[i].msg_hdr;
		msg->msg_namelen = sizeof(struct addr);
		msg->msg_control = listener->any ? listener->in.control[i] : NULL;
		msg->msg_controllen = listener->any ? CONTROL : 0;
	}
}

/* Where that cannot be (somebody used up fs.epoll.max_user_watches), the socket is looked at each millisecond until it
 * can. */
static void watch_it(struct udp_listener *listener)
{
	struct loop *loop = &listener->worker->loop;
	int ret = loop_watch(loop, &listener->watch, EPOLLIN);
	listener->is_watched = ret == 0 || ret == E_EXIST;
	if (listener->is_watched)
		return;
	if (!listener->is_told)
		log_error("a UDP socket cannot be watched: %s; it is looked at each millisecond instead",
			strerror(errno));
	listener->is_told = true;
	loop_timer_set(loop, &listener->again, loop->now_us + AGAIN_MS * 1000ull);
}

/* Of each datagram that has left the kernel tells whoever watches its socket: there is room again. That takes a twentieth
 * of an answer's time and concerns nobody, so while a crowd is answered the socket is not watched (decision 27). */
static void serve_crowd(struct udp_listener *listener)
{
	for (int i = 0; i < ROUNDS; i++) {
		prepare(listener);
		int count = recvmmsg(listener->watch.fd, listener->in.msg, BATCH, MSG_DONTWAIT, NULL);
		if (count <= 0)
			break;
		if (listener->is_watched && count >= CROWD) {
			loop_unwatch(&listener->worker->loop, &listener->watch);
			listener->is_watched = false;
		}
		serve_batch(listener, (unsigned)count);
		udp_listener_flush(listener);
		if (count < BATCH)
			break;
	}
	if (!listener->is_watched)
		watch_it(listener);
}

static void on_ready(struct watch *watch, uint32_t events)
{
	(void)events;
	serve_crowd(container_of(watch, struct udp_listener, watch));
}

static void on_again(struct timer *timer)
{
	serve_crowd(container_of(timer, struct udp_listener, again));
}

struct udp_listener *udp_listener_new(struct worker *worker, int fd, bool any, bool v6)
{
	struct udp_listener *listener = xzalloc(1, sizeof(*listener));
	listener->watch = (struct watch){.fd = fd, .on_ready = on_ready};
	listener->again = (struct timer){.on_timer = on_again};
	listener->worker = worker;
	listener->any = any;
	listener->v6 = v6;
	batch_init(&listener->in, LIMIT_UDP_QUERY);
	batch_init(&listener->out, LIMIT_UDP_PAYLOAD);
	return listener;
}

void udp_listener_start(struct udp_listener *listener)
{
	watch_it(listener);
}

void udp_listener_free(struct udp_listener *listener)
{
	loop_timer_cancel(&listener->worker->loop, &listener->again);
	close(listener->watch.fd);
	free(listener->in.data);
	free(listener->out.data);
	free(listener);
}
