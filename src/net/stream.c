/* Decides how bytes of a client's connection are buffered, and when it is cut off. */
#include "net/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

enum { FIRST_ROOM = 4096 };

/* Grows the buffer to hold `need` bytes more; false beyond `max`. */
static bool make_room(struct bytes *bytes, size_t need, size_t max)
{
	if (need > max || bytes->len > max - need)
		return false;
	size_t room = bytes->room ? bytes->room : FIRST_ROOM;
	while (room < bytes->len + need)
		room *= 2;
	if (room == bytes->room)
		return true;
	uint8_t *data = realloc(bytes->data, room);
	if (data == NULL)
		return false;
	bytes->data = data;
	bytes->room = room;
	return true;
}

/* The owner gets its struct back when nobody uses it any more: not while a callback of it runs, and not while somebody
 * has still to call stream_done. */
static void finish_if_unused(struct stream *stream)
{
	if (!stream->closed || stream->in_callback || stream->expected > 0)
		return;
	free(stream->in.data);
	free(stream->out.data);
	stream->ops->on_closed(stream);
}

void stream_close(struct stream *stream)
{
	if (stream->closed)
		return;
	stream->closed = true;
	loop_timer_cancel(stream->loop, &stream->idle);
	loop_unwatch(stream->loop, &stream->watch);
	close(stream->watch.fd);
	finish_if_unused(stream);
}

void stream_touch(struct stream *stream)
{
	loop_timer_set(stream->loop, &stream->idle, stream->loop->now_us + stream->idle_us);
}

static void on_idle(struct timer *timer)
{
	struct stream *stream = container_of(timer, struct stream, idle);
	if (stream->expected > 0)
		stream_touch(stream);
	else
		stream_close(stream);
}

static uint32_t wanted_events(const struct stream *stream)
{
	return (stream->ended || stream->held ? 0u : EPOLLIN) | (stream->out.len > 0 ? EPOLLOUT : 0u);
}

/* Sends what can be sent now. Returns false when the stream had to be closed. */
static bool flush(struct stream *stream)
{
	while (stream->out_sent < stream->out.len) {
		ssize_t wrote = send(stream->watch.fd, stream->out.data + stream->out_sent,
			stream->out.len - stream->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (wrote > 0)
			stream->out_sent += (size_t)wrote;
		else if (errno == EAGAIN)
			return true;
		else if (errno != EINTR)
			return false;
	}
	stream->out.len = stream->out_sent = 0;
	return true;
}

static bool is_finished(const struct stream *stream)
{
	return stream->ended && stream->expected == 0 && stream->out.len == 0;
}

static void settle(struct stream *stream)
{
	if (stream->closed)
		return;
	if (!flush(stream) || is_finished(stream) ||
		loop_rewatch(stream->loop, &stream->watch, wanted_events(stream)) != 0)
		stream_close(stream);
}

void stream_write(struct stream *stream, const void *data, size_t len)
{
	if (stream->closed)
		return;
	if (!make_room(&stream->out, len, stream->ops->out_max)) {
		stream_close(stream);
		return;
	}
	memcpy(stream->out.data + stream->out.len, data, len);
	stream->out.len += len;
	if (!stream->in_callback)
		settle(stream);
}

void stream_expect(struct stream *stream)
{
	stream->expected++;
}

static void offer(struct stream *stream)
{
	size_t begin = 0;
	while (begin < stream->in.len && !stream->closed) {
		size_t used = stream->ops->on_data(stream, stream->in.data + begin, stream->in.len - begin);
		if (used == 0)
			break;
		begin += used;
	}
	stream->in.len -= begin;
	if (begin > 0)
		memmove(stream->in.data, stream->in.data + begin, stream->in.len);
}

void stream_hold(struct stream *stream)
{
	stream->held = true;
}

/* Goes on with the input that was held back. */
static void resume(struct stream *stream)
{
	stream->held = false;
	stream->in_callback = true;
	offer(stream);
	settle(stream);
	stream->in_callback = false;
	finish_if_unused(stream);
}

void stream_done(struct stream *stream)
{
	stream->expected--;
	if (stream->closed) {
		finish_if_unused(stream);
		return;
	}
	stream_touch(stream);
	if (stream->in_callback)
		return;
	if (stream->held)
		resume(stream);
	else
		settle(stream);
}

void stream_abandon(struct stream *stream)
{
	stream->expected = 0;
	if (stream->closed)
		finish_if_unused(stream);
	else
		stream_close(stream);
}

static void receive(struct stream *stream)
{
	if (!make_room(&stream->in, FIRST_ROOM / 4, stream->ops->in_max + FIRST_ROOM)) {
		stream_close(stream);
		return;
	}
	ssize_t got = recv(
		stream->watch.fd, stream->in.data + stream->in.len, stream->in.room - stream->in.len, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0) {
		stream_close(stream);
		return;
	}
	stream->ended = got == 0;
	stream->in.len += (size_t)(got > 0 ? got : 0);
	if (got > 0)
		stream_touch(stream);
	offer(stream);
}

static void on_ready(struct watch *watch, uint32_t events)
{
	struct stream *stream = container_of(watch, struct stream, watch);
	stream->in_callback = true;
	if (events & (EPOLLERR | EPOLLHUP) && !(events & EPOLLIN))
		stream_close(stream);
	if (events & EPOLLIN && !stream->closed)
		receive(stream);
	settle(stream);
	stream->in_callback = false;
	finish_if_unused(stream);
}

int stream_init(struct stream *stream, struct loop *loop, int fd, const struct stream_ops *ops, unsigned idle_ms)
{
	*stream = (struct stream){
		.watch = {.fd = fd, .on_ready = on_ready},
		.loop = loop,
		.ops = ops,
		.idle = {.on_timer = on_idle},
		.idle_us = (uint64_t)idle_ms * 1000,
	};
	int ret = loop_watch(loop, &stream->watch, EPOLLIN);
	if (ret != 0) {
		close(fd);
		return ret;
	}
	stream_touch(stream);
	return 0;
}
