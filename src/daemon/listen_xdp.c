/* Decides what becomes of the frames of one queue of an interface: datagrams in batches from its ring, answers in
 * batches into the other.
 *
 * The kernel's stack has not seen them. What it would have checked is checked here: lengths, and that the datagram is
 * for us and from somewhere that can be answered. The filter has checked that IP's and UDP's headers lie within the
 * frame, that neither says more than the frame holds, and that it is no fragment. */
#include <errno.h>
#include <libknot/error.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/limits.h"
#include "base/log.h"
#include "daemon/listen.h"
#include "daemon/serve.h"
#include "daemon/xdp_parts.h"

enum {
	BATCH = 32, /* as many as the kernel sends for one call where the driver copies (TX_BATCH_SIZE of its xsk.c) */
	ROUNDS = 4,
	FRAME = 2048,
	STUCK_MAX = FRAME / 2, /* of the 2,048 frames of a ring: before libknot has to wait for one */
	SEND_TRIES = 4,
	TICK_US = 100000,     /* at the latest so long after it came, what lies in a ring is looked at; */
	TICK_STUCK_US = 2000, /* while the kernel does not take what is sent */
	STUCK_TOLD_US = 5000000,
	UDP_HEADER = 8,
	UDP_LENGTH = 4, /* at this place in it */
	IP4_HEADERS = 20 + UDP_HEADER,
	IP6_HEADERS = 40 + UDP_HEADER,
};

struct xdp_listener {
	struct watch watch;
	struct worker *worker;
	const struct xdp *xdp;
	knot_xdp_socket_t *socket;
	knot_xdp_msg_t in[BATCH], out[BATCH];
	struct asked asked[BATCH]; /* those of `in` that are datagrams for us; */
	struct peer peer[BATCH];   /* and who asks */
	unsigned out_count;
	knot_xdp_msg_t reserved; /* between reserve and send */
	size_t stuck;            /* frames that the kernel has not taken yet, at most */
	uint64_t stuck_us;       /* monotonic, since when; told: that it was said */
	bool was_told;
	struct timer tick;
};

/* --- out --- */

/* One system call for the batch; more where the kernel takes less at once. Other errors than that need time: libknot would
 * take the next try for good without asking the kernel. */
static bool wake_kernel(struct xdp_listener *listener)
{
	int ret = KNOT_EAGAIN;
	for (int i = 0; i < SEND_TRIES && ret == KNOT_EAGAIN; i++)
		ret = knot_xdp_send_finish(listener->socket);
	return ret == KNOT_EOK;
}

/* The link was down, or the peer was full. The kernel takes a part with each call. */
static void push(struct xdp_listener *listener)
{
	uint64_t now_us = listener->worker->loop.now_us;
	for (int i = 0; i < BATCH && listener->stuck > 0; i++)
		if (sendto(listener->watch.fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0)
			listener->stuck = 0;
	if (listener->stuck == 0) {
		listener->was_told = false;
		return;
	}
	if (!listener->was_told && now_us - listener->stuck_us > STUCK_TOLD_US)
		log_warning("%s@%u xdp: the kernel takes no answers since %u s; is the link up?",
			listener->xdp->conf->interface, listener->xdp->conf->port, STUCK_TOLD_US / 1000000);
	listener->was_told |= now_us - listener->stuck_us > STUCK_TOLD_US;
}

static void set_tick(struct xdp_listener *listener)
{
	struct loop *loop = &listener->worker->loop;
	loop_timer_set(loop, &listener->tick, loop->now_us + (listener->stuck > 0 ? TICK_STUCK_US : TICK_US));
}

void xdp_listener_flush(struct xdp_listener *listener)
{
	unsigned count = listener->out_count;
	if (count == 0 && listener->stuck == 0)
		return;
	uint32_t sent = 0;
	if (count > 0 && knot_xdp_send(listener->socket, listener->out, count, &sent) != KNOT_EOK)
		sent = 0; /* the ring is full; libknot has taken the frames back */
	listener->out_count = 0;
	counters_add(COUNT_ANSWERS_SENT, sent);
	counters_add(COUNT_ANSWERS_UNSENT, count - sent);
	if (listener->stuck == 0)
		listener->stuck_us = listener->worker->loop.now_us;
	listener->stuck = wake_kernel(listener) ? 0 : listener->stuck + sent;
	if (listener->stuck > 0)
		set_tick(listener);
}

static void write_addresses(const struct xdp_listener *listener, knot_xdp_msg_t *out, const struct peer *peer)
{
	const struct peer_frame *frame = &peer->frame;
	size_t len;
	(void)addr_bytes(&peer->addr, &len);
	struct addr local = addr_of_bytes(frame->address, len, listener->xdp->conf->port);
	memcpy(out->eth_from, listener->xdp->mac, sizeof(out->eth_from));
	memcpy(out->eth_to, frame->client, sizeof(out->eth_to));
	memcpy(&out->ip_from, &local, addr_socklen(&local));
	memcpy(&out->ip_to, &peer->addr, addr_socklen(&peer->addr));
	out->vlan_tci = frame->vlan;
}

/* A frame for the answer to a peer, with its room; NULL: there is none. It is queued or given back. */
static uint8_t *take_frame(struct xdp_listener *listener, const struct peer *peer, knot_xdp_msg_t *out, size_t *room)
{
	if (listener->out_count == 0)
		knot_xdp_send_prepare(listener->socket);
	const bool v6 = addr_is_v6(&peer->addr);
	knot_xdp_msg_flag_t flags = (v6 ? KNOT_XDP_MSG_IPV6 : 0) | (peer->frame.vlan != 0 ? KNOT_XDP_MSG_VLAN : 0);
	if (listener->stuck > STUCK_MAX || knot_xdp_send_alloc(listener->socket, flags, out) != KNOT_EOK) {
		counters_add(COUNT_ANSWERS_UNSENT, 1);
		return NULL;
	}
	write_addresses(listener, out, peer);
	size_t most = listener->xdp->mtu - (v6 ? IP6_HEADERS : IP4_HEADERS);
	*room = most < LIMIT_UDP_PAYLOAD ? most : LIMIT_UDP_PAYLOAD; /* which every frame holds */
	return out->payload.iov_base;
}

static void queue_frame(struct xdp_listener *listener, const knot_xdp_msg_t *out, size_t len)
{
	if (listener->out_count == BATCH) {
		xdp_listener_flush(listener);
		knot_xdp_send_prepare(listener->socket); /* takes back the frames that are sent */
	}
	listener->out[listener->out_count] = *out;
	listener->out[listener->out_count++].payload.iov_len = len;
}

_Static_assert(LIMIT_UDP_PAYLOAD + 128 < FRAME, "an answer with its headers fits a frame");

static uint8_t *reserve(const struct peer *peer, size_t *room)
{
	struct xdp_listener *listener = peer->from;
	return take_frame(listener, peer, &listener->reserved, room);
}

static void send_reply(const struct peer *peer, size_t len)
{
	struct xdp_listener *listener = peer->from;
	queue_frame(listener, &listener->reserved, len);
}

/* --- in --- */

static bool is_same_host(const struct addr *a, const struct addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	return addr_is_v6(a) ? IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr)
			     : a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
}

static bool is_ours(const struct xdp *xdp, const struct addr *addr)
{
	for (size_t i = 0; i < xdp->local.count; i++)
		if (is_same_host(&xdp->local.addr[i], addr))
			return true;
	return false;
}

/* What the kernel lets in from no wire (RFC 1122 3.2.1.3): loopback, which access.allow trusts, groups, nobody; our own
 * addresses; and port 0, which cannot be answered. */
static bool can_be_client(const struct xdp *xdp, const struct addr *addr)
{
	bool is_link_local = addr_is_v6(addr) ? IN6_IS_ADDR_LINKLOCAL(&addr->v6.sin6_addr)
					      : ntohl(addr->v4.sin_addr.s_addr) >> 16 == 0xa9fe;
	return addr_port(addr) != 0 && !addr_is_loopback(addr) && (is_link_local || !addr_is_bogus(addr)) &&
	       !is_ours(xdp, addr);
}

/* libknot leaves what it does not know as it was: the rest of an IPv4 address, an IPv6 address's scope. */
static struct addr addr_of(const knot_xdp_msg_t *msg, const struct sockaddr_in6 *from)
{
	if (msg->flags & KNOT_XDP_MSG_IPV6)
		return addr_of_bytes(from->sin6_addr.s6_addr, 16, ntohs(from->sin6_port));
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)from;
	return addr_of_bytes((const uint8_t *)&v4->sin_addr, 4, ntohs(v4->sin_port));
}

/* libknot gives what IP's length leaves behind the two headers: when that is less than they are, a size_t that wrapped
 * around. UDP's own length (RFC 768) is what counts, where it fits. False: no datagram. */
static bool read_length(const knot_xdp_msg_t *msg, size_t *len)
{
	if (msg->payload.iov_len > FRAME)
		return false;
	const uint8_t *udp = (const uint8_t *)msg->payload.iov_base - UDP_HEADER;
	size_t said = (size_t)udp[UDP_LENGTH] << 8 | udp[UDP_LENGTH + 1];
	if (said < UDP_HEADER || said - UDP_HEADER > msg->payload.iov_len)
		return false;
	*len = said - UDP_HEADER;
	return true;
}

/* Who asks, and what is needed to answer; false: nobody that could be answered. */
static bool read_peer(const struct xdp_listener *listener, const knot_xdp_msg_t *msg, struct peer *peer)
{
	/* For another host on the wire, or for all of them; from a group, which nobody is. */
	if (memcmp(msg->eth_to, listener->xdp->mac, sizeof(msg->eth_to)) != 0 || (msg->eth_from[0] & 1) != 0)
		return false;
	peer->addr = addr_of(msg, &msg->ip_from);
	struct addr to = addr_of(msg, &msg->ip_to);
	if (!can_be_client(listener->xdp, &peer->addr) || !is_ours(listener->xdp, &to))
		return false;
	size_t len;
	const uint8_t *address = addr_bytes(&to, &len);
	memcpy(peer->frame.address, address, len);
	memcpy(peer->frame.client, msg->eth_from, sizeof(peer->frame.client));
	peer->frame.vlan = msg->vlan_tci;
	return true;
}

static bool read_one(struct xdp_listener *listener, const knot_xdp_msg_t *msg, unsigned place, uint32_t now_s)
{
	size_t len;
	if (!read_length(msg, &len) || len > LIMIT_UDP_QUERY || !read_peer(listener, msg, &listener->peer[place]))
		return false;
	serve_read(listener->worker, &listener->asked[place], now_s, msg->payload.iov_base, len);
	return true;
}

/* A query that could not even begin to be looked up has its reply sent before serve_asked returns: by then `reserved` is
 * in use, and this frame is not. */
static void answer_one(struct xdp_listener *listener, unsigned place)
{
	const struct peer *peer = &listener->peer[place];
	knot_xdp_msg_t frame;
	size_t room;
	uint8_t *out = take_frame(listener, peer, &frame, &room);
	if (out == NULL)
		return;
	size_t len = serve_asked(listener->worker, peer, &listener->asked[place], out, room);
	if (len > 0)
		queue_frame(listener, &frame, len);
	else
		knot_xdp_send_free(listener->socket, &frame, 1);
}

static void serve_batch(struct xdp_listener *listener, unsigned count)
{
	unsigned good = 0;
	uint32_t now_s = clock_wall_s();
	counters_add(COUNT_QUERIES_UDP, count);
	counters_add(COUNT_QUERIES_XDP, count);
	for (unsigned i = 0; i < count; i++) {
		good += read_one(listener, &listener->in[i], good, now_s);
		listener->in[i].vlan_tci = 0; /* libknot writes it for tagged frames only */
	}
	counters_add(COUNT_QUERIES_DROPPED, count - good);
	for (unsigned i = 0; i < good; i++)
		serve_fetch(listener->worker, &listener->asked[i]);
	for (unsigned i = 0; i < good; i++)
		answer_one(listener, i);
	knot_xdp_recv_finish(listener->socket, listener->in, count);
}

static void serve_ring(struct xdp_listener *listener)
{
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t count = 0;
		if (knot_xdp_recv(listener->socket, listener->in, BATCH, &count, NULL) != KNOT_EOK || count == 0)
			break;
		serve_batch(listener, count);
		xdp_listener_flush(listener);
		if (count < BATCH)
			break;
	}
}

static void on_ready(struct watch *watch, uint32_t events)
{
	(void)events;
	serve_ring(container_of(watch, struct xdp_listener, watch));
}

/* While a link is down poll(2) says nothing of frames that have come, and when it is up again nobody is woken for them: a full
 * ring would stay so. And what could not be sent has to be tried again, though nothing else happens. */
static void on_tick(struct timer *timer)
{
	struct xdp_listener *listener = container_of(timer, struct xdp_listener, tick);
	push(listener);
	serve_ring(listener);
	xdp_listener_flush(listener);
	set_tick(listener);
}

/* --- life --- */

struct xdp_listener *xdp_listener_new(struct worker *worker, const struct xdp *xdp, knot_xdp_socket_t *socket)
{
	struct xdp_listener *listener = xzalloc(1, sizeof(*listener));
	listener->watch = (struct watch){.fd = knot_xdp_socket_fd(socket), .on_ready = on_ready};
	listener->worker = worker;
	listener->xdp = xdp;
	listener->socket = socket;
	listener->tick.on_timer = on_tick;
	for (unsigned i = 0; i < BATCH; i++)
		listener->peer[i] = (struct peer){
			.from = listener, .room_max = LIMIT_UDP_PAYLOAD, .reserve = reserve, .send = send_reply};
	return listener;
}

void xdp_listener_start(struct xdp_listener *listener)
{
	set_tick(listener);
	if (loop_watch(&listener->worker->loop, &listener->watch, EPOLLIN) != 0)
		log_error("a queue of %s cannot be watched: %s", listener->xdp->conf->interface, strerror(errno));
}

void xdp_listener_free(struct xdp_listener *listener)
{
	loop_timer_cancel(&listener->worker->loop, &listener->tick);
	knot_xdp_deinit(listener->socket);
	free(listener);
}
