/* Decides how clients' TCP connections are accepted, framed and ended (RFC 7766): many queries on one connection,
 * answers in any order, limits on all of it. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/counters.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/log.h"
#include "daemon/listen.h"
#include "daemon/serve.h"
#include "net/stream.h"

enum { FRAME_HEAD = 2, OUT_MAX = 1 << 20, ACCEPT_ROUNDS = 16, PAUSE_MS = 100 };

struct tcp_listener {
	struct watch watch;
	struct pause pause;
	struct worker *worker;
	struct link conns;
	unsigned count;
};

struct conn {
	struct stream stream;
	struct link link;
	struct tcp_listener *listener;
	struct addr addr;
};

/* Where an answer is written before it is copied into the stream's buffer: one for each thread. */
static _Thread_local uint8_t frame[FRAME_HEAD + LIMIT_MESSAGE];

static void free_conn(struct conn *conn)
{
	link_remove(&conn->link);
	conn->listener->count--;
	free(conn);
}

static void on_closed(struct stream *stream)
{
	free_conn(container_of(stream, struct conn, stream));
}

/* --- answers --- */

static uint8_t *reserve(const struct peer *peer, size_t *room)
{
	(void)peer;
	*room = LIMIT_MESSAGE;
	return frame + FRAME_HEAD;
}

static void send_frame(struct conn *conn, size_t len)
{
	frame[0] = (uint8_t)(len >> 8);
	frame[1] = (uint8_t)len;
	counters_add(COUNT_ANSWERS_SENT, 1);
	stream_write(&conn->stream, frame, FRAME_HEAD + len);
}

static void send_reply(const struct peer *peer, size_t len)
{
	send_frame(peer->from, len);
}

static void hold(const struct peer *peer)
{
	struct conn *conn = peer->from;
	stream_expect(&conn->stream);
}

static void release(const struct peer *peer)
{
	struct conn *conn = peer->from;
	stream_done(&conn->stream);
}

/* --- queries --- */

static size_t on_data(struct stream *stream, const uint8_t *data, size_t len)
{
	struct conn *conn = container_of(stream, struct conn, stream);
	if (len < FRAME_HEAD)
		return 0;
	size_t size = (size_t)data[0] << 8 | data[1];
	if (len < FRAME_HEAD + size)
		return 0;
	if (stream->expected >= LIMIT_TCP_CLIENT_QUERIES) {
		stream_hold(stream); /* the rest waits in the client's own buffers: RFC 7766 6.2.1.1 */
		return 0;
	}
	counters_add(COUNT_QUERIES_TCP, 1);
	struct peer peer = {.addr = conn->addr,
		.from = conn,
		.room_max = LIMIT_MESSAGE,
		.reserve = reserve,
		.send = send_reply,
		.hold = hold,
		.release = release};
	size_t reply =
		serve_query(conn->listener->worker, &peer, data + FRAME_HEAD, size, frame + FRAME_HEAD, LIMIT_MESSAGE);
	if (reply > 0)
		send_frame(conn, reply);
	return FRAME_HEAD + size;
}

static const struct stream_ops ops = {
	.on_data = on_data, .on_closed = on_closed, .in_max = FRAME_HEAD + LIMIT_MESSAGE, .out_max = OUT_MAX};

/* --- connections --- */

static void take(struct tcp_listener *listener, int fd, const struct addr *addr)
{
	int one = 1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	struct conn *conn = xzalloc(1, sizeof(*conn));
	conn->listener = listener;
	conn->addr = *addr;
	if (stream_init(&conn->stream, &listener->worker->loop, fd, &ops, LIMIT_TCP_IDLE_MS) != 0) {
		free(conn);
		return;
	}
	link_append(&listener->conns, &conn->link);
	listener->count++;
}

/* When all places are taken the oldest idle connection makes room. False when none is idle. */
static bool make_place(struct tcp_listener *listener)
{
	if (listener->count < LIMIT_TCP_CLIENTS)
		return true;
	for (struct link *l = listener->conns.next; l != &listener->conns; l = l->next) {
		struct conn *conn = container_of(l, struct conn, link);
		if (conn->stream.expected == 0) {
			stream_close(&conn->stream);
			return true;
		}
	}
	return false;
}

static void on_ready(struct watch *watch, uint32_t events)
{
	(void)events;
	struct tcp_listener *listener = container_of(watch, struct tcp_listener, watch);
	for (int i = 0; i < ACCEPT_ROUNDS; i++) {
		struct addr addr;
		socklen_t len = sizeof(addr);
		int fd = accept4(watch->fd, &addr.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE) {
				log_warning("a TCP client waits: no descriptors left; raise LimitNOFILE=");
				loop_pause(&listener->worker->loop, &listener->pause, watch, EPOLLIN, PAUSE_MS);
			}
			return;
		}
		if (make_place(listener))
			take(listener, fd, &addr);
		else
			close(fd);
	}
}

struct tcp_listener *tcp_listener_new(struct worker *worker, int fd)
{
	struct tcp_listener *listener = xzalloc(1, sizeof(*listener));
	listener->watch = (struct watch){.fd = fd, .on_ready = on_ready};
	listener->worker = worker;
	link_init(&listener->conns);
	return listener;
}

void tcp_listener_start(struct tcp_listener *listener)
{
	if (loop_watch(&listener->worker->loop, &listener->watch, EPOLLIN) != 0)
		log_error("a TCP socket cannot be watched: %s", strerror(errno));
}

void tcp_listener_free(struct tcp_listener *listener)
{
	while (!link_is_empty(&listener->conns)) {
		struct conn *conn = container_of(listener->conns.next, struct conn, link);
		stream_abandon(&conn->stream); /* lookups have ended before */
	}
	close(listener->watch.fd);
	free(listener);
}
