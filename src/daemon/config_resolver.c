/* Decides what the sections resolver and dnssec of the file mean, and which of their words are nonsense. */
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/error.h"
#include "daemon/config_parts.h"

enum { NSEC3_ITERATIONS_MAX = 500 }; /* each name is hashed so often once more: some 100 us */

/* A domain name, as far as its form goes: labels of 63 bytes, 253 in all. */
static bool is_zone(const char *text)
{
	size_t label = 0, len = strlen(text);
	if (strcmp(text, ".") == 0)
		return true;
	if (len > 0 && text[len - 1] == '.')
		len--;
	if (len == 0 || len > 253 || text[0] == '.')
		return false;
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text <= ' ' || *text == '\\' || (*text == '.' && label == 0) || label > 63)
			return false;
		label = *text == '.' ? 0 : label + 1;
	}
	return label <= 63;
}

static bool listens_on(const struct config *config, const struct addr *addr)
{
	for (size_t i = 0; i < config->listen_count; i++)
		if (addr_equal(&config->listen[i], addr) ||
			(addr_is_any(&config->listen[i]) && addr_is_loopback(addr) &&
				addr_port(&config->listen[i]) == addr_port(addr)))
			return true;
	return false;
}

static int read_route_to(struct config_reader *r, const struct config_node *node, const struct config_raw_route *raw,
	struct config_route *out)
{
	const struct config_node *to = config_tree_child(node, "to");
	char path[CONFIG_KEY];
	if (raw->to_count == 0)
		return config_complain(r->report, node->line, config_tree_path(node, path),
			"names nobody to ask; write to: [ADDRESS], for example to: [192.0.2.1]");
	out->to = arena_alloc(r->arena, raw->to_count * sizeof(*out->to));
	for (out->count = 0; out->count < raw->to_count; out->count++) {
		struct addr *addr = &out->to[out->count];
		if (addr_parse(addr, raw->to[out->count], 53) != 0)
			return config_refuse(r, to, out->count,
				"is not an address; write ADDRESS or ADDRESS@PORT, for example 192.0.2.1@53");
		if (addr_is_bogus(addr))
			return config_refuse(r, to, out->count, "is no server's address; name one that can be asked");
		if (addr_is_v6(addr) ? !r->config->resolver.ipv6 : !r->config->resolver.ipv4)
			return config_refuse(r, to, out->count,
				"is of a family that resolver.%s switches off; name another, or switch it on",
				addr_is_v6(addr) ? "ipv6" : "ipv4");
		if (listens_on(r->config, addr))
			return config_refuse(r, to, out->count,
				"is where berthd itself listens: it would ask itself; name another server");
	}
	return 0;
}

static bool is_same_zone(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	a_len -= a_len > 1 && a[a_len - 1] == '.';
	b_len -= b_len > 1 && b[b_len - 1] == '.';
	return a_len == b_len && strncasecmp(a, b, a_len) == 0;
}

/* Among the first of this list, or in the one that was read before it. */
static bool is_named_before(
	const struct config_reader *r, const struct config_route *routes, unsigned count, const char *zone)
{
	for (unsigned i = 0; i < count; i++)
		if (is_same_zone(routes[i].zone, zone))
			return true;
	for (size_t i = 0; i < r->config->resolver.forward_count; i++)
		if (is_same_zone(r->config->resolver.forward[i].zone, zone))
			return true;
	return false;
}

static int read_routes(struct config_reader *r, const char *key, const struct config_raw_route *raw, unsigned count,
	struct config_route **out)
{
	const struct config_node *node = config_find(r, "resolver", key);
	char path[CONFIG_KEY];
	struct config_route *routes = *out = arena_zalloc(r->arena, (count + 1) * sizeof(*routes));
	node = node != NULL ? node->first : NULL;
	for (unsigned i = 0; i < count; i++, node = node->next) {
		if (raw[i].zone == NULL)
			return config_complain(r->report, node->line, config_tree_path(node, path),
				"has an entry without zone; write {zone: NAME, to: [ADDRESS]}");
		if (!is_zone(raw[i].zone))
			return config_refuse(r, config_tree_child(node, "zone"), 0,
				"is not a domain name; write for example example.org, or . for everything");
		if (is_named_before(r, routes, i, raw[i].zone))
			return config_refuse(r, config_tree_child(node, "zone"), 0, "is named twice; keep one of them");
		routes[i].zone = arena_copy(r->arena, raw[i].zone, strlen(raw[i].zone) + 1);
		routes[i].first = raw[i].first == CONFIG_ON;
		int ret = read_route_to(r, node, &raw[i], &routes[i]);
		if (ret != 0)
			return ret;
	}
	return 0;
}

static int read_ordinary(struct config_reader *r, const struct config_raw_resolver *raw)
{
	struct config *c = r->config;
	c->resolver.ordinary = arena_alloc(r->arena, (raw->ordinary_count + 1) * sizeof(*c->resolver.ordinary));
	for (unsigned i = 0; i < raw->ordinary_count; i++) {
		if (!is_zone(raw->ordinary[i]))
			return config_refuse(r, config_find(r, "resolver", "ordinary"), i,
				"is not a domain name; write for example 10.in-addr.arpa");
		c->resolver.ordinary[i] = arena_copy(r->arena, raw->ordinary[i], strlen(raw->ordinary[i]) + 1);
	}
	c->resolver.ordinary_count = raw->ordinary_count;
	return 0;
}

int config_read_resolver(struct config_reader *r, const struct config_raw_resolver *raw)
{
	if (raw == NULL)
		return 0;
	struct config *c = r->config;
	config_read_switch(raw->minimise, &c->resolver.minimise);
	config_read_switch(raw->query_private, &c->resolver.query_private);
	config_read_switch(raw->priming, &c->resolver.priming);
	config_read_switch(raw->nxdomain_cut, &c->resolver.nxdomain_cut);
	if (raw->glue != 0)
		c->resolver.glue = (enum config_glue)(raw->glue - 1);
	config_read_switch(raw->ipv4, &c->resolver.ipv4);
	config_read_switch(raw->ipv6, &c->resolver.ipv6);
	config_read_switch(raw->query_loopback, &c->resolver.query_loopback);
	if (!c->resolver.ipv4 && !c->resolver.ipv6)
		return config_complain(r->report, config_find(r, "resolver", "ipv6")->line, "resolver.ipv6",
			"no family is left to ask servers over; switch on ipv4 or ipv6");
	if (read_routes(r, "forward", raw->forward, raw->forward_count, &c->resolver.forward) != 0)
		return E_INVAL;
	c->resolver.forward_count = raw->forward_count;
	if (read_routes(r, "stub", raw->stub, raw->stub_count, &c->resolver.stub) != 0 || read_ordinary(r, raw) != 0)
		return E_INVAL;
	c->resolver.stub_count = raw->stub_count;
	return config_read_file_name(
		r, config_find(r, "resolver", "root-hints"), 0, raw->root_hints, &c->resolver.root_hints);
}

/* --- dnssec --- */

static int read_anchors(struct config_reader *r, const struct config_raw_dnssec *raw)
{
	const struct config_node *node = config_find(r, "dnssec", "anchors");
	const char **list = arena_alloc(r->arena, (raw->anchors_count + 1) * sizeof(*list));
	for (unsigned i = 0; i < raw->anchors_count; i++) {
		int ret = config_read_file_name(r, node, i, raw->anchors[i], &list[i]);
		if (ret != 0)
			return ret;
	}
	r->config->dnssec.anchors = list;
	r->config->dnssec.anchor_count = raw->anchors_count;
	return 0;
}

/* "2026-12-31" or "2026-12-31T18:00", in UTC: it ends for all readers of the file at one time. */
static bool parse_moment(const char *text, uint32_t *out)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%Y-%m-%d", &tm);
	if (end != NULL && *end != '\0')
		end = strptime(end, "T%H:%M", &tm);
	int day = tm.tm_mday; /* timegm makes a day of March of the 30th of February */
	time_t when = end != NULL && *end == '\0' ? timegm(&tm) : -1;
	if (when <= 0 || when > UINT32_MAX || tm.tm_mday != day)
		return false;
	*out = (uint32_t)when;
	return true;
}

static int read_negative(struct config_reader *r, const struct config_raw_dnssec *raw)
{
	char path[CONFIG_KEY];
	const struct config_node *node = config_find(r, "dnssec", "negative");
	struct config_negative *list = arena_zalloc(r->arena, (raw->negative_count + 1) * sizeof(*list));
	node = node != NULL ? node->first : NULL;
	for (unsigned i = 0; i < raw->negative_count; i++, node = node->next) {
		const struct config_raw_negative *one = &raw->negative[i];
		if (one->zone == NULL)
			return config_complain(r->report, node->line, config_tree_path(node, path),
				"has an entry without zone; write {zone: NAME, until: 2026-12-31}");
		if (!is_zone(one->zone))
			return config_refuse(r, config_tree_child(node, "zone"), 0,
				"is not a domain name; write for example example.org");
		if (one->until != NULL && !parse_moment(one->until, &list[i].until_s))
			return config_refuse(r, config_tree_child(node, "until"), 0,
				"is no time; write for example 2026-12-31 or 2026-12-31T18:00, which is in UTC");
		list[i].zone = arena_copy(r->arena, one->zone, strlen(one->zone) + 1);
	}
	r->config->dnssec.negative = list;
	r->config->dnssec.negative_count = raw->negative_count;
	return 0;
}

int config_read_dnssec(struct config_reader *r, const struct config_raw_dnssec *raw)
{
	if (raw == NULL)
		return 0;
	config_read_switch(raw->validate, &r->config->dnssec.validate);
	config_read_switch(raw->builtin, &r->config->dnssec.builtin);
	config_read_switch(raw->sha1, &r->config->dnssec.sha1);
	config_read_switch(raw->sentinel, &r->config->dnssec.sentinel);
	config_read_switch(raw->key_tags, &r->config->dnssec.key_tags);
	config_read_switch(raw->rollover, &r->config->dnssec.rollover);
	if (raw->nsec3_iterations != NULL && !config_parse_count(raw->nsec3_iterations, 0, NSEC3_ITERATIONS_MAX,
						     &r->config->dnssec.nsec3_iterations))
		return config_refuse(r, config_find(r, "dnssec", "nsec3-iterations"), 0,
			"is not a number of iterations; write 0 to %d, for example 50", NSEC3_ITERATIONS_MAX);
	int ret = read_anchors(r, raw);
	return ret == 0 ? read_negative(r, raw) : ret;
}
