/* Decides when the cache is written to the disk and read from it. */
#include "daemon/cache_keeper.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "cache/snapshot.h"
#include "daemon/control_commands.h"

struct cache_keeper {
	struct server *server;
	const char *path;             /* NULL: there is none */
	atomic_bool stop, is_foreign; /* the file is something else: it is not written over */
	bool is_loading, is_saving;   /* the thread has to be joined */
	pthread_t loader, saver;
	/* Of a save that somebody asked for: */
	struct control_call *call;
	struct mail mail;
	struct snapshot_result result;
	int ret;
};

static void tell_loaded(const char *path, int ret, const struct snapshot_result *result, uint64_t took_us)
{
	if (ret == 0)
		log_notice("cache: %llu records of %s are back, after %.1f s", (unsigned long long)result->records,
			path, (double)took_us / 1e6);
	else if (ret != E_NOENT && ret != E_CANCELED)
		log_warning("cache: %s", result->why);
}

static void *load(void *arg)
{
	struct cache_keeper *keeper = arg;
	struct snapshot_result result;
	uint64_t begin_us = clock_mono_us();
	int ret = snapshot_load(keeper->server->rrcache, keeper->path, &keeper->stop, &result);
	keeper->is_foreign = ret == E_EXIST;
	tell_loaded(keeper->path, ret, &result, clock_mono_us() - begin_us);
	return NULL;
}

struct cache_keeper *cache_keeper_start(struct server *server)
{
	struct cache_keeper *keeper = xzalloc(1, sizeof(*keeper));
	keeper->server = server;
	keeper->path = server->first->cache.snapshot;
	if (keeper->path != NULL)
		keeper->is_loading = pthread_create(&keeper->loader, NULL, load, keeper) == 0;
	return keeper;
}

/* --- save --- */

static void on_saved(struct mail *mail)
{
	struct cache_keeper *keeper = container_of(mail, struct cache_keeper, mail);
	pthread_join(keeper->saver, NULL);
	keeper->is_saving = false;
	if (keeper->ret == 0)
		control_reply(keeper->call,
			json_pack("{s:s, s:I, s:I}", "file", keeper->path, "records",
				(json_int_t)keeper->result.records, "bytes", (json_int_t)keeper->result.bytes));
	else
		control_reply_error(keeper->call, "%s", keeper->result.why);
}

static void *save(void *arg)
{
	struct cache_keeper *keeper = arg;
	keeper->ret = snapshot_save(keeper->server->rrcache, keeper->path, &keeper->result);
	keeper->mail.on_mail = on_saved;
	loop_post(&keeper->server->loop, &keeper->mail);
	return NULL;
}

void cache_keeper_save(struct cache_keeper *keeper, struct control_call *call)
{
	if (keeper->path == NULL) {
		control_reply_error(call, "cache.snapshot names no file; name one and restart berthd");
		return;
	}
	if (keeper->is_foreign) {
		control_reply_error(
			call, "%s is no snapshot of a cache: move it away, or name another file", keeper->path);
		return;
	}
	if (keeper->is_saving) {
		control_reply_error(call, "the cache is being written already; try again in a moment");
		return;
	}
	keeper->call = call;
	keeper->is_saving = pthread_create(&keeper->saver, NULL, save, keeper) == 0;
	if (!keeper->is_saving)
		control_reply_error(call, "no thread can be started; raise the limit of tasks (TasksMax=)");
}

static void save_at_end(struct cache_keeper *keeper)
{
	struct snapshot_result result;
	if (keeper->is_foreign)
		log_warning("cache: not written: %s is no snapshot of this berthd", keeper->path);
	else if (snapshot_save(keeper->server->rrcache, keeper->path, &result) != 0)
		log_warning("cache: not written (cache.snapshot): %s", result.why);
	else
		log_notice("cache: %llu records written to %s", (unsigned long long)result.records, keeper->path);
}

void cache_keeper_stop(struct cache_keeper *keeper)
{
	if (keeper == NULL)
		return;
	keeper->stop = true;
	if (keeper->is_loading)
		pthread_join(keeper->loader, NULL);
	if (keeper->is_saving)
		pthread_join(keeper->saver, NULL);
	if (keeper->path != NULL)
		save_at_end(keeper);
	free(keeper);
}
