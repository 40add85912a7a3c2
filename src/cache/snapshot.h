/* The rrset cache on the disk, so that a restart does not begin with nothing.
 *
 *	struct snapshot_result result;
 *	if (snapshot_save(cache, "/var/lib/berth/cache", &result) != 0) log_warning("%s", result.why);
 *	if (snapshot_load(cache, "/var/lib/berth/cache", &stop, &result) != 0) ...
 *
 * A new file is written beside the old one and takes its place. Loading is for a thread of its own, while workers run: what
 * they have put meanwhile stays. What had expired is left out, and nothing that was proved is taken for proved: it is proved
 * again from what is there when somebody asks. The file is this machine's: another byte order or another version is
 * refused, and so is a damaged one, with what came before the damage kept. Thread: any. Never suspends. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rrcache;

struct snapshot_result {
	uint64_t records, bytes;
	char why[200]; /* of an error, one line */
};

/* 0, or E_SYSTEM. */
int snapshot_save(struct rrcache *cache, const char *path, struct snapshot_result *result)
	__attribute__((nonnull, warn_unused_result));
/* 0; E_NOENT: there is none; E_EXIST: it is something else; E_MALFORMED: damaged; E_CANCELED: *stop was set; E_SYSTEM. */
int snapshot_load(struct rrcache *cache, const char *path, const atomic_bool *stop, struct snapshot_result *result)
	__attribute__((nonnull, warn_unused_result));
