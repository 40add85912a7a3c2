/* Questions that are at a server now: the same question to the same server never flies twice, whichever worker asks
 * (birthday attacks, RFC 5452 5). The first asker sends; the others wait for its reply. For resolve/ only.
 *
 *	struct flight mine;
 *	struct join *join = inflight_enter(inflight, &key, &mine, loop);
 *	if (join == NULL) {
 *		ret = ...;                                                      we send
 *		inflight_end(inflight, &mine, ret, wire, len, loop);
 *	} else {
 *		ret = inflight_wait_await(inflight, join, arena, deadline_us, &wire, &len);
 *	}
 *
 * Ownership: the table is shared; a flight lives on the stack of its fiber, and the key's name must stay until
 * inflight_end; inflight_wait_await takes the join. Thread: any worker's; a lock is held for moments, never while
 *waiting. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/list.h"
#include "dns/name.h"
#include "net/fiber.h"

/* What else must be the same for a reply to serve both. */
enum flight_flag { FLIGHT_EDNS = 1, FLIGHT_RD = 2, FLIGHT_CD = 4 };

struct flight_key {
	struct addr server;
	const uint8_t *name;
	uint16_t type, rclass;
	unsigned flags; /* of enum flight_flag */
	uint64_t hash;
};

struct flight {
	struct link link; /* in its bucket */
	struct flight_key key;
	struct link joined; /* struct join */
};

struct join;
struct inflight;

struct inflight *inflight_new(void);
/* When no fiber runs any more, but before the stacks of those that did not end are gone. */
void inflight_free(struct inflight *inflight);
void flight_key_make(struct flight_key *key, const struct addr *server, const uint8_t *name, uint16_t type,
	uint16_t rclass, unsigned flags);
/* NULL: nobody asks this, and now `flight` does. Else somebody does, and the running fiber is to wait for it. */
struct join *inflight_enter(
	struct inflight *inflight, const struct flight_key *key, struct flight *flight, struct loop *loop);
/* Everybody who joined gets the result and, with 0, a copy of the reply. By the thread that began the flight. */
void inflight_end(struct inflight *inflight, struct flight *flight, int result, const uint8_t *wire, size_t len,
	struct loop *loop);
/* For the end, when the fiber that waits will not run again: frees a reply that has arrived. What is still on its way,
 * or in the table, is freed there. */
void inflight_discard(struct join *join);
/* The sender's result, with 0 the reply in the arena; or E_TIMEOUT, E_CANCELED. */
int inflight_wait_await(struct inflight *inflight, struct join *join, struct arena *arena, uint64_t deadline_us,
	uint8_t **wire, size_t *len) __attribute__((warn_unused_result));
