/* The cache outlives a restart: loaded in the background, written at the end and when somebody asks for it.
 *
 *	cache_keeper_start(server);                    as the user that the daemon stays
 *	cache_keeper_save(server->cache_keeper, call);     berth cache save
 *	cache_keeper_stop(server->cache_keeper);           the workers have ended
 *
 * Nothing of it happens without cache.snapshot. Thread: main; files are for a thread of its own. */
#pragma once

#include "daemon/server.h"

struct cache_keeper;
struct control_call;

struct cache_keeper *cache_keeper_start(struct server *server);
/* Answers the call, now or when it is done. */
void cache_keeper_save(struct cache_keeper *keeper, struct control_call *call);
/* NULL is allowed. */
void cache_keeper_stop(struct cache_keeper *keeper);
