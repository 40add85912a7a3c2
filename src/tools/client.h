/* Talking to berthd over its control socket (doc/control.md).
 *
 *	struct client *client;
 *	json_t *reply;
 *	char why[CLIENT_ERROR];
 *	if (client_open(&client, socket, timeout_ms, why) != 0 ||
 *		client_ask(client, json_pack("{s:s}", "cmd", "stats"), &reply, why) != 0)
 *		return tool_fail(tool, "%s", why);
 *	...
 *	json_decref(reply);
 *	client_close(client);
 *
 * Every failure is one line in `why` that may be shown as it is. Thread: one. */
#pragma once

#include <jansson.h>

#include "tools/tool.h"

enum { CLIENT_ERROR = 768, LIMIT_CLIENT_REPLY = 4 << 20 };

struct client;

/* 0; E_NOENT or E_REFUSED when no daemon is there; another E_* for another reason. *client is NULL then. */
int client_open(struct client **client, const char *path, unsigned timeout_ms, char why[static CLIENT_ERROR]);
/* Sends the request, of which it takes the reference, and waits for the reply, an object that the caller gives back.
 * A reply that is an error of the daemon is E_BUSY with the daemon's own words in `why`. After any other failure the
 * client can only be closed. */
int client_ask(struct client *client, json_t *request, json_t **reply, char why[static CLIENT_ERROR]);
/* NULL is allowed. */
void client_close(struct client *client);

/* One question on a connection of its own, with the tool's options. */
int client_ask_once(const struct tool *tool, json_t *request, json_t **reply, char why[static CLIENT_ERROR]);
