/* Decides what of a configuration the workers need to know, and can be told while they run. */
#include "daemon/settings.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "dns/dnssec.h"
#include "resolve/anchors.h"
#include "resolve/routes.h"

static int make_hints(struct hints *hints, const struct config *config, char *why, size_t size)
{
	hints_builtin(hints);
	if (config->resolver.root_hints == NULL)
		return 0;
	char reason[300];
	int ret = hints_read(hints, config->resolver.root_hints, reason, sizeof(reason));
	if (ret != 0)
		snprintf(why, size, "resolver.root-hints: %s; name a zone file with the root's NS, A and AAAA records",
			reason);
	return ret;
}

static int add_routes(struct routes *routes, enum route_kind kind, const struct config_route *list, size_t count,
	char *why, size_t size)
{
	uint8_t name[NAME_MAX_LEN];
	for (size_t i = 0; i < count; i++) {
		struct route what = {.first = list[i].first, .count = list[i].count, .addr = list[i].to};
		int ret = name_from_text(name, list[i].zone);
		if (ret == 0)
			ret = routes_add(routes, name, kind, &what);
		if (ret == 0)
			continue;
		snprintf(why, size, "resolver.forward, resolver.stub: zone \"%.200s\" %s", list[i].zone,
			ret == E_BUSY ? "is named twice; keep one of them" : "is no domain name");
		return E_INVAL;
	}
	return 0;
}

_Static_assert((int)CONFIG_GLUE_ANY == (int)GLUE_ANY && (int)CONFIG_GLUE_VERIFIED == (int)GLUE_VERIFIED,
	"the configuration's words for glue are resolution's");

/* The operator's zones; *out NULL where there are none. */
static int make_routes(struct routes **out, const struct config *config, char *why, size_t size)
{
	struct routes *routes = routes_new();
	uint8_t name[NAME_MAX_LEN];
	int ret =
		add_routes(routes, ROUTE_FORWARD, config->resolver.forward, config->resolver.forward_count, why, size);
	if (ret == 0)
		ret = add_routes(routes, ROUTE_STUB, config->resolver.stub, config->resolver.stub_count, why, size);
	for (size_t i = 0; i < config->resolver.ordinary_count && ret == 0; i++)
		if (name_from_text(name, config->resolver.ordinary[i]) == 0 &&
			routes_add(routes, name, ROUTE_ORDINARY, &(struct route){0}) == E_BUSY)
			continue; /* whom to ask is said already, which says more */
	if (ret != 0)
		routes_unref(routes);
	*out = ret == 0 ? routes : NULL;
	return ret;
}

/* NULL where nothing is validated. The root's own anchors are not needed where a file has others for it. */
static int make_anchors(struct anchors **out, const struct config *config, char *why, size_t size)
{
	static const uint8_t root[] = "";
	(void)algorithm_is_supported(0, true); /* what the library can do is found out now: it takes milliseconds */
	struct anchors *anchors = anchors_new();
	uint8_t name[NAME_MAX_LEN];
	char reason[300];
	int ret = 0;
	*out = NULL;
	for (size_t i = 0; i < config->dnssec.anchor_count && ret == 0; i++)
		ret = anchors_read(anchors, config->dnssec.anchors[i], reason, sizeof(reason));
	if (ret != 0)
		snprintf(why, size, "dnssec.anchors: %s", reason);
	if (ret == 0 && !config->dnssec.builtin && config->dnssec.anchor_count == 0) {
		snprintf(why, size,
			"dnssec: there is no trust anchor, so that nothing could be proved; name one in "
			"dnssec.anchors, or set dnssec.validate to false");
		ret = E_INVAL;
	}
	if (ret == 0 && config->dnssec.builtin && anchors_find(anchors, root, 0) == NULL)
		anchors_add_builtin(anchors);
	for (size_t i = 0; i < config->dnssec.negative_count && ret == 0; i++) {
		const struct config_negative *negative = &config->dnssec.negative[i];
		ret = name_from_text(name, negative->zone);
		if (ret == 0)
			ret = anchors_add_negative(anchors, name, negative->until_s);
		if (ret != 0)
			snprintf(why, size, "dnssec.negative: zone \"%.200s\" %s", negative->zone,
				ret == E_EXIST ? "has a trust anchor, or is named twice; keep one of them"
					       : "is no domain name");
	}
	if (ret == 0)
		*out = anchors;
	else
		anchors_unref(anchors);
	return ret;
}

int settings_make(struct settings *settings, const struct config *config, char *why, size_t size)
{
	*settings = (struct settings){
		.options = {.minimise = config->resolver.minimise,
			.ipv4 = config->resolver.ipv4,
			.ipv6 = config->resolver.ipv6,
			.query_loopback = config->resolver.query_loopback,
			.query_private = config->resolver.query_private,
			.glue = (enum glue)config->resolver.glue,
			.stale = config->cache.stale > 0,
			.nxdomain_cut = config->resolver.nxdomain_cut,
			.sha1 = config->dnssec.sha1,
			.sentinel = config->dnssec.sentinel,
			.nsec3_iterations = (uint16_t)config->dnssec.nsec3_iterations,
			.priming = config->resolver.priming},
		.prefetch = config->cache.prefetch,
		.allow = config->allow,
		.allow_count = config->allow_count,
	};
	identity_set(&settings->identity, config->identity.version, config->identity.name);
	int ret = make_hints(&settings->hints, config, why, size);
	if (ret == 0)
		ret = make_routes(&settings->options.routes, config, why, size);
	if (ret == 0 && config->dnssec.validate)
		ret = make_anchors(&settings->options.anchors, config, why, size);
	if (ret != 0)
		settings_deinit(settings);
	return ret;
}

static bool is_same_route(const struct config_route *a, const struct config_route *b)
{
	if (strcasecmp(a->zone, b->zone) != 0 || a->count != b->count || a->first != b->first)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!addr_equal(&a->to[i], &b->to[i]))
			return false;
	return true;
}

static bool are_same_routes(const struct config_route *a, size_t count, const struct config_route *b, size_t others)
{
	for (size_t i = 0; i < count && count == others; i++)
		if (!is_same_route(&a[i], &b[i]))
			return false;
	return count == others;
}

bool settings_ask_alike(const struct config *a, const struct config *b)
{
	if (a->resolver.ordinary_count != b->resolver.ordinary_count || a->resolver.glue != b->resolver.glue)
		return false;
	for (size_t i = 0; i < a->resolver.ordinary_count; i++)
		if (strcasecmp(a->resolver.ordinary[i], b->resolver.ordinary[i]) != 0)
			return false;
	return are_same_routes(a->resolver.forward, a->resolver.forward_count, b->resolver.forward,
		       b->resolver.forward_count) &&
	       are_same_routes(a->resolver.stub, a->resolver.stub_count, b->resolver.stub, b->resolver.stub_count);
}

void settings_deinit(struct settings *settings)
{
	routes_unref(settings->options.routes);
	anchors_unref(settings->options.anchors);
	settings->options.routes = NULL;
	settings->options.anchors = NULL;
}
