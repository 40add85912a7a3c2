/* Decides which records of a zone speak of a name or hash, and which cannot stand beside each other. */
#include "cache/denial_zone.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { MALLOC_OVERHEAD = 16, SWEPT = 2 /* for each that comes in: so they cannot pile up */ };

static int compare_hashes(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, NSEC3_HASH);
}

static size_t zone_cost(const struct denial_zone *zone)
{
	return sizeof(*zone) + zone->name_len + MALLOC_OVERHEAD;
}

struct denial_zone *denial_zone_new(struct denial_accounts *accounts, const uint8_t *name)
{
	size_t len = name_len(name);
	struct denial_zone *zone = xzalloc(1, sizeof(*zone) + len);
	zone->accounts = accounts;
	zone->name_len = (uint8_t)len;
	memcpy(zone->name, name, len);
	link_init(&zone->used);
	order_init(&zone->nsec, name_compare_canonical);
	order_init(&zone->nsec3, compare_hashes);
	zone->bytes = zone_cost(zone);
	accounts->bytes += zone->bytes;
	return zone;
}

bool denial_zone_is_empty(const struct denial_zone *zone)
{
	return zone->nsec.count == 0 && zone->nsec3.count == 0 && zone->soa == NULL;
}

void denial_zone_free(struct denial_zone *zone)
{
	require(denial_zone_is_empty(zone) && zone->bytes == zone_cost(zone));
	zone->accounts->bytes -= zone->bytes;
	free(zone);
}

/* --- coming and going --- */

static struct order *order_of(struct denial_zone *zone, const struct record *record)
{
	return record->set.type == KNOT_RRTYPE_NSEC ? &zone->nsec : &zone->nsec3;
}

static void count_out(struct denial_zone *zone, const struct record *record)
{
	zone->bytes -= record_cost(record);
	zone->accounts->bytes -= record_cost(record);
	zone->accounts->records--;
}

static void drop(struct denial_zone *zone, struct record *record)
{
	if (record == zone->soa)
		zone->soa = NULL;
	else
		order_remove(order_of(zone, record), record);
	count_out(zone, record);
	link_append(&zone->accounts->dead, &record->age);
}

/* Not one by one out of the tree: there may be 100,000. */
static void drop_order(struct denial_zone *zone, struct order *order)
{
	for (struct record *record; (record = order_oldest(order)) != NULL;) {
		link_remove(&record->age);
		count_out(zone, record);
		link_append(&zone->accounts->dead, &record->age);
	}
	order_init(order, order->compare);
}

void denial_zone_insert(struct denial_zone *zone, struct record *record)
{
	if (record->set.type == KNOT_RRTYPE_SOA)
		zone->soa = record;
	else
		order_insert(order_of(zone, record), record);
	zone->bytes += record_cost(record);
	zone->accounts->bytes += record_cost(record);
	zone->accounts->records++;
}

bool denial_zone_shed(struct denial_zone *zone)
{
	struct order *larger = zone->nsec.count > zone->nsec3.count ? &zone->nsec : &zone->nsec3;
	struct record *record = larger->count > 0 ? order_oldest(larger) : zone->soa;
	if (record == NULL)
		return false;
	drop(zone, record);
	return true;
}

void denial_zone_empty(struct denial_zone *zone)
{
	drop_order(zone, &zone->nsec);
	drop_order(zone, &zone->nsec3);
	if (zone->soa != NULL)
		drop(zone, zone->soa);
}

static void sweep(struct denial_zone *zone, const struct order *order, uint32_t now_s)
{
	for (int i = 0; i < SWEPT; i++) {
		struct record *oldest = order_oldest(order);
		if (oldest == NULL || record_is_fresh(oldest, now_s))
			return;
		drop(zone, oldest);
	}
}

void denial_zone_sweep(struct denial_zone *zone, uint32_t now_s)
{
	sweep(zone, &zone->nsec, now_s);
	sweep(zone, &zone->nsec3, now_s);
}

/* --- spans --- */

/* Lower case, which signers need not write (RFC 6840 5.1). That the rdata is sound was seen before it came in. */
static void read_next(uint8_t out[static NAME_MAX_LEN], const struct record *nsec)
{
	const uint8_t *next = rrset_rdata(&nsec->set, 0)->data;
	memcpy(out, next, name_len(next));
	name_lower(out);
}

static struct nsec3 read_nsec3(const struct record *record)
{
	struct nsec3 head;
	require(nsec3_read(&head, &record->set) == 0);
	return head;
}

/* The last record of the chain leads back to the first. */
static bool spans_hash(const struct record *record, const uint8_t hash[static NSEC3_HASH])
{
	const uint8_t *next = read_nsec3(record).next;
	bool after = compare_hashes(record->key, hash) < 0, before = compare_hashes(hash, next) < 0;
	if (compare_hashes(record->key, next) < 0)
		return after && before;
	return (after || before) && compare_hashes(record->key, hash) != 0;
}

static bool spans_name(const struct record *record, const struct denial_zone *zone, const uint8_t *name)
{
	uint8_t next[NAME_MAX_LEN];
	read_next(next, record);
	return name_compare_canonical(record->key, name) < 0 &&
	       (name_is_equal(next, zone->name) || name_compare_canonical(name, next) < 0);
}

static bool spans(const struct record *record, const struct denial_zone *zone, const uint8_t *key)
{
	return record->set.type == KNOT_RRTYPE_NSEC ? spans_name(record, zone, key) : spans_hash(record, key);
}

/* --- what cannot stand beside a record --- */

static void drop_contradicted(struct denial_zone *zone, struct order *order, const struct record *record)
{
	struct record *old = order_at_or_before(order, record->key);
	if (old != NULL && order->compare(old->key, record->key) == 0)
		drop(zone, old);
	while (order->count > 0) {
		old = order_after(order, record->key);
		if (old == NULL)
			old = order_first(order); /* where the chain of hashes goes on */
		if (!spans(record, zone, old->key))
			return;
		drop(zone, old);
	}
}

void denial_zone_make_way(struct denial_zone *zone, const struct record *record)
{
	if (record->set.type == KNOT_RRTYPE_SOA) {
		if (zone->soa != NULL)
			drop(zone, zone->soa);
		return;
	}
	if (record->set.type == KNOT_RRTYPE_NSEC3) {
		struct nsec3 head = read_nsec3(record);
		struct nsec3_parameters new = {.iterations = head.iterations, .salt_len = head.salt_len};
		memcpy(new.salt, head.salt, head.salt_len);
		if (!denial_zone_has_parameters(zone, &new))
			drop_order(zone, &zone->nsec3);
	}
	drop_contradicted(zone, order_of(zone, record), record);
}

/* --- finding --- */

static struct record *fresh(struct denial_zone *zone, struct record *record, uint32_t now_s)
{
	if (record == NULL || record_is_fresh(record, now_s))
		return record;
	/* What comes before it does not span what it did: it would have been contradicted. */
	drop(zone, record);
	return NULL;
}

struct record *denial_zone_soa(struct denial_zone *zone, uint32_t now_s)
{
	return fresh(zone, zone->soa, now_s);
}

/* It is the name's, denies it, or shows that it is an empty non-terminal. */
static bool speaks_of(const struct record *record, const struct denial_zone *zone, const uint8_t *name)
{
	return name_is_equal(record->key, name) || spans_name(record, zone, name);
}

static struct record *find_nsec(struct denial_zone *zone, const uint8_t *name, uint32_t now_s)
{
	struct record *record = fresh(zone, order_at_or_before(&zone->nsec, name), now_s);
	return record != NULL && speaks_of(record, zone, name) ? record : NULL;
}

/* The wildcard at the closest encloser: what a name has in common with its nearer neighbour exists. False: the name is
 * there itself, perhaps as an empty non-terminal. */
static bool wildcard_beside(uint8_t out[static NAME_MAX_LEN], const struct record *cover, const uint8_t *name)
{
	uint8_t next[NAME_MAX_LEN];
	read_next(next, cover);
	unsigned before = (unsigned)knot_dname_matched_labels(cover->key, name);
	unsigned after = (unsigned)knot_dname_matched_labels(next, name);
	const uint8_t *encloser = name_suffix(name, before > after ? before : after);
	if (encloser == name)
		return false;
	memcpy(out, "\1*", 2);
	memcpy(out + 2, encloser, name_len(encloser));
	return true;
}

uint16_t denial_zone_find_nsec(struct denial_zone *zone, const uint8_t *name, uint32_t now_s, struct record *found[2])
{
	uint8_t wildcard[NAME_MAX_LEN];
	found[0] = find_nsec(zone, name, now_s);
	if (found[0] == NULL)
		return 0;
	if (!wildcard_beside(wildcard, found[0], name))
		return 1;
	found[1] = find_nsec(zone, wildcard, now_s);
	return found[1] != NULL && found[1] != found[0] ? 2 : 1;
}

/* All of a zone are of one kind: any of them shows it. */
bool denial_zone_parameters(const struct denial_zone *zone, struct nsec3_parameters *out)
{
	if (zone->nsec3.count == 0)
		return false;
	struct nsec3 head = read_nsec3(zone->nsec3.root);
	out->iterations = head.iterations;
	out->salt_len = head.salt_len;
	memcpy(out->salt, head.salt, head.salt_len);
	return true;
}

bool denial_zone_has_parameters(const struct denial_zone *zone, const struct nsec3_parameters *parameters)
{
	if (zone->nsec3.count == 0)
		return false;
	struct nsec3 head = read_nsec3(zone->nsec3.root);
	return head.iterations == parameters->iterations && head.salt_len == parameters->salt_len &&
	       memcmp(head.salt, parameters->salt, head.salt_len) == 0;
}

struct record *denial_zone_match(struct denial_zone *zone, const uint8_t hash[static NSEC3_HASH], uint32_t now_s)
{
	struct record *record = order_at_or_before(&zone->nsec3, hash);
	return record != NULL && compare_hashes(record->key, hash) == 0 ? fresh(zone, record, now_s) : NULL;
}

struct record *denial_zone_speaker(struct denial_zone *zone, const uint8_t hash[static NSEC3_HASH], uint32_t now_s)
{
	struct record *record = order_at_or_before(&zone->nsec3, hash);
	if (record == NULL)
		record = order_last(&zone->nsec3);
	record = fresh(zone, record, now_s);
	if (record == NULL)
		return NULL;
	return compare_hashes(record->key, hash) == 0 || spans_hash(record, hash) ? record : NULL;
}
