/* Decides which of a zone's keys are vouched for; whether they have signed anything is for others. */
#include "dns/entry.h"

void entry_read_ds(struct entry_points *points, const knot_rdataset_t *set, bool sha1)
{
	bool has_better = false;
	const knot_rdata_t *rdata = set->rdata;
	for (uint16_t i = 0; i < set->count && points->count < LIMIT_DS;
		i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata)) {
		struct ds *ds = &points->ds[points->count];
		if (ds_read(ds, rdata) != 0 || !algorithm_is_supported(ds->algorithm, sha1))
			continue;
		points->has_algorithm = true;
		if (!digest_is_supported(ds->digest_type, sha1))
			continue;
		has_better |= ds->digest_type != DIGEST_SHA1;
		points->count++;
	}
	unsigned kept = 0;
	for (unsigned i = 0; i < points->count; i++)
		if (!has_better || points->ds[i].digest_type != DIGEST_SHA1)
			points->ds[kept++] = points->ds[i];
	points->count = kept;
}

bool entry_is_usable(const struct entry_points *points, bool sha1)
{
	if (points->count > 0 || points->keys == NULL)
		return points->count > 0;
	const knot_rdata_t *rdata = points->keys->rdata;
	for (uint16_t i = 0; i < points->keys->count; i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata)) {
		struct dnskey key;
		if (dnskey_read(&key, rdata) == 0 && algorithm_is_supported(key.algorithm, sha1))
			return true;
	}
	return false;
}

static bool is_entry_point(const struct entry_points *points, uint8_t tried[static LIMIT_DS], const uint8_t *zone,
	const struct dnskey *key)
{
	if (points->keys != NULL && knot_rdataset_member(points->keys, key->rdata))
		return true;
	for (unsigned i = 0; i < points->count; i++)
		if (points->ds[i].tag == key->tag && tried[i] < LIMIT_KEYS_OF_TAG) {
			tried[i]++;
			if (ds_is_of(&points->ds[i], zone, key))
				return true;
		}
	return false;
}

unsigned entry_keep_keys(const struct entry_points *points, const uint8_t *zone, struct dnskey *key, unsigned count)
{
	uint8_t tried[LIMIT_DS] = {0};
	unsigned kept = 0;
	for (unsigned i = 0; i < count; i++)
		if (is_entry_point(points, tried, zone, &key[i]))
			key[kept++] = key[i];
	return kept;
}
