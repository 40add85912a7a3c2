/* Decides the JSON form of what is known of a port: one form for the tool and for the web page. */
#include "ports/json.h"

#include <stdio.h>

enum { RANGE = 16 };

static const char *range_words(struct port_range range, char out[static RANGE])
{
	if (range.first == range.last)
		snprintf(out, RANGE, "%u", range.first);
	else
		snprintf(out, RANGE, "%u-%u", range.first, range.last);
	return out;
}

/* --- services and uses --- */

static json_t *transports_json(uint8_t transports)
{
	static const char *const words[] = {"udp", "tcp", "sctp", "dccp"};
	json_t *list = json_array();
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (transports >> i & 1)
			json_array_append_new(list, json_string(words[i]));
	return list;
}

json_t *known_service_json(const struct service *s)
{
	const char *description = registry_description(s);
	json_t *object = json_pack("{s:s, s:o, s:o, s:o, s:b}", "name", s->name, "port",
		s->port != 0 ? json_integer(s->port) : json_null(), "transports", transports_json(s->transports), "rfc",
		s->rfc != 0 ? json_integer(s->rfc) : json_null(), "alias", (int)s->is_alias);
	if (*description != '\0')
		json_object_set_new(object, "description", json_string(description));
	return object;
}

json_t *known_services_json(uint16_t port)
{
	const struct service *s;
	json_t *list = json_array();
	for (size_t i = 0; (s = registry_of_port(port, i)) != NULL; i++)
		json_array_append_new(list, known_service_json(s));
	return list;
}

static json_t *make_use_json(const struct known_use *use)
{
	char range[RANGE];
	return json_pack("{s:s, s:o, s:b, s:s, s:s, s:s}", "ports", range_words(use->ports, range), "transports",
		transports_json(use->transports), "clash", (int)use->is_clash, "who", use->who, "why", use->why,
		"source", use->source);
}

/* Of a wide range each port has the same row: it is made once, or all ports would take 200 MB. */
json_t *known_use_json(const struct known_use *use)
{
	enum { KEPT = 64 };
	static json_t *kept[KEPT];
	size_t index = (size_t)(use - clash_row(0));
	if (index >= KEPT)
		return make_use_json(use);
	if (kept[index] == NULL)
		kept[index] = make_use_json(use);
	return json_incref(kept[index]);
}

json_t *known_uses_json(uint16_t port)
{
	const struct known_use *use;
	json_t *list = json_array();
	for (size_t i = 0; (use = clash_of_port(port, i)) != NULL; i++)
		json_array_append_new(list, known_use_json(use));
	return list;
}

/* --- holders --- */

static json_t *text_or_null(const char *text)
{
	return *text != '\0' ? json_string(text) : json_null();
}

json_t *holder_process_json(const struct process *process)
{
	char user[PROCESS_USER];
	return json_pack("{s:i, s:s, s:o, s:I, s:s, s:o, s:o, s:o, s:o}", "pid", (int)process->pid, "name",
		process->name, "command", text_or_null(process->command), "uid", (json_int_t)process->uid, "user",
		process_user_text(process->uid, user), "since",
		process->since_us != 0 ? json_real((double)process->since_us / 1e6) : json_null(), "unit",
		text_or_null(process->place.unit), "container", text_or_null(process->place.container), "runtime",
		text_or_null(process->place.runtime));
}

json_t *holder_namespace_json(const struct netns *ns)
{
	return json_pack("{s:I, s:b, s:o, s:o}", "id", (json_int_t)ns->id, "ours", (int)ns->is_ours, "name",
		text_or_null(ns->name), "pid", ns->pid != 0 ? json_integer(ns->pid) : json_null());
}

static json_t *holder_json(const struct holder *holder)
{
	const struct diag_socket *socket = &holder->socket;
	char local[ADDR_TEXT], peer[ADDR_TEXT], user[PROCESS_USER];
	json_t *processes = json_array();
	for (size_t i = 0; i < holder->owner_count; i++)
		json_array_append_new(processes, holder_process_json(holder->owners[i]));
	bool is_v6 = addr_is_v6(&socket->local);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:s, s:I, s:{s:s, s:s}, s:s, s:o, s:o}",
		"transport", port_transport_text(socket->transport), "family", is_v6 ? "ipv6" : "ipv4", "state",
		diag_state_text(socket->state), "kernel_state", diag_kernel_state_text(socket->kernel_state), "local",
		addr_text(&socket->local, local), "peer",
		addr_port(&socket->peer) != 0 ? json_string(addr_text(&socket->peer, peer)) : json_null(),
		"receive_queue", (json_int_t)socket->receive_queue, "send_queue", (json_int_t)socket->send_queue, "uid",
		(json_int_t)socket->uid, "user", process_user_text(socket->uid, user), "inode",
		(json_int_t)socket->inode, "origin", "who", origin_text(holder->origin.who), "sure",
		origin_sure_text(holder->origin.sure), "found", owner_how_text(holder->how), "namespace",
		holder_namespace_json(holder->ns), "processes", processes);
}

json_t *holders_json(const struct holder *holders, size_t count)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, holder_json(&holders[i]));
	return list;
}

json_t *holder_search_json(const struct inspection *seen)
{
	return json_pack("{s:I, s:b, s:b, s:b}", "namespaces", (json_int_t)seen->namespaces, "everywhere",
		(int)seen->is_everywhere, "processes_denied", (int)seen->is_owner_denied, "namespaces_denied",
		(int)(seen->is_namespace_denied || seen->is_socket_denied));
}

/* --- this machine --- */

static json_t *range_json(struct port_range range)
{
	char text[RANGE];
	return json_string(range_words(range, text));
}

static json_t *probe_json(const enum port_probe probe[static HERE_FAMILIES])
{
	static const char *const words[] = {"free", "held", "denied", "absent", "failed"};
	return json_pack("{s:s, s:s}", "ipv4", words[probe[0]], "ipv6", words[probe[1]]);
}

json_t *port_here_json(const struct port_here *here)
{
	enum port_class class = port_class(here->port);
	return json_pack("{s:i, s:s, s:o, s:o, s:o, s:{s:o, s:o}, s:{s:o, s:o}, s:{s:o, s:b, s:b}}", "port", here->port,
		"class", port_class_text(class), "class_range", range_json(port_class_range(class)), "services",
		known_services_json(here->port), "known_uses", known_uses_json(here->port), "service", "udp",
		text_or_null(here->service[PORT_UDP]), "tcp", text_or_null(here->service[PORT_TCP]), "here", "udp",
		probe_json(here->probe[PORT_UDP]), "tcp", probe_json(here->probe[PORT_TCP]), "kernel", "local_range",
		range_json(here->local), "in_local_range", here->in_local, "reserved", here->reserved);
}
