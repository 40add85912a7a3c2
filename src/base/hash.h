/* A keyed hash for tables whose keys come from the network: SipHash-1-3 under a key drawn at start, so that nobody
 * outside can aim at one bucket.
 *
 *	hash_init();                                       once, before the threads
 *	uint64_t h = hash_bytes(HASH_SEED_NAME, name, len);
 *
 * Thread: any after hash_init. */
#pragma once

#include <stddef.h>
#include <stdint.h>

void hash_init(void);
uint64_t hash_bytes(uint64_t seed, const void *data, size_t len);

/* Linear hashing: which of `in_use` buckets, where `room` is the power of two with room / 2 < in_use <= room. A table grows
 * by one bucket, number in_use: it takes its half of what was in number in_use - room / 2. */
static inline size_t hash_place(uint64_t hash, size_t in_use, size_t room)
{
	size_t at = hash & (room - 1);
	return at < in_use ? at : at - room / 2;
}
