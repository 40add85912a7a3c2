/* Records from text, as a zone's file has them, grouped into rrsets with their signatures.
 *
 *	zone_read(&zone, &arena, text);
 *	struct rrset *set = zone_find(&zone, "www.example.", KNOT_RRTYPE_A);
 */
#pragma once

#include <ctype.h>
#include <libzscanner/scanner.h>

#include "unit/unit.h"

#include "dns/dnssec.h"

enum { ZONE_SETS = 128 };

struct zone {
	struct arena *arena;
	struct rrset set[ZONE_SETS];
	size_t count;
};

static inline struct rrset *zone_set(struct zone *zone, const uint8_t *owner, uint16_t type)
{
	for (size_t i = 0; i < zone->count; i++)
		if (zone->set[i].type == type && name_is_equal(zone->set[i].owner, owner))
			return &zone->set[i];
	assert_true(zone->count < ZONE_SETS);
	struct rrset *set = &zone->set[zone->count++];
	*set = (struct rrset){.owner = name_copy(zone->arena, owner), .type = type, .rclass = KNOT_CLASS_IN};
	return set;
}

static inline void zone_add(struct zone *zone, zs_scanner_t *scanner)
{
	knot_mm_t mm = knot_mm_of(zone->arena);
	knot_rdata_t *rdata = arena_alloc(zone->arena, knot_rdata_size((uint16_t)scanner->r_data_length));
	knot_rdata_init(rdata, (uint16_t)scanner->r_data_length, scanner->r_data);
	name_lower(scanner->r_owner);
	bool is_sig = scanner->r_type == KNOT_RRTYPE_RRSIG;
	uint16_t type = is_sig ? knot_wire_read_u16(rdata->data) : scanner->r_type;
	struct rrset *set = zone_set(zone, scanner->r_owner, type);
	set->ttl_s = scanner->r_ttl;
	assert_int_equal(knot_rdataset_add(is_sig ? &set->sigs : &set->data, rdata, &mm), 0);
}

static inline void zone_read(struct zone *zone, struct arena *arena, const char *text)
{
	static zs_scanner_t scanner;
	*zone = (struct zone){.arena = arena};
	assert_int_equal(zs_init(&scanner, ".", KNOT_CLASS_IN, 3600), 0);
	assert_int_equal(zs_set_input_string(&scanner, text, strlen(text)), 0);
	while (zs_parse_record(&scanner) == 0 && scanner.state == ZS_STATE_DATA)
		zone_add(zone, &scanner);
	assert_int_equal(scanner.state, ZS_STATE_EOF);
	zs_deinit(&scanner);
}

static inline struct rrset *zone_find(struct zone *zone, const char *owner, uint16_t type)
{
	uint8_t name[NAME_MAX_LEN];
	assert_int_equal(name_from_text(name, owner), 0);
	struct rrset *set = zone_set(zone, name, type);
	assert_true(set->data.count > 0);
	return set;
}

static inline struct dnskey zone_key(const struct rrset *keys, uint16_t index)
{
	struct dnskey key;
	assert_int_equal(dnskey_read(&key, rrset_rdata(keys, index)), 0);
	return key;
}

/* The key that a signature names. */
static inline struct dnskey zone_key_of(const struct rrset *keys, const struct rrsig *sig)
{
	for (uint16_t i = 0; i < keys->data.count; i++) {
		struct dnskey key = zone_key(keys, i);
		if (key.tag == sig->tag && key.algorithm == sig->algorithm)
			return key;
	}
	fail();
	return (struct dnskey){0};
}

static inline struct rrsig zone_sig(struct zone *zone, const struct rrset *set, uint16_t index)
{
	struct rrsig sig;
	assert_true(index < set->sigs.count);
	assert_int_equal(rrsig_read(&sig, zone->arena, knot_rdataset_at(&set->sigs, index)), 0);
	return sig;
}

static inline knot_rdata_t *zone_rdata(struct arena *arena, const void *data, size_t len)
{
	knot_rdata_t *rdata = arena_alloc(arena, knot_rdata_size((uint16_t)len));
	knot_rdata_init(rdata, (uint16_t)len, data);
	return rdata;
}
