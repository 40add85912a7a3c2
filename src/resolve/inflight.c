/* Decides when a question is the same as one that is already at a server. */
#include "resolve/inflight.h"

#include <string.h>

#include "base/hash.h"
#include "net/fiber.h"

enum { HASH_SEED = 0xf119 };

struct join {
	struct link link;
	struct fiber *fiber;
	struct arena *arena;
	const uint8_t *wire;
	size_t len;
};

void inflight_init(struct inflight *inflight)
{
	for (int i = 0; i < INFLIGHT_BUCKETS; i++)
		link_init(&inflight->bucket[i]);
}

void flight_key_make(struct flight_key *key, const struct addr *server, const uint8_t *name, uint16_t type,
	uint16_t rclass, bool edns)
{
	size_t len;
	const uint8_t *bytes = addr_bytes(server, &len);
	*key = (struct flight_key){.server = *server, .name = name, .type = type, .rclass = rclass, .edns = edns};
	key->hash = hash_bytes(HASH_SEED + type, name, name_len(name)) ^ hash_bytes(HASH_SEED, bytes, len);
}

static struct link *bucket_of(struct inflight *inflight, const struct flight_key *key)
{
	return &inflight->bucket[key->hash % INFLIGHT_BUCKETS];
}

static bool is_equal(const struct flight_key *a, const struct flight_key *b)
{
	return a->hash == b->hash && a->type == b->type && a->rclass == b->rclass && a->edns == b->edns &&
	       addr_equal(&a->server, &b->server) && name_is_equal(a->name, b->name);
}

struct flight *inflight_find(struct inflight *inflight, const struct flight_key *key)
{
	struct link *bucket = bucket_of(inflight, key);
	for (struct link *l = bucket->next; l != bucket; l = l->next) {
		struct flight *flight = container_of(l, struct flight, link);
		if (is_equal(&flight->key, key))
			return flight;
	}
	return NULL;
}

void inflight_begin(struct inflight *inflight, struct flight *flight, const struct flight_key *key)
{
	flight->key = *key;
	link_init(&flight->joined);
	link_append(bucket_of(inflight, key), &flight->link);
}

void inflight_end(struct flight *flight, int result, const uint8_t *wire, size_t len)
{
	link_remove(&flight->link);
	while (!link_is_empty(&flight->joined)) {
		struct join *join = container_of(flight->joined.next, struct join, link);
		link_remove(&join->link);
		if (result == 0) {
			join->wire = arena_copy(join->arena, wire, len);
			join->len = len;
		}
		fiber_wake(join->fiber, result);
	}
}

int inflight_join_await(
	struct flight *flight, struct arena *arena, uint64_t deadline_us, const uint8_t **wire, size_t *len)
{
	struct join join = {.fiber = fiber_self(), .arena = arena};
	link_append(&flight->joined, &join.link);
	int ret = fiber_wait_await(deadline_us);
	link_remove(&join.link);
	*wire = join.wire;
	*len = join.len;
	return ret;
}
