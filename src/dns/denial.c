/* Decides which kind of record is asked for a proof, NSEC or NSEC3, and what the types at a name mean for a denial; how
 * names are covered stands in nsec.c and nsec3.c. */
#include "dns/denial_parts.h"

#include <string.h>

enum { TYPE_ANY = 255, TYPE_NXNAME = 128 /* RFC 9824 */ };

void denial_init(struct denial *denial, const uint8_t *zone, const struct rrset *const *set, uint16_t count)
{
	*denial = (struct denial){.zone = zone, .set = set, .count = count};
	for (uint16_t i = 0; i < count && !denial->has_nsec; i++)
		denial->has_nsec = nsec_is_usable(denial, set[i]);
	nsec3_begin(denial);
}

void denial_allow_iterations(struct denial *denial, uint16_t most)
{
	denial->too_many_iterations = denial->nsec3.iterations > most;
}

enum denied denial_of_name(struct denial *denial, const uint8_t *name)
{
	if (!name_is_within(name, denial->zone))
		return NOT_DENIED;
	if (denial->has_nsec && nsec_denies_name(denial, name))
		return DENIED;
	return denial->has_nsec3 ? nsec3_denies_name(denial, name) : NOT_DENIED;
}

enum denied denial_of_type(struct denial *denial, const uint8_t *name, uint16_t type)
{
	if (!name_is_within(name, denial->zone))
		return NOT_DENIED;
	/* The parent has the DS of a zone's apex, and only the parent denies it; the root has none. */
	if (type == KNOT_RRTYPE_DS && !name_is_root(name) && name_is_equal(name, denial->zone))
		return NOT_DENIED;
	if (denial->has_nsec && nsec_denies_type(denial, name, type))
		return DENIED;
	return denial->has_nsec3 ? nsec3_denies_type(denial, name, type) : NOT_DENIED;
}

/* A wildcard stands for a name only where the next closer name, one label longer than the wildcard's parent, does not
 * exist; that a name further down does not would let a wildcard of a higher level pass for the right one. */
enum denied denial_of_closer(struct denial *denial, const uint8_t *name, unsigned labels)
{
	if (labels >= name_labels(name))
		return NOT_DENIED;
	const uint8_t *closer = name_suffix(name, labels + 1);
	if (!name_is_below(closer, denial->zone))
		return NOT_DENIED;
	if (denial->has_nsec && nsec_denies_closer(denial, closer))
		return DENIED;
	return denial->has_nsec3 ? nsec3_denies_closer(denial, closer) : NOT_DENIED;
}

enum no_ds denial_of_ds(struct denial *denial, const uint8_t *name)
{
	if (!name_is_below(name, denial->zone))
		return NO_DS_UNKNOWN;
	enum no_ds said = denial->has_nsec ? nsec_no_ds(denial, name) : NO_DS_UNKNOWN;
	if (said != NO_DS_UNKNOWN || !denial->has_nsec3)
		return said;
	return nsec3_no_ds(denial, name);
}

/* A record that a wildcard `*.zone NSEC` was expanded to has a good signature and an owner that no zone has: what it
 * spans is the attacker's choice. The label count of its signature gives it away (RFC 4034 3.1.3). */
static bool is_expanded(const struct rrset *set)
{
	unsigned labels = name_labels(set->owner);
	if (set->owner[0] == 1 && set->owner[1] == '*')
		labels--;
	for (uint16_t i = 0; i < set->sigs.count; i++) {
		const knot_rdata_t *sig = knot_rdataset_at(&set->sigs, i);
		if (sig->len > 3 && sig->data[3] < labels)
			return true;
	}
	return false;
}

bool denial_can_use(const struct rrset *set)
{
	return set->data.count == 1 && !is_expanded(set);
}

/* Window blocks ascend and have 1 to 32 bytes (RFC 4034 4.1.2). */
static bool bitmap_is_sound(const uint8_t *bitmap, size_t len)
{
	int last = -1;
	for (size_t pos = 0; pos < len; pos += 2u + bitmap[pos + 1]) {
		if (len - pos < 2 || bitmap[pos] <= last)
			return false;
		uint8_t block = bitmap[pos + 1];
		if (block < 1 || block > 32 || block > len - pos - 2)
			return false;
		last = bitmap[pos];
	}
	return true;
}

bool nsec_bitmap(const struct rrset *set, const uint8_t **bitmap, uint16_t *len)
{
	if (set->data.count != 1)
		return false;
	const knot_rdata_t *rdata = rrset_rdata(set, 0);
	size_t begin;
	if (set->type == KNOT_RRTYPE_NSEC) {
		begin = name_wire_len(rdata->data, rdata->len);
		if (begin == 0)
			return false;
	} else {
		struct nsec3 head;
		if (set->type != KNOT_RRTYPE_NSEC3 || nsec3_read(&head, set) != 0)
			return false;
		begin = (size_t)(head.next - rdata->data) + head.hash_len;
	}
	*bitmap = rdata->data + begin;
	*len = (uint16_t)(rdata->len - begin);
	return bitmap_is_sound(*bitmap, *len);
}

bool bitmap_has(const uint8_t *bitmap, uint16_t len, uint16_t type)
{
	size_t byte = (type & 0xff) / 8;
	for (size_t pos = 0; pos + 2 <= len; pos += 2u + bitmap[pos + 1]) {
		if (bitmap[pos] != type >> 8)
			continue;
		return byte < bitmap[pos + 1] && pos + 2 + byte < len &&
		       (bitmap[pos + 2 + byte] & (0x80 >> (type & 7))) != 0;
	}
	return false;
}

static bool has(const struct bitmap *types, uint16_t type)
{
	return bitmap_has(types->bytes, types->len, type);
}

/* The parent's side of a cut (RFC 6840 4.1). */
static bool is_delegation(const struct bitmap *types)
{
	return has(types, KNOT_RRTYPE_NS) && !has(types, KNOT_RRTYPE_SOA);
}

/* Nothing but the types of denial itself: only then is there no answer to a question for all types. */
static bool is_bare(const struct bitmap *types)
{
	for (size_t pos = 0; pos + 2 <= types->len; pos += 2u + types->bytes[pos + 1])
		for (unsigned bit = 0; bit < 8u * types->bytes[pos + 1]; bit++) {
			uint16_t type = (uint16_t)(types->bytes[pos] << 8 | bit);
			if (type != KNOT_RRTYPE_NSEC && type != KNOT_RRTYPE_RRSIG && type != TYPE_NXNAME &&
				has(types, type))
				return false;
		}
	return true;
}

bool bitmap_denies(const struct bitmap *types, const uint8_t *owner, uint16_t type)
{
	if (has(types, type) || has(types, KNOT_RRTYPE_CNAME))
		return false;
	/* RFC 6840 4.4: at a cut the parent's record speaks of DS, the child's of all else. */
	if (type == KNOT_RRTYPE_DS)
		return !has(types, KNOT_RRTYPE_SOA) || name_is_root(owner);
	if (is_delegation(types))
		return false;
	return type != TYPE_ANY || is_bare(types);
}

bool bitmap_ends_zone(const struct bitmap *types)
{
	return is_delegation(types) || has(types, KNOT_RRTYPE_DNAME);
}

bool bitmap_has_cut(const struct bitmap *types)
{
	return has(types, KNOT_RRTYPE_NS) || has(types, KNOT_RRTYPE_DS);
}

enum no_ds bitmap_no_ds(const struct bitmap *types)
{
	/* With SOA it is the child's own record, which knows nothing of a DS. */
	if (has(types, KNOT_RRTYPE_DS) || has(types, KNOT_RRTYPE_SOA))
		return NO_DS_UNKNOWN;
	return has(types, KNOT_RRTYPE_NS) ? NO_DS_DELEGATION : NO_DS_NO_CUT;
}

void wildcard_of(uint8_t out[static NAME_MAX_LEN], const uint8_t *encloser)
{
	out[0] = 1;
	out[1] = '*';
	memcpy(out + 2, encloser, name_len(encloser));
}
