/* Decides which clocks the house reads. */
#include "base/clock.h"

#include <time.h>

static uint64_t read_us(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

uint64_t clock_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}

/* Read dozens of times for a lookup: the coarse clocks, some milliseconds behind, cost a fifth. */
uint64_t clock_mono_coarse_us(void)
{
	return read_us(CLOCK_MONOTONIC_COARSE);
}

uint32_t clock_wall_s(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME_COARSE, &ts);
	return (uint32_t)ts.tv_sec;
}
