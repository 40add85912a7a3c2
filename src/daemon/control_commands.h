/* What the control socket understands. For daemon/control*.c.
 *
 * A command gets a parsed request and answers with control_reply, at once or after it has been to the workers.
 * Ownership: a request's JSON is the caller's; control_reply takes over the reply it is given. Thread: main. */
#pragma once

#include <jansson.h>

#include "daemon/server.h"

/* One request of one client; lives until control_reply. */
struct control_call {
	struct server *server;
	void *client;
};

void control_reply(struct control_call *call, json_t *reply);
/* {"error": "..."} */
void control_reply_error(struct control_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- control_ports.c --- */

void control_run_port(struct control_call *call, const json_t *request);
void control_run_ports(struct control_call *call);
void control_run_ports_change(struct control_call *call, const json_t *request);
void control_run_audit(struct control_call *call);

/* --- control_map.c --- */

void control_run_map(struct control_call *call);

/* --- control_commands.c --- */

/* Runs the command named in the request. */
void control_run(struct control_call *call, const json_t *request);
