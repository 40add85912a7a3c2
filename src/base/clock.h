/* The two clocks. Timers and RTTs follow the monotonic one; cache ageing and signature times follow the wall clock, so
 * that a clock set by an operator, or by libfaketime in tests, moves them.
 *
 *	uint64_t begin_us = clock_mono_us();
 *	uint32_t expires_s = clock_wall_s() + ttl_s;
 *
 * Thread: any. Replaced at link time in unit tests. */
#pragma once

#include <stdint.h>

uint64_t clock_mono_us(void);
uint64_t clock_wall_us(void);
/* Up to 10 ms behind: */
uint64_t clock_mono_coarse_us(void);
uint32_t clock_wall_s(void);
