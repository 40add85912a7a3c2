/* Decides what the process is made of, and what a reload changes. */
#include "daemon/server.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rcu.h"
#include "cache/denials.h"
#include "daemon/anchor_keeper.h"
#include "daemon/cache_keeper.h"
#include "daemon/chronicle.h"
#include "daemon/control.h"
#include "daemon/machine.h"
#include "daemon/listen.h"
#include "daemon/settings.h"
#include "daemon/state.h"
#include "daemon/web.h"
#include "daemon/worker.h"
#include "daemon/xdp.h"
#include "ports/preflight.h"
#include "ports/reserve.h"
#include "ports/single.h"
#include "resolve/anchors.h"
#include "resolve/inflight.h"

enum { FILES_KEPT_FREE = 1024, OWNER_SEED = 0x0e4e };

struct worker *server_owner(const struct server *server, const uint8_t *name)
{
	return &server->worker[hash_bytes(OWNER_SEED, name, name_len(name)) % server->workers];
}

/* --- ports --- */

/* Descriptors that the process may have; 0: any number. */
static unsigned long files_allowed(void)
{
	struct rlimit limit;
	bool is_limited = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
	return is_limited ? limit.rlim_cur : 0;
}

/* How many sockets the pool may hold and leave descriptors for clients, TCP to servers and loans beyond the pool. */
static unsigned pool_sockets(const struct config *config, unsigned families)
{
	unsigned wanted = families * config->ports.pool;
	unsigned long files = files_allowed(), can = files / 2;
	if (files > 2 * FILES_KEPT_FREE)
		can = files - FILES_KEPT_FREE;
	if (files == 0 || wanted <= can)
		return wanted;
	return can > families ? (unsigned)can : families;
}

/* The kernel's table of descriptors grows by doubling, and with more than one thread it waits some 10 ms for all to see it each
 * time. It grows once, while there is one thread. */
static void make_room_for_files(const struct config *config, int any)
{
	int fd = fcntl(
		any, F_DUPFD_CLOEXEC, (int)pool_sockets(config, config->ports.reserved ? 2 : 1) + FILES_KEPT_FREE / 2);
	if (fd >= 0)
		close(fd);
}

/* How many ports of each family are held, or how many sockets wait for one. */
static unsigned pool_size(const struct config *config, unsigned usable)
{
	if (!config->ports.reserved)
		return pool_sockets(config, 1);
	unsigned families = config->resolver.ipv4 && config->resolver.ipv6 ? 2 : 1;
	unsigned size = pool_sockets(config, families) / families, quota = reserve_quota(usable, families);
	return size < quota ? size : quota;
}

unsigned server_among(const struct config *config, unsigned usable)
{
	if (!config->ports.reserved)
		return usable;
	return config->ports.pool == 0 ? 1 : pool_size(config, usable);
}

void server_preflight(const struct config *config, const struct usable *usable, const struct port_range *range,
	void (*say)(enum preflight_level, const char *text, void *arg), void *arg)
{
	struct preflight flight = {
		.usable = usable,
		.range = *range,
		.reserved = config->ports.reserved,
		.wanted = config->ports.pool,
		.pool = pool_size(config, usable->count[PORT_USABLE]),
		.among = server_among(config, usable->count[PORT_USABLE]),
		.max = config->ports.max,
		.files = files_allowed(),
	};
	preflight(&flight, say, arg);
}

static void log_line(enum preflight_level level, const char *text, void *arg)
{
	(void)arg;
	if (level == PREFLIGHT_WARNING)
		log_warning("ports: %s", text);
	else
		log_notice("ports: %s", text);
}

static void log_of_machine(enum preflight_level level, const char *text, void *arg)
{
	(void)level;
	(void)arg;
	log_warning("%s", text);
}

/* The rules of a configuration; what was changed while running ends with it. */
static void obey(struct server *server, const struct config *config)
{
	struct usable_rules *rules = xalloc(sizeof(*rules)); /* 16 KiB */
	keeper_rules_of(rules, config);
	keeper_obey(&server->keeper, rules);
	server->keeper.changed = false;
	free(rules);
	/* How ports are lent, and how many are held, stays as at the start. */
	server_preflight(server->first, &server->keeper.usable, &server->keeper.rules.range, log_line, NULL);
	machine_preflight(server->first, log_of_machine, NULL);
}

/* As the user that the daemon stays: a port is shared only among sockets of one user (socket(7), SO_REUSEPORT). Ports
 * below 1024 may be bound even then. */
static int make_reserve(struct server *server, char *why, size_t size)
{
	const struct config *config = server->config;
	if (!config->ports.reserved)
		return 0;
	if (config->ports.pool == 0) {
		server->single = single_new(server->space, config->resolver.ipv4, config->resolver.ipv6);
		if (server->single != NULL)
			return 0;
		snprintf(why, size, "ports: not one usable port could be bound; see berth check");
		return E_NOPORT;
	}
	struct reserve_conf conf = {
		.space = server->space,
		.size = pool_size(config, server->keeper.usable.count[PORT_USABLE]),
		.uses = config->ports.uses,
		.age_s = config->ports.age_s,
		.ipv4 = config->resolver.ipv4,
		.ipv6 = config->resolver.ipv6,
	};
	server->reserve = reserve_new(&conf);
	return 0;
}

/* --- begin --- */

enum { DENIALS_PART = 8 }; /* of cache.memory */

/* Of the memory for caches: proofs of what is not there are worth the more, the more is asked that is not there. */
static size_t denials_bytes(const struct config *config)
{
	return config->cache.memory / DENIALS_PART;
}

static struct rrcache_conf rrcache_conf_of(const struct config *config)
{
	return (struct rrcache_conf){
		.bytes = config->cache.memory - server_answers_bytes(config) - denials_bytes(config),
		.ttl_min_s = config->cache.ttl_min,
		.ttl_max_s = config->cache.ttl_max,
		.stale_s = config->cache.stale,
	};
}

static void make_shared(struct server *server)
{
	const struct config *config = server->config;
	struct rrcache_conf conf = rrcache_conf_of(config);
	server->rrcache = rrcache_new(&conf);
	server->denials = denials_new(denials_bytes(config));
	server->facts = facts_new();
	server->inflight = inflight_new();
	server->space = port_space_new();
	keeper_init(&server->keeper, server->space, &server->loop);
	obey(server, config);
}

static unsigned count_workers(const struct config *config)
{
	if (config->workers != CONFIG_WORKERS_AUTO)
		return config->workers;
	unsigned cores = worker_cores();
	return cores > LIMIT_WORKERS ? LIMIT_WORKERS : cores;
}

/* With the default addresses a machine without IPv6 is served on IPv4 alone; what was asked for must work. */
static int open_listeners(struct server *server, struct worker *worker, char *why, size_t size)
{
	bool by_default = server->config_path == NULL;
	for (size_t i = 0; i < server->places.count; i++) {
		bool is_found = i >= server->config->listen_count; /* an interface has it: now, or in a moment */
		int ret = listen_open(worker, &server->places.addr[i], is_found, why, size);
		if (ret == E_UNREACH && by_default && i > 0)
			log_notice("%s", why);
		else if (ret != 0)
			return ret;
	}
	return 0;
}

/* Without XDP an interface is served all the same. */
static void open_interfaces(struct server *server)
{
	const struct config *config = server->config;
	char why[400];
	server->xdp = xzalloc(config->xdp_count + 1, sizeof(*server->xdp)); /* NOLINT(bugprone-sizeof-expression) */
	for (size_t i = 0; i < config->xdp_count; i++)
		if (xdp_open(&server->xdp[i], server, &config->xdp[i], why, sizeof(why)) != 0)
			log_warning("%s", why);
}

static void close_interfaces(struct server *server)
{
	for (size_t i = 0; i < server->first->xdp_count; i++)
		xdp_close(server->xdp[i]);
	free(server->xdp);
}

const char *server_place(const struct server *server, size_t index, char out[static SERVER_PLACE])
{
	if (index < server->places.count)
		return addr_text(&server->places.addr[index], out);
	index -= server->places.count;
	while (index < server->first->xdp_count && server->xdp[index] == NULL)
		index++;
	if (index >= server->first->xdp_count)
		return NULL;
	const struct config_xdp *xdp = &server->first->xdp[index];
	snprintf(out, SERVER_PLACE, "%s@%u xdp", xdp->interface, xdp->port);
	return out;
}

/* The configuration's anchors, and what has been learnt of them since. */
static void take_trusted(struct server *server, struct settings *settings)
{
	anchors_unref(settings->options.anchors);
	settings->options.anchors = anchor_keeper_trusted(server->anchor_keeper);
}

static void equip_workers(struct server *server, const struct settings *settings)
{
	unsigned sockets = 0;
	if (server->reserve != NULL)
		sockets = reserve_size(server->reserve);
	else if (server->single == NULL)
		sockets = pool_sockets(server->config, 1);
	for (unsigned i = 0; i < server->workers; i++) {
		worker_equip(&server->worker[i], sockets);
		worker_apply(&server->worker[i], settings);
	}
}

int server_init(struct server *server, struct config *config, const char *config_path, char *why, size_t size)
{
	*server = (struct server){
		.config = config, .first = config, .config_path = config_path, .started_us = clock_mono_us()};
	int ret = places_find(&server->places, config, why, size);
	if (ret != 0)
		return ret;
	struct settings *settings = xzalloc(1, sizeof(*settings));
	ret = settings_make(settings, config, why, size);
	if (ret != 0 || (ret = loop_init(&server->loop)) != 0) {
		free(settings);
		return ret;
	}
	make_room_for_files(config, server->loop.epoll_fd);
	server->settings = settings;
	server->anchors = anchors_ref(settings->options.anchors);
	server->anchor_keeper = anchor_keeper_new(server, server->anchors, config->dnssec.rollover);
	make_shared(server);
	server->workers = count_workers(config);
	server->worker = aligned_alloc(64, server->workers * sizeof(*server->worker));
	if (server->worker == NULL)
		return E_NOMEM;
	memset(server->worker, 0, server->workers * sizeof(*server->worker));
	for (unsigned i = 0; i < server->workers && ret == 0; i++) {
		struct worker *worker = &server->worker[i];
		ret = worker_init(worker, server, i, why, size);
		if (ret == 0)
			ret = open_listeners(server, worker, why, size);
	}
	if (ret == 0)
		open_interfaces(server);
	if (ret == 0)
		ret = control_open(&server->control, server, why, size);
	state_prepare(config);
	if (ret == 0)
		ret = web_open(&server->web, server, why, size);
	if (ret == 0)
		chronicle_prepare(config);
	return ret;
}

int server_start(struct server *server, char *why, size_t size)
{
	rcu_prepare(); /* a thread: after the process has given up its rights, or it would keep them */
	int ret = make_reserve(server, why, size);
	if (ret != 0)
		return ret;
	server->chronicle = chronicle_new(server);
	take_trusted(server, server->settings);
	equip_workers(server, server->settings);
	settings_deinit(server->settings);
	free(server->settings);
	server->settings = NULL;
	for (unsigned i = 0; i < server->workers; i++) {
		if (worker_start(&server->worker[i]) != 0) {
			snprintf(why, size, "threads cannot be started; raise the limit of tasks (TasksMax=)");
			return E_SYSTEM;
		}
	}
	control_start(server->control);
	web_start(server->web);
	keeper_start(&server->keeper);
	chronicle_start(server->chronicle);
	anchor_keeper_start(server->anchor_keeper);
	server->cache_keeper = cache_keeper_start(server);
	return 0;
}

/* --- reload --- */

struct reload {
	struct tour tour;
	struct settings settings;
	struct config *config; /* the new one; the server's before the tour begins */
};

static void forget_caches(struct server *server)
{
	rrcache_clear(server->rrcache);
	denials_clear(server->denials);
}

static void on_visit(struct tour *tour, struct worker *worker)
{
	struct reload *reload = container_of(tour, struct reload, tour);
	worker_apply(worker, &reload->settings);
}

static void on_done(struct tour *tour)
{
	struct reload *reload = container_of(tour, struct reload, tour);
	struct server *server = tour->server;
	server->reloading = false;
	if (reload->settings.forget) {
		log_notice("whom to ask, or what to trust, has changed: the cache begins anew");
		forget_caches(server);
	}
	settings_deinit(&reload->settings);
	log_notice("configuration reloaded");
	free(reload);
	if (server->reload_again)
		server_reload_soon(server);
}

static bool same_listen(const struct config *a, const struct config *b)
{
	if (a->listen_count != b->listen_count || a->xdp_count != b->xdp_count)
		return false;
	for (size_t i = 0; i < a->listen_count; i++)
		if (!addr_equal(&a->listen[i], &b->listen[i]))
			return false;
	for (size_t i = 0; i < a->xdp_count; i++)
		if (strcmp(a->xdp[i].interface, b->xdp[i].interface) != 0 || a->xdp[i].port != b->xdp[i].port)
			return false;
	return true;
}

static bool same_text(const char *a, const char *b);

static bool same_web(const struct config *a, const struct config *b)
{
	bool same = a->web.listen_count == b->web.listen_count && a->web.host_count == b->web.host_count &&
		    same_text(a->web.password_file, b->web.password_file) && same_text(a->web.votes, b->web.votes);
	for (size_t i = 0; same && i < a->web.listen_count; i++)
		same = addr_equal(&a->web.listen[i], &b->web.listen[i]);
	same = same && a->web.has_local == b->web.has_local && a->web.local_count == b->web.local_count;
	for (size_t i = 0; same && i < a->web.local_count; i++)
		same = same_text(a->web.local[i], b->web.local[i]);
	for (size_t i = 0; same && i < a->web.host_count; i++)
		same = same_text(a->web.hosts[i], b->web.hosts[i]);
	return same;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_history(const struct config *a, const struct config *b)
{
	return same_text(a->history.file, b->history.file) && a->history.loans == b->history.loans &&
	       a->history.watch == b->history.watch && a->history.bytes == b->history.bytes &&
	       a->history.age_s == b->history.age_s;
}

/* Names what has changed but cannot change while running, a line each. */
static void tell_what_needs_restart(const struct config *first, const struct config *now, char *why, size_t size)
{
	const struct {
		const char *key;
		bool same;
	} keys[] = {
		{"listen", same_listen(first, now)},
		{"workers", first->workers == now->workers},
		{"pin", first->pin == now->pin},
		{"user", same_text(first->user, now->user)},
		{"ports.lend", first->ports.reserved == now->ports.reserved},
		{"ports.pool", first->ports.pool == now->ports.pool},
		{"ports.max", first->ports.max == now->ports.max},
		{"ports.uses", first->ports.uses == now->ports.uses},
		{"ports.age", first->ports.age_s == now->ports.age_s},
		{"history", same_history(first, now)},
		{"web", same_web(first, now)},
		{"cache.snapshot", same_text(first->cache.snapshot, now->cache.snapshot)},
		{"control.socket", same_text(first->control_socket, now->control_socket)},
	};
	size_t len = 0;
	why[0] = '\0';
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (keys[i].same)
			continue;
		log_warning("%s: has changed; that takes effect with the next start", keys[i].key);
		if (len < size)
			len += (size_t)snprintf(why + len, size - len,
				"%s%s has changed; that takes effect with the next start", len > 0 ? "\n" : "",
				keys[i].key);
	}
}

static void apply_shared(struct server *server, const struct config *config)
{
	struct rrcache_conf conf = rrcache_conf_of(config);
	rrcache_configure(server->rrcache, &conf);
	denials_configure(server->denials, denials_bytes(config));
	log_init(config->log_level);
	obey(server, config);
}

int server_reload(struct server *server, char *why, size_t size)
{
	if (server->reloading) {
		snprintf(why, size, "a reload is under way; try again in a moment");
		return E_BUSY;
	}
	struct reload *reload = xzalloc(1, sizeof(*reload));
	char text[CONFIG_ERROR];
	int ret = config_read(&reload->config, server->config_path, text);
	if (ret != 0)
		snprintf(why, size, "%s", text);
	else
		ret = settings_make(&reload->settings, reload->config, why, size);
	if (ret != 0) {
		config_free(reload->config);
		free(reload);
		return ret;
	}
	reload->settings.forget = !settings_ask_alike(server->config, reload->config) ||
				  !anchors_are_equal(server->anchors, reload->settings.options.anchors);
	anchors_unref(server->anchors);
	server->anchors = anchors_ref(reload->settings.options.anchors);
	anchor_keeper_obey(server->anchor_keeper, server->anchors, reload->config->dnssec.rollover);
	anchor_keeper_start(server->anchor_keeper);
	take_trusted(server, &reload->settings);
	tell_what_needs_restart(server->first, reload->config, why, size);
	apply_shared(server, reload->config);
	if (server->config != server->first)
		config_free(server->config);
	server->config = reload->config;
	server->reloading = true;
	if (reload->settings.forget)
		forget_caches(server); /* and again after the tour: until then others still ask as before */
	reload->tour.visit = on_visit;
	reload->tour.done = on_done;
	tour_begin(&reload->tour, server);
	return 0;
}

void server_reload_soon(struct server *server)
{
	char why[600];
	server->reload_again = server->reloading;
	if (!server->reloading && server_reload(server, why, sizeof(why)) != 0)
		log_error("not reloaded, going on as before: %s", why);
}

/* --- trust --- */

struct trusting {
	struct tour tour;
	struct anchors *anchors;
};

static void on_trusting_visit(struct tour *tour, struct worker *worker)
{
	struct trusting *trusting = container_of(tour, struct trusting, tour);
	if (worker->resolver != NULL)
		resolver_trust(worker->resolver, trusting->anchors);
}

static void on_trusting_done(struct tour *tour)
{
	struct trusting *trusting = container_of(tour, struct trusting, tour);
	anchors_unref(trusting->anchors);
	free(trusting);
}

void server_trust(struct server *server, struct anchors *anchors)
{
	struct trusting *trusting = xzalloc(1, sizeof(*trusting));
	trusting->anchors = anchors;
	trusting->tour.visit = on_trusting_visit;
	trusting->tour.done = on_trusting_done;
	tour_begin(&trusting->tour, server);
}

/* --- end --- */

/* Mail may still be on its way between workers that do not run any more: it is delivered here until none is left, so
 * that whatever it carries is freed by its owner. */
static void drain(struct server *server)
{
	bool any = true;
	while (any) {
		any = loop_drain(&server->loop);
		for (unsigned i = 0; i < server->workers; i++)
			any |= loop_drain(&server->worker[i].loop);
	}
}

void server_stop(struct server *server)
{
	for (size_t i = 0; i < server->first->xdp_count; i++)
		xdp_untie(server->xdp[i]);
	for (unsigned i = 0; i < server->workers; i++)
		worker_join(&server->worker[i]);
	for (unsigned i = 0; i < server->workers; i++)
		worker_end_lookups(&server->worker[i]);
	web_stop(server->web);
	drain(server);
	web_free(server->web);
	chronicle_stop(server->chronicle);
	cache_keeper_stop(server->cache_keeper);
	keeper_stop(&server->keeper);
	control_free(server->control);
	inflight_free(server->inflight); /* before the stacks that its flights lie on */
	for (unsigned i = 0; i < server->workers; i++)
		worker_deinit(&server->worker[i]);
	close_interfaces(server);
	places_free(&server->places);
	free(server->worker);
	anchor_keeper_free(server->anchor_keeper);
	anchors_unref(server->anchors);
	rrcache_free(server->rrcache);
	denials_free(server->denials);
	facts_free(server->facts);
	if (server->reserve != NULL)
		reserve_free(server->reserve);
	if (server->single != NULL)
		single_free(server->single);
	port_space_free(server->space);
	loop_deinit(&server->loop);
	if (server->config != server->first)
		config_free(server->config);
	config_free(server->first);
}
