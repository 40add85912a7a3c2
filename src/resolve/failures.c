/* Decides how long a failure is remembered. */
#include "resolve/failures.h"

#include <string.h>

#include "base/hash.h"
#include "base/limits.h"

enum { HASH_SEED = 0xfa11 };

static uint64_t hash_of(const struct question *q, bool cd)
{
	return hash_bytes(
		HASH_SEED + ((uint64_t)q->type << 32) + q->rclass + ((uint64_t)cd << 63), q->name, name_len(q->name));
}

void failures_note(
	struct failures *failures, const struct question *q, bool cd, const struct failure *what, uint64_t now_us)
{
	uint64_t hash = hash_of(q, cd);
	struct failure *slot = &failures->slot[hash % FAILURES];
	*slot = *what;
	slot->hash = hash;
	slot->until_us = now_us + LIMIT_FAILURE_TTL_S * 1000000ull;
}

const struct failure *failures_find(const struct failures *failures, const struct question *q, bool cd, uint64_t now_us)
{
	uint64_t hash = hash_of(q, cd);
	const struct failure *slot = &failures->slot[hash % FAILURES];
	return slot->hash == hash && slot->until_us > now_us ? slot : NULL;
}

void failures_clear(struct failures *failures)
{
	memset(failures, 0, sizeof(*failures));
}
