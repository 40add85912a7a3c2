/* A buffered, nonblocking stream socket driven by callbacks: clients over TCP, the control socket.
 *
 *	static const struct stream_ops ops = {.on_data = on_data, .on_closed = on_closed};
 *	stream_init(&conn->stream, loop, fd, &ops, idle_ms);
 *	stream_write(&conn->stream, bytes, len);
 *
 * on_data gets all that is there and says how many bytes it used; the rest is offered again with more behind it. When
 * the input buffer is full and nothing is used, the stream closes. on_closed is called once, last: after the close,
 *outside of all callbacks, when nothing is expected any more; the owner frees the struct there. Writing to a closed
 *stream does nothing. Thread: the loop's. Never suspends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"

struct stream;

struct stream_ops {
	size_t (*on_data)(struct stream *stream, const uint8_t *data, size_t len);
	void (*on_closed)(struct stream *stream);
	size_t in_max;  /* largest unit of input */
	size_t out_max; /* unsent bytes that may wait: a client that does not read is cut off */
};

struct bytes {
	uint8_t *data;
	size_t len, room;
};

struct stream {
	struct watch watch;
	struct loop *loop;
	const struct stream_ops *ops;
	struct timer idle;
	uint64_t idle_us;
	struct bytes in, out;
	size_t out_sent;
	bool closed, in_callback, ended; /* ended: the other side sent its last byte */
	bool held;                       /* nothing is read or offered until the next stream_done */
	unsigned expected;               /* answers still to come: keeps an idle or half-closed stream open */
};

/* Takes the descriptor over. 0, or E_SYSTEM/E_NOMEM (then the descriptor is closed and on_closed not called). */
int stream_init(struct stream *stream, struct loop *loop, int fd, const struct stream_ops *ops, unsigned idle_ms);
void stream_write(struct stream *stream, const void *data, size_t len);
void stream_close(struct stream *stream);
/* The time of idleness begins anew. */
void stream_touch(struct stream *stream);
/* The owner will write later: do not close for idleness or end of input until as many stream_done. */
void stream_expect(struct stream *stream);
void stream_done(struct stream *stream);
/* For the end: whatever was expected will not come. */
void stream_abandon(struct stream *stream);
/* From within on_data, which then returns 0: no more input until the next stream_done. Only while one is expected. */
void stream_hold(struct stream *stream);
