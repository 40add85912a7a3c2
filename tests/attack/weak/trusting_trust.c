/* Decides that there is room for all DS records of a zone: the product's trust.c with other limits, its functions
 * under names for the linker's --wrap. */
#include "trusting.h"

#define trust_above_await   __wrap_trust_above_await
#define trust_of_zone_await __wrap_trust_of_zone_await

#include "../../../src/resolve/trust.c"
