/* Decides that chance is xoshiro256+ (Blackman and Vigna 2018), which passes most tests of evenness and is linear over
 * two elements in its low bits: 256 outputs tell all others. Both functions are here, as random_below calls the other
 * inside its own file. */
#include <string.h>

#include "base/random.h"

void __wrap_random_bytes(void *out, size_t len);
uint32_t __wrap_random_below(uint32_t bound);

static uint64_t rotate(uint64_t value, int by)
{
	return value << by | value >> (64 - by);
}

static uint64_t next(void)
{
	static _Thread_local uint64_t s[4] = {
		0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89};
	uint64_t result = s[0] + s[3], shifted = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= shifted;
	s[3] = rotate(s[3], 45);
	return result;
}

void __wrap_random_bytes(void *out, size_t len)
{
	for (size_t done = 0; done < len; done += 8) {
		uint64_t value = next();
		memcpy((uint8_t *)out + done, &value, len - done < 8 ? len - done : 8);
	}
}

uint32_t __wrap_random_below(uint32_t bound)
{
	const uint32_t skip = -bound % bound;
	uint32_t value;
	do
		value = (uint32_t)next();
	while (value < skip);
	return value % bound;
}
