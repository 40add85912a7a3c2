/* Zones for which the operator says whom to ask: forwarders, which resolve, and stub zones, whose servers are named here
 * because no delegation leads to them. And the special-use names that are looked up all the same.
 *
 *	struct routes *routes = routes_new();
 *	routes_add(routes, name, ROUTE_FORWARD, &what);                      all copied
 *	const struct route *route = routes_find(routes, q->name);            the longest zone that holds the name; or NULL
 *	routes_unref(routes);
 *
 * Never changed once it is shared: a reload makes another, and every request keeps the one it began with. What a
 * forwarder says is for its own zone and never names a server of another (MaginotDNS). Thread: any. Never suspends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "dns/name.h"

enum route_kind {
	ROUTE_FORWARD,  /* resolvers: asked with RD, and their answer is final */
	ROUTE_STUB,     /* servers of the zone: iteration begins at them */
	ROUTE_ORDINARY, /* resolved as if it were nothing special (resolve/special) */
};

struct route {
	struct route *next; /* in its bucket */
	enum route_kind kind;
	bool first; /* where those fail, the zone's own servers are looked for */
	size_t count;
	const struct addr *addr;
	uint8_t name[]; /* lower case */
};

struct routes;

struct routes *routes_new(void);
struct routes *routes_ref(struct routes *routes);
/* NULL is allowed. */
void routes_unref(struct routes *routes);
/* 0, or E_BUSY when the zone is named already. */
int routes_add(struct routes *routes, const uint8_t *name, enum route_kind kind, const struct route *what)
	__attribute__((nonnull, warn_unused_result));
/* Of the longest zone at or above the name; `routes` may be NULL. */
const struct route *routes_find(const struct routes *routes, const uint8_t *name);
