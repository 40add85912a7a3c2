/* Decides when a connection to a server is opened, which questions share it, and how long it stays. */
#include "resolve/upstreams.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/limits.h"
#include "net/fiber.h"
#include "net/stream.h"
#include "net/tcp.h"
#include "resolve/exchange.h"
#include "resolve/lending.h"
#include "resolve/match.h"

enum { HASH_SEED = 0x7c9 };
enum { FRAME_MAX = 2 + MESSAGE_QUERY_MAX };

/* A question that waits for its reply; on the stack of its fiber. */
struct asked {
	struct link link; /* in its upstream; alone when it is done */
	struct upstream *up;
	struct tcp_talk *talk;
	struct fiber *fiber;
	uint16_t id;
	bool is_done;
	int result;
};

/* A connection. Whoever opens it works in the fiber of its first question. */
struct upstream {
	struct link link; /* among all of the worker */
	struct stream stream;
	struct resolver *resolver;
	struct addr server;
	struct borrowed borrowed;
	struct link asked;
	unsigned asked_count, strangers;
	bool is_open;   /* else it is being opened, and its questions are not sent yet */
	bool is_useful; /* a reply has come over it */
	bool is_slow;   /* it let a question time out: no more are asked over it */
	bool is_single; /* for one question alone */
	uint64_t zone_hash;
};

void upstreams_init(struct upstreams *upstreams)
{
	link_init(&upstreams->all);
	upstreams->count = 0;
}

/* --- questions --- */

static void settle(struct upstream *up, struct asked *asked, int result)
{
	link_remove(&asked->link);
	up->asked_count--;
	asked->is_done = true;
	asked->result = result;
	fiber_wake(asked->fiber, 0);
}

static void settle_all(struct upstream *up, int result)
{
	while (!link_is_empty(&up->asked))
		settle(up, container_of(up->asked.next, struct asked, link), result);
}

static struct asked *find_asked(struct upstream *up, uint16_t id)
{
	for (struct link *l = up->asked.next; l != &up->asked; l = l->next) {
		struct asked *asked = container_of(l, struct asked, link);
		if (asked->id == id)
			return asked;
	}
	return NULL;
}

static void add_asked(struct upstream *up, struct asked *asked, struct tcp_talk *talk)
{
	while (find_asked(up, talk->match->id) != NULL)
		match_draw_id(talk->match);
	*asked = (struct asked){.up = up, .talk = talk, .fiber = fiber_self(), .id = talk->match->id};
	link_append(&up->asked, &asked->link);
	up->asked_count++;
}

static size_t write_frame(const struct upstream *up, const struct asked *asked, uint8_t frame[static FRAME_MAX])
{
	size_t len = match_write(asked->talk->match, frame + 2);
	frame[0] = (uint8_t)(len >> 8);
	frame[1] = (uint8_t)len;
	asked->talk->port = up->borrowed.loan->port;
	counters_add(COUNT_UPSTREAM_TCP, 1);
	return len + 2;
}

/* The upstream may be gone afterwards: writing can end the connection. */
static void send_asked(struct upstream *up, const struct asked *asked)
{
	uint8_t frame[FRAME_MAX];
	size_t len = write_frame(up, asked, frame);
	stream_touch(&up->stream);
	stream_write(&up->stream, frame, len);
}

/* The same for all that came while the connection was being opened. */
static void send_gathered(struct upstream *up)
{
	static _Thread_local uint8_t frames[LIMIT_UPSTREAM_QUESTIONS * FRAME_MAX];
	size_t len = 0;
	for (struct link *l = up->asked.next; l != &up->asked; l = l->next)
		len += write_frame(up, container_of(l, struct asked, link), frames + len);
	stream_write(&up->stream, frames, len);
}

/* --- a connection's life --- */

static void forget(struct upstream *up, enum loan_outcome outcome)
{
	link_remove(&up->link);
	up->resolver->upstreams.count--;
	if (up->borrowed.loan != NULL)
		lending_return(up->resolver, &up->borrowed, outcome);
	free(up);
}

static void on_closed(struct stream *stream)
{
	struct upstream *up = container_of(stream, struct upstream, stream);
	settle_all(up, E_CLOSED);
	forget(up, up->is_useful ? LOAN_REPLY : LOAN_ERROR);
}

/* One message, as soon as it is whole. */
static size_t on_data(struct stream *stream, const uint8_t *data, size_t len)
{
	struct upstream *up = container_of(stream, struct upstream, stream);
	size_t size = len >= 2 ? (size_t)data[0] << 8 | data[1] : 0;
	if (len < 2 || len < 2 + size)
		return 0;
	struct asked *asked = size >= MESSAGE_HEADER ? find_asked(up, (uint16_t)(data[2] << 8 | data[3])) : NULL;
	if (asked != NULL) {
		asked->talk->wire = arena_copy(&asked->talk->rq->arena, data + 2, size);
		asked->talk->len = size;
		up->is_useful = true;
		settle(up, asked, 0);
		if (up->is_single)
			stream_close(stream);
	} else if (++up->strangers > LIMIT_UPSTREAM_STRANGERS) {
		stream_close(stream);
	}
	return 2 + size;
}

static const struct stream_ops ops = {
	.on_data = on_data, .on_closed = on_closed, .in_max = LIMIT_MESSAGE + 2, .out_max = LIMIT_MESSAGE};

static struct upstream *new_upstream(struct resolver *resolver, const struct addr *server)
{
	struct upstream *up = xzalloc(1, sizeof(*up));
	up->resolver = resolver;
	up->server = *server;
	link_init(&up->asked);
	link_append(&resolver->upstreams.all, &up->link);
	resolver->upstreams.count++;
	return up;
}

/* The stream has a descriptor of its own: that of the loan is the pool's to close. */
static int begin_stream(struct upstream *up)
{
	int fd = fcntl(up->borrowed.loan->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return E_SYSTEM;
	int ret = stream_init(&up->stream, up->resolver->conf.loop, fd, &ops, LIMIT_UPSTREAM_IDLE_MS);
	up->is_open = ret == 0;
	return ret;
}

static int connect_await(struct upstream *up, const struct tcp_talk *talk)
{
	int ret = lending_borrow_await(talk->rq, talk->ex, TRANSPORT_TCP, &up->borrowed);
	if (ret != 0) {
		up->borrowed.loan = NULL;
		return ret;
	}
	ret = tcp_connect_await(up->borrowed.loan->fd, &up->server, talk->deadline_us);
	return ret == 0 ? begin_stream(up) : ret;
}

static enum loan_outcome outcome_of(int ret)
{
	switch (ret) {
	case E_TIMEOUT: return LOAN_TIMEOUT;
	case E_CANCELED: return LOAN_CANCELED;
	default: return LOAN_ERROR;
	}
}

/* Opens the connection and sends what has gathered meanwhile. When that fails, all of them hear of it. */
static void open_await(struct upstream *up, struct asked *own)
{
	int ret = connect_await(up, own->talk);
	if (ret != 0) {
		settle(up, own, ret);
		/* His time and his luck are not those of who joined: a failed try, no more. */
		settle_all(up, ret == E_UNREACH ? E_UNREACH : E_REFUSED);
		forget(up, outcome_of(ret));
		return;
	}
	counters_add(COUNT_UPSTREAM_CONNECTIONS, 1);
	send_gathered(up);
}

/* --- which connection --- */

/* One to this server that takes another question; one that is being opened counts. */
static struct upstream *find_upstream(const struct resolver *resolver, const struct addr *server)
{
	for (struct link *l = resolver->upstreams.all.prev; l != &resolver->upstreams.all; l = l->prev) {
		struct upstream *up = container_of(l, struct upstream, link);
		if (addr_equal(&up->server, server) && up->asked_count < LIMIT_UPSTREAM_QUESTIONS && !up->is_slow &&
			!up->is_single && !up->stream.closed)
			return up;
	}
	return NULL;
}

/* Room for another connection, at the cost of the one that was not used for longest; false when all are in use. */
static bool make_room(struct resolver *resolver)
{
	struct upstreams *upstreams = &resolver->upstreams;
	for (struct link *l = upstreams->all.next; l != &upstreams->all && upstreams->count >= LIMIT_UPSTREAMS;) {
		struct upstream *up = container_of(l, struct upstream, link);
		l = l->next;
		if (up->is_open && up->asked_count == 0)
			stream_close(&up->stream);
	}
	return upstreams->count < LIMIT_UPSTREAMS;
}

/* The servers of one zone may all hang: they must not keep the others from being asked. */
static bool is_within_share(const struct resolver *resolver, uint64_t zone_hash)
{
	unsigned count = 0;
	for (struct link *l = resolver->upstreams.all.next; l != &resolver->upstreams.all; l = l->next)
		count += container_of(l, struct upstream, link)->zone_hash == zone_hash;
	return count < LIMIT_UPSTREAMS / LIMIT_UPSTREAM_SHARE;
}

/* A connection that lets a question time out may hang: nobody else shall wait for it. */
static void give_up(struct asked *asked)
{
	struct upstream *up = asked->up;
	link_remove(&asked->link);
	up->asked_count--;
	up->is_slow = true;
	if (up->is_open && up->asked_count == 0)
		stream_close(&up->stream);
}

static int wait_await(struct asked *asked)
{
	while (!asked->is_done) {
		int ret = fiber_wait_await(asked->talk->deadline_us);
		if (ret != 0 && !asked->is_done) {
			give_up(asked);
			return ret;
		}
	}
	return asked->result;
}

static int ask_once_await(struct tcp_talk *talk)
{
	struct resolver *resolver = talk->rq->resolver;
	struct asked asked;
	struct upstream *up = talk->alone ? NULL : find_upstream(resolver, talk->ex->server);
	uint64_t zone_hash = hash_bytes(HASH_SEED, talk->ex->zone, name_len(talk->ex->zone));
	if (up == NULL && (!make_room(resolver) || !is_within_share(resolver, zone_hash)))
		return E_CROWDED;
	if (up == NULL) {
		up = new_upstream(resolver, talk->ex->server);
		up->is_single = talk->alone;
		up->zone_hash = zone_hash;
		add_asked(up, &asked, talk);
		open_await(up, &asked);
	} else {
		add_asked(up, &asked, talk);
		link_remove(&up->link);
		link_append(&resolver->upstreams.all, &up->link);
		if (up->is_open)
			send_asked(up, &asked);
	}
	return wait_await(&asked);
}

int upstreams_ask_await(struct tcp_talk *talk)
{
	int ret = ask_once_await(talk);
	if (ret != E_CLOSED)
		return ret;
	/* RFC 7766 6.2.4: it ended just then, or takes one question a connection: once more, on one of our own. */
	ret = request_take(talk->rq, BUDGET_QUESTION);
	talk->alone = true;
	return ret == 0 ? ask_once_await(talk) : ret;
}

void upstreams_deinit(struct upstreams *upstreams)
{
	while (!link_is_empty(&upstreams->all)) {
		struct upstream *up = container_of(upstreams->all.next, struct upstream, link);
		link_init(&up->asked); /* what waits lies on stacks that never run again */
		if (up->is_open)
			stream_abandon(&up->stream);
		else
			forget(up, LOAN_CANCELED);
	}
}
