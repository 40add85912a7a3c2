/* Decides which of the operator's zones a name belongs to: the longest. */
#include "resolve/routes.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"

enum { BUCKETS = 1024, HASH_SEED = 0x40c7 };

struct routes {
	_Atomic unsigned refs;
	size_t count;
	struct route *bucket[BUCKETS];
};

struct routes *routes_new(void)
{
	struct routes *routes = xzalloc(1, sizeof(*routes));
	routes->refs = 1;
	return routes;
}

struct routes *routes_ref(struct routes *routes)
{
	if (routes != NULL)
		atomic_fetch_add_explicit(&routes->refs, 1, memory_order_relaxed);
	return routes;
}

void routes_unref(struct routes *routes)
{
	if (routes == NULL || atomic_fetch_sub(&routes->refs, 1) > 1)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (routes->bucket[i] != NULL) {
			struct route *route = routes->bucket[i];
			routes->bucket[i] = route->next;
			free((void *)route->addr);
			free(route);
		}
	}
	free(routes);
}

static const struct route *find_exact(const struct routes *routes, const uint8_t *name, size_t len)
{
	const struct route *route = routes->bucket[hash_bytes(HASH_SEED, name, len) % BUCKETS];
	while (route != NULL && !name_is_equal(route->name, name))
		route = route->next;
	return route;
}

int routes_add(struct routes *routes, const uint8_t *name, enum route_kind kind, const struct route *what)
{
	size_t len = name_len(name);
	if (find_exact(routes, name, len) != NULL)
		return E_BUSY;
	struct route *route = xzalloc(1, sizeof(*route) + len);
	struct addr *addr = xzalloc(what->count + 1, sizeof(*addr));
	if (what->count > 0)
		memcpy(addr, what->addr, what->count * sizeof(*addr));
	*route = (struct route){.kind = kind, .first = what->first, .count = what->count, .addr = addr};
	memcpy(route->name, name, len);
	struct route **bucket = &routes->bucket[hash_bytes(HASH_SEED, name, len) % BUCKETS];
	route->next = *bucket;
	*bucket = route;
	routes->count++;
	return 0;
}

const struct route *routes_find(const struct routes *routes, const uint8_t *name)
{
	if (routes == NULL || routes->count == 0)
		return NULL;
	for (; name != NULL; name = name_parent(name)) {
		const struct route *route = find_exact(routes, name, name_len(name));
		if (route != NULL)
			return route;
	}
	return NULL;
}
