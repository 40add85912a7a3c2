/* Decides that NSEC3 is hashed for every name, and with whatever number of rounds. */
#include "dns/nsec3_hash.h"

void __wrap_denial_allow_iterations(struct denial *denial, uint16_t most);
bool __wrap_nsec3_hash_of(uint8_t out[static NSEC3_HASH], struct denial *denial, const uint8_t *name);

void __wrap_denial_allow_iterations(struct denial *denial, uint16_t most)
{
	(void)most;
	denial->too_many_iterations = false;
}

bool __wrap_nsec3_hash_of(uint8_t out[static NSEC3_HASH], struct denial *denial, const uint8_t *name)
{
	nsec3_hash(out, name, denial->nsec3.salt, denial->nsec3.salt_len, denial->nsec3.iterations);
	return true;
}
