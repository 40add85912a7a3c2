/* NSEC and NSEC3 rrsets from short texts, for tests of denials.
 *
 *	struct zone_sets z;
 *	sets_begin(&z, &arena, "example");
 *	sets_nsec(&z, "b.example", "ns1.example", "NS RRSIG NSEC");
 *	sets_salt(&z, "aabbccdd", 12);
 *	sets_nsec3_hashed(&z, "0p9m...", "2t7b...", 1, "MX NS SOA");         hashes as they stand in the RFC
 *	sets_nsec3(&z, "x.w.example", NULL, 0, "MX");                         hashed here; next: the hash and one
 */
#pragma once

#include "unit/unit.h"

#include <stdlib.h>

#include "dns/denial.h"

enum { SETS_MOST = 64 };

struct zone_sets {
	struct arena *arena;
	uint8_t zone[NAME_MAX_LEN];
	const struct rrset *set[SETS_MOST];
	uint16_t count;
	uint8_t salt[255], salt_len, algorithm;
	uint16_t iterations;
};

static inline uint8_t *name_of(struct arena *arena, const char *text)
{
	uint8_t name[NAME_MAX_LEN];
	assert_int_equal(name_from_text(name, text), 0);
	return name_copy(arena, name);
}

static inline void sets_begin(struct zone_sets *z, struct arena *arena, const char *zone)
{
	*z = (struct zone_sets){.arena = arena, .algorithm = 1};
	assert_int_equal(name_from_text(z->zone, zone), 0);
}

static inline int hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

static inline void sets_salt(struct zone_sets *z, const char *hex, uint16_t iterations)
{
	z->salt_len = (uint8_t)(strlen(hex) / 2);
	for (size_t i = 0; i < z->salt_len; i++)
		z->salt[i] = (uint8_t)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
	z->iterations = iterations;
}

/* Any rdata; returns the set so that a test can spoil it. */
static inline struct rrset *sets_add(
	struct zone_sets *z, const uint8_t *owner, uint16_t type, const uint8_t *rdata, size_t len)
{
	struct rrset head = {.owner = owner, .type = type, .rclass = 1, .ttl_s = 3600};
	struct rrset *set = rrset_of_one(z->arena, &head, rdata, (uint16_t)len);
	assert_true(z->count < SETS_MOST);
	z->set[z->count++] = set;
	return set;
}

/* "A RRSIG TYPE65280" */
static inline size_t bitmap_of(uint8_t *out, const char *types)
{
	static uint8_t window[256][32];
	memset(window, 0, sizeof(window));
	for (char word[32]; *types != '\0'; types += strspn(types, " ")) {
		uint16_t type;
		size_t len = strcspn(types, " ");
		snprintf(word, sizeof(word), "%.*s", (int)len, types);
		assert_int_equal(type_from_text(word, &type), 0);
		window[type >> 8][(type & 0xff) / 8] |= (uint8_t)(0x80 >> (type & 7));
		types += len;
	}
	size_t pos = 0;
	for (unsigned w = 0; w < 256; w++) {
		uint8_t bytes = 32;
		while (bytes > 0 && window[w][bytes - 1] == 0)
			bytes--;
		if (bytes == 0)
			continue;
		out[pos++] = (uint8_t)w;
		out[pos++] = bytes;
		memcpy(out + pos, window[w], bytes);
		pos += bytes;
	}
	return pos;
}

static inline struct rrset *sets_nsec_names(
	struct zone_sets *z, const uint8_t *owner, const uint8_t *next, const char *types)
{
	uint8_t rdata[NAME_MAX_LEN + 256 * 34];
	size_t len = name_len(next);
	memcpy(rdata, next, len);
	len += bitmap_of(rdata + len, types);
	return sets_add(z, owner, KNOT_RRTYPE_NSEC, rdata, len);
}

static inline struct rrset *sets_nsec(struct zone_sets *z, const char *owner, const char *next, const char *types)
{
	return sets_nsec_names(z, name_of(z->arena, owner), name_of(z->arena, next), types);
}

static inline struct rrset *sets_nsec3_raw(struct zone_sets *z, const uint8_t owner[static NSEC3_HASH],
	const uint8_t next[static NSEC3_HASH], uint8_t flags, const char *types)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	uint8_t rdata[5 + 255 + 1 + NSEC3_HASH + 256 * 34], name[NAME_MAX_LEN] = {32};
	for (unsigned i = 0; i < 32; i++) {
		unsigned bit = i * 5, pair = (unsigned)owner[bit / 8] << 8 | (bit / 8 < 19 ? owner[bit / 8 + 1] : 0);
		name[1 + i] = (uint8_t)digits[pair >> (11 - bit % 8) & 31];
	}
	memcpy(name + 33, z->zone, name_len(z->zone));
	uint8_t head[] = {z->algorithm, flags, (uint8_t)(z->iterations >> 8), (uint8_t)z->iterations, z->salt_len};
	memcpy(rdata, head, 5);
	memcpy(rdata + 5, z->salt, z->salt_len);
	size_t len = 5u + z->salt_len;
	rdata[len++] = NSEC3_HASH;
	memcpy(rdata + len, next, NSEC3_HASH);
	len += NSEC3_HASH;
	len += bitmap_of(rdata + len, types);
	return sets_add(z, name_copy(z->arena, name), KNOT_RRTYPE_NSEC3, rdata, len);
}

static inline void hash_of_text(uint8_t out[static NSEC3_HASH], const char *base32)
{
	uint8_t label[33] = {32};
	assert_int_equal(strlen(base32), 32);
	memcpy(label + 1, base32, 32);
	assert_int_equal(nsec3_owner_hash(out, label), 0);
}

static inline struct rrset *sets_nsec3_hashed(
	struct zone_sets *z, const char *owner, const char *next, uint8_t flags, const char *types)
{
	uint8_t from[NSEC3_HASH], to[NSEC3_HASH];
	hash_of_text(from, owner);
	hash_of_text(to, next);
	return sets_nsec3_raw(z, from, to, flags, types);
}

static inline void sets_hash(const struct zone_sets *z, uint8_t out[static NSEC3_HASH], const char *name)
{
	nsec3_hash(out, name_of(z->arena, name), z->salt, z->salt_len, z->iterations);
}

static inline void hash_step(uint8_t hash[static NSEC3_HASH], int step)
{
	for (int i = NSEC3_HASH - 1; i >= 0; i--) {
		hash[i] = (uint8_t)(hash[i] + step);
		if (hash[i] != (step > 0 ? 0 : 0xff))
			return;
	}
}

/* A record at the name's own hash, as narrow as can be; or that leads to another name's hash. */
static inline struct rrset *sets_nsec3(
	struct zone_sets *z, const char *owner, const char *next, uint8_t flags, const char *types)
{
	uint8_t from[NSEC3_HASH], to[NSEC3_HASH];
	sets_hash(z, from, owner);
	memcpy(to, from, NSEC3_HASH);
	hash_step(to, 1);
	if (next != NULL)
		sets_hash(z, to, next);
	return sets_nsec3_raw(z, from, to, flags, types);
}

/* A record that spans the name's hash and no more (RFC 7129 B: white lies). */
static inline struct rrset *sets_nsec3_cover(struct zone_sets *z, const char *name, uint8_t flags)
{
	uint8_t from[NSEC3_HASH], to[NSEC3_HASH];
	sets_hash(z, from, name);
	memcpy(to, from, NSEC3_HASH);
	hash_step(from, -1);
	hash_step(to, 1);
	return sets_nsec3_raw(z, from, to, flags, "A RRSIG");
}
