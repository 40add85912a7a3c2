/* base/clock replaced at link time: time stands still until a test moves it. */
#include "unit/fake/clock.h"

#include "base/clock.h"

uint64_t fake_mono_us = 1000 * 1000000ull;
uint64_t fake_wall_us = 1800000000ull * 1000000;

uint64_t clock_mono_us(void)
{
	return fake_mono_us;
}

uint64_t clock_wall_us(void)
{
	return fake_wall_us;
}

uint64_t clock_mono_coarse_us(void)
{
	return fake_mono_us;
}

uint32_t clock_wall_s(void)
{
	return (uint32_t)(fake_wall_us / 1000000);
}

void fake_pass_s(uint32_t seconds)
{
	fake_mono_us += seconds * 1000000ull;
	fake_wall_us += seconds * 1000000ull;
}
