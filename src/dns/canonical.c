/* Decides what bytes a signature is made over: which names in rdata are lower-cased, and the order of the records. Each
 * record is written once, as it comes; only when that is not the canonical order are they put in order in a second
 * piece of memory. */
#include "dns/canonical.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"

enum { RRSIG_HEAD = 18, RECORD_HEAD = 10, WILDCARD_LEN = 2, A6_BITS = 128 };
enum { TYPE_A6 = 38 };

/* What stands in an rdata before the end of its last name. */
struct layout {
	uint16_t type;
	uint8_t before;  /* bytes, */
	uint8_t strings; /* then character strings, */
	uint8_t names;   /* then names */
};

/* RFC 4034 6.2 (3), less HINFO, which has no names, and NSEC, whose next name keeps its case (RFC 6840 5.1). Later types
 * keep theirs all (RFC 3597 7). A6 is apart. */
static const struct layout layouts[] = {
	{KNOT_RRTYPE_NS, 0, 0, 1},
	{KNOT_RRTYPE_MD, 0, 0, 1},
	{KNOT_RRTYPE_MF, 0, 0, 1},
	{KNOT_RRTYPE_CNAME, 0, 0, 1},
	{KNOT_RRTYPE_SOA, 0, 0, 2},
	{KNOT_RRTYPE_MB, 0, 0, 1},
	{KNOT_RRTYPE_MG, 0, 0, 1},
	{KNOT_RRTYPE_MR, 0, 0, 1},
	{KNOT_RRTYPE_PTR, 0, 0, 1},
	{KNOT_RRTYPE_MINFO, 0, 0, 2},
	{KNOT_RRTYPE_MX, 2, 0, 1},
	{KNOT_RRTYPE_RP, 0, 0, 2},
	{KNOT_RRTYPE_AFSDB, 2, 0, 1},
	{KNOT_RRTYPE_RT, 2, 0, 1},
	{KNOT_RRTYPE_SIG, RRSIG_HEAD, 0, 1},
	{KNOT_RRTYPE_PX, 2, 0, 2},
	{KNOT_RRTYPE_NXT, 0, 0, 1},
	{KNOT_RRTYPE_SRV, 6, 0, 1},
	{KNOT_RRTYPE_NAPTR, 4, 3, 1},
	{KNOT_RRTYPE_KX, 2, 0, 1},
	{KNOT_RRTYPE_DNAME, 0, 0, 1},
	{KNOT_RRTYPE_RRSIG, RRSIG_HEAD, 0, 1},
};

static const struct layout *find_layout(uint16_t type)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (layouts[i].type == type)
			return &layouts[i];
	return NULL;
}

/* RFC 2874 3.1: the length of the prefix that is elsewhere, the rest of the address, and the prefix's name if any. */
static int read_a6_layout(struct layout *out, const uint8_t *rdata, size_t len)
{
	if (len == 0 || rdata[0] > A6_BITS)
		return E_MALFORMED;
	*out = (struct layout){.type = TYPE_A6, .names = rdata[0] > 0};
	out->before = (uint8_t)(1 + (A6_BITS - rdata[0] + 7) / 8);
	return 0;
}

/* Lower-cases the names of one rdata where they stand. 0, or E_MALFORMED when it ends before they do. */
static int lower_names(const struct layout *layout, uint8_t *rdata, size_t len)
{
	size_t pos = layout->before;
	for (int i = 0; i < layout->strings && pos < len; i++)
		pos += 1u + rdata[pos];
	for (int i = 0; i < layout->names; i++) {
		size_t name = pos < len ? name_wire_len(rdata + pos, len - pos) : 0;
		if (name == 0)
			return E_MALFORMED;
		name_lower(rdata + pos);
		pos += name;
	}
	return pos <= len ? 0 : E_MALFORMED;
}

static int lower_rdata(uint16_t type, const struct layout *layout, uint8_t *rdata, size_t len)
{
	struct layout a6;
	if (type != TYPE_A6)
		return layout != NULL ? lower_names(layout, rdata, len) : 0;
	return read_a6_layout(&a6, rdata, len) == 0 ? lower_names(&a6, rdata, len) : E_MALFORMED;
}

/* --- order --- */

/* Rdata within the data is known by its place; its length stands before it. */
static size_t len_at(const uint8_t *rdata)
{
	return knot_wire_read_u16(rdata - 2);
}

/* RFC 4034 6.3: as strings of bytes without sign, where the end comes before any byte. */
static int compare_rdata(const uint8_t *a, const uint8_t *b)
{
	size_t a_len = len_at(a), b_len = len_at(b);
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
	if (order != 0)
		return order;
	return (a_len > b_len) - (a_len < b_len);
}

static int compare_places(const void *a, const void *b)
{
	return compare_rdata(*(const uint8_t *const *)a, *(const uint8_t *const *)b);
}

/* What is written, and the two lengths that say where things are in it. */
struct draft {
	uint8_t *wire;
	size_t len;
	size_t head;   /* before the first record */
	size_t prefix; /* of each record before its rdata */
};

/* The records in order, each once (RFC 2181 5). */
static void order_records(struct draft *draft, struct arena *arena, uint16_t count)
{
	const uint8_t **place = arena_alloc(arena, count * sizeof(*place));
	const uint8_t *at = draft->wire + draft->head + draft->prefix;
	for (uint16_t i = 0; i < count; i++) {
		place[i] = at;
		at += len_at(at) + draft->prefix;
	}
	qsort(place, count, sizeof(*place), compare_places);
	uint8_t *ordered = arena_alloc(arena, draft->len);
	size_t len = draft->head;
	memcpy(ordered, draft->wire, draft->head);
	for (uint16_t i = 0; i < count; i++) {
		if (i > 0 && compare_rdata(place[i - 1], place[i]) == 0)
			continue;
		size_t size = draft->prefix + len_at(place[i]);
		memcpy(ordered + len, place[i] - draft->prefix, size);
		len += size;
	}
	draft->wire = ordered;
	draft->len = len;
}

/* --- writing --- */

/* RFC 4035 5.3.2: an owner with more labels than were signed came of a wildcard, whose name is what was signed. */
static size_t write_owner(uint8_t *out, const struct rrset *set, const struct rrsig *sig)
{
	const uint8_t *signed_part = name_suffix(set->owner, sig->labels);
	size_t len = name_len(signed_part);
	if (signed_part == set->owner) {
		memcpy(out, signed_part, len);
		return len;
	}
	memcpy(out, "\1*", WILDCARD_LEN);
	memcpy(out + WILDCARD_LEN, signed_part, len);
	return WILDCARD_LEN + len;
}

/* What all records begin with, but for the length of their rdata: owner, type, class, original TTL. */
static size_t write_prefix(uint8_t *out, const struct rrset *set, const struct rrsig *sig)
{
	size_t len = write_owner(out, set, sig);
	knot_wire_write_u16(out + len, set->type);
	knot_wire_write_u16(out + len + 2, set->rclass);
	knot_wire_write_u32(out + len + 4, sig->original_ttl_s);
	return len + RECORD_HEAD;
}

/* The signature's own rdata, up to the signature. */
static size_t write_head(uint8_t *out, const struct rrsig *sig)
{
	size_t signer_len = name_len(sig->signer);
	memcpy(out, sig->rdata->data, RRSIG_HEAD);
	memcpy(out + RRSIG_HEAD, sig->signer, signer_len);
	return RRSIG_HEAD + signer_len;
}

/* The records as they come; *ordered says whether each comes after the one before. */
static int write_records(struct draft *draft, const struct rrset *set, const uint8_t *prefix, bool *ordered)
{
	const struct layout *layout = find_layout(set->type);
	const uint8_t *last = NULL;
	knot_rdata_t *rdata = set->data.rdata;
	*ordered = true;
	for (uint16_t i = 0; i < set->data.count; i++, rdata = knot_rdataset_next(rdata)) {
		uint8_t *at = draft->wire + draft->len;
		memcpy(at, prefix, draft->prefix);
		at += draft->prefix;
		knot_wire_write_u16(at - 2, rdata->len);
		if (rdata->len > 0)
			memcpy(at, rdata->data, rdata->len);
		if (lower_rdata(set->type, layout, at, rdata->len) != 0)
			return E_MALFORMED;
		*ordered = *ordered && (last == NULL || compare_rdata(last, at) < 0);
		last = at;
		draft->len += draft->prefix + rdata->len;
	}
	return 0;
}

static size_t records_len(const struct rrset *set, size_t prefix)
{
	size_t len = 0;
	knot_rdata_t *rdata = set->data.rdata;
	for (uint16_t i = 0; i < set->data.count; i++, rdata = knot_rdataset_next(rdata))
		len += prefix + rdata->len;
	return len;
}

int canonical_sign_data(struct signed_data *out, struct arena *arena, const struct rrset *set, const struct rrsig *sig)
{
	uint8_t prefix[NAME_MAX_LEN + RECORD_HEAD], head[RRSIG_HEAD + NAME_MAX_LEN];
	bool ordered;
	if (set->data.count == 0 || sig->labels > name_labels(set->owner))
		return E_MALFORMED;
	struct draft draft = {.head = write_head(head, sig), .prefix = write_prefix(prefix, set, sig)};
	size_t size = draft.head + records_len(set, draft.prefix);
	if (size > LIMIT_SIGNED_BYTES)
		return E_MALFORMED;
	draft.wire = arena_alloc(arena, size);
	memcpy(draft.wire, head, draft.head);
	draft.len = draft.head;
	if (write_records(&draft, set, prefix, &ordered) != 0)
		return E_MALFORMED;
	if (!ordered)
		order_records(&draft, arena, set->data.count);
	*out = (struct signed_data){.wire = draft.wire, .len = draft.len};
	return 0;
}
