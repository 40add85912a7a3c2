#include "unit/unit.h"

#include "unit/fake/world.h"

#include "base/error.h"
#include "net/fiber.h"
#include "resolve/exchange.h"
#include "resolve/lending.h"
#include "unit/fake/clock.h"
#include "unit/wire.h"

enum { ASKED_MAX = 2000, RTT_US = 10000 };

/* Nothing is lent in this world. */
void lending_init(struct resolver *resolver)
{
	(void)resolver;
}

void lending_deinit(struct resolver *resolver)
{
	(void)resolver;
}

void upstreams_init(struct upstreams *upstreams)
{
	(void)upstreams;
}

void upstreams_deinit(struct upstreams *upstreams)
{
	(void)upstreams;
}

static const struct zone *zones;
static size_t zone_count;
static struct {
	struct addr server;
	char name[NAME_TEXT];
	uint16_t type;
	unsigned labels;
} asked[ASKED_MAX];
static unsigned asked_count, depth;

void world_begin(const struct zone *all, size_t count)
{
	zones = all;
	zone_count = count;
	asked_count = depth = 0;
}

static bool is_at(const char *address, const struct addr *server)
{
	struct addr addr;
	return address != NULL && addr_parse(&addr, address, 53) == 0 && addr_equal(&addr, server);
}

unsigned world_asked(const char *server, const char *name, uint16_t type)
{
	unsigned count = 0;
	for (unsigned i = 0; i < asked_count; i++)
		count += (server == NULL || is_at(server, &asked[i].server)) &&
			 (name == NULL || strcmp(name, asked[i].name) == 0) && (type == 0 || type == asked[i].type);
	return count;
}

unsigned world_longest(const char *server)
{
	unsigned most = 0;
	for (unsigned i = 0; i < asked_count; i++)
		if (is_at(server, &asked[i].server) && asked[i].labels > most)
			most = asked[i].labels;
	return most;
}

/* --- one reply --- */

static struct wire w;
static unsigned counts[3];

static void put(int section, const char *owner, uint16_t type, uint32_t ttl_s, const char *value)
{
	uint8_t rdata[NAME_MAX_LEN];
	struct addr addr;
	size_t len = 0;
	if (type == KNOT_RRTYPE_SOA)
		memcpy(rdata, "\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\74", len = 22); /* minimum 60 s */
	else if (addr_parse(&addr, value, 53) == 0)
		memcpy(rdata, addr_bytes(&addr, &len), type == KNOT_RRTYPE_AAAA ? 16 : 4);
	else if (name_from_text(rdata, value) == 0)
		len = name_len(rdata);
	wire_rr(&w, owner, type, ttl_s ? ttl_s : 300, rdata, len);
	counts[section]++;
}

static bool is_same(const char *a, const uint8_t *b)
{
	uint8_t name[NAME_MAX_LEN];
	return name_from_text(name, a) == 0 && name_is_equal(name, b);
}

static bool is_within(const char *a, const uint8_t *b)
{
	uint8_t name[NAME_MAX_LEN];
	return name_from_text(name, a) == 0 && name_is_within(name, b);
}

/* The delegation of the zone that lies between it and the name. */
static const char *delegation(const struct zone *zone, const uint8_t *name)
{
	uint8_t owner[NAME_MAX_LEN];
	for (const struct zone_record *r = zone->record; r->owner != NULL; r++)
		if (r->type == KNOT_RRTYPE_NS && strcmp(r->owner, zone->apex) != 0 &&
			name_from_text(owner, r->owner) == 0 && name_is_within(name, owner))
			return r->owner;
	return NULL;
}

static unsigned put_referral(const struct zone *zone, const char *child)
{
	for (const struct zone_record *r = zone->record; r->owner != NULL; r++)
		if (r->type == KNOT_RRTYPE_NS && strcmp(r->owner, child) == 0)
			put(SECTION_AUTHORITY, child, r->type, r->ttl_s, r->value);
	for (const struct zone_record *ns = zone->record; ns->owner != NULL; ns++)
		for (const struct zone_record *r = zone->record; r->owner != NULL; r++)
			if (ns->type == KNOT_RRTYPE_NS && strcmp(ns->owner, child) == 0 &&
				strcmp(ns->value, r->owner) == 0 && r->type == KNOT_RRTYPE_A)
				put(SECTION_ADDITIONAL, r->owner, r->type, r->ttl_s, r->value);
	return 0;
}

/* Returns the flags and the RCODE. */
static unsigned answer(const struct zone *zone, enum manner manner, const struct question *q)
{
	const char *child = delegation(zone, q->name);
	bool exists = false, below = false;
	if (child != NULL)
		return put_referral(zone, child);
	for (const struct zone_record *r = zone->record; r->owner != NULL; r++) {
		bool here = is_same(r->owner, q->name);
		if (here && (r->type == q->type || r->type == KNOT_RRTYPE_CNAME))
			put(SECTION_ANSWER, r->owner, r->type, r->ttl_s, r->value);
		exists |= here;
		below |= is_within(r->owner, q->name);
	}
	if (counts[SECTION_ANSWER] == 0)
		put(SECTION_AUTHORITY, zone->apex, KNOT_RRTYPE_SOA, 60, "");
	if (manner == POISON) {
		put(SECTION_ANSWER, "www.victim.org", KNOT_RRTYPE_A, 3600, "203.0.113.66");
		put(SECTION_AUTHORITY, "victim.org", KNOT_RRTYPE_NS, 3600, "ns.evil.org");
		put(SECTION_ADDITIONAL, "ns.victim.org", KNOT_RRTYPE_A, 3600, "203.0.113.66");
	}
	bool there = exists || (below && manner != DENIES_ENT) || is_same(zone->apex, q->name);
	return 0x0400 | (there ? 0u : 3u);
}

static unsigned refer_deeper(const struct question *q, const char *address)
{
	char owner[NAME_TEXT];
	name_text(name_suffix(q->name, 2 + ++depth), owner);
	put(SECTION_AUTHORITY, owner, KNOT_RRTYPE_NS, 300, "ns.endless.org");
	put(SECTION_ADDITIONAL, "ns.endless.org", KNOT_RRTYPE_A, 300, address);
	return 0;
}

static unsigned act(const struct zone *zone, int server, const struct exchange *ex)
{
	switch (zone->server[server].manner) {
	case REFUSES: return 5;
	case LAME: put(SECTION_AUTHORITY, ".", KNOT_RRTYPE_NS, 300, "a.root"); return 0;
	case NO_EDNS: return ex->edns ? 1 : answer(zone, GOOD, ex->question);
	case ENDLESS: return refer_deeper(ex->question, zone->server[server].address);
	default: return answer(zone, zone->server[server].manner, ex->question);
	}
}

/* The closest zone to the name that this address serves. */
static const struct zone *find_zone(const struct exchange *ex, int *server)
{
	const struct zone *best = NULL;
	uint8_t apex[NAME_MAX_LEN];
	unsigned best_labels = 0;
	for (size_t i = 0; i < zone_count; i++)
		for (int s = 0; s < ZONE_SERVERS; s++) {
			if (!is_at(zones[i].server[s].address, ex->server) || name_from_text(apex, zones[i].apex) != 0)
				continue;
			if (name_is_within(ex->question->name, apex) && name_labels(apex) >= best_labels) {
				best = &zones[i];
				best_labels = name_labels(apex);
				*server = s;
			}
		}
	return best;
}

int exchange_await(struct request *rq, const struct exchange *ex, struct message *reply, uint32_t *rtt_us)
{
	int server = 0, ret = request_take(rq, BUDGET_QUESTION);
	if (ret != 0)
		return ret;
	assert_true(asked_count < ASKED_MAX);
	asked[asked_count].server = *ex->server;
	asked[asked_count].type = ex->question->type;
	asked[asked_count].labels = name_labels(ex->question->name);
	name_text(ex->question->name, asked[asked_count++].name);
	const struct zone *zone = find_zone(ex, &server);
	bool silent = zone == NULL || zone->server[server].manner == SILENT;
	fake_mono_us += silent ? ex->timeout_us : RTT_US;
	rq->resolver->conf.loop->now_us = fake_mono_us;
	ret = fiber_yield_await();
	*rtt_us = RTT_US;
	if (ret != 0 || silent)
		return ret != 0 ? ret : E_TIMEOUT;
	char name[NAME_TEXT];
	memset(counts, 0, sizeof(counts));
	wire_begin(&w, 1, 0, 1, 0, 0, 0);
	wire_question(&w, name_text(ex->question->name, name), ex->question->type);
	unsigned flags = 0x8000 | act(zone, server, ex);
	size_t len = w.len;
	wire_begin(&w, 1, flags, 1, counts[0], counts[1], counts[2]);
	w.len = len;
	return message_read(reply, &rq->arena, w.bytes, w.len);
}
