/* Questions that are at a server now: the same question to the same server never flies twice (birthday attacks, RFC
 *5452 5). The first asker sends; the others wait for its reply. For resolve/ only.
 *
 *	struct flight *flight = inflight_find(&inflight, &key);
 *	if (flight != NULL) ret = inflight_join_await(flight, arena, deadline_us, &wire, &len);
 *	else { inflight_begin(&inflight, &mine, &key); ...; inflight_end(&mine, ret, wire, len); }
 *
 * Ownership: a flight lives on the stack of the fiber that sends. Thread: one worker's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/list.h"
#include "dns/name.h"

struct flight_key {
	struct addr server;
	const uint8_t *name;
	uint16_t type, rclass;
	bool edns;
	uint64_t hash;
};

struct flight {
	struct link link; /* in its bucket */
	struct flight_key key;
	struct link joined; /* struct join */
};

enum { INFLIGHT_BUCKETS = 1024 };

struct inflight {
	struct link bucket[INFLIGHT_BUCKETS];
};

void inflight_init(struct inflight *inflight);
void flight_key_make(struct flight_key *key, const struct addr *server, const uint8_t *name, uint16_t type,
	uint16_t rclass, bool edns);
struct flight *inflight_find(struct inflight *inflight, const struct flight_key *key);
void inflight_begin(struct inflight *inflight, struct flight *flight, const struct flight_key *key);
/* Everybody who joined gets the result and, with 0, a copy of the reply. */
void inflight_end(struct flight *flight, int result, const uint8_t *wire, size_t len);
/* Waits for somebody else's reply. The sender's result, or E_TIMEOUT, E_CANCELED. */
int inflight_join_await(struct flight *flight, struct arena *arena, uint64_t deadline_us, const uint8_t **wire,
	size_t *len) __attribute__((warn_unused_result));
