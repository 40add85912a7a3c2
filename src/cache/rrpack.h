/* Rrsets as bytes in a cache entry. For cache/rr*.c only.
 *
 *	struct packed_for entry = {name, type, life_s};
 *	bytes = entry_new(len + packed_size(&entry, set));
 *	pack(at, &entry, set);
 *	at = unpack(arena, at, &entry, ttl_left_s, &set);
 *
 * What the entry says is left out: its name, its type, class IN, a TTL that does not end before the entry does. Of an A record that
 * leaves three bytes beside the address and its length. Pure functions; copies are in the arena. */
#pragma once

#include "dns/rrset.h"

/* The entry that an rrset is part of. */
struct packed_for {
	const uint8_t *name;
	uint16_t type;
	uint32_t life_s; /* from stored to expired; unpack and packed_len need none */
};

size_t packed_size(const struct packed_for *entry, const struct rrset *set);
/* Both return what follows. The owner is `entry->name` itself where it is the same. */
uint8_t *pack(uint8_t *at, const struct packed_for *entry, const struct rrset *set);
const uint8_t *unpack(struct arena *arena, const uint8_t *at, const struct packed_for *entry, uint32_t ttl_left_s,
	struct rrset **out);
/* The length of a packed rrset in bytes that nobody vouches for; 0 when there is none. */
size_t packed_len(const uint8_t *at, size_t room);
/* What packed rrsets look like; another number, another form. */
uint32_t packed_form(void);
