/* A client's query: answered from the answer cache, refused, or handed to the worker that owns its name.
 *
 *	size_t len = serve_query(worker, &peer, wire, wire_len, out, room);
 *	if (len > 0) send(out, len);                   else: dropped, or peer->reply is called later
 *
 * Thread: the worker's that got the query; the later reply comes on the same thread. Never suspends. */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "cache/answers.h"
#include "daemon/server.h"

enum {
	SERVE_LOCAL = CMSG_SPACE(sizeof(struct in6_pktinfo))
}; /* room for the local address of a wildcard listener, kept for the reply */

/* The way back over an Ethernet, for a query that came by XDP. */
struct peer_frame {
	uint8_t client[6];   /* MAC address */
	uint8_t address[16]; /* the one that was asked */
	uint16_t vlan;       /* 0: none */
};

/* Where a query came from and how its answer goes back. Copied while the answer is pending. */
struct peer {
	struct addr addr;
	void *from;      /* the listener or the connection */
	size_t room_max; /* of an answer: 65535 for streams */
	/* Room for the answer of `room` bytes, to be filled and then sent by `send`; NULL: give up (send is not
	 * called). */
	uint8_t *(*reserve)(const struct peer *peer, size_t *room);
	void (*send)(const struct peer *peer, size_t len);
	/* Begin and end of waiting: holds a connection. May be NULL. */
	void (*hold)(const struct peer *peer);
	void (*release)(const struct peer *peer);
	uint8_t local_len;
	union { /* the listener knows which */
		uint8_t local[SERVE_LOCAL];
		struct peer_frame frame;
	};
};

/* A query that was read, to be answered in a moment. Good as long as its wire. */
struct asked {
	uint32_t now_s; /* wall clock, the same for a batch */
	const uint8_t *wire;
	enum query_verdict verdict;
	struct query query;
	struct answer_key key; /* of a good one */
};

/* The two halves of serve_query, for a batch: all are read, then fetched, then answered, and what the cache has of them
 * comes from memory meanwhile. */
void serve_read(const struct worker *worker, struct asked *asked, uint32_t now_s, const uint8_t *wire, size_t len);
void serve_fetch(const struct worker *worker, const struct asked *asked);
size_t serve_asked(
	struct worker *worker, const struct peer *peer, const struct asked *asked, uint8_t *out, size_t room);
/* The length of the answer in out, or 0. `out` must hold at least 512 bytes. */
size_t serve_query(
	struct worker *worker, const struct peer *peer, const uint8_t *wire, size_t len, uint8_t *out, size_t room);
