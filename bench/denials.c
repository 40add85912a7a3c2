/* What it costs to find known denials: NSEC among 1,500 records (the root zone has about as many), NSEC3 among 100,000 (a
 * flood in a large zone), and to keep one more.
 *
 *	denials
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "cache/denials.h"
#include "dns/denial.h"

enum { NSECS = 1500, NSEC3S = 100000, ROUNDS = 200000, BYTES = 1 << 30, BITS_LEN = 8 };

static struct arena arena;
static const uint8_t root[] = {0}, com[] = "\3com";
static const uint8_t bits[BITS_LEN] = {0, 6, 0x20, 0, 0, 0, 0, 3}; /* NS RRSIG NSEC */

static double now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void put(struct denials *denials, const uint8_t *zone, const uint8_t *owner, uint16_t type, const uint8_t *rdata,
	size_t len)
{
	struct rrset head = {.owner = owner, .type = type, .rclass = 1, .ttl_s = 3600};
	denials_put(denials, zone, rrset_of_one(&arena, &head, rdata, (uint16_t)len));
	arena_reset(&arena);
}

/* "t0042" and so on below the root. */
static void put_nsec(struct denials *denials, unsigned i)
{
	char text[32];
	uint8_t owner[NAME_MAX_LEN], rdata[NAME_MAX_LEN + BITS_LEN] = {0};
	snprintf(text, sizeof(text), "t%04u", i * 2);
	if (i == 0)
		memcpy(owner, root, 1);
	else if (name_from_text(owner, text) != 0)
		return;
	snprintf(text, sizeof(text), "t%04u", i * 2 + 2);
	if (i + 1 < NSECS && name_from_text(rdata, text) != 0)
		return;
	size_t len = name_len(rdata);
	memcpy(rdata + len, bits, BITS_LEN);
	put(denials, root, owner, KNOT_RRTYPE_NSEC, rdata, len + BITS_LEN);
}

/* Evenly over all hashes; the apex's own is put by itself. */
static void put_nsec3(struct denials *denials, const uint8_t hash[20], const uint8_t next[20])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	uint8_t owner[NAME_MAX_LEN] = {32}, rdata[26 + BITS_LEN] = {1, 0, 0, 0, 0, 20};
	for (unsigned i = 0; i < 32; i++) {
		unsigned bit = i * 5, pair = (unsigned)hash[bit / 8] << 8 | (bit / 8 < 19 ? hash[bit / 8 + 1] : 0);
		owner[1 + i] = (uint8_t)digits[pair >> (11 - bit % 8) & 31];
	}
	memcpy(owner + 33, com, sizeof(com));
	memcpy(rdata + 6, next, 20);
	memcpy(rdata + 26, bits, BITS_LEN);
	put(denials, com, owner, KNOT_RRTYPE_NSEC3, rdata, sizeof(rdata));
}

static void step_hash(uint8_t out[20], unsigned i)
{
	uint32_t high = (uint32_t)((uint64_t)i * UINT32_MAX / NSEC3S);
	memset(out, 0, 20);
	for (int k = 0; k < 4; k++)
		out[k] = (uint8_t)(high >> (24 - 8 * k));
}

static void put_nsec3s(struct denials *denials)
{
	uint8_t apex[20], from[20], to[20];
	nsec3_hash(apex, com, NULL, 0, 0);
	for (unsigned i = 0; i < NSEC3S; i++) {
		/* In no order, as questions bring them. */
		unsigned at = (unsigned)((uint64_t)i * 61897 % NSEC3S);
		step_hash(from, at);
		step_hash(to, (at + 1) % NSEC3S);
		if (memcmp(from, apex, 20) < 0 && memcmp(apex, to, 20) < 0) {
			put_nsec3(denials, apex, to);
			memcpy(to, apex, 20);
		}
		put_nsec3(denials, from, to);
	}
}

static void measure(struct denials *denials, const char *what, const char *form)
{
	unsigned found = 0, records = 0;
	double begin = now_ns();
	for (unsigned i = 0; i < ROUNDS; i++) {
		char text[64];
		uint8_t name[NAME_MAX_LEN];
		struct denials_found out;
		snprintf(text, sizeof(text), form, i * 7919u % 3000, i);
		if (name_from_text(name, text) == 0 && denials_find(denials, &arena, name, false, &out) == 0) {
			found++;
			records += out.count;
		}
		arena_reset(&arena);
	}
	double ns = (now_ns() - begin) / ROUNDS;
	printf("%s: %.0f ns, found %.1f %%, %.2f records each\n", what, ns, found * 100.0 / ROUNDS,
		found > 0 ? records * 1.0 / found : 0);
}

int main(void)
{
	struct denials_state state;
	hash_init();
	arena_init(&arena);
	struct denials *denials = denials_new(BYTES);
	double begin = now_ns();
	for (unsigned i = 0; i < NSECS; i++)
		put_nsec(denials, i);
	printf("put NSEC: %.0f ns\n", (now_ns() - begin) / NSECS);
	measure(denials, "find NSEC in 1,500", "t%04ux%u");
	begin = now_ns();
	put_nsec3s(denials);
	printf("put NSEC3: %.0f ns\n", (now_ns() - begin) / NSEC3S);
	measure(denials, "find NSEC3 in 100,000", "t%u-%u.com");
	measure(denials, "find NSEC3 of a deep name", "a.b.c.d.e.f.t%u-%u.com");
	denials_state(denials, &state);
	printf("%zu records, %.0f bytes each\n", (size_t)state.records, (double)state.bytes / (double)state.records);
	begin = now_ns();
	denials_free(denials);
	printf("free: %.1f ms\n", (now_ns() - begin) / 1e6);
	arena_deinit(&arena);
	return 0;
}
