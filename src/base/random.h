/* Unpredictable numbers for ports, IDs and hash keys: the kernel's CSPRNG through a small buffer of the thread.
 *
 *	uint16_t id = (uint16_t)random_below(65536);
 *
 * What is handed out is wiped from the buffer, so that a later leak of memory tells nothing of ports in flight.
 * Thread: any (the buffer is the thread's own; a fork is not expected). Replaced at link time in scenarios. */
#pragma once

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *out, size_t len);

/* Uniform in [0, bound), without modulo bias. bound must not be 0. */
uint32_t random_below(uint32_t bound);
