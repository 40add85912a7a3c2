/* Decides what the map shows of a port, and how often the machine is looked at for it.
 *
 * What must not be seen: which ports are lent now. A socket that may be a loan (web_hides) is left out. A port that is
 * held ahead (lend: reserved) shows as the pool's, lent or idle, and only when two looks some seconds apart found it
 * held: no loan beyond the pool lasts so long. */
#include "daemon/web_map.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "daemon/web_parts.h"
#include "ports/diag.h"
#include "ports/kernel.h"
#include "ports/origin.h"

/* A look may take a two-thousandth of a core's time, and never comes more often than a loan can last. */
enum { LOOK_LEAST_US = 5000000, LOOK_SHARE = 2000 };

struct web_map {
	struct web *web;
	uint8_t code[PORTS_ALL]; /* as the viewers know it */
	struct port_set pool_before;
	bool is_known, is_away;
	uint64_t due_us; /* monotonic */
	struct link visits;
};

/* One look; the looker's while it is under way. */
struct map_look {
	struct look look;
	struct web_map *map;
	const struct server *server;
	struct port_range local;
	uint8_t code[PORTS_ALL];
	struct port_set listened, pool;
	uint64_t cost_us;
	bool failed;
};

struct map_visit {
	struct link link;
	struct visit *visit;
};

/* --- pure --- */

const char *map_code_text(enum map_code code)
{
	static const char *const words[MAP_CODES] = {"free", "listening", "client", "held", "ended", "pool"};
	return code < MAP_CODES ? words[code] : "?";
}

json_t *map_changes(const uint8_t before[static PORTS_ALL], const uint8_t now[static PORTS_ALL])
{
	json_t *list = json_array();
	for (unsigned first = 0, last; first < PORTS_ALL; first = last + 1) {
		last = first;
		if (before[first] == now[first])
			continue;
		while (last + 1 < PORTS_ALL && before[last + 1] != now[last + 1] && now[last + 1] == now[first])
			last++;
		if (json_array_size(list) == MAP_CHANGES) {
			json_decref(list);
			return NULL;
		}
		json_array_append_new(list, json_pack("[i, i, i]", (int)first, (int)last, (int)now[first]));
	}
	return list;
}

char *map_base64(const uint8_t codes[static PORTS_ALL])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = xalloc((PORTS_ALL + 2) / 3 * 4 + 1), *out = text;
	for (unsigned i = 0; i < PORTS_ALL; i += 3) {
		uint32_t three = (uint32_t)codes[i] << 16;
		three |= i + 1 < PORTS_ALL ? (uint32_t)codes[i + 1] << 8 : 0;
		three |= i + 2 < PORTS_ALL ? codes[i + 2] : 0;
		for (int shift = 18; shift >= 0; shift -= 6)
			*out++ = digits[three >> shift & 63];
	}
	/* 65,536 is one more than a multiple of three. */
	memcpy(out - 2, "==", 2);
	*out = '\0';
	return text;
}

/* --- a look, in the looker's thread --- */

static enum map_code code_of(struct map_look *look, const struct diag_socket *socket)
{
	bool has_listener = port_set_has(&look->listened, addr_port(&socket->local));
	switch (socket->state) {
	case DIAG_LISTENING:
	case DIAG_UNCONNECTED: return MAP_LISTENING;
	case DIAG_INACTIVE: return MAP_HELD;
	case DIAG_TIME_WAIT: return MAP_ENDED;
	default: break;
	}
	return origin_of(socket, look->local, has_listener).who == ORIGIN_KERNEL ? MAP_CLIENT : MAP_HELD;
}

static void on_socket(void *arg, const struct diag_socket *socket)
{
	struct map_look *look = arg;
	uint16_t port = addr_port(&socket->local);
	if (socket->state == DIAG_LISTENING)
		port_set_add(&look->listened, port);
	if (web_hides(look->server, socket)) {
		if (socket->transport == PORT_UDP && port_space_is_lent(look->server->space, port))
			port_set_add(&look->pool, port);
		return;
	}
	/* Of several the one that matters most; the codes are in that order. */
	enum map_code code = code_of(look, socket);
	if (look->code[port] == MAP_FREE || code < look->code[port])
		look->code[port] = (uint8_t)code;
}

static uint64_t cpu_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void run(struct look *job)
{
	static const struct diag_ask asks[] = {
		{PORT_UDP, AF_INET, {1, PORTS_ALL - 1}, DIAG_ALL},
		{PORT_UDP, AF_INET6, {1, PORTS_ALL - 1}, DIAG_ALL},
		{PORT_TCP, AF_INET, {1, PORTS_ALL - 1}, DIAG_ALL},
		{PORT_TCP, AF_INET6, {1, PORTS_ALL - 1}, DIAG_ALL},
	};
	struct map_look *look = container_of(job, struct map_look, look);
	uint64_t begin_us = cpu_us();
	struct diag *diag;
	kernel_local_range(&look->local);
	int ret = diag_open(&diag);
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]) && ret == 0; i++)
		ret = diag_dump(diag, &asks[i], on_socket, look);
	diag_close(diag);
	look->failed = ret != 0;
	look->cost_us = cpu_us() - begin_us;
}

/* --- at home --- */

static void answer(struct web_map *map, struct visit *visit)
{
	char *codes = map_base64(map->code);
	json_t *words = json_array();
	for (int i = 0; i < MAP_CODES; i++)
		json_array_append_new(words, json_string(map_code_text((enum map_code)i)));
	web_reply_json(
		visit, MHD_HTTP_OK, json_pack("{s:o, s:i, s:s}", "codes", words, "usable", MAP_USABLE, "ports", codes));
	free(codes);
}

static void answer_all(struct web_map *map, bool failed)
{
	while (!link_is_empty(&map->visits)) {
		struct map_visit *one = container_of(map->visits.next, struct map_visit, link);
		link_remove(&one->link);
		if (failed)
			web_reply_error(one->visit, MHD_HTTP_SERVICE_UNAVAILABLE,
				"the kernel does not say who holds which ports (sock_diag)");
		else
			answer(map, one->visit);
		free(one);
	}
}

/* What berthd's own share of the map is. */
static void add_own(struct web_map *map, struct map_look *look)
{
	const struct server *server = map->web->server;
	bool holds = server->reserve != NULL || server->single != NULL;
	for (unsigned port = 0; port < PORTS_ALL; port++) {
		bool stays =
			port_set_has(&look->pool, (uint16_t)port) && port_set_has(&map->pool_before, (uint16_t)port);
		if (holds && stays && look->code[port] == MAP_FREE)
			look->code[port] = MAP_POOL;
		if (server->keeper.usable.why[port] == PORT_USABLE)
			look->code[port] |= MAP_USABLE;
	}
	map->pool_before = look->pool;
}

static void tell_changes(struct web_map *map, const struct map_look *look)
{
	json_t *changes = map_changes(map->code, look->code);
	if (changes == NULL)
		events_tell(map->web->events, "anew", json_object());
	else if (json_array_size(changes) > 0)
		events_tell(map->web->events, "map", json_pack("{s:o}", "changes", changes));
	else
		json_decref(changes);
}

static void done(struct look *job)
{
	struct map_look *look = container_of(job, struct map_look, look);
	struct web_map *map = look->map;
	bool failed = look->failed || job->is_late;
	uint64_t pause_us = look->cost_us * LOOK_SHARE;
	map->is_away = false;
	map->due_us = clock_mono_us() + (pause_us > LOOK_LEAST_US ? pause_us : LOOK_LEAST_US);
	if (!failed) {
		add_own(map, look);
		if (map->is_known && !map->web->is_ending)
			tell_changes(map, look);
		memcpy(map->code, look->code, sizeof(map->code));
		map->is_known = true;
	}
	answer_all(map, failed);
	free(look);
}

static int begin_look(struct web_map *map)
{
	if (map->is_away)
		return 0;
	struct map_look *look = xzalloc(1, sizeof(*look));
	look->look = (struct look){.run = run, .done = done};
	look->map = map;
	look->server = map->web->server;
	int ret = looker_begin(map->web->looker, &look->look);
	map->is_away = ret == 0;
	if (ret != 0)
		free(look);
	return ret;
}

void map_tick(struct web_map *map, uint64_t now_us)
{
	if (now_us >= map->due_us)
		(void)begin_look(map);
}

/* What was seen a moment ago is good enough; else who asks waits for a look. */
void map_run(struct visit *visit)
{
	struct web_map *map = visit->web->map;
	if (map->is_known && clock_mono_us() < map->due_us) {
		answer(map, visit);
		return;
	}
	if (begin_look(map) != 0) {
		web_reply_error(
			visit, MHD_HTTP_SERVICE_UNAVAILABLE, "too much is being looked at; try again in a moment");
		return;
	}
	struct map_visit *one = xzalloc(1, sizeof(*one));
	one->visit = visit;
	link_append(&map->visits, &one->link);
	web_wait(visit);
}

struct web_map *map_new(struct web *web)
{
	struct web_map *map = xzalloc(1, sizeof(*map));
	map->web = web;
	link_init(&map->visits);
	return map;
}

void map_free(struct web_map *map)
{
	free(map);
}
