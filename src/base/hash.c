/* Decides the hash of the house's tables: SipHash-1-3 (Aumasson and Bernstein), keyed once per process. */
#include "base/hash.h"

#include <endian.h>
#include <string.h>

#include "base/random.h"

static uint64_t key[2];

void hash_init(void)
{
	random_bytes(key, sizeof(key));
}

static inline uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static inline uint64_t read_word(const uint8_t *p)
{
	uint64_t word;
	memcpy(&word, p, sizeof(word));
	return le64toh(word);
}

uint64_t hash_bytes(uint64_t seed, const void *data, size_t len)
{
	const uint8_t *p = data;
	const uint64_t k0 = key[0] ^ seed, k1 = key[1];
	uint64_t v[4] = {k0 ^ 0x736f6d6570736575ull, k1 ^ 0x646f72616e646f6dull, k0 ^ 0x6c7967656e657261ull,
		k1 ^ 0x7465646279746573ull};
	const size_t all = len;
	uint64_t last = (uint64_t)len << 56;
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t word = read_word(p);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	if (all >= 8)
		last |= len > 0 ? read_word(p + len - 8) >> (64 - 8 * len) : 0; /* some bytes again, shifted out */
	else
		for (size_t i = 0; i < len; i++)
			last |= (uint64_t)p[i] << (8 * i);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
