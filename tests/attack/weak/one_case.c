/* Decides that names are asked in lower case: the case of their letters adds nothing to guess. */
#include <string.h>

#include "dns/message.h"

void __wrap_name_mix_case(uint8_t *raw, const uint8_t *name);

void __wrap_name_mix_case(uint8_t *raw, const uint8_t *name)
{
	memcpy(raw, name, name_len(name));
}
