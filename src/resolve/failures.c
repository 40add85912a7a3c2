/* Decides how long a failure is remembered. */
#include "resolve/failures.h"

#include "base/hash.h"
#include "base/limits.h"

enum { HASH_SEED = 0xfa11 };

static uint64_t hash_of(const struct question *q)
{
	return hash_bytes(HASH_SEED + ((uint64_t)q->type << 32) + q->rclass, q->name, name_len(q->name));
}

void failures_note(struct failures *failures, const struct question *q, int error, uint64_t now_us)
{
	uint64_t hash = hash_of(q);
	failures->slot[hash % FAILURES] =
		(struct failure){.hash = hash, .until_us = now_us + LIMIT_FAILURE_TTL_S * 1000000ull, .error = error};
}

int failures_find(const struct failures *failures, const struct question *q, uint64_t now_us, uint32_t *left_s)
{
	uint64_t hash = hash_of(q);
	const struct failure *slot = &failures->slot[hash % FAILURES];
	if (slot->hash != hash || slot->until_us <= now_us)
		return 0;
	*left_s = (uint32_t)((slot->until_us - now_us + 999999) / 1000000);
	return slot->error;
}
