/* Rrsets as bytes in a cache entry. For cache/rr*.c only.
 *
 *	entry = entry_new(len + packed_size(name, set));
 *	pack(entry->bytes + len, name, set);
 *	at = unpack(arena, entry->bytes + len, name, ttl_left_s, &set);
 *
 * The owner is left out where it is `name`, the entry's. Pure functions; copies are in the arena. */
#pragma once

#include "dns/rrset.h"

size_t packed_size(const uint8_t *name, const struct rrset *set);
/* Both return what follows. */
uint8_t *pack(uint8_t *at, const uint8_t *name, const struct rrset *set);
const uint8_t *unpack(
	struct arena *arena, const uint8_t *at, const uint8_t *name, uint32_t ttl_left_s, struct rrset **out);
/* The length of a packed rrset in bytes that nobody vouches for; 0 when there is none. */
size_t packed_len(const uint8_t *at, size_t room);
/* What packed rrsets look like; another number, another form. */
uint32_t packed_form(void);
