/* Decides which names are special and what they hold: as a rule nothing, said as an empty zone says it. */
#include "resolve/special.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "resolve/routes.h"

enum { SPECIAL_TTL_S = 10800, BUCKETS = 128, HASH_SEED = 0x5bec }; /* RFC 6303 3: three hours */

enum special_kind {
	SPECIAL_EMPTY, /* the zone has its SOA and NS, and nothing below */
	SPECIAL_NOT,   /* not even the zone exists */
	SPECIAL_LOCALHOST,
	SPECIAL_LOOPBACK_PTR,
};

struct special {
	const char *name;
	enum special_kind kind;
};

static const struct special table[] = {{"localhost", SPECIAL_LOCALHOST}, {"invalid", SPECIAL_NOT},
	{"test", SPECIAL_NOT},            /* RFC 6761 */
	{"local", SPECIAL_NOT},           /* RFC 6762 22.1: multicast DNS has them */
	{"onion", SPECIAL_NOT},           /* RFC 7686 */
	{"alt", SPECIAL_NOT},             /* RFC 9476 */
	{"home.arpa", SPECIAL_EMPTY},     /* RFC 8375 */
	{"resolver.arpa", SPECIAL_EMPTY}, /* RFC 9462 */
	{"service.arpa", SPECIAL_EMPTY},  /* RFC 9665 */
	/* RFC 6303 4.1 to 4.6 */
	{"10.in-addr.arpa", SPECIAL_EMPTY}, {"168.192.in-addr.arpa", SPECIAL_EMPTY}, {"0.in-addr.arpa", SPECIAL_EMPTY},
	{"127.in-addr.arpa", SPECIAL_LOOPBACK_PTR}, {"254.169.in-addr.arpa", SPECIAL_EMPTY},
	{"2.0.192.in-addr.arpa", SPECIAL_EMPTY}, {"100.51.198.in-addr.arpa", SPECIAL_EMPTY},
	{"113.0.203.in-addr.arpa", SPECIAL_EMPTY}, {"255.255.255.255.in-addr.arpa", SPECIAL_EMPTY},
	{"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", SPECIAL_EMPTY},
	{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", SPECIAL_LOOPBACK_PTR},
	{"d.f.ip6.arpa", SPECIAL_EMPTY}, {"8.e.f.ip6.arpa", SPECIAL_EMPTY}, {"9.e.f.ip6.arpa", SPECIAL_EMPTY},
	{"a.e.f.ip6.arpa", SPECIAL_EMPTY}, {"b.e.f.ip6.arpa", SPECIAL_EMPTY},
	{"8.b.d.0.1.0.0.2.ip6.arpa", SPECIAL_EMPTY}};

enum { TABLE = sizeof(table) / sizeof(table[0]), NETS_172 = 16, NETS_100 = 64, ALL = TABLE + NETS_172 + NETS_100 };

/* All names in wire form, found by hash; made once. */
static struct slot {
	struct slot *next;
	enum special_kind kind;
	uint8_t name[NAME_MAX_LEN];
} slots[ALL], *bucket[BUCKETS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void add(struct slot *slot, const char *text, enum special_kind kind)
{
	if (name_from_text(slot->name, text) != 0)
		return;
	slot->kind = kind;
	struct slot **at = &bucket[hash_bytes(HASH_SEED, slot->name, name_len(slot->name)) % BUCKETS];
	slot->next = *at;
	*at = slot;
}

static void make_table(void)
{
	char text[40];
	struct slot *slot = slots;
	for (unsigned i = 0; i < TABLE; i++)
		add(slot++, table[i].name, table[i].kind);
	for (unsigned i = 0; i < NETS_172; i++) { /* 172.16/12: RFC 1918 */
		snprintf(text, sizeof(text), "%u.172.in-addr.arpa", 16 + i);
		add(slot++, text, SPECIAL_EMPTY);
	}
	for (unsigned i = 0; i < NETS_100; i++) { /* 100.64/10: RFC 7793 */
		snprintf(text, sizeof(text), "%u.100.in-addr.arpa", 64 + i);
		add(slot++, text, SPECIAL_EMPTY);
	}
}

/* Most names end in none of these, and need not be looked for. */
static bool may_be_special(const uint8_t *name)
{
	static const char *const last[] = {
		"\004arpa", "\004test", "\005local", "\005onion", "\007invalid", "\011localhost", "\003alt"};
	const uint8_t *top = name_suffix(name, 1);
	for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++)
		if (last[i][0] == top[0] && memcmp(top, last[i], top[0] + 1u) == 0)
			return true;
	return false;
}

static const struct slot *find_slot(const uint8_t *name)
{
	if (!may_be_special(name))
		return NULL;
	pthread_once(&once, make_table);
	for (; name != NULL && !name_is_root(name); name = name_parent(name)) {
		const struct slot *slot = bucket[hash_bytes(HASH_SEED, name, name_len(name)) % BUCKETS];
		for (; slot != NULL; slot = slot->next)
			if (name_is_equal(slot->name, name))
				return slot;
	}
	return NULL;
}

/* --- what is said --- */

static const struct rrset *make_set(
	struct request *rq, const uint8_t *owner, uint16_t type, const uint8_t *data, uint16_t len)
{
	struct rrset head = {.owner = owner, .type = type, .rclass = KNOT_CLASS_IN, .ttl_s = SPECIAL_TTL_S};
	return rrset_of_one(&rq->arena, &head, data, len);
}

/* RFC 6303 3: the zone itself as primary, nobody.invalid as mailbox, and its usual times. */
static const struct rrset *soa_of(struct request *rq, const uint8_t *zone)
{
	static const uint8_t mailbox[] = "\006nobody\007invalid",
			     serial_and_times[] = {0, 0, 0, 1, 0, 0, 0x0e, 0x10, 0, 0, 0x04, 0xb0, 0, 0x09, 0x3a, 0x80,
				     0, 0, 0x2a, 0x30};
	uint8_t data[NAME_MAX_LEN + sizeof(mailbox) + sizeof(serial_and_times)];
	size_t len = name_len(zone);
	memcpy(data, zone, len);
	memcpy(data + len, mailbox, sizeof(mailbox));
	len += sizeof(mailbox);
	memcpy(data + len, serial_and_times, sizeof(serial_and_times));
	return make_set(rq, zone, KNOT_RRTYPE_SOA, data, (uint16_t)(len + sizeof(serial_and_times)));
}

static void say(struct request *rq, struct found *out, enum found_kind kind, const struct rrset *set)
{
	*out = (struct found){.kind = kind,
		.security = SECURITY_INSECURE,
		.is_cached = true,
		.count = 1,
		.set = arena_alloc(&rq->arena, sizeof(*out->set))};
	out->set[0] = set;
}

/* What a name holds, or NULL. */
static const struct rrset *records_of(struct request *rq, const struct slot *slot, const struct question *q)
{
	static const uint8_t v4[] = {127, 0, 0, 1}, v6[16] = {[15] = 1}, localhost[] = "\011localhost";
	static const uint8_t reverse[] = "\0011\0010\0010\003127\007in-addr\004arpa";
	bool is_apex = name_is_equal(q->name, slot->name);
	if (slot->kind == SPECIAL_LOCALHOST && q->type == KNOT_RRTYPE_A)
		return make_set(rq, q->name, q->type, v4, sizeof(v4));
	if (slot->kind == SPECIAL_LOCALHOST && q->type == KNOT_RRTYPE_AAAA)
		return make_set(rq, q->name, q->type, v6, sizeof(v6));
	if (slot->kind == SPECIAL_LOOPBACK_PTR && q->type == KNOT_RRTYPE_PTR &&
		(name_is_equal(q->name, reverse) || (is_apex && slot->name[1] == '1' && slot->name[0] == 1)))
		return make_set(rq, q->name, q->type, localhost, sizeof(localhost));
	if (slot->kind == SPECIAL_NOT || !is_apex)
		return NULL;
	if (q->type == KNOT_RRTYPE_SOA)
		return soa_of(rq, slot->name);
	return q->type == KNOT_RRTYPE_NS ? make_set(rq, q->name, q->type, q->name, (uint16_t)name_len(q->name)) : NULL;
}

/* Whether the name is there at all: a zone's apex, what has a record of another type, what lies above it. */
static bool exists(const struct slot *slot, const struct question *q)
{
	static const uint8_t reverse[] = "\0011\0010\0010\003127\007in-addr\004arpa";
	if (slot->kind == SPECIAL_LOCALHOST)
		return true; /* RFC 6761 6.3: every name below has the loopback addresses too */
	if (slot->kind != SPECIAL_NOT && name_is_equal(q->name, slot->name))
		return true;
	return slot->kind == SPECIAL_LOOPBACK_PTR && name_is_within(reverse, q->name);
}

bool special_find(struct request *rq, const struct question *q, struct found *out)
{
	const struct slot *slot = find_slot(q->name);
	if (slot == NULL || (q->type == KNOT_RRTYPE_DS && name_is_equal(q->name, slot->name)))
		return false;
	const struct route *route = routes_find(rq->options.routes, q->name);
	if (route != NULL && (route->kind == ROUTE_ORDINARY || name_is_within(route->name, slot->name)))
		return false;
	const struct rrset *set = records_of(rq, slot, q);
	if (set != NULL)
		say(rq, out, FOUND_ANSWER, set);
	else
		say(rq, out, exists(slot, q) ? FOUND_NODATA : FOUND_NXDOMAIN, soa_of(rq, slot->name));
	return true;
}
