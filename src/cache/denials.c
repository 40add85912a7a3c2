/* Decides which zone is asked about a name and which names are looked for in it, and who has to go when there is no room.
 * Zones stand in a hash table in shards, each with its lock and its list by last use. What speaks of a name or a hash
 * within a zone, denial_zone.c says. */
#include "cache/denials.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/limits.h"
#include "cache/denial_zone.h"

enum {
	SHARDS = 4, /* few, so that one zone as large as the root fits into half of one; only misses come here */
	FIRST_BUCKETS = 16,
	HASH_SEED = 0x4e53,
	ZONE_PART = 2,  /* of a shard is all that one zone may have: a flood in one pushes no others out */
	TABLE_PART = 8, /* of a shard is all that its table may have: else chains get longer */
};

struct shard {
	pthread_mutex_t lock;
	struct denial_zone **bucket;
	size_t buckets, zones;
	struct link used;
	struct denial_accounts accounts; /* the table's bytes as well */
};

struct denials {
	_Atomic size_t shard_bytes;
	struct shard shard[SHARDS];
};

/* A zone's place, while its shard is locked; the zone is NULL when it is not there. */
struct place {
	struct shard *shard;
	struct denial_zone *zone;
	uint64_t hash;
};

/* --- the table --- */

static struct denial_zone **bucket_of(const struct shard *shard, uint64_t hash)
{
	return &shard->bucket[hash / SHARDS % shard->buckets];
}

static size_t table_cost(size_t buckets)
{
	return buckets * sizeof(struct denial_zone *);
}

static void put_in_bucket(struct shard *shard, struct denial_zone *zone)
{
	struct denial_zone **at = bucket_of(shard, zone->hash);
	zone->next = *at;
	*at = zone;
}

static void resize_table(struct shard *shard, size_t buckets)
{
	free(shard->bucket);
	shard->bucket = xzalloc(buckets, sizeof(struct denial_zone *));
	shard->accounts.bytes += table_cost(buckets) - table_cost(shard->buckets);
	shard->buckets = buckets;
	for (struct link *l = shard->used.next; l != &shard->used; l = l->next)
		put_in_bucket(shard, container_of(l, struct denial_zone, used));
}

/* With the zones, and within the limit when that was made smaller. */
static void fit_table(struct shard *shard, size_t limit)
{
	size_t most = limit / TABLE_PART, buckets = shard->buckets;
	if (shard->zones > buckets && table_cost(2 * buckets) <= most)
		buckets *= 2;
	while (buckets > FIRST_BUCKETS && table_cost(buckets) > most)
		buckets /= 2;
	if (buckets != shard->buckets)
		resize_table(shard, buckets);
}

static struct denial_zone *find_zone(const struct shard *shard, uint64_t hash, const uint8_t *name, size_t len)
{
	struct denial_zone *zone = *bucket_of(shard, hash);
	while (zone != NULL && (zone->hash != hash || zone->name_len != len || memcmp(zone->name, name, len) != 0))
		zone = zone->next;
	return zone;
}

static void add_zone(struct place *place, const uint8_t *name)
{
	struct shard *shard = place->shard;
	place->zone = denial_zone_new(&shard->accounts, name);
	place->zone->hash = place->hash;
	put_in_bucket(shard, place->zone);
	link_append(&shard->used, &place->zone->used);
	shard->zones++;
}

static void remove_zone(struct shard *shard, struct denial_zone *zone)
{
	struct denial_zone **at = bucket_of(shard, zone->hash);
	while (*at != zone)
		at = &(*at)->next;
	*at = zone->next;
	link_remove(&zone->used);
	shard->zones--;
	denial_zone_free(zone);
}

static void touch(const struct place *place)
{
	link_remove(&place->zone->used);
	link_append(&place->shard->used, &place->zone->used);
}

/* --- locks --- */

static void unlock(struct shard *shard)
{
	struct link dead = LINK_INIT(dead);
	struct link *from = &shard->accounts.dead;
	if (!link_is_empty(from)) {
		link_append(from, &dead); /* into their ring, and their own head out of it */
		link_remove(from);
	}
	pthread_mutex_unlock(&shard->lock);
	while (!link_is_empty(&dead)) {
		struct record *record = container_of(dead.next, struct record, age);
		link_remove(&record->age);
		record_free(record);
	}
}

/* Locks the shard. */
static void enter(struct place *place, struct denials *denials, const uint8_t *name)
{
	size_t len = name_len(name);
	place->hash = hash_bytes(HASH_SEED, name, len);
	place->shard = &denials->shard[place->hash % SHARDS];
	pthread_mutex_lock(&place->shard->lock);
	place->zone = find_zone(place->shard, place->hash, name, len);
}

static void leave(struct place *place)
{
	if (place->zone != NULL && denial_zone_is_empty(place->zone))
		remove_zone(place->shard, place->zone);
	unlock(place->shard);
}

/* --- coming in --- */

/* What proves nothing by itself never will: broken ones, those of other zones, those that a wildcard was expanded to,
 * unknown algorithms and flags. */
static bool is_usable(const uint8_t *zone, const struct rrset *set)
{
	struct denial denial;
	denial_init(&denial, zone, &set, 1);
	return denial.has_nsec || denial.has_nsec3;
}

/* Opt-out proves too little (RFC 8198 5.2 wants no more), and many iterations cost too much. */
static bool is_worth_it(const struct rrset *set)
{
	struct nsec3 head;
	return set->type != KNOT_RRTYPE_NSEC3 ||
	       (nsec3_read(&head, set) == 0 && !(head.flags & NSEC3_OPT_OUT) && head.iterations <= DENIALS_ITERATIONS);
}

static bool is_wanted(const uint8_t *zone, const struct rrset *set)
{
	if (set->ttl_s == 0)
		return false;
	/* A zone with a negative TTL of 0 wants no denial kept (RFC 2308 5). */
	if (set->type == KNOT_RRTYPE_SOA)
		return name_is_equal(set->owner, zone) && set->data.count == 1 && rrset_negative_ttl(set) > 0;
	return (set->type == KNOT_RRTYPE_NSEC || set->type == KNOT_RRTYPE_NSEC3) && is_usable(zone, set) &&
	       is_worth_it(set);
}

/* False: the record cannot be kept. The zone that takes it is the one used last, and so goes last. */
static bool make_room(struct place *place, size_t bytes, size_t limit)
{
	struct shard *shard = place->shard;
	while (place->zone->bytes + bytes > limit / ZONE_PART)
		if (!denial_zone_shed(place->zone))
			return false;
	while (shard->accounts.bytes + bytes > limit) {
		struct denial_zone *oldest = container_of(shard->used.next, struct denial_zone, used);
		bool has_shed = denial_zone_shed(oldest);
		if (oldest == place->zone && !has_shed)
			return false;
		if (oldest != place->zone && denial_zone_is_empty(oldest))
			remove_zone(shard, oldest);
	}
	return true;
}

void denials_put(struct denials *denials, const uint8_t *zone, const struct rrset *set)
{
	if (!is_wanted(zone, set))
		return;
	uint32_t now_s = clock_wall_s(), ttl_s = set->ttl_s < LIMIT_CACHE_TTL_S ? set->ttl_s : LIMIT_CACHE_TTL_S;
	struct record *record = record_new(set, now_s, ttl_s);
	size_t limit = denials->shard_bytes;
	struct place place;
	enter(&place, denials, zone);
	if (place.zone == NULL)
		add_zone(&place, zone);
	touch(&place);
	fit_table(place.shard, limit);
	denial_zone_sweep(place.zone, now_s);
	denial_zone_make_way(place.zone, record);
	if (make_room(&place, record_cost(record), limit))
		denial_zone_insert(place.zone, record);
	else
		link_append(&place.shard->accounts.dead, &record->age);
	leave(&place);
}

/* --- finding --- */

struct search {
	struct denials *denials;
	struct arena *arena;
	const uint8_t *name, *zone;
	uint32_t now_s;
	struct denials_found *out;
};

enum look {
	LOOK_NO_ZONE,
	LOOK_NOTHING,
	LOOK_FOUND,
	LOOK_HASH, /* there is nothing by NSEC, but there are NSEC3 */
};

/* The name and its ancestors down to the zone, longest first. */
struct hashes {
	struct nsec3_parameters parameters;
	bool is_cut; /* the first is not the name itself: that is too long */
	unsigned count;
	const uint8_t *name[LIMIT_DENIALS_HASHES];
	uint8_t hash[LIMIT_DENIALS_HASHES][NSEC3_HASH];
};

static void add_found(struct search *s, const struct record *record)
{
	struct denials_found *out = s->out;
	for (uint16_t i = 0; i < out->count; i++)
		if (name_is_equal(out->set[i]->owner, record->set.owner))
			return;
	out->set[out->count++] = record_copy(s->arena, record, s->now_s);
}

static void begin_found(struct search *s, struct denial_zone *zone)
{
	const struct record *soa = denial_zone_soa(zone, s->now_s);
	*s->out = (struct denials_found){.zone = name_copy(s->arena, zone->name)};
	s->out->soa = soa != NULL ? record_copy(s->arena, soa, s->now_s) : NULL;
}

static enum look look_for_nsec(struct search *s, struct denial_zone *zone, struct nsec3_parameters *parameters)
{
	struct record *found[2];
	uint16_t count = denial_zone_find_nsec(zone, s->name, s->now_s, found);
	if (count == 0)
		return denial_zone_parameters(zone, parameters) ? LOOK_HASH : LOOK_NOTHING;
	begin_found(s, zone);
	for (uint16_t i = 0; i < count; i++)
		add_found(s, found[i]);
	return LOOK_FOUND;
}

static enum look look_at_zone(struct search *s, struct nsec3_parameters *parameters)
{
	enum look look = LOOK_NO_ZONE;
	struct place place;
	enter(&place, s->denials, s->zone);
	if (place.zone != NULL) {
		touch(&place);
		look = look_for_nsec(s, place.zone, parameters);
	}
	leave(&place);
	return look;
}

static void hash(uint8_t out[static NSEC3_HASH], const uint8_t *name, const struct nsec3_parameters *parameters)
{
	nsec3_hash(out, name, parameters->salt, parameters->salt_len, parameters->iterations);
}

/* Of a name with very many labels those next to the zone: that is where what exists ends. */
static void hash_ancestors(const struct search *s, struct hashes *hashes)
{
	unsigned depth = name_labels(s->name) - name_labels(s->zone);
	const uint8_t *at = s->name;
	for (; depth >= LIMIT_DENIALS_HASHES; depth--)
		at = name_parent(at);
	hashes->is_cut = at != s->name;
	hashes->count = depth + 1;
	for (unsigned i = 0; i < hashes->count; i++, at = name_parent(at)) {
		hashes->name[i] = at;
		hash(hashes->hash[i], at, &hashes->parameters);
	}
}

/* The longest that has a record: the index of it, or the count when there is none. */
static unsigned find_match(const struct search *s, struct denial_zone *zone, const struct hashes *hashes)
{
	unsigned i = 0;
	while (i < hashes->count && denial_zone_match(zone, hashes->hash[i], s->now_s) == NULL)
		i++;
	return i;
}

/* The closest encloser and what denies the next closer name, or the name itself. Without both there is no proof
 * (RFC 5155 8.3). */
static bool add_encloser(struct search *s, struct denial_zone *zone, const struct hashes *hashes, unsigned match)
{
	if (match == hashes->count || (match == 0 && hashes->is_cut))
		return false;
	if (match > 0 && denial_zone_speaker(zone, hashes->hash[match - 1], s->now_s) == NULL)
		return false;
	begin_found(s, zone);
	add_found(s, denial_zone_match(zone, hashes->hash[match], s->now_s));
	if (match > 0)
		add_found(s, denial_zone_speaker(zone, hashes->hash[match - 1], s->now_s));
	return true;
}

/* What a wildcard's answer brings covers a name alone, and no encloser: it has to do for the other names that the same
 * wildcard stands for (RFC 5155 8.8). The shortest name that is covered is the next closer one. */
static bool add_cover(struct search *s, struct denial_zone *zone, const struct hashes *hashes)
{
	for (unsigned i = hashes->count; i > 1; i--) {
		const struct record *record = denial_zone_speaker(zone, hashes->hash[i - 2], s->now_s);
		if (record == NULL)
			continue;
		begin_found(s, zone);
		add_found(s, record);
		return true;
	}
	return false;
}

static bool find_encloser(struct search *s, const struct hashes *hashes, unsigned *match)
{
	struct place place;
	bool found = false;
	enter(&place, s->denials, s->zone);
	if (place.zone != NULL && denial_zone_has_parameters(place.zone, &hashes->parameters)) {
		*match = find_match(s, place.zone, hashes);
		found = add_encloser(s, place.zone, hashes, *match);
		if (!found && *match == hashes->count) {
			found = add_cover(s, place.zone, hashes);
			*match = 0;
		}
	}
	leave(&place);
	return found;
}

static void find_wildcard(struct search *s, const struct hashes *hashes, const uint8_t *encloser)
{
	uint8_t wildcard[NAME_MAX_LEN] = {1, '*'}, hashed[NSEC3_HASH];
	struct place place;
	memcpy(wildcard + 2, encloser, name_len(encloser));
	hash(hashed, wildcard, &hashes->parameters);
	enter(&place, s->denials, s->zone);
	if (place.zone != NULL && denial_zone_has_parameters(place.zone, &hashes->parameters)) {
		const struct record *record = denial_zone_speaker(place.zone, hashed, s->now_s);
		if (record != NULL)
			add_found(s, record);
	}
	leave(&place);
}

/* Hashes are computed without the lock; what changes meanwhile is not found, or is as true as what was there before. */
static bool look_for_nsec3(struct search *s, struct hashes *hashes)
{
	unsigned match;
	hash_ancestors(s, hashes);
	if (!find_encloser(s, hashes, &match))
		return false;
	if (match > 0)
		find_wildcard(s, hashes, hashes->name[match]);
	return true;
}

int denials_find(
	struct denials *denials, struct arena *arena, const uint8_t *name, bool above, struct denials_found *out)
{
	struct search s = {.denials = denials, .arena = arena, .name = name, .now_s = clock_wall_s(), .out = out};
	struct hashes hashes;
	for (s.zone = above ? name_parent(name) : name; s.zone != NULL; s.zone = name_parent(s.zone)) {
		switch (look_at_zone(&s, &hashes.parameters)) {
		case LOOK_FOUND: return 0;
		case LOOK_HASH: return look_for_nsec3(&s, &hashes) ? 0 : E_NOENT;
		/* What is in a zone is not its parent's business. */
		case LOOK_NOTHING: return E_NOENT;
		case LOOK_NO_ZONE: break;
		}
	}
	return E_NOENT;
}

/* --- the whole --- */

void denials_configure(struct denials *denials, size_t bytes)
{
	denials->shard_bytes = bytes / SHARDS;
}

struct denials *denials_new(size_t bytes)
{
	struct denials *denials = xzalloc(1, sizeof(*denials));
	denials_configure(denials, bytes);
	for (int i = 0; i < SHARDS; i++) {
		struct shard *shard = &denials->shard[i];
		pthread_mutex_init(&shard->lock, NULL);
		link_init(&shard->used);
		link_init(&shard->accounts.dead);
		resize_table(shard, FIRST_BUCKETS);
	}
	return denials;
}

void denials_clear(struct denials *denials)
{
	for (int i = 0; i < SHARDS; i++) {
		struct shard *shard = &denials->shard[i];
		pthread_mutex_lock(&shard->lock);
		while (!link_is_empty(&shard->used)) {
			struct denial_zone *zone = container_of(shard->used.next, struct denial_zone, used);
			denial_zone_empty(zone);
			remove_zone(shard, zone);
		}
		unlock(shard);
	}
}

void denials_free(struct denials *denials)
{
	denials_clear(denials);
	for (int i = 0; i < SHARDS; i++) {
		free(denials->shard[i].bucket);
		pthread_mutex_destroy(&denials->shard[i].lock);
	}
	free(denials);
}

void denials_state(struct denials *denials, struct denials_state *out)
{
	*out = (struct denials_state){.limit = denials->shard_bytes * SHARDS};
	for (int i = 0; i < SHARDS; i++) {
		struct shard *shard = &denials->shard[i];
		pthread_mutex_lock(&shard->lock);
		out->zones += shard->zones;
		out->records += shard->accounts.records;
		out->bytes += shard->accounts.bytes;
		pthread_mutex_unlock(&shard->lock);
	}
}
