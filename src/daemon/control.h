/* The control socket: how `berth` asks the daemon (doc/control.md).
 * Thread: main; what it asks of workers travels by mail. */
#pragma once

#include <stddef.h>

struct control;
struct server;

/* Binds the socket before privileges are dropped. 0, or an error with one line in `why`. */
int control_open(struct control **control, struct server *server, char *why, size_t size);
void control_start(struct control *control);
void control_free(struct control *control);
