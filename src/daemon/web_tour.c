/* Decides what the workers are asked for the web page, and that they are not asked too often: whoever looks costs them
 * little, however many look. */
#include "daemon/web_parts.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/error.h"

/* The newest loans of a port are searched in the whole ledger, which takes a worker a millisecond: not twice at once,
 * and not one directly after the other. */
enum { PAUSE_US = 20000 };

struct web_tours {
	struct web *web;
	struct link waiting;
	unsigned count;
	bool is_away;
	struct timer timer;
};

static int compare_loans(const void *left, const void *right)
{
	const struct ledger_entry *a = left, *b = right;
	return a->begin_us < b->begin_us ? 1 : a->begin_us > b->begin_us ? -1 : 0;
}

static void look_at_port(struct web_tour *tour, const struct worker *worker)
{
	tour->loans += ledger_find(worker->ledger, tour->port, tour->loan + tour->loans, TOUR_LOANS);
	qsort(tour->loan, tour->loans, sizeof(tour->loan[0]), compare_loans);
	if (tour->loans > TOUR_LOANS)
		tour->loans = TOUR_LOANS;
}

static void visit(struct tour *mail, struct worker *worker)
{
	struct web_tour *tour = container_of(mail, struct web_tour, tour);
	struct pool_state state;
	pool_state(worker->pool, &state);
	tour->pool.size += state.size;
	tour->pool.max += state.max;
	tour->pool.idle += state.idle;
	tour->pool.lent += state.lent;
	tour->pool.grown += state.grown;
	if (worker->resolver != NULL) {
		tour->running += resolver_running(worker->resolver);
		tour->lingering += resolver_lingering(worker->resolver);
		tour->waiting += resolver_waiting(worker->resolver);
	}
	if (tour->port != 0)
		look_at_port(tour, worker);
}

static void go_on(struct web_tours *tours)
{
	if (tours->is_away || link_is_empty(&tours->waiting))
		return;
	struct web_tour *tour = container_of(tours->waiting.next, struct web_tour, link);
	link_remove(&tour->link);
	tours->count--;
	tours->is_away = true;
	tour_begin(&tour->tour, tours->web->server);
}

static void on_timer(struct timer *timer)
{
	struct web_tours *tours = container_of(timer, struct web_tours, timer);
	tours->is_away = false;
	go_on(tours);
}

static void on_done(struct tour *mail)
{
	struct web_tour *tour = container_of(mail, struct web_tour, tour);
	struct web_tours *tours = tour->web->tours;
	bool was_long = tour->port != 0;
	tour->finish(tour);
	free(tour);
	if (was_long && !tours->web->is_ending) {
		loop_timer_set(&tours->web->server->loop, &tours->timer, tours->web->server->loop.now_us + PAUSE_US);
		return;
	}
	tours->is_away = false;
	go_on(tours);
}

struct web_tour *tour_new(struct web *web, void (*finish)(struct web_tour *tour))
{
	struct web_tour *tour = xzalloc(1, sizeof(*tour));
	tour->web = web;
	tour->finish = finish;
	tour->tour.visit = visit;
	tour->tour.done = on_done;
	return tour;
}

int tours_begin(struct web_tours *tours, struct web_tour *tour)
{
	if (tours->count >= LIMIT_WEB_TOURS || tours->web->is_ending) {
		free(tour);
		return E_BUSY;
	}
	link_append(&tours->waiting, &tour->link);
	tours->count++;
	go_on(tours);
	return 0;
}

struct web_tours *tours_new(struct web *web)
{
	struct web_tours *tours = xzalloc(1, sizeof(*tours));
	tours->web = web;
	tours->timer.on_timer = on_timer;
	link_init(&tours->waiting);
	return tours;
}

void tours_end(struct web_tours *tours)
{
	/* Those that wait come home as they are: their visits have to be answered. */
	while (!link_is_empty(&tours->waiting)) {
		struct web_tour *tour = container_of(tours->waiting.next, struct web_tour, link);
		link_remove(&tour->link);
		tour->finish(tour);
		free(tour);
	}
	tours->count = 0;
	loop_timer_cancel(&tours->web->server->loop, &tours->timer);
}

void tours_free(struct web_tours *tours)
{
	free(tours);
}
