/* Decides which port is drawn. */
#include "ports/space.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/random.h"

struct port_space {
	pthread_mutex_t lock; /* of who writes `usable` or reads all of it */
	_Atomic uint64_t usable[PORT_SET_WORDS];
	_Atomic uint64_t generation; /* of `usable`; 0 never stands */
	_Atomic uint32_t lent_count;
	_Atomic bool met_taken;
	struct port_others others;                          /* under the lock */
	_Alignas(64) _Atomic uint64_t lent[PORT_SET_WORDS]; /* written by whoever lends and returns */
	_Atomic uint32_t taken_until_s[PORTS_ALL];          /* monotonic seconds; 0: not known to be taken */
};

static uint32_t now_s(void)
{
	return (uint32_t)(clock_mono_us() / 1000000) + 1;
}

struct port_space *port_space_new(void)
{
	struct port_space *space = aligned_alloc(64, (sizeof(*space) + 63) / 64 * 64);
	require(space != NULL);
	*space = (struct port_space){.generation = 1};
	pthread_mutex_init(&space->lock, NULL);
	return space;
}

void port_space_free(struct port_space *space)
{
	pthread_mutex_destroy(&space->lock);
	free(space);
}

void port_space_set_usable(struct port_space *space, const struct port_set *usable)
{
	pthread_mutex_lock(&space->lock);
	for (unsigned i = 0; i < PORT_SET_WORDS; i++)
		atomic_store_explicit(&space->usable[i], usable->word[i], memory_order_relaxed);
	atomic_fetch_add(&space->generation, 1);
	pthread_mutex_unlock(&space->lock);
}

static uint64_t bit_of(uint16_t port)
{
	return 1ull << port % 64;
}

uint64_t port_space_generation(const struct port_space *space)
{
	return atomic_load_explicit(&space->generation, memory_order_acquire);
}

bool port_space_is_usable(const struct port_space *space, uint16_t port)
{
	return atomic_load_explicit(&space->usable[port / 64], memory_order_relaxed) & bit_of(port);
}

unsigned port_space_usable(const struct port_space *space, uint16_t first, uint16_t last)
{
	unsigned count = 0;
	for (unsigned port = first; port <= last; port++)
		count += port_space_is_usable(space, (uint16_t)port);
	return count;
}

bool port_space_is_lent(const struct port_space *space, uint16_t port)
{
	return atomic_load_explicit(&space->lent[port / 64], memory_order_relaxed) & bit_of(port);
}

bool port_space_is_taken(const struct port_space *space, uint16_t port)
{
	uint32_t until_s = atomic_load_explicit(&space->taken_until_s[port], memory_order_relaxed);
	return until_s != 0 && until_s > now_s();
}

unsigned port_space_lent(const struct port_space *space)
{
	return atomic_load_explicit(&space->lent_count, memory_order_relaxed);
}

void port_space_release(struct port_space *space, uint16_t port)
{
	uint64_t before = atomic_fetch_and_explicit(&space->lent[port / 64], ~bit_of(port), memory_order_release);
	require(before & bit_of(port));
	atomic_fetch_sub_explicit(&space->lent_count, 1, memory_order_relaxed);
}

void port_space_taken(struct port_space *space, uint16_t port)
{
	atomic_store_explicit(&space->taken_until_s[port], now_s() + LIMIT_PORT_TAKEN_S, memory_order_relaxed);
	atomic_store_explicit(&space->met_taken, true, memory_order_relaxed);
	port_space_release(space, port);
}

bool port_space_met_taken(struct port_space *space)
{
	return atomic_exchange(&space->met_taken, false);
}

void port_space_note_others(struct port_space *space, unsigned held, const char *top, unsigned top_held)
{
	pthread_mutex_lock(&space->lock);
	space->others = (struct port_others){.held = held, .top_held = top_held};
	snprintf(space->others.top, sizeof(space->others.top), "%s", top);
	pthread_mutex_unlock(&space->lock);
}

void port_space_others(struct port_space *space, struct port_others *out)
{
	pthread_mutex_lock(&space->lock);
	*out = space->others;
	pthread_mutex_unlock(&space->lock);
}

/* Marks the port lent unless it is lent or taken; two threads never both succeed. */
static bool try_claim(struct port_space *space, uint16_t port)
{
	if (port_space_is_lent(space, port) || port_space_is_taken(space, port))
		return false;
	uint64_t before = atomic_fetch_or_explicit(&space->lent[port / 64], bit_of(port), memory_order_acquire);
	if (before & bit_of(port))
		return false;
	atomic_fetch_add_explicit(&space->lent_count, 1, memory_order_relaxed);
	return true;
}

static void refresh(struct port_draw *draw)
{
	struct port_space *space = draw->space;
	if (draw->generation == atomic_load_explicit(&space->generation, memory_order_acquire))
		return;
	if (draw->port == NULL)
		draw->port = xalloc(PORTS_ALL * sizeof(*draw->port));
	pthread_mutex_lock(&space->lock);
	draw->generation = atomic_load(&space->generation);
	draw->count = 0;
	for (unsigned port = 1; port < PORTS_ALL; port++)
		if (port_space_is_usable(space, (uint16_t)port))
			draw->port[draw->count++] = (uint16_t)port;
	pthread_mutex_unlock(&space->lock);
}

/* When almost all ports are lent, drawing and rejecting would take long: the free ones are listed, and one of those is
 * drawn. Still uniform. */
static int draw_from_rest(struct port_draw *draw, uint16_t *port)
{
	uint16_t *rest = xalloc(draw->count * sizeof(*rest));
	unsigned count = 0;
	for (unsigned i = 0; i < draw->count; i++)
		if (!port_space_is_lent(draw->space, draw->port[i]) && !port_space_is_taken(draw->space, draw->port[i]))
			rest[count++] = draw->port[i];
	int ret = E_NOPORT;
	while (count > 0 && ret != 0) {
		unsigned at = random_below(count);
		*port = rest[at];
		if (try_claim(draw->space, *port))
			ret = 0;
		else
			rest[at] = rest[--count];
	}
	free(rest);
	return ret;
}

int port_draw(struct port_draw *draw, uint16_t *port)
{
	refresh(draw);
	if (draw->count == 0)
		return E_NOPORT;
	for (int i = 0; i < LIMIT_PORT_DRAWS; i++) {
		*port = draw->port[random_below(draw->count)];
		if (try_claim(draw->space, *port))
			return 0;
	}
	return draw_from_rest(draw, port);
}

void port_draw_deinit(struct port_draw *draw)
{
	free(draw->port);
	draw->port = NULL;
	draw->generation = 0;
}
