/* Decides how an rrset is laid out in a cache entry, and whether bytes that came from outside are such a one. First a byte that
 * says what is there, then that, in the order of `struct head`, then owner, data and signatures. */
#include "cache/rrpack.h"

#include <string.h>

enum {
	HAS_OWNER = 1, /* its length in one byte */
	HAS_TYPE = 2,
	HAS_CLASS = 4,
	HAS_TTL = 8,
	HAS_SIGS = 16,
	IS_LARGE = 32, /* sizes and counts as they are; else of the data a byte each, and of signatures the same */
	FORM = 2,      /* to be raised when any of this changes */
};

struct head {
	uint8_t owner_len; /* 0: it is the entry's name */
	uint16_t type, rclass;
	uint32_t ttl_s; /* UINT32_MAX: the entry's */
	uint32_t data_size, sigs_size;
	uint16_t data_count, sigs_count;
};

static struct head head_of(const struct packed_for *entry, const struct rrset *set)
{
	return (struct head){
		.owner_len = name_is_equal(entry->name, set->owner) ? 0 : (uint8_t)name_len(set->owner),
		.type = set->type,
		.rclass = set->rclass,
		.ttl_s = set->ttl_s < entry->life_s ? set->ttl_s : UINT32_MAX,
		.data_size = set->data.size,
		.sigs_size = set->sigs.size,
		.data_count = set->data.count,
		.sigs_count = set->sigs.count,
	};
}

static unsigned flags_of(const struct packed_for *entry, const struct head *head)
{
	bool is_large = head->data_size > UINT8_MAX || head->data_count > UINT8_MAX || head->sigs_size > UINT8_MAX ||
			head->sigs_count > UINT8_MAX;
	return (head->owner_len > 0 ? HAS_OWNER : 0u) | (head->type != entry->type ? HAS_TYPE : 0u) |
	       (head->rclass != KNOT_CLASS_IN ? HAS_CLASS : 0u) | (head->ttl_s != UINT32_MAX ? HAS_TTL : 0u) |
	       (head->sigs_count > 0 ? HAS_SIGS : 0u) | (is_large ? IS_LARGE : 0u);
}

static size_t head_len(unsigned flags)
{
	size_t amount = flags & IS_LARGE ? sizeof(uint32_t) + sizeof(uint16_t) : 2;
	return 1 + (flags & HAS_OWNER ? 1 : 0) + (flags & HAS_TYPE ? 2 : 0) + (flags & HAS_CLASS ? 2 : 0) +
	       (flags & HAS_TTL ? 4 : 0) + (flags & HAS_SIGS ? 2 * amount : amount);
}

size_t packed_size(const struct packed_for *entry, const struct rrset *set)
{
	struct head head = head_of(entry, set);
	return head_len(flags_of(entry, &head)) + head.owner_len + head.data_size + head.sigs_size;
}

static uint8_t *append(uint8_t *at, const void *data, size_t len)
{
	if (len > 0)
		memcpy(at, data, len);
	return at + len;
}

static uint8_t *append_amount(uint8_t *at, unsigned flags, uint32_t size, uint16_t count)
{
	if (flags & IS_LARGE)
		return append(append(at, &size, sizeof(size)), &count, sizeof(count));
	*at++ = (uint8_t)size;
	*at++ = (uint8_t)count;
	return at;
}

uint8_t *pack(uint8_t *at, const struct packed_for *entry, const struct rrset *set)
{
	struct head head = head_of(entry, set);
	unsigned flags = flags_of(entry, &head);
	*at++ = (uint8_t)flags;
	at = append(at, &head.owner_len, flags & HAS_OWNER ? sizeof(head.owner_len) : 0);
	at = append(at, &head.type, flags & HAS_TYPE ? sizeof(head.type) : 0);
	at = append(at, &head.rclass, flags & HAS_CLASS ? sizeof(head.rclass) : 0);
	at = append(at, &head.ttl_s, flags & HAS_TTL ? sizeof(head.ttl_s) : 0);
	at = append_amount(at, flags, head.data_size, head.data_count);
	if (flags & HAS_SIGS)
		at = append_amount(at, flags, head.sigs_size, head.sigs_count);
	at = append(at, set->owner, head.owner_len);
	at = append(at, set->data.rdata, head.data_size);
	return append(at, set->sigs.rdata, head.sigs_size);
}

static const uint8_t *take(const uint8_t *at, void *data, size_t len)
{
	memcpy(data, at, len);
	return at + len;
}

static const uint8_t *take_amount(const uint8_t *at, unsigned flags, uint32_t *size, uint16_t *count)
{
	if (flags & IS_LARGE)
		return take(take(at, size, sizeof(*size)), count, sizeof(*count));
	*size = *at++;
	*count = *at++;
	return at;
}

/* All of head_len(*at) is there. */
static const uint8_t *take_head(const uint8_t *at, uint16_t type, struct head *head)
{
	unsigned flags = *at++;
	*head = (struct head){.type = type, .rclass = KNOT_CLASS_IN, .ttl_s = UINT32_MAX};
	at = take(at, &head->owner_len, flags & HAS_OWNER ? sizeof(head->owner_len) : 0);
	at = take(at, &head->type, flags & HAS_TYPE ? sizeof(head->type) : 0);
	at = take(at, &head->rclass, flags & HAS_CLASS ? sizeof(head->rclass) : 0);
	at = take(at, &head->ttl_s, flags & HAS_TTL ? sizeof(head->ttl_s) : 0);
	at = take_amount(at, flags, &head->data_size, &head->data_count);
	return flags & HAS_SIGS ? take_amount(at, flags, &head->sigs_size, &head->sigs_count) : at;
}

const uint8_t *unpack(
	struct arena *arena, const uint8_t *at, const struct packed_for *entry, uint32_t ttl_left_s, struct rrset **out)
{
	struct head head;
	at = take_head(at, entry->type, &head);
	struct rrset *set = arena_zalloc(arena, sizeof(*set));
	set->type = head.type;
	set->rclass = head.rclass;
	set->ttl_s = head.ttl_s < ttl_left_s ? head.ttl_s : ttl_left_s;
	set->owner = head.owner_len == 0 ? entry->name : arena_copy(arena, at, head.owner_len);
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
	struct head head;
	if (room < 1 || room < head_len(*at))
		return 0;
	size_t before = head_len(*at);
	at = take_head(at, 0, &head);
	room -= before;
	size_t all = (size_t)head.owner_len + head.data_size + head.sigs_size;
	if (all > room || (head.owner_len > 0 && name_wire_len(at, head.owner_len) != head.owner_len))
		return 0;
	at += head.owner_len;
	if (!are_rdatas(at, head.data_size, head.data_count) ||
		!are_rdatas(at + head.data_size, head.sigs_size, head.sigs_count))
		return 0;
	return before + all;
}

uint32_t packed_form(void)
{
	return FORM;
}
