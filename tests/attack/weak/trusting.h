/* Limits of validation as they might be if nobody had thought of KeyTrap. To be included before a file of the product, which
 * then sees these: limits.h is read once. */
#pragma once

#include "base/limits.h"

#undef LIMIT_ZONE_KEYS
#undef LIMIT_KEYS_OF_TAG
#undef LIMIT_DS
#undef LIMIT_CHECKS_IN_ROW
#define LIMIT_ZONE_KEYS     512
#define LIMIT_KEYS_OF_TAG   128
#define LIMIT_DS            256
#define LIMIT_CHECKS_IN_ROW 1000000
