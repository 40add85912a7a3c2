/* Decides from which delegation resolution goes on, and which addresses of its servers may be asked. */
#include "resolve/cut.h"

#include <string.h>

#include "base/clock.h"
#include "base/counters.h"
#include "resolve/cuts.h"
#include "resolve/routes.h"

/* Whether the operator names servers for the zone or one above: what those say of private addresses is believed. */
static bool is_ours(const struct cut *cut, const struct request *rq)
{
	const struct route *route = routes_find(rq->options.routes, cut->zone);
	return route != NULL && route->kind == ROUTE_STUB;
}

static bool may_ask(const struct cut *cut, const struct request *rq, const struct addr *addr)
{
	if (addr_is_v6(addr) ? !rq->options.ipv6 : !rq->options.ipv4)
		return false;
	bool no_route = request_now_us(rq) < rq->resolver->no_route_until_us[addr_is_v6(addr)];
	if (no_route && !rq->fresh && !addr_is_loopback(addr))
		return false;
	if (addr_is_loopback(addr))
		return rq->options.query_loopback;
	if (addr_is_private(addr) && !rq->options.query_private && !is_ours(cut, rq))
		return false;
	return !addr_is_bogus(addr);
}

static void add_address(struct cut *cut, const struct request *rq, const struct addr *addr)
{
	if (cut->addresses >= LIMIT_CUT_ADDRESSES || !may_ask(cut, rq, addr))
		return;
	for (unsigned i = 0; i < cut->addresses; i++)
		if (addr_equal(&cut->address[i].addr, addr))
			return;
	cut->address[cut->addresses++] = (struct cut_address){.addr = *addr};
}

void cut_add_addresses(struct cut *cut, const struct request *rq, const struct rrset *set)
{
	size_t want = set->type == KNOT_RRTYPE_AAAA ? 16 : 4;
	for (uint16_t i = 0; i < set->data.count; i++) {
		const knot_rdata_t *rdata = rrset_rdata(set, i);
		if (rdata->len != want)
			continue;
		struct addr addr = addr_of_bytes(rdata->data, want, 53);
		add_address(cut, rq, &addr);
	}
}

static void add_server(struct cut *cut, const uint8_t *name)
{
	if (cut->servers < LIMIT_CUT_SERVERS)
		cut->server[cut->servers++] = (struct cut_server){.name = name};
}

static void add_servers(struct cut *cut, struct request *rq, const struct rrset *ns)
{
	for (uint16_t i = 0; i < ns->data.count && cut->servers < LIMIT_CUT_SERVERS; i++) {
		const uint8_t *name = rrset_target(&rq->arena, ns, i);
		if (name != NULL)
			add_server(cut, name);
	}
}

static void add_from(
	struct cut *cut, struct request *rq, struct cache_key *server, uint16_t type, enum cache_space space)
{
	struct cached found;
	server->type = type;
	server->space = space;
	if (rrcache_get(rq->resolver->conf.rrcache, &rq->arena, server, RANK_GLUE, &found) == 0 &&
		found.kind == CACHE_POSITIVE)
		cut_add_addresses(cut, rq, found.set[0]);
}

static void add_family(struct cut *cut, struct request *rq, struct cache_key *server, uint16_t type)
{
	unsigned before = cut->addresses;
	add_from(cut, rq, server, type, CACHE_RRSET);
	bool believed = rq->options.glue != GLUE_VERIFIED || name_is_within(server->name, cut->zone);
	if (cut->addresses == before && believed)
		add_from(cut, rq, server, type, CACHE_GLUE);
}

/* Addresses that the cache knows: what a server says of itself, else what a delegation said. A server with any is not
 * looked up until those have failed. */
static void add_cached_addresses(struct cut *cut, struct request *rq)
{
	for (unsigned i = 0; i < cut->servers; i++) {
		unsigned before = cut->addresses;
		struct cache_key server = {.name = cut->server[i].name};
		if (rq->options.ipv4)
			add_family(cut, rq, &server, KNOT_RRTYPE_A);
		if (rq->options.ipv6)
			add_family(cut, rq, &server, KNOT_RRTYPE_AAAA);
		cut->server[i].looked_up |= cut->addresses > before;
	}
}

bool cut_add_glue(struct cut *cut, struct request *rq)
{
	unsigned before = cut->addresses;
	for (unsigned i = 0; i < cut->servers && !rq->fresh; i++) {
		struct cache_key server = {.name = cut->server[i].name};
		if (rq->options.ipv4)
			add_from(cut, rq, &server, KNOT_RRTYPE_A, CACHE_GLUE);
		if (rq->options.ipv6)
			add_from(cut, rq, &server, KNOT_RRTYPE_AAAA, CACHE_GLUE);
	}
	return cut->addresses > before;
}

/* What the operator names is asked wherever it is, loopback too. */
static void add_told(struct cut *cut, const struct request *rq, const struct addr *addr)
{
	if (cut->addresses < LIMIT_CUT_ADDRESSES && (addr_is_v6(addr) ? rq->options.ipv6 : rq->options.ipv4))
		cut->address[cut->addresses++] = (struct cut_address){.addr = *addr};
}

void cut_from_hints(struct cut *cut, const struct request *rq)
{
	const struct hints *hints = &rq->resolver->hints;
	*cut = (struct cut){.zone = (const uint8_t *)"", .expire_s = UINT32_MAX};
	for (size_t i = 0; i < hints->count; i++)
		add_told(cut, rq, &hints->hint[i].addr);
}

/* A cut can be used when an address is known, or a server lies outside of it: the address of one inside could only be
 * had from itself, so after its glue has expired the parent has to be asked again. */
static bool is_usable(const struct cut *cut)
{
	for (unsigned i = 0; i < cut->servers; i++)
		if (!name_is_within(cut->server[i].name, cut->zone))
			return true;
	return cut->addresses > 0;
}

static bool try_cached(struct cut *cut, struct request *rq, const uint8_t *zone)
{
	struct cached found;
	if (cuts_find(rq->resolver->cuts, &rq->arena, zone, cut))
		return true;
	struct cache_key key = {.name = zone, .type = KNOT_RRTYPE_NS, .space = CACHE_CUT};
	if (rrcache_get(rq->resolver->conf.rrcache, &rq->arena, &key, RANK_REFERRAL, &found) != 0)
		return false;
	if (found.kind != CACHE_POSITIVE || found.count != 1 || found.set[0]->type != KNOT_RRTYPE_NS)
		return false;
	*cut = (struct cut){.zone = zone, .age_s = found.age_s, .expire_s = clock_wall_s() + found.set[0]->ttl_s};
	add_servers(cut, rq, found.set[0]);
	add_cached_addresses(cut, rq);
	/* Not by a request that began before a reload: what it may ask is not what is asked now. */
	if (memcmp(&rq->options, &rq->resolver->options, sizeof(rq->options)) == 0)
		cuts_keep(rq->resolver->cuts, cut);
	return is_usable(cut);
}

static void from_route(struct cut *cut, const struct request *rq, const struct route *route)
{
	*cut = (struct cut){.zone = route->name,
		.expire_s = UINT32_MAX,
		.is_told = true,
		.recursive = route->kind == ROUTE_FORWARD,
		.first = route->first};
	for (size_t i = 0; i < route->count; i++)
		add_told(cut, rq, &route->addr[i]);
}

static const uint8_t *where_to_begin(const struct question *q)
{
	return q->type == KNOT_RRTYPE_DS && !name_is_root(q->name) ? name_parent(q->name) : q->name;
}

/* From `zone` upwards to, and without, `end`; NULL: to the root. */
static bool closest_cached(struct cut *cut, struct request *rq, const uint8_t *zone, const uint8_t *end)
{
	for (; zone != NULL && !rq->fresh; zone = name_parent(zone)) {
		if (end != NULL && name_is_equal(zone, end))
			return false;
		if (try_cached(cut, rq, zone))
			return true;
	}
	return false;
}

/* For the cut of `zone` or the closest above. */
static void from_zone(struct cut *cut, struct request *rq, const uint8_t *zone, bool unrouted)
{
	const struct route *route = unrouted ? NULL : routes_find(rq->options.routes, zone);
	while (route != NULL && route->kind == ROUTE_ORDINARY)
		route = name_is_root(route->name) ? NULL : routes_find(rq->options.routes, name_parent(route->name));
	bool forward = route != NULL && route->kind == ROUTE_FORWARD;
	if (forward || !closest_cached(cut, rq, zone, route != NULL ? route->name : NULL)) {
		if (route != NULL)
			from_route(cut, rq, route);
		else
			cut_from_hints(cut, rq);
	}
	cut->unrouted = unrouted;
}

void cut_above(struct cut *cut, struct request *rq)
{
	from_zone(cut, rq, name_parent(cut->zone), cut->unrouted);
}

void cut_closest_unrouted(struct cut *cut, struct request *rq, const struct question *q)
{
	from_zone(cut, rq, where_to_begin(q), true);
}

void cut_closest(struct cut *cut, struct request *rq, const struct question *q)
{
	from_zone(cut, rq, where_to_begin(q), false);
}

static uint32_t ttl_left_s(const struct cut *cut)
{
	uint32_t now_s = clock_wall_s();
	return now_s < cut->expire_s ? cut->expire_s - now_s : 0;
}

/* While the operator's servers are passed over because they fail, nothing is kept that would pass them over later. */
static bool may_keep(const struct cut *cut, const struct request *rq)
{
	const struct route *route = cut->unrouted ? routes_find(rq->options.routes, cut->zone) : NULL;
	return route == NULL || route->kind == ROUTE_ORDINARY;
}

static void put(struct request *rq, struct cache_key *key, enum rank rank, uint32_t ttl_s, const struct rrset *set)
{
	rrcache_put(rq->resolver->conf.rrcache, key,
		&(struct cache_value){.kind = CACHE_POSITIVE, .rank = rank, .ttl_s = ttl_s, .count = 1, .set = &set});
}

/* Glue counts only where the zone that was asked could know it: inside its own bailiwick (RFC 5452 6). */
static void take_glue(struct cut *child, struct request *rq, const struct message *reply, const uint8_t *parent,
	struct cut_server *server, uint16_t type)
{
	const struct rrset *glue = message_find(reply, SECTION_ADDITIONAL, server->name, type);
	if (glue == NULL)
		return;
	unsigned before = child->addresses;
	if (!name_is_within(server->name, parent)) {
		if (rq->options.glue == GLUE_ANY)
			cut_add_addresses(child, rq, glue); /* for this delegation alone: nobody else hears of it */
		else
			counters_add(COUNT_UPSTREAM_SCRUBBED, glue->data.count);
		return;
	}
	if (rq->options.glue != GLUE_VERIFIED || name_is_within(server->name, child->zone))
		cut_add_addresses(child, rq, glue);
	server->looked_up |= child->addresses > before;
	uint32_t left_s = ttl_left_s(child), ttl_s = glue->ttl_s < left_s ? glue->ttl_s : left_s;
	struct cache_key key = {.name = glue->owner, .type = type, .space = CACHE_GLUE};
	if (may_keep(child, rq))
		put(rq, &key, RANK_GLUE, ttl_s, glue);
}

void cut_descend(struct cut *cut, struct request *rq, const struct message *reply, const struct rrset *ns)
{
	const uint8_t *parent = cut->zone;
	/* Of a huge set the same ones until the delegation is asked for again: of no others is the glue kept. */
	ns = rrset_sample(&rq->arena, ns, LIMIT_CUT_SERVERS);
	uint32_t left_s = ttl_left_s(cut), ttl_s = ns->ttl_s < left_s ? ns->ttl_s : left_s;
	*cut = (struct cut){.zone = ns->owner, .unrouted = cut->unrouted, .expire_s = clock_wall_s() + ttl_s};
	add_servers(cut, rq, ns);
	for (unsigned i = 0; i < cut->servers; i++) {
		take_glue(cut, rq, reply, parent, &cut->server[i], KNOT_RRTYPE_A);
		take_glue(cut, rq, reply, parent, &cut->server[i], KNOT_RRTYPE_AAAA);
	}
	struct cache_key key = {.name = ns->owner, .type = KNOT_RRTYPE_NS, .space = CACHE_CUT};
	if (may_keep(cut, rq)) {
		put(rq, &key, RANK_REFERRAL, ttl_s, ns);
		cuts_forget(rq->resolver->cuts, ns->owner);
	}
	if (!rq->fresh)
		add_cached_addresses(cut, rq);
}

bool cut_can_ask(const struct cut_address *address)
{
	return !address->dropped && address->tries < (address->is_deaf ? LIMIT_TRIES_DEAF : LIMIT_TRIES_PER_ADDRESS);
}

unsigned cut_tries(const struct cut *cut)
{
	return cut->first || cut_may_have_moved(cut) ? LIMIT_TRIES_FIRST : LIMIT_TRIES_PER_ZONE;
}

bool cut_take_lookup(struct cut *cut)
{
	if (cut->lookups >= LIMIT_CUT_LOOKUPS)
		return false;
	cut->lookups++;
	return true;
}

bool cut_take_refusal(struct cut *cut)
{
	return ++cut->refusals < LIMIT_TRIES_REFUSED;
}

bool cut_may_have_moved(const struct cut *cut)
{
	return cut->age_s >= LIMIT_CUT_AGE_S && !name_is_root(cut->zone);
}

void cut_revive(struct cut *cut, unsigned count)
{
	for (unsigned i = 0; i < cut->addresses && count > 0; i++) {
		count -= cut->address[i].dropped;
		cut->address[i].dropped = false;
	}
}
