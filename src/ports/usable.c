/* Decides why a port is not lent. */
#include "ports/usable.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "ports/clash.h"
#include "ports/kernel.h"
#include "ports/registry.h"

/* What the machine and the world say of ports. */
struct sources {
	struct port_set reserved, registered, clashing;
	unsigned first; /* that this process may bind */
};

static void read_sources(struct sources *sources)
{
	/* An explicit bind does not ask ip_local_reserved_ports: we have to. */
	char *list = xalloc(KERNEL_LIST);
	kernel_reserved_ports(list, KERNEL_LIST);
	struct port_set *rest = xalloc(sizeof(*rest));
	port_set_fill(rest, 0, PORTS_ALL - 1);
	port_set_remove_list(rest, list);
	for (unsigned i = 0; i < PORT_SET_WORDS; i++)
		sources->reserved.word[i] = ~rest->word[i];
	free(rest);
	free(list);
	sources->first = kernel_first_port();
	registry_udp_ports(&sources->registered);
	(void)clash_ports(&sources->clashing);
}

static enum port_why judge(
	const struct usable_rules *rules, const struct port_set *held, const struct sources *sources, uint16_t port)
{
	if (port == 0 || port < rules->range.first || port > rules->range.last)
		return PORT_OUTSIDE;
	if (port_set_has(&rules->exclude, port))
		return PORT_EXCLUDED;
	if (port_set_has(&sources->reserved, port))
		return PORT_RESERVED;
	if (port < sources->first)
		return PORT_PRIVILEGED;
	if (held != NULL && port_set_has(held, port))
		return PORT_HELD;
	if (port_set_has(&rules->include, port))
		return PORT_USABLE;
	if (port_set_has(&sources->registered, port))
		return PORT_REGISTERED;
	return port_set_has(&sources->clashing, port) ? PORT_CLASHING : PORT_USABLE;
}

void usable_make(struct usable *out, const struct usable_rules *rules, const struct port_set *held)
{
	struct sources *sources = xzalloc(1, sizeof(*sources)); /* 24 KiB */
	read_sources(sources);
	memset(out, 0, sizeof(*out));
	for (unsigned port = 0; port < PORTS_ALL; port++) {
		enum port_why why = judge(rules, held, sources, (uint16_t)port);
		out->why[port] = (uint8_t)why;
		out->count[why]++;
		if (why == PORT_USABLE)
			port_set_add(&out->set, (uint16_t)port);
	}
	free(sources);
}

const char *port_why_text(enum port_why why)
{
	switch (why) {
	case PORT_USABLE: return "usable";
	case PORT_OUTSIDE: return "outside of ports.range";
	case PORT_EXCLUDED: return "excluded by ports.exclude";
	case PORT_RESERVED: return "reserved by net.ipv4.ip_local_reserved_ports";
	case PORT_PRIVILEGED: return "below net.ipv4.ip_unprivileged_port_start, and berthd lacks CAP_NET_BIND_SERVICE";
	case PORT_HELD: return "held by another program";
	case PORT_REGISTERED: return "registered for a UDP service";
	case PORT_CLASHING: return "on the list of known clashes";
	default: return "?";
	}
}

const char *port_why_key(enum port_why why)
{
	static const char *const keys[PORT_WHYS] = {
		"usable", "outside", "excluded", "reserved", "privileged", "held", "registered", "clashing"};
	return why < PORT_WHYS ? keys[why] : "?";
}
