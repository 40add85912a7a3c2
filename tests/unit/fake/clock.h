#pragma once

#include <stdint.h>

extern uint64_t fake_mono_us, fake_wall_us;
/* Both clocks go on. */
void fake_pass_s(uint32_t seconds);
