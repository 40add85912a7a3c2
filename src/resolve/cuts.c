/* Decides which zone cuts are kept ready: for each slot the last one, unless another was found there in the same second;
 * and only those whose servers have an address each. */
#include "resolve/cuts.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"

enum { SLOTS = 128, NAMES_MAX = 1024 };

struct slot {
	uint32_t second; /* wall clock; 0: empty */
	bool was_found;  /* since then: it is not given up for a zone that may never be asked again */
	uint16_t names_len;
	struct cut cut; /* its names point into `names` */
	uint8_t names[NAMES_MAX];
};

struct cuts {
	struct slot slot[SLOTS];
};

struct cuts *cuts_new(void)
{
	return xzalloc(1, sizeof(struct cuts));
}

void cuts_free(struct cuts *cuts)
{
	free(cuts);
}

/* Not keyed: who makes two zones meet here has them put together as often as before. */
static size_t place_of(const uint8_t *zone)
{
	uint32_t sum = 0;
	for (const uint8_t *label = zone; *label != 0; label += *label + 1)
		sum = sum * 31 + label[0] + label[1] * 7u + label[*label] * 3u + label[(*label + 1) / 2] * 5u;
	return (sum ^ sum >> 7) % SLOTS;
}

bool cuts_find(struct cuts *cuts, struct arena *arena, const uint8_t *zone, struct cut *out)
{
	struct slot *slot = &cuts->slot[place_of(zone)];
	if (slot->second == 0 || slot->second != clock_wall_s() || !name_is_equal(slot->cut.zone, zone))
		return false;
	slot->was_found = true;
	const uint8_t *names = arena_copy(arena, slot->names, slot->names_len);
	*out = slot->cut;
	out->zone = zone;
	for (unsigned i = 0; i < out->servers; i++)
		out->server[i].name = names + (slot->cut.server[i].name - slot->names);
	return true;
}

/* Where the name is now; NULL: there is no room for it. */
static const uint8_t *keep_name(struct slot *slot, const uint8_t *name)
{
	size_t len = name_len(name);
	if (slot->names_len + len > sizeof(slot->names))
		return NULL;
	uint8_t *at = memcpy(slot->names + slot->names_len, name, len);
	slot->names_len = (uint16_t)(slot->names_len + len);
	return at;
}

static bool is_complete(const struct cut *cut)
{
	for (unsigned i = 0; i < cut->servers; i++)
		if (!cut->server[i].looked_up)
			return false;
	return cut->servers > 0 && cut->addresses > 0;
}

void cuts_keep(struct cuts *cuts, const struct cut *cut)
{
	if (!is_complete(cut))
		return;
	struct slot *slot = &cuts->slot[place_of(cut->zone)];
	uint32_t now_s = clock_wall_s();
	if (slot->second == now_s && slot->was_found)
		return;
	slot->second = 0;
	slot->was_found = false;
	slot->names_len = 0;
	slot->cut = *cut;
	slot->cut.zone = keep_name(slot, cut->zone);
	bool fits = slot->cut.zone != NULL;
	for (unsigned i = 0; i < cut->servers && fits; i++)
		fits = (slot->cut.server[i].name = keep_name(slot, cut->server[i].name)) != NULL;
	if (fits)
		slot->second = now_s;
}

void cuts_forget(struct cuts *cuts, const uint8_t *zone)
{
	struct slot *slot = &cuts->slot[place_of(zone)];
	if (slot->second != 0 && name_is_equal(slot->cut.zone, zone))
		slot->second = 0;
}

void cuts_clear(struct cuts *cuts)
{
	for (int i = 0; i < SLOTS; i++)
		cuts->slot[i].second = 0;
}
