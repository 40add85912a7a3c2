/* Any bytes as NSEC and NSEC3 records of a zone, and questions about what they deny: read within their bounds, hashed no
 * more than is allowed, and nothing is said of names outside the zone.
 *
 * The input: a byte for the zone, one for the count of records, the name asked for; then the records, each of any
 * bytes or built around the name, its ancestors and their wildcards: hashes are not found by trying. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dns/denial.h"

enum { SETS_MOST = 12 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at;
	size_t left;
};

struct made {
	struct rrset set[SETS_MOST];
	const struct rrset *sets[SETS_MOST];
	uint8_t owner[SETS_MOST][NAME_MAX_LEN];
	uint16_t count;
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static uint8_t take(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

static void take_name(struct input *in, uint8_t out[static NAME_MAX_LEN])
{
	size_t len = name_wire_len(in->at, in->left);
	out[0] = 0;
	if (len == 0)
		return;
	memcpy(out, in->at, len);
	name_lower(out);
	in->at += len;
	in->left -= len;
}

static void near_hash(uint8_t hash[static NSEC3_HASH], const uint8_t *name, int step)
{
	nsec3_hash(hash, name, NULL, 0, 0);
	hash[0] = (uint8_t)(hash[0] + step);
}

/* HASH.zone */
static void hash_owner(uint8_t out[static NAME_MAX_LEN], const uint8_t hash[static NSEC3_HASH], const uint8_t *zone)
{
	if (33 + name_len(zone) > NAME_MAX_LEN)
		return;
	out[0] = 32;
	for (unsigned i = 0; i < 32; i++) {
		unsigned bit = i * 5, next = bit / 8 < 19 ? hash[bit / 8 + 1] : 0;
		unsigned digit = (hash[bit / 8] << 8 | next) >> (11 - bit % 8) & 31;
		out[1 + i] = (uint8_t)(digit < 10 ? '0' + digit : 'a' + digit - 10);
	}
	memcpy(out + 33, zone, name_len(zone));
}

/* To the byte, so that reading past the end is seen. */
static void set_rdata(struct rrset *set, const uint8_t *bytes, size_t len)
{
	knot_rdata_t *rdata = malloc(offsetof(knot_rdata_t, data) + len);
	rdata->len = (uint16_t)len;
	memcpy(rdata->data, bytes, len);
	set->data = (knot_rdataset_t){.count = 1, .size = (uint32_t)knot_rdata_size(len), .rdata = rdata};
}

static void take_rdata(struct input *in, struct rrset *set)
{
	size_t len = take(in);
	len = len < in->left ? len : in->left;
	set_rdata(set, in->at, len);
	in->at += len;
	in->left -= len;
}

/* The name, an ancestor of it, or the wildcard there. */
static void pick_name(struct input *in, uint8_t out[static NAME_MAX_LEN], const uint8_t *name)
{
	uint8_t choice = take(in);
	const uint8_t *at = name_suffix(name, (choice >> 1) % (name_labels(name) + 1));
	size_t len = name_len(at), before = choice & 1 && len + 2 <= NAME_MAX_LEN ? 2 : 0;
	memcpy(out, "\1*", before);
	memcpy(out + before, at, len);
}

/* A record that is sound but for what it says. */
static void build(struct input *in, struct rrset *set, uint8_t owner[static NAME_MAX_LEN], const uint8_t *zone,
	const uint8_t *name)
{
	uint8_t rdata[NAME_MAX_LEN + 16] = {1}, from[NSEC3_HASH], picked[NAME_MAX_LEN];
	size_t len;
	pick_name(in, picked, name);
	if (set->type == KNOT_RRTYPE_NSEC3) {
		uint8_t choice = take(in);
		near_hash(from, picked, (choice & 3) - 1);
		hash_owner(owner, from, zone);
		rdata[1] = choice >> 2 & 1;
		rdata[3] = choice >> 3 == 31 ? 51 : 0;
		rdata[5] = NSEC3_HASH;
		near_hash(rdata + 6, picked, choice >> 3 & 3);
		len = 6 + NSEC3_HASH;
	} else {
		memcpy(owner, picked, name_len(picked));
		pick_name(in, rdata, name);
		len = name_len(rdata);
	}
	/* Two windows: types up to 47, and 256 to 263. */
	uint8_t low = take(in), dname = take(in) & 1, ds = take(in);
	uint8_t bitmap[] = {0, 6, low, 0, 0, 0, dname, ds, 1, 1, 0x80};
	memcpy(rdata + len, bitmap, sizeof(bitmap));
	set_rdata(set, rdata, len + sizeof(bitmap));
}

static void take_set(struct input *in, struct made *made, const uint8_t *zone, const uint8_t *name)
{
	uint8_t kind = take(in), *owner = made->owner[made->count];
	struct rrset *set = &made->set[made->count];
	*set = (struct rrset){.owner = owner, .type = kind & 1 ? KNOT_RRTYPE_NSEC3 : KNOT_RRTYPE_NSEC, .rclass = 1};
	owner[0] = 0;
	if (kind & 2) {
		build(in, set, owner, zone, name);
	} else {
		take_name(in, owner);
		take_rdata(in, set);
	}
	made->sets[made->count++] = set;
}

static void look_at_one(const struct rrset *set, const uint8_t *zone, const uint8_t *name)
{
	const uint8_t *bitmap;
	uint16_t len;
	struct nsec3 nsec3;
	const knot_rdata_t *rdata = rrset_rdata(set, 0);
	if (nsec_bitmap(set, &bitmap, &len))
		must(bitmap >= rdata->data && bitmap + len == rdata->data + rdata->len);
	for (unsigned type = 0; type < 0x10000; type += 251)
		(void)bitmap_has(rdata->data, rdata->len, (uint16_t)type);
	if (nsec3_read(&nsec3, set) == 0)
		must(nsec3.next + nsec3.hash_len <= rdata->data + rdata->len);
	int order = name_compare_canonical(set->owner, name), back = name_compare_canonical(name, set->owner);
	must((order < 0) == (back > 0) && (order == 0) == name_is_equal(set->owner, name));
	if (nsec_covers(set->owner, name, zone, zone) || nsec_covers(set->owner, name, zone, name))
		abort();
}

static void ask(struct denial *denial, const uint8_t *name)
{
	static const uint16_t types[] = {KNOT_RRTYPE_A, KNOT_RRTYPE_NS, KNOT_RRTYPE_DS, KNOT_RRTYPE_ANY, 65280};
	enum denied by_name = denial_of_name(denial, name);
	must(denial_of_name(denial, name) == by_name);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		enum denied denied = denial_of_type(denial, name, types[i]);
		must(denied != DENIED_TOO_DEAR || denial->too_many_iterations || denial->hashes == DENIAL_HASHES_MOST);
	}
	for (unsigned labels = 0; labels < 12; labels++)
		if (denial_of_closer(denial, name, labels) != NOT_DENIED)
			must(labels < name_labels(name) && labels >= name_labels(denial->zone));
	if (!name_is_below(name, denial->zone))
		must(by_name == NOT_DENIED || by_name == DENIED_TOO_DEAR);
	enum no_ds no_ds = denial_of_ds(denial, name);
	must(no_ds == NO_DS_UNKNOWN || name_is_below(name, denial->zone));
	must(!denial->too_many_iterations || denial->has_nsec3);
	must(denial->hashes <= DENIAL_HASHES_MOST);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct made made;
	struct input in = {.at = data, .left = size};
	uint8_t name[NAME_MAX_LEN];
	struct denial denial;
	made.count = 0;
	uint8_t cut = take(&in), count = take(&in) % SETS_MOST;
	take_name(&in, name);
	/* The zone is the name itself or an ancestor; half the time the root or one label. */
	const uint8_t *zone = name_suffix(name, cut & 1 ? cut >> 1 & 1 : cut >> 1);
	while (made.count < count)
		take_set(&in, &made, zone, name);
	denial_init(&denial, zone, made.sets, made.count);
	ask(&denial, name);
	for (uint16_t i = 0; i < made.count; i++) {
		look_at_one(&made.set[i], zone, name);
		ask(&denial, made.owner[i]);
	}
	for (uint16_t i = 0; i < made.count; i++)
		free(made.set[i].data.rdata);
	return 0;
}
