/* The process: its configuration, what all workers share, and the workers.
 *
 *	struct server server;
 *	if (server_init(&server, config, path, why) != 0) ...    sockets bound, nothing running yet
 *	privilege_drop(...);
 *	if (server_start(&server, why) != 0) ...                 ports held, workers running
 *	loop_run(&server.loop);                                  the main thread: signals and control
 *	server_stop(&server);                                    workers joined, all freed
 *
 * Thread: main, unless a field says otherwise. */
#pragma once

#include <pthread.h>

#include "base/counters.h"
#include "cache/rrcache.h"
#include "daemon/access.h"
#include "daemon/config.h"
#include "daemon/identity.h"
#include "daemon/keeper.h"
#include "daemon/places.h"
#include "net/loop.h"
#include "ports/pool.h"
#include "ports/preflight.h"
#include "resolve/resolver.h"

struct anchor_keeper;
struct cache_keeper;
struct chronicle;
struct control;
struct reserve;
struct server;
struct settings;
struct single;
struct tcp_listener;
struct udp_listener;
struct xdp;
struct xdp_listener;

struct worker {
	struct server *server;
	unsigned index;
	pthread_t thread;
	struct loop loop; /* other threads may post */
	struct counters counters;
	struct ledger *ledger;
	struct pool *pool;
	struct resolver *resolver;
	struct answers *answers;
	struct access_list access;
	struct identity identity;
	bool prefetch;
	struct udp_listener **udp;
	struct tcp_listener **tcp;
	size_t listeners;
	struct xdp_listener **xdp; /* its queues of interfaces */
	size_t xdp_listeners;
};

struct server {
	struct config *config;   /* the one in force */
	struct config *first;    /* as at the start: what a reload does not change is read from here */
	const char *config_path; /* NULL: defaults */
	struct loop loop;        /* of the main thread */
	struct port_space *space;
	struct keeper keeper;
	struct anchors *anchors; /* those of the configuration; NULL: nothing is validated */
	struct anchor_keeper *anchor_keeper;
	struct cache_keeper *cache_keeper;
	struct settings *settings; /* of the workers, from server_init to server_start */
	struct reserve *reserve;   /* with lend: reserved, */
	struct single *single;     /* or this one with a pool of 0; else both are NULL */
	struct rrcache *rrcache;
	struct denials *denials;
	struct facts_table *facts;
	struct inflight *inflight;
	struct places places; /* where sockets are open, unless it is logged that one is not */
	struct xdp **xdp;     /* for each of first->xdp; NULL: ordinary sockets serve it alone */
	struct worker *worker;
	unsigned workers;
	struct control *control;
	struct web *web; /* NULL: none */
	struct chronicle *chronicle;
	uint64_t started_us; /* monotonic */
	_Atomic bool reloading;
	bool reload_again; /* asked for by SIGHUP while one was under way */
};

int server_init(struct server *server, struct config *config, const char *config_path, char *why, size_t size);
/* As the user that the daemon stays: ports that are held belong to whoever bound them. */
int server_start(struct server *server, char *why, size_t size);
void server_stop(struct server *server);
/* Hands other trust anchors to all workers; takes the reference. */
void server_trust(struct server *server, struct anchors *anchors);
/* Reads the configuration again and gives it to the workers. 0, with a line in `why` for each change that takes effect
 * with the next start only; or an error with one line in `why`, and nothing has changed. */
int server_reload(struct server *server, char *why, size_t size);
/* The same for SIGHUP, which hears no error: it is logged, and what comes during a reload follows it. */
void server_reload_soon(struct server *server);

/* The places where the process listens, one after the other, in words; NULL after the last. */
enum { SERVER_PLACE = ADDR_TEXT + IF_NAMESIZE };
const char *server_place(const struct server *server, size_t index, char out[static SERVER_PLACE]);

/* Of how many ports each question's is drawn, when so many are usable. */
unsigned server_among(const struct config *config, unsigned usable);
/* What the pool of a configuration is worth, by rules that may be others than the configuration's. */
void server_preflight(const struct config *config, const struct usable *usable, const struct port_range *range,
	void (*say)(enum preflight_level, const char *text, void *arg), void *arg);

/* A quarter of cache.memory is for finished answers, in equal shares; the rest is the rrset cache's. */
static inline size_t server_answers_bytes(const struct config *config)
{
	return config->cache.memory / 4;
}

/* The worker that runs all lookups of a name. Any thread. */
struct worker *server_owner(const struct server *server, const uint8_t *name);

/* Visits each worker in its own thread, one after the other, then comes back to the main thread.
 * Ownership: the tour is the caller's until `done`. */
struct tour {
	struct mail mail;
	struct server *server;
	unsigned at;
	void (*visit)(struct tour *tour, struct worker *worker);
	void (*done)(struct tour *tour);
};
void tour_begin(struct tour *tour, struct server *server);
