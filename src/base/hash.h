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
