/* What is known of one zone's denials: its NSEC and NSEC3 records in order, its SOA. The parts of cache/denials.c, and
 * nobody else's.
 *
 *	denial_zone_make_way(zone, record);            what the record replaces or contradicts
 *	denial_zone_insert(zone, record);
 *	struct record *found[2];
 *	count = denial_zone_find_nsec(zone, name, now_s, found);
 *
 * What is given up goes to the dead of the shard's accounts, to be freed without the lock. Found records are good as long as the lock
 * is held and nothing else is called. Thread: under the shard's lock. Never suspends. */
#pragma once

#include "cache/order.h"

/* A shard's; the zones write it as records come and go. */
struct denial_accounts {
	size_t bytes, records;
	struct link dead; /* records, by `age` */
};

struct denial_zone {
	struct denial_zone *next; /* in the bucket */
	struct link used;         /* in the shard, least recently used first */
	struct denial_accounts *accounts;
	uint64_t hash;
	struct order nsec, nsec3;
	struct record *soa;
	size_t bytes; /* of the zone and its records */
	uint8_t name_len, name[];
};

struct denial_zone *denial_zone_new(struct denial_accounts *accounts, const uint8_t *name);
/* It must be empty. */
void denial_zone_free(struct denial_zone *zone);
bool denial_zone_is_empty(const struct denial_zone *zone);

/* Gives up what cannot stand beside the record: one with its key, those with owners in its span, NSEC3 of other
 * parameters, the last SOA. */
void denial_zone_make_way(struct denial_zone *zone, const struct record *record);
void denial_zone_insert(struct denial_zone *zone, struct record *record);
/* Gives up the oldest record, the SOA last. False: there was none. */
bool denial_zone_shed(struct denial_zone *zone);
/* Gives up all records; without looking at each. */
void denial_zone_empty(struct denial_zone *zone);
/* Gives up some that have expired: the oldest as a rule. */
void denial_zone_sweep(struct denial_zone *zone, uint32_t now_s);

/* What has expired is given up where it is met, and not found. */
struct record *denial_zone_soa(struct denial_zone *zone, uint32_t now_s);
/* How many: none, the one that speaks of the name, or also the one that speaks of the wildcard beside it. */
uint16_t denial_zone_find_nsec(struct denial_zone *zone, const uint8_t *name, uint32_t now_s, struct record *found[2]);

struct nsec3_parameters {
	uint16_t iterations;
	uint8_t salt_len, salt[255];
};
/* False: there is no NSEC3. */
bool denial_zone_parameters(const struct denial_zone *zone, struct nsec3_parameters *out);
bool denial_zone_has_parameters(const struct denial_zone *zone, const struct nsec3_parameters *parameters);
/* The record that has the hash; that has it or spans it. NULL: none. */
struct record *denial_zone_match(struct denial_zone *zone, const uint8_t hash[static NSEC3_HASH], uint32_t now_s);
struct record *denial_zone_speaker(struct denial_zone *zone, const uint8_t hash[static NSEC3_HASH], uint32_t now_s);
