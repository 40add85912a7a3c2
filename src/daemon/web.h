/* The web page: a map of all ports, a page for each, the resolver's dashboard, and what programs may ask (doc/web.md).
 *
 *	struct web *web;
 *	if (web_open(&web, server, why, sizeof(why)) != 0) ...       bound; NULL: no page was asked for
 *	privilege_drop(...);
 *	web_start(web);
 *	web_stop(web);                                               no thread of it runs any more, no new work begins
 *	web_free(web);                                               when all mail has come home
 *
 * Everything of HTTP happens in the main thread, where the control commands run too. What may take a millisecond is done
 * by one thread of the web's own (daemon/web_looker.h). With nobody looking there is no timer and no work.
 * NULL is allowed everywhere. */
#pragma once

#include <stddef.h>

struct server;
struct web;

/* Before privileges are dropped. 0, or an error with one line in `why`. */
int web_open(struct web **web, struct server *server, char *why, size_t size)
	__attribute__((nonnull, warn_unused_result));
void web_start(struct web *web);
void web_stop(struct web *web);
void web_free(struct web *web);
