/* The entry points of a zone: the keys that a trust anchor or the parent's DS vouches for, where its chain of trust begins.
 *
 *	struct entry_points points = {.keys = NULL};
 *	entry_read_ds(&points, &ds->data, false);
 *	if (!entry_is_usable(&points, false)) ...          the zone counts as unsigned
 *	keys = entry_keep_keys(&points, zone, key, keys);  and a signature by one of them over the DNSKEY rrset decides
 *
 * Ownership: the DS rrset and the anchor's keys are the caller's, and outlive the points. Standards: RFC 4035 5.2, RFC 4509,
 * RFC 6840 5.2, 5.11. Thread: any. Never suspends. */
#pragma once

#include "base/limits.h"
#include "dns/dnssec.h"

struct entry_points {
	const knot_rdataset_t *keys; /* of an anchor; or NULL */
	struct ds ds[LIMIT_DS];
	unsigned count;
	bool has_algorithm; /* of a DS that cannot be used: the digest was the matter */
};

/* Reads the part of an anchor's or a parent's DS rrset that can be used here, the first LIMIT_DS of it, into points that have
 * none yet; with a better digest SHA-1 does not count (RFC 4509 3). `sha1`: it may be used at all. */
void entry_read_ds(struct entry_points *points, const knot_rdataset_t *set, bool sha1);

/* False: nothing vouches for a key that could be checked here, and the zone counts as unsigned (RFC 4035 5.2). */
bool entry_is_usable(const struct entry_points *points, bool sha1);

/* Keeps of the zone's keys, in place, those that are vouched for; how many. A DS is compared with LIMIT_KEYS_OF_TAG keys:
 * tags collide, and whoever wants to can make them (HashTrap). */
unsigned entry_keep_keys(const struct entry_points *points, const uint8_t *zone, struct dnskey *key, unsigned count)
	__attribute__((warn_unused_result));
