/* What is known of a port, as JSON: one form for the tool (--json) and for the web page's API.
 *
 *	json_t *services = known_services_json(443), *holders = holders_json(first, count);
 *
 * Ownership: the caller owns what is returned. Thread: one, for known_use_json keeps what it made; a process in which
 * several threads tell of uses makes the rows in one of them. */
#pragma once

#include <jansson.h>

#include "ports/clash.h"
#include "ports/here.h"
#include "ports/inspect.h"
#include "ports/registry.h"

/* {"name", "port" or null, "transports": ["udp"], "rfc" or null, "alias"}, and
 * {"ports": "6881-6889", "transports", "clash", "who", "why", "source"} */
json_t *known_service_json(const struct service *service);
json_t *known_use_json(const struct known_use *use);
/* Arrays of these. */
json_t *known_services_json(uint16_t port);
json_t *known_uses_json(uint16_t port);

json_t *holders_json(const struct holder *holders, size_t count);
json_t *holder_process_json(const struct process *process);
json_t *holder_namespace_json(const struct netns *ns);
/* {"namespaces", "everywhere", "processes_denied", "namespaces_denied"} */
json_t *holder_search_json(const struct inspection *seen);

json_t *port_here_json(const struct port_here *here);
