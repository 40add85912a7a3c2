/* Decides what NSEC records prove: the canonical order of names, which names lie in a record's span, and which proofs
 * need a second record for the wildcard (RFC 4035 5.4). */
#include "dns/denial_parts.h"

#include <string.h>

struct nsec {
	const uint8_t *owner;
	uint8_t next[NAME_MAX_LEN]; /* lower case, which signers need not write (RFC 6840 5.1) */
	struct bitmap types;
};

static int compare_labels(const uint8_t *a, const uint8_t *b)
{
	size_t len = a[0] < b[0] ? a[0] : b[0];
	int diff = memcmp(a + 1, b + 1, len);
	return diff != 0 ? diff : a[0] - b[0];
}

/* The order of two names of as many labels, and in *common how many of their last labels are the same. Walked from the
 * left: the label that decides is the last that differs. */
static int compare_level(const uint8_t *a, const uint8_t *b, unsigned labels, unsigned *common)
{
	int result = 0;
	*common = labels;
	for (unsigned left = labels; left > 0; left--) {
		int diff = compare_labels(a, b);
		if (diff != 0) {
			result = diff;
			*common = left - 1;
		}
		a += 1 + a[0];
		b += 1 + b[0];
	}
	return result;
}

/* In line: this order is what sorted caches search by. */
static unsigned count_labels(const uint8_t *name)
{
	unsigned count = 0;
	for (; name[0] != 0; name += 1 + name[0])
		count++;
	return count;
}

static int compare(const uint8_t *a, const uint8_t *b, unsigned *common)
{
	unsigned a_labels = count_labels(a), b_labels = count_labels(b);
	unsigned labels = a_labels < b_labels ? a_labels : b_labels;
	for (unsigned i = labels; i < a_labels; i++)
		a += 1 + a[0];
	for (unsigned i = labels; i < b_labels; i++)
		b += 1 + b[0];
	int result = compare_level(a, b, labels, common);
	return result != 0 ? result : (int)a_labels - (int)b_labels;
}

int name_compare_canonical(const uint8_t *a, const uint8_t *b)
{
	unsigned common;
	return compare(a, b, &common);
}

static unsigned common_labels(const uint8_t *a, const uint8_t *b)
{
	unsigned common;
	compare(a, b, &common);
	return common;
}

/* The last record of the chain leads back to the apex and spans all that is left. */
static bool is_between(const uint8_t *owner, const uint8_t *next, const uint8_t *zone, const uint8_t *name)
{
	return name_is_within(owner, zone) && name_is_within(next, zone) && name_is_below(name, zone) &&
	       name_compare_canonical(owner, name) < 0 &&
	       (name_is_equal(next, zone) || name_compare_canonical(name, next) < 0);
}

bool nsec_covers(const uint8_t *owner, const uint8_t *next, const uint8_t *zone, const uint8_t *name)
{
	/* When the next name is below it, the name is an empty non-terminal: it is there. */
	return is_between(owner, next, zone, name) && !name_is_within(next, name);
}

static bool read_usable(struct nsec *out, const struct denial *denial, const struct rrset *set)
{
	if (set->type != KNOT_RRTYPE_NSEC || !denial_can_use(set) || !name_is_within(set->owner, denial->zone) ||
		!nsec_bitmap(set, &out->types.bytes, &out->types.len))
		return false;
	/* The bitmap was found behind it: the name is whole. */
	const uint8_t *next = rrset_rdata(set, 0)->data;
	memcpy(out->next, next, name_len(next));
	name_lower(out->next);
	out->owner = set->owner;
	return name_is_within(out->next, denial->zone);
}

bool nsec_is_usable(const struct denial *denial, const struct rrset *set)
{
	struct nsec nsec;
	return read_usable(&nsec, denial, set);
}

static bool find_at(struct nsec *out, const struct denial *denial, const uint8_t *name)
{
	for (uint16_t i = 0; i < denial->count; i++)
		if (name_is_equal(denial->set[i]->owner, name) && read_usable(out, denial, denial->set[i]))
			return true;
	return false;
}

/* A record at a cut or a DNAME above the name spans it only as far as the zone's own names go (RFC 6840 4.1). */
static bool may_speak_of(const struct nsec *nsec, const uint8_t *name)
{
	return !name_is_below(name, nsec->owner) || !bitmap_ends_zone(&nsec->types);
}

static bool find_cover(struct nsec *out, const struct denial *denial, const uint8_t *name)
{
	for (uint16_t i = 0; i < denial->count; i++)
		if (read_usable(out, denial, denial->set[i]) &&
			nsec_covers(out->owner, out->next, denial->zone, name) && may_speak_of(out, name))
			return true;
	return false;
}

/* No record of its own, and a name below it: an empty non-terminal. */
static bool is_empty(const struct denial *denial, const uint8_t *name)
{
	for (uint16_t i = 0; i < denial->count; i++) {
		struct nsec nsec;
		if (read_usable(&nsec, denial, denial->set[i]) && name_is_below(nsec.next, name) &&
			is_between(nsec.owner, nsec.next, denial->zone, name) && may_speak_of(&nsec, name))
			return true;
	}
	return false;
}

/* The wildcard at the closest encloser of a covered name: all names next to it in the zone are known, and what it has in
 * common with the nearer of them exists. */
static void wildcard_beside(uint8_t out[static NAME_MAX_LEN], const struct nsec *cover, const uint8_t *name)
{
	unsigned before = common_labels(cover->owner, name), after = common_labels(cover->next, name);
	wildcard_of(out, name_suffix(name, before > after ? before : after));
}

bool nsec_denies_name(const struct denial *denial, const uint8_t *name)
{
	struct nsec nsec;
	uint8_t wildcard[NAME_MAX_LEN];
	if (!find_cover(&nsec, denial, name))
		return false;
	wildcard_beside(wildcard, &nsec, name);
	return find_cover(&nsec, denial, wildcard);
}

/* At exactly that node. */
static bool node_lacks(const struct denial *denial, const uint8_t *node, uint16_t type)
{
	struct nsec nsec;
	if (find_at(&nsec, denial, node))
		return bitmap_denies(&nsec.types, node, type);
	return is_empty(denial, node);
}

bool nsec_denies_type(const struct denial *denial, const uint8_t *name, uint16_t type)
{
	struct nsec nsec;
	uint8_t wildcard[NAME_MAX_LEN];
	if (node_lacks(denial, name, type))
		return true;
	if (!find_cover(&nsec, denial, name))
		return false;
	wildcard_beside(wildcard, &nsec, name);
	return node_lacks(denial, wildcard, type);
}

/* What is covered and no empty non-terminal has nothing below it either: descendants follow at once in the order. */
bool nsec_denies_closer(const struct denial *denial, const uint8_t *closer)
{
	struct nsec nsec;
	return find_cover(&nsec, denial, closer);
}

enum no_ds nsec_no_ds(const struct denial *denial, const uint8_t *name)
{
	struct nsec nsec;
	uint8_t wildcard[NAME_MAX_LEN];
	if (find_at(&nsec, denial, name))
		return bitmap_no_ds(&nsec.types);
	if (is_empty(denial, name))
		return NO_DS_NO_CUT;
	if (!find_cover(&nsec, denial, name))
		return NO_DS_UNKNOWN;
	/* No cut is there, unless servers make one of a wildcard (RFC 4592 4.2 leaves it open). */
	wildcard_beside(wildcard, &nsec, name);
	return find_at(&nsec, denial, wildcard) && bitmap_has_cut(&nsec.types) ? NO_DS_UNKNOWN : NO_DS_NO_NAME;
}
