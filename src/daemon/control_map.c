/* Decides what the control socket says of all ports at once: which the pool holds, has lent, or lent a moment ago. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "daemon/control_json.h"
#include "daemon/control_commands.h"

enum { RECENT_S = 60 };

struct map {
	struct tour tour;
	struct control_call *call;
	uint64_t since_us;
	struct port_set lent, recent;
};

static void visit(struct tour *tour, struct worker *worker)
{
	struct map *map = container_of(tour, struct map, tour);
	pool_mark_lent(worker->pool, &map->lent);
	ledger_mark(worker->ledger, map->since_us, &map->recent);
}

/* All that the pool has, of which some is lent: held ahead, or on its way between the workers. */
static void mark_pool(const struct server *server, struct port_set *pool)
{
	for (unsigned port = 1; port < PORTS_ALL; port++)
		if (port_space_is_lent(server->space, (uint16_t)port))
			port_set_add(pool, (uint16_t)port);
}

static void on_done(struct tour *tour)
{
	struct map *map = container_of(tour, struct map, tour);
	struct port_set *pool = xzalloc(1, sizeof(*pool));
	mark_pool(tour->server, pool);
	port_set_subtract(pool, &map->lent);
	control_reply(
		map->call, json_pack("{s:o, s:o, s:o, s:i}", "lent", json_of_ports(&map->lent), "pool",
				   json_of_ports(pool), "recent", json_of_ports(&map->recent), "recent_s", RECENT_S));
	free(pool);
	free(map);
}

void control_run_map(struct control_call *call)
{
	struct map *map = xzalloc(1, sizeof(*map));
	map->call = call;
	map->since_us = clock_wall_us() - RECENT_S * 1000000ull;
	map->tour.visit = visit;
	map->tour.done = on_done;
	tour_begin(&map->tour, call->server);
}
