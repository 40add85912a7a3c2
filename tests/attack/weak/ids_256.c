/* Decides that a question's ID has eight bits. IDs are the only numbers drawn below 65536. */
#include "base/random.h"

uint32_t __real_random_below(uint32_t bound);
uint32_t __wrap_random_below(uint32_t bound);

uint32_t __wrap_random_below(uint32_t bound)
{
	return __real_random_below(bound == 65536 ? 256 : bound);
}
