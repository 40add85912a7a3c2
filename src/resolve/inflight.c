/* Decides when a question is the same as one that is already at a server, and how its reply reaches everybody: within a
 * worker at once, in other workers by mail. */
#include "resolve/inflight.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { BUCKETS = 4096, LOCKS = 64, HASH_SEED = 0xf119 };

struct inflight {
	pthread_mutex_t
		lock[LOCKS]; /* lock i guards the buckets with index % LOCKS == i, and who has joined their flights */
	struct link bucket[BUCKETS];
};

/* Somebody who waits for another's reply. The table's lock guards `link` and `taken`; the rest is the waiter's
 * thread's. */
struct join {
	struct link link;
	struct loop *loop;
	struct fiber *fiber;
	uint64_t hash;  /* of the flight: tells the lock */
	bool taken;     /* the reply is on its way */
	bool abandoned; /* nobody waits for it any more: who brings the reply frees the join */
	bool arrived;
	int result;
	uint8_t *wire;
	size_t len;
};

/* A reply on its way to another worker. */
struct delivery {
	struct mail mail;
	struct join *join;
	int result;
	uint8_t *wire;
	size_t len;
};

struct inflight *inflight_new(void)
{
	struct inflight *inflight = xzalloc(1, sizeof(*inflight));
	for (int i = 0; i < LOCKS; i++)
		pthread_mutex_init(&inflight->lock[i], NULL);
	for (int i = 0; i < BUCKETS; i++)
		link_init(&inflight->bucket[i]);
	return inflight;
}

static void free_joins(struct link *bucket)
{
	for (struct link *l = bucket->next; l != bucket; l = l->next) {
		struct flight *flight = container_of(l, struct flight, link);
		while (!link_is_empty(&flight->joined)) {
			struct join *join = container_of(flight->joined.next, struct join, link);
			link_remove(&join->link);
			free(join);
		}
	}
}

void inflight_free(struct inflight *inflight)
{
	for (int i = 0; i < BUCKETS; i++)
		free_joins(&inflight->bucket[i]);
	for (int i = 0; i < LOCKS; i++)
		pthread_mutex_destroy(&inflight->lock[i]);
	free(inflight);
}

void flight_key_make(struct flight_key *key, const struct addr *server, const uint8_t *name, uint16_t type,
	uint16_t rclass, unsigned flags)
{
	size_t len;
	const uint8_t *bytes = addr_bytes(server, &len);
	*key = (struct flight_key){.server = *server, .name = name, .type = type, .rclass = rclass, .flags = flags};
	key->hash = hash_bytes(HASH_SEED + type, name, name_len(name)) ^ hash_bytes(HASH_SEED, bytes, len);
}

static pthread_mutex_t *lock_of(struct inflight *inflight, uint64_t hash)
{
	return &inflight->lock[hash % LOCKS];
}

static bool is_equal(const struct flight_key *a, const struct flight_key *b)
{
	return a->hash == b->hash && a->type == b->type && a->rclass == b->rclass && a->flags == b->flags &&
	       addr_equal(&a->server, &b->server) && name_is_equal(a->name, b->name);
}

static struct flight *find_locked(struct link *bucket, const struct flight_key *key)
{
	for (struct link *l = bucket->next; l != bucket; l = l->next) {
		struct flight *flight = container_of(l, struct flight, link);
		if (is_equal(&flight->key, key))
			return flight;
	}
	return NULL;
}

static struct join *new_join(struct flight *flight, struct loop *loop)
{
	struct join *join = xzalloc(1, sizeof(*join));
	join->loop = loop;
	join->fiber = fiber_self();
	join->hash = flight->key.hash;
	link_append(&flight->joined, &join->link);
	return join;
}

struct join *inflight_enter(
	struct inflight *inflight, const struct flight_key *key, struct flight *flight, struct loop *loop)
{
	struct link *bucket = &inflight->bucket[key->hash % BUCKETS];
	struct join *join = NULL;
	pthread_mutex_lock(lock_of(inflight, key->hash));
	struct flight *other = find_locked(bucket, key);
	if (other != NULL) {
		join = new_join(other, loop);
	} else {
		flight->key = *key;
		link_init(&flight->joined);
		link_append(bucket, &flight->link);
	}
	pthread_mutex_unlock(lock_of(inflight, key->hash));
	return join;
}

/* In the waiter's thread. The wire changes hands. */
static void arrive(struct join *join, int result, uint8_t *wire, size_t len)
{
	if (join->abandoned) {
		free(wire);
		free(join);
		return;
	}
	join->arrived = true;
	join->result = result;
	join->wire = wire;
	join->len = len;
	fiber_wake(join->fiber, 0);
}

static void on_delivery(struct mail *mail)
{
	struct delivery *delivery = container_of(mail, struct delivery, mail);
	arrive(delivery->join, delivery->result, delivery->wire, delivery->len);
	free(delivery);
}

static void hand_over(struct join *join, int result, const uint8_t *wire, size_t len, const struct loop *loop)
{
	uint8_t *copy = result == 0 ? memcpy(xalloc(len), wire, len) : NULL;
	if (join->loop == loop) {
		arrive(join, result, copy, len);
		return;
	}
	struct delivery *delivery = xalloc(sizeof(*delivery));
	*delivery = (struct delivery){
		.mail = {.on_mail = on_delivery}, .join = join, .result = result, .wire = copy, .len = len};
	loop_post(join->loop, &delivery->mail);
}

void inflight_end(struct inflight *inflight, struct flight *flight, int result, const uint8_t *wire, size_t len,
	struct loop *loop)
{
	pthread_mutex_t *lock = lock_of(inflight, flight->key.hash);
	pthread_mutex_lock(lock);
	link_remove(&flight->link);
	while (!link_is_empty(&flight->joined)) {
		struct join *join = container_of(flight->joined.next, struct join, link);
		link_remove(&join->link);
		join->taken = true; /* from now on the waiter stays until it has the reply */
		hand_over(join, result, wire, len, loop);
	}
	pthread_mutex_unlock(lock);
}

/* Gives up waiting for a reply that has not arrived. */
static void leave(struct inflight *inflight, struct join *join)
{
	pthread_mutex_lock(lock_of(inflight, join->hash));
	bool taken = join->taken;
	link_remove(&join->link);
	pthread_mutex_unlock(lock_of(inflight, join->hash));
	if (taken)
		join->abandoned = true;
	else
		free(join);
}

void inflight_discard(struct join *join)
{
	if (!join->arrived) {
		join->abandoned = true;
		return;
	}
	free(join->wire);
	free(join);
}

int inflight_wait_await(struct inflight *inflight, struct join *join, struct arena *arena, uint64_t deadline_us,
	uint8_t **wire, size_t *len)
{
	int ret = fiber_wait_await(deadline_us);
	if (!join->arrived) {
		leave(inflight, join);
		return ret;
	}
	ret = join->result;
	if (ret == 0) {
		*wire = arena_copy(arena, join->wire, join->len);
		*len = join->len;
	}
	free(join->wire);
	free(join);
	return ret;
}
