/* What a reload changes for a worker; each worker copies it and reads its copy without locks.
 *
 *	struct settings settings;
 *	if (settings_make(&settings, config, why, sizeof(why)) != 0) ...
 *	worker_apply(worker, &settings);
 *	settings_deinit(&settings);                  after the last worker
 *
 * Ownership: `allow` is the configuration's. Thread: main. */
#pragma once

#include "base/addr.h"
#include "daemon/config.h"
#include "daemon/identity.h"
#include "resolve/resolver.h"

struct settings {
	struct hints hints;
	struct resolve_options options;
	struct identity identity;
	bool prefetch;
	bool forget;                /* whom to ask has changed: what others said is not kept */
	const struct prefix *allow; /* the configuration's */
	size_t allow_count;
};

/* 0, or an error with one line in `why`. */
int settings_make(struct settings *settings, const struct config *config, char *why, size_t size)
	__attribute__((nonnull, warn_unused_result));
/* Whether two configurations send every question to the same servers. */
bool settings_ask_alike(const struct config *a, const struct config *b) __attribute__((nonnull));
void settings_deinit(struct settings *settings);
