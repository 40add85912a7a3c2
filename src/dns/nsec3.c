/* Decides what NSEC3 records prove: which of them can be used, which spans a hash lies in, and the closest encloser that
 * all proofs begin with (RFC 5155 8). Hashing is in nsec3_hash.c. */
#include "dns/denial_parts.h"

#include <string.h>

#include "base/error.h"
#include "dns/nsec3_hash.h"

struct record {
	uint8_t owner[NSEC3_HASH], next[NSEC3_HASH];
	bool opt_out;
	struct bitmap types;
};

enum search {
	SEARCH_TOO_DEAR,
	SEARCH_NOTHING,
	SEARCH_AT_NAME, /* the name has a record */
	SEARCH_ABOVE,   /* an ancestor of it has */
};

struct search_result {
	struct record record;    /* the name's or the closest encloser's */
	const uint8_t *encloser; /* points into the name */
	uint8_t closer[NSEC3_HASH];
};

int nsec3_read(struct nsec3 *out, const struct rrset *set)
{
	if (set->type != KNOT_RRTYPE_NSEC3 || set->data.count != 1)
		return E_MALFORMED;
	const knot_rdata_t *rdata = rrset_rdata(set, 0);
	const uint8_t *at = rdata->data;
	size_t room = rdata->len;
	if (room < 5 || room - 5 < at[4] + 1u)
		return E_MALFORMED;
	*out = (struct nsec3){.algorithm = at[0],
		.flags = at[1],
		.iterations = knot_wire_read_u16(at + 2),
		.salt_len = at[4],
		.salt = at + 5};
	at += 5 + out->salt_len;
	room -= 5u + out->salt_len;
	out->hash_len = at[0];
	out->next = at + 1;
	return out->hash_len > 0 && out->hash_len <= room - 1 ? 0 : E_MALFORMED;
}

/* RFC 4648 7. Below 0: no such digit. */
static int digit_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'v')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'V')
		return c - 'A' + 10;
	return -1;
}

/* 32 digits of 5 bits are the 20 bytes exactly: no padding. */
int nsec3_owner_hash(uint8_t out[static NSEC3_HASH], const uint8_t *owner)
{
	if (owner[0] != NSEC3_HASH * 8 / 5)
		return E_MALFORMED;
	unsigned bits = 0, have = 0;
	for (unsigned i = 1; i <= owner[0]; i++) {
		int digit = digit_of(owner[i]);
		if (digit < 0)
			return E_MALFORMED;
		bits = bits << 5 | (unsigned)digit;
		have += 5;
		if (have >= 8) {
			have -= 8;
			*out++ = (uint8_t)(bits >> have);
		}
	}
	return 0;
}

/* RFC 5155 8.1, 8.2: SHA-1 only, no flag but opt-out; the owner is one label below the apex. */
static bool read_any(struct record *out, struct nsec3 *head, const struct denial *denial, const struct rrset *set)
{
	if (set->type != KNOT_RRTYPE_NSEC3 || !denial_can_use(set) || nsec3_read(head, set) != 0 ||
		head->algorithm != 1 || (head->flags & ~NSEC3_OPT_OUT) != 0 || head->hash_len != NSEC3_HASH)
		return false;
	if (nsec3_owner_hash(out->owner, set->owner) != 0 || !name_is_equal(name_parent(set->owner), denial->zone) ||
		!nsec_bitmap(set, &out->types.bytes, &out->types.len))
		return false;
	memcpy(out->next, head->next, NSEC3_HASH);
	out->opt_out = head->flags & NSEC3_OPT_OUT;
	return true;
}

static bool read_usable(struct record *out, const struct denial *denial, const struct rrset *set)
{
	struct nsec3 head;
	return read_any(out, &head, denial, set) && head.iterations == denial->nsec3.iterations &&
	       head.salt_len == denial->nsec3.salt_len && memcmp(head.salt, denial->nsec3.salt, head.salt_len) == 0;
}

void nsec3_begin(struct denial *denial)
{
	struct record record;
	struct nsec3 head;
	nsec3_hash_forget();
	for (uint16_t i = 0; i < denial->count; i++) {
		if (!read_any(&record, &head, denial, denial->set[i]))
			continue;
		denial->has_nsec3 = true;
		denial->nsec3.iterations = head.iterations;
		denial->nsec3.salt_len = head.salt_len;
		memcpy(denial->nsec3.salt, head.salt, head.salt_len);
		denial->too_many_iterations = head.iterations > DENIAL_ITERATIONS_MOST;
		return;
	}
}

static bool find_at(struct record *out, const struct denial *denial, const uint8_t hash[static NSEC3_HASH])
{
	for (uint16_t i = 0; i < denial->count; i++)
		if (read_usable(out, denial, denial->set[i]) && memcmp(out->owner, hash, NSEC3_HASH) == 0)
			return true;
	return false;
}

/* The last record of the chain leads back to the first; one that leads to itself is alone, and spans all but itself: no
 * other hash is its own, so what is neither after nor before is the owner. */
static bool is_between(const struct record *record, const uint8_t hash[static NSEC3_HASH])
{
	bool after = memcmp(record->owner, hash, NSEC3_HASH) < 0, before = memcmp(hash, record->next, NSEC3_HASH) < 0;
	if (memcmp(record->owner, record->next, NSEC3_HASH) < 0)
		return after && before;
	return after || before;
}

static bool find_cover(struct record *out, const struct denial *denial, const uint8_t hash[static NSEC3_HASH])
{
	for (uint16_t i = 0; i < denial->count; i++)
		if (read_usable(out, denial, denial->set[i]) && is_between(out, hash))
			return true;
	return false;
}

/* From the name upwards to the first that has a record: no name is hashed twice, and the last hash that had none is the
 * next closer name's. */
static enum search search(struct search_result *out, struct denial *denial, const uint8_t *name)
{
	uint8_t hash[NSEC3_HASH];
	for (const uint8_t *at = name;; at = name_parent(at)) {
		if (!nsec3_hash_of(hash, denial, at))
			return SEARCH_TOO_DEAR;
		if (find_at(&out->record, denial, hash)) {
			out->encloser = at;
			return at == name ? SEARCH_AT_NAME : SEARCH_ABOVE;
		}
		if (name_is_equal(at, denial->zone))
			return SEARCH_NOTHING;
		memcpy(out->closer, hash, NSEC3_HASH);
	}
}

/* Whether the next closer name is denied. In an opt-out span there may be an unsigned delegation, with names below it
 * (RFC 5155 6, 9.2). */
static enum denied closer_denied(const struct denial *denial, const uint8_t hash[static NSEC3_HASH])
{
	struct record cover;
	if (!find_cover(&cover, denial, hash))
		return NOT_DENIED;
	return cover.opt_out ? DENIED_UNSIGNED : DENIED;
}

/* RFC 5155 8.3. A closest encloser where the zone ends is a lie about what is below it. */
static enum denied enclosed(enum search found, const struct search_result *result, const struct denial *denial)
{
	if (found == SEARCH_TOO_DEAR)
		return DENIED_TOO_DEAR;
	if (found != SEARCH_ABOVE || bitmap_ends_zone(&result->record.types))
		return NOT_DENIED;
	return closer_denied(denial, result->closer);
}

/* The hash of the wildcard at the closest encloser; false when it is too dear. */
static bool wildcard_hash(uint8_t out[static NSEC3_HASH], struct denial *denial, const struct search_result *result)
{
	uint8_t wildcard[NAME_MAX_LEN];
	wildcard_of(wildcard, result->encloser);
	return nsec3_hash_of(out, denial, wildcard);
}

/* RFC 5155 8.4. */
enum denied nsec3_denies_name(struct denial *denial, const uint8_t *name)
{
	struct search_result result;
	struct record cover;
	uint8_t wildcard[NSEC3_HASH];
	if (denial->too_many_iterations)
		return DENIED_TOO_DEAR;
	enum denied denied = enclosed(search(&result, denial, name), &result, denial);
	if (denied != DENIED && denied != DENIED_UNSIGNED)
		return denied;
	if (!wildcard_hash(wildcard, denial, &result))
		return DENIED_TOO_DEAR;
	return find_cover(&cover, denial, wildcard) ? denied : NOT_DENIED;
}

/* RFC 5155 8.5 to 8.7. An opt-out span over the next closer name is enough for DS, and for other types as well: an empty
 * non-terminal above nothing but unsigned delegations may have no record (7.1). */
enum denied nsec3_denies_type(struct denial *denial, const uint8_t *name, uint16_t type)
{
	struct search_result result;
	struct record *record = &result.record;
	uint8_t wildcard[NSEC3_HASH];
	if (denial->too_many_iterations)
		return DENIED_TOO_DEAR;
	enum search found = search(&result, denial, name);
	if (found == SEARCH_AT_NAME)
		return bitmap_denies(&record->types, name, type) ? DENIED : NOT_DENIED;
	enum denied denied = enclosed(found, &result, denial);
	if (denied != DENIED)
		return denied;
	if (!wildcard_hash(wildcard, denial, &result))
		return DENIED_TOO_DEAR;
	return find_at(record, denial, wildcard) && bitmap_denies(&record->types, name, type) ? DENIED : NOT_DENIED;
}

/* RFC 5155 8.8: the wildcard's own signature proves the closest encloser. */
enum denied nsec3_denies_closer(struct denial *denial, const uint8_t *closer)
{
	uint8_t hash[NSEC3_HASH];
	if (denial->too_many_iterations || !nsec3_hash_of(hash, denial, closer))
		return DENIED_TOO_DEAR;
	return closer_denied(denial, hash);
}

/* The name is not there. No cut is there, unless servers make one of a wildcard (RFC 4592 4.2 leaves it open). */
static enum no_ds no_ds_at_absent(struct denial *denial, struct search_result *result)
{
	uint8_t wildcard[NSEC3_HASH];
	if (!wildcard_hash(wildcard, denial, result))
		return NO_DS_TOO_DEAR;
	return find_at(&result->record, denial, wildcard) && bitmap_has_cut(&result->record.types) ? NO_DS_UNKNOWN
												   : NO_DS_NO_NAME;
}

/* RFC 5155 8.9. */
enum no_ds nsec3_no_ds(struct denial *denial, const uint8_t *name)
{
	struct search_result result;
	if (denial->too_many_iterations)
		return NO_DS_TOO_DEAR;
	enum search found = search(&result, denial, name);
	if (found == SEARCH_AT_NAME)
		return bitmap_no_ds(&result.record.types);
	switch (enclosed(found, &result, denial)) {
	case DENIED: return no_ds_at_absent(denial, &result);
	case DENIED_UNSIGNED: return NO_DS_DELEGATION;
	case DENIED_TOO_DEAR: return NO_DS_TOO_DEAR;
	case NOT_DENIED: break;
	}
	return NO_DS_UNKNOWN;
}
