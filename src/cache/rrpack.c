/* Decides how an rrset is laid out in a cache entry, and whether bytes that came from outside are such a one. */
#include "cache/rrpack.h"

#include <string.h>

enum { OWNER_IS_KEY = 0 };

/* How an rrset is laid out in an entry; owner, data and signatures follow. */
struct packed {
	uint32_t ttl_s, data_size, sigs_size;
	uint16_t type, rclass, data_count, sigs_count;
	uint8_t owner_len; /* OWNER_IS_KEY: it is the entry's name, and not written again */
};

/* How much of the owner is written: nothing where the entry is named so. */
static uint8_t owner_size(const uint8_t *key, const struct rrset *set)
{
	return name_is_equal(key, set->owner) ? OWNER_IS_KEY : (uint8_t)name_len(set->owner);
}

size_t packed_size(const uint8_t *key, const struct rrset *set)
{
	return sizeof(struct packed) + owner_size(key, set) + set->data.size + set->sigs.size;
}

static uint8_t *append(uint8_t *at, const void *data, size_t len)
{
	if (len > 0)
		memcpy(at, data, len);
	return at + len;
}

uint8_t *pack(uint8_t *at, const uint8_t *key, const struct rrset *set)
{
	struct packed head = {
		.ttl_s = set->ttl_s,
		.data_size = set->data.size,
		.sigs_size = set->sigs.size,
		.type = set->type,
		.rclass = set->rclass,
		.data_count = set->data.count,
		.sigs_count = set->sigs.count,
		.owner_len = owner_size(key, set),
	};
	at = append(at, &head, sizeof(head));
	at = append(at, set->owner, head.owner_len);
	at = append(at, set->data.rdata, set->data.size);
	return append(at, set->sigs.rdata, set->sigs.size);
}

const uint8_t *unpack(
	struct arena *arena, const uint8_t *at, const uint8_t *name, uint32_t ttl_left_s, struct rrset **out)
{
	struct packed head;
	memcpy(&head, at, sizeof(head));
	at += sizeof(head);
	struct rrset *set = arena_zalloc(arena, sizeof(*set));
	set->type = head.type;
	set->rclass = head.rclass;
	set->ttl_s = head.ttl_s < ttl_left_s ? head.ttl_s : ttl_left_s;
	set->owner = head.owner_len == OWNER_IS_KEY ? name : arena_copy(arena, at, head.owner_len);
	at += head.owner_len;
	set->data = (knot_rdataset_t){.count = head.data_count, .size = head.data_size};
	set->data.rdata = arena_copy(arena, at, head.data_size);
	at += head.data_size;
	set->sigs = (knot_rdataset_t){.count = head.sigs_count, .size = head.sigs_size};
	if (head.sigs_count > 0)
		set->sigs.rdata = arena_copy(arena, at, head.sigs_size);
	*out = set;
	return at + head.sigs_size;
}

/* Whether so many rdatas fill the bytes exactly. */
static bool are_rdatas(const uint8_t *at, size_t size, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++) {
		uint16_t len;
		if (size < sizeof(len))
			return false;
		memcpy(&len, at, sizeof(len));
		size_t whole = knot_rdata_size(len);
		if (whole > size)
			return false;
		at += whole;
		size -= whole;
	}
	return size == 0;
}

size_t packed_len(const uint8_t *at, size_t room)
{
	struct packed head;
	if (room < sizeof(head))
		return 0;
	memcpy(&head, at, sizeof(head));
	at += sizeof(head);
	room -= sizeof(head);
	size_t all = (size_t)head.owner_len + head.data_size + head.sigs_size;
	if (all > room || (head.owner_len != OWNER_IS_KEY && name_wire_len(at, head.owner_len) != head.owner_len))
		return 0;
	at += head.owner_len;
	if (!are_rdatas(at, head.data_size, head.data_count) ||
		!are_rdatas(at + head.data_size, head.sigs_size, head.sigs_count))
		return 0;
	return sizeof(head) + all;
}

uint32_t packed_form(void)
{
	return sizeof(struct packed);
}
