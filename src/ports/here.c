/* Decides what can be found out about a port on this machine, and the words for it. */
#include "ports/here.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/escape.h"
#include "base/words.h"
#include "ports/kernel.h"
#include "ports/registry.h"

static const int families[HERE_FAMILIES] = {AF_INET, AF_INET6};
static const char *const family_words[HERE_FAMILIES] = {"IPv4", "IPv6"};
static const char *const transport_words[PORT_TRANSPORTS] = {"UDP", "TCP"};

struct port_machine *port_machine_new(void)
{
	struct port_machine *machine = xalloc(sizeof(*machine));
	char *list = xalloc(KERNEL_LIST);
	kernel_local_range(&machine->local);
	kernel_reserved_ports(list, KERNEL_LIST);
	port_set_fill(&machine->free, 0, PORTS_ALL - 1);
	port_set_remove_list(&machine->free, list);
	free(list);
	return machine;
}

void port_here_look(struct port_here *here, uint16_t port, const struct port_machine *machine)
{
	*here = (struct port_here){
		.port = port,
		.local = machine->local,
		.in_local = port >= machine->local.first && port <= machine->local.last,
		.reserved = !port_set_has(&machine->free, port),
	};
	for (enum port_transport t = 0; t < PORT_TRANSPORTS; t++) {
		const struct servent *service = getservbyport(htons(port), port_transport_text(t));
		if (service != NULL)
			escape_text(here->service[t], HERE_SERVICE, service->s_name);
		for (int f = 0; f < HERE_FAMILIES; f++)
			here->probe[t][f] = port_probe(port, t, families[f]);
	}
}

const char *port_probe_text(enum port_probe probe)
{
	switch (probe) {
	case PROBE_FREE: return "free";
	case PROBE_HELD: return "held";
	case PROBE_DENIED: return "not tried: needs root";
	case PROBE_ABSENT: return "not there";
	default: return "not known";
	}
}

bool port_here_is_even(const struct port_here *here, enum port_probe *probe)
{
	*probe = here->probe[0][0];
	for (int t = 0; t < PORT_TRANSPORTS; t++)
		for (int f = 0; f < HERE_FAMILIES; f++)
			if (here->probe[t][f] != *probe)
				return false;
	return true;
}

const char *port_here_words(const struct port_here *here, char out[static HERE_WORDS])
{
	enum port_probe probe;
	if (port_here_is_even(here, &probe)) {
		snprintf(out, HERE_WORDS, "%s%s", port_probe_text(probe),
			probe == PROBE_FREE || probe == PROBE_HELD ? ", on UDP and TCP, IPv4 and IPv6" : "");
		return out;
	}
	size_t len = 0;
	for (int t = 0; t < PORT_TRANSPORTS; t++) {
		const enum port_probe *p = here->probe[t];
		len += (size_t)snprintf(out + len, HERE_WORDS - len, "%s%s ", t > 0 ? "; " : "", transport_words[t]);
		if (p[0] == p[1]) {
			len += (size_t)snprintf(out + len, HERE_WORDS - len, "%s", port_probe_text(p[0]));
			continue;
		}
		for (int f = 0; f < HERE_FAMILIES; f++)
			len += (size_t)snprintf(out + len, HERE_WORDS - len, "%s%s on %s", f > 0 ? ", " : "",
				port_probe_text(p[f]), family_words[f]);
	}
	return out;
}

/* Under that name; "" is no other one. */
static bool is_registered(uint16_t port, const char *name)
{
	const struct service *row;
	if (*name == '\0')
		return true;
	for (size_t i = 0; (row = registry_of_port(port, i)) != NULL; i++)
		if (word_compare(row->name, name) == 0)
			return true;
	return false;
}

const char *port_service_words(const struct port_here *here, char out[static HERE_WORDS])
{
	const char *udp = here->service[PORT_UDP], *tcp = here->service[PORT_TCP];
	if ((*udp == '\0' && *tcp == '\0') || (is_registered(here->port, udp) && is_registered(here->port, tcp)))
		out[0] = '\0';
	else if (strcmp(udp, tcp) == 0)
		snprintf(out, HERE_WORDS, "%s, on UDP and TCP", udp);
	else if (*udp != '\0' && *tcp != '\0')
		snprintf(out, HERE_WORDS, "%.50s on UDP, %.50s on TCP", udp, tcp);
	else
		snprintf(out, HERE_WORDS, "%s, on %s alone", *udp ? udp : tcp, *udp ? "UDP" : "TCP");
	return out;
}
