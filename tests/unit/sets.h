/* Rrsets for tests, from text and bytes, in an arena.
 *
 *	struct rrset *set = set_new(&arena, "www.example", KNOT_RRTYPE_A, 300);
 *	set_add(&arena, set, "\300\0\2\1", 4);
 */
#pragma once

#include "dns/rrset.h"

static inline uint8_t *set_name(struct arena *arena, const char *text)
{
	uint8_t name[NAME_MAX_LEN];
	assert_int_equal(name_from_text(name, text), 0);
	return name_copy(arena, name);
}

static inline void set_add_to(struct arena *arena, knot_rdataset_t *data, const void *bytes, uint16_t len)
{
	knot_mm_t mm = knot_mm_of(arena);
	knot_rdata_t *rdata = arena_zalloc(arena, knot_rdata_size(len));
	knot_rdata_init(rdata, len, bytes);
	assert_int_equal(knot_rdataset_add(data, rdata, &mm), 0);
}

static inline void set_add(struct arena *arena, struct rrset *set, const void *bytes, uint16_t len)
{
	set_add_to(arena, &set->data, bytes, len);
}

static inline struct rrset *set_new(struct arena *arena, const char *owner, uint16_t type, uint32_t ttl_s)
{
	struct rrset *set = arena_zalloc(arena, sizeof(*set));
	*set = (struct rrset){.owner = set_name(arena, owner), .type = type, .rclass = 1, .ttl_s = ttl_s};
	return set;
}

static inline struct rrset *set_a(struct arena *arena, const char *owner, uint32_t ttl_s, const char *bytes)
{
	struct rrset *set = set_new(arena, owner, KNOT_RRTYPE_A, ttl_s);
	set_add(arena, set, bytes, 4);
	return set;
}
