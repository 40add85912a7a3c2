/* Decides where randomness comes from: getrandom(2), 512 bytes at a time. */
#include "base/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/check.h"

enum { POOL_BYTES = 512 };

static _Thread_local uint8_t pool[POOL_BYTES];
static _Thread_local size_t pool_left;

static void fill(uint8_t *out, size_t len)
{
	while (len > 0) {
		ssize_t got = getrandom(out, len, 0);
		if (got < 0 && errno == EINTR)
			continue;
		require(got > 0); /* without randomness there is no safe resolver */
		out += got;
		len -= (size_t)got;
	}
}

void random_bytes(void *out, size_t len)
{
	if (len > POOL_BYTES) {
		fill(out, len);
		return;
	}
	if (pool_left < len) {
		fill(pool, POOL_BYTES);
		pool_left = POOL_BYTES;
	}
	pool_left -= len;
	memcpy(out, pool + pool_left, len);
	explicit_bzero(pool + pool_left, len);
}

uint32_t random_below(uint32_t bound)
{
	require(bound != 0);
	/* Values below 2^32 mod bound would make the small results likelier: they are drawn again. */
	const uint32_t skip = -bound % bound;
	uint32_t value;
	do
		random_bytes(&value, sizeof(value));
	while (value < skip);
	return value % bound;
}
