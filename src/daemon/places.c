/* Decides on which addresses sockets are opened. */
#include "daemon/places.h"

#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"

static void add(struct places *places, const struct addr *addr)
{
	places->addr = xrealloc(places->addr, (places->count + 1) * sizeof(*addr));
	places->addr[places->count++] = *addr;
}

static bool is_served(const struct places *places, const struct addr *addr)
{
	for (size_t i = 0; i < places->count; i++)
		if (addr_covers(&places->addr[i], addr))
			return true;
	return false;
}

/* A link-local address keeps its scope, without which it could not be bound. */
static bool read_address(struct addr *out, const struct sockaddr *sa, uint16_t port)
{
	memset(out, 0, sizeof(*out));
	if (sa == NULL || (sa->sa_family != AF_INET && sa->sa_family != AF_INET6))
		return false;
	if (sa->sa_family == AF_INET)
		memcpy(&out->v4, sa, sizeof(out->v4));
	else
		memcpy(&out->v6, sa, sizeof(out->v6));
	addr_set_port(out, port);
	return true;
}

void places_add_interface(struct places *places, const char *interface, uint16_t port)
{
	struct ifaddrs *all;
	struct addr addr;
	if (getifaddrs(&all) != 0)
		return;
	for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next)
		if (strcmp(one->ifa_name, interface) == 0 && read_address(&addr, one->ifa_addr, port) &&
			!is_served(places, &addr))
			add(places, &addr);
	freeifaddrs(all);
}

static int explain(const struct config_xdp *xdp, char *why, size_t size)
{
	if (if_nametoindex(xdp->interface) == 0)
		snprintf(why, size,
			"listen: %s@%u xdp: this machine has no interface %s; name one of those that `ip link` shows",
			xdp->interface, xdp->port, xdp->interface);
	else
		snprintf(why, size,
			"listen: %s@%u xdp: interface %s has no address; give it one, or name another interface",
			xdp->interface, xdp->port, xdp->interface);
	return E_UNREACH;
}

int places_find(struct places *places, const struct config *config, char *why, size_t size)
{
	*places = (struct places){0};
	for (size_t i = 0; i < config->listen_count; i++)
		add(places, &config->listen[i]);
	for (size_t i = 0; i < config->xdp_count; i++) {
		const struct config_xdp *xdp = &config->xdp[i];
		struct places own = {0};
		places_add_interface(&own, xdp->interface, xdp->port);
		bool has_any = own.count > 0;
		places_free(&own);
		if (!has_any)
			return explain(xdp, why, size);
		places_add_interface(places, xdp->interface, xdp->port);
	}
	return 0;
}

void places_free(struct places *places)
{
	free(places->addr);
	*places = (struct places){0};
}
