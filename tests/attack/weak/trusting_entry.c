/* Decides that all DS records of a zone are compared with all of its keys: the product's entry.c with other limits, its
 * functions under names for the linker's --wrap. */
#include "trusting.h"

#define entry_is_usable __wrap_entry_is_usable
#define entry_keep_keys __wrap_entry_keep_keys
#define entry_read_ds   __wrap_entry_read_ds

#include "../../../src/dns/entry.c"
