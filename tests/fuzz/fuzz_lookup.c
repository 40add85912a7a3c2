/* A whole lookup against a server of evil.org that says whatever the input says: any bytes, or records put together from
 * names and types that matter. It must end within its budget, leak nothing, and afterwards www.victim.org is what its
 * own servers say: nothing of the lies has entered. */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/limits.h"
#include "cache/denials.h"
#include "net/fiber.h"
#include "resolve/exchange.h"
#include "resolve/lending.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOT   "198.51.100.1"
#define ORG    "198.51.100.2"
#define VICTIM "198.51.100.3"
#define HONEST "192.0.2.80"
#define FORGED "203.0.113.66"

static const char *const names[] = {"evil.org", "www.evil.org", "ns.evil.org", "victim.org", "www.victim.org",
	"ns.victim.org", "org", ".", "a.b.evil.org", "x.evil.org", "*.evil.org", "a.x.evil.org", "localhost",
	"66.113.0.203.in-addr.arpa", "com", "ns.org"};
static const uint16_t types[] = {KNOT_RRTYPE_A, KNOT_RRTYPE_NS, KNOT_RRTYPE_CNAME, KNOT_RRTYPE_SOA, KNOT_RRTYPE_AAAA,
	KNOT_RRTYPE_DNAME, KNOT_RRTYPE_RRSIG, KNOT_RRTYPE_NSEC, KNOT_RRTYPE_DS, KNOT_RRTYPE_TXT, KNOT_RRTYPE_OPT,
	KNOT_RRTYPE_ANY};

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* --- the input --- */

static const uint8_t *input;
static size_t left;

static uint8_t take(void)
{
	if (left == 0)
		return 0;
	left--;
	return *input++;
}

/* --- a reply --- */

static uint8_t wire[70000];
static size_t len;

static void put_bytes(const void *bytes, size_t count)
{
	memcpy(wire + len, bytes, count);
	len += count;
}

static void put_u16(unsigned value)
{
	knot_wire_write_u16(wire + len, (uint16_t)value);
	len += 2;
}

static void put_name(const char *text)
{
	uint8_t name[NAME_MAX_LEN];
	must(name_from_text(name, text) == 0);
	put_bytes(name, name_len(name));
}

static void put_address(const char *text)
{
	struct addr addr;
	size_t count;
	must(addr_parse(&addr, text, 53) == 0);
	const uint8_t *bytes = addr_bytes(&addr, &count);
	put_bytes(bytes, count);
}

static const char *a_name(uint8_t choice)
{
	return names[choice % (sizeof(names) / sizeof(names[0]))];
}

/* The rdata of a type as it should be, or any bytes. */
static void put_rdata(uint16_t type, uint8_t how)
{
	static const uint8_t soa[] = {0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 60};
	size_t at = len;
	put_u16(0);
	if (how & 1) {
		for (unsigned count = how >> 2; count > 0; count--)
			wire[len++] = take();
	} else if (type == KNOT_RRTYPE_A) {
		put_address(how & 2 ? FORGED : VICTIM);
	} else if (type == KNOT_RRTYPE_SOA) {
		put_bytes(soa, sizeof(soa));
	} else {
		put_name(a_name(take()));
	}
	knot_wire_write_u16(wire + at, (uint16_t)(len - at - 2));
}

static void put_record(const char *owner, uint16_t type, uint32_t ttl_s, const char *value)
{
	put_name(owner);
	put_u16(type);
	put_u16(KNOT_CLASS_IN);
	put_u16(ttl_s >> 16);
	put_u16(ttl_s & 0xffff);
	size_t at = len;
	put_u16(0);
	if (type == KNOT_RRTYPE_A)
		put_address(value);
	else
		put_name(value);
	knot_wire_write_u16(wire + at, (uint16_t)(len - at - 2));
}

static void begin(const struct question *q, unsigned flags)
{
	memset(wire, 0, MESSAGE_HEADER);
	len = MESSAGE_HEADER;
	knot_wire_write_u16(wire + 2, (uint16_t)(0x8000 | flags));
	knot_wire_set_qdcount(wire, 1);
	put_bytes(q->name, name_len(q->name));
	put_u16(q->type);
	put_u16(q->rclass);
}

static void put_any_record(const struct question *q)
{
	uint8_t choice = take(), type = take(), how = take();
	if (choice & 0x80)
		put_bytes(q->name, name_len(q->name));
	else
		put_name(a_name(choice));
	uint16_t which = type < 128 ? types[type % (sizeof(types) / sizeof(types[0]))] : q->type;
	put_u16(which);
	put_u16(how & 0x80 ? take() : KNOT_CLASS_IN);
	put_u16(how & 0x40 ? 0xffff : 0);
	put_u16(how & 0x20 ? 0 : 3600);
	put_rdata(which, take());
}

static void lie(const struct question *q)
{
	uint8_t how = take();
	begin(q, (unsigned)take() << 4 | (take() & 15));
	if (how < 32) { /* any bytes behind the header */
		for (unsigned count = how * 8u; count > 0 && left > 0; count--)
			wire[len++] = take();
		knot_wire_set_ancount(wire, take() & 7);
		knot_wire_set_nscount(wire, take() & 7);
		return;
	}
	unsigned counts[3] = {how & 3, how >> 2 & 3, how >> 4 & 3};
	for (int section = 0; section < 3; section++)
		for (unsigned i = 0; i < counts[section]; i++)
			put_any_record(q);
	knot_wire_set_ancount(wire, (uint16_t)counts[0]);
	knot_wire_set_nscount(wire, (uint16_t)counts[1]);
	knot_wire_set_arcount(wire, (uint16_t)counts[2]);
}

static bool is_in(const struct question *q, const char *zone)
{
	uint8_t apex[NAME_MAX_LEN];
	must(name_from_text(apex, zone) == 0);
	return name_is_within(q->name, apex);
}

static void refer(const char *zone, const char *server, const char *address)
{
	put_record(zone, KNOT_RRTYPE_NS, 300, server);
	put_record(server, KNOT_RRTYPE_A, 300, address);
	knot_wire_set_nscount(wire, 1);
	knot_wire_set_arcount(wire, 1);
}

static void tell(const char *server, const struct question *q)
{
	begin(q, strcmp(server, VICTIM) == 0 ? 0x0400 : 0);
	if (strcmp(server, ROOT) == 0 && is_in(q, "org")) {
		refer("org", "ns.org", ORG);
	} else if (strcmp(server, ORG) == 0 && is_in(q, "victim.org")) {
		refer("victim.org", "ns.victim.org", VICTIM);
	} else if (strcmp(server, ORG) == 0 && is_in(q, "evil.org")) {
		refer("evil.org", "ns.evil.org", FORGED);
	} else if (strcmp(server, VICTIM) == 0 && is_in(q, "victim.org") && q->type == KNOT_RRTYPE_A) {
		put_bytes(q->name, name_len(q->name));
		put_bytes("\0\1\0\1\0\0\1\0\0\4", 10); /* A, TTL 256, four bytes */
		put_address(is_in(q, "ns.victim.org") ? VICTIM : HONEST);
		knot_wire_set_ancount(wire, 1);
	} else {
		wire[3] |= 5; /* REFUSED */
	}
}

static unsigned questions;

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

int exchange_await(struct request *rq, const struct exchange *ex, struct message *reply, uint32_t *rtt_us)
{
	char server[ADDR_TEXT];
	int ret = request_take(rq, BUDGET_QUESTION);
	*rtt_us = 0;
	if (ret != 0)
		return ret;
	questions++;
	ret = fiber_yield_await();
	if (ret != 0)
		return ret;
	addr_host_text(ex->server, server);
	bool honest = strcmp(server, ROOT) == 0 || strcmp(server, ORG) == 0 || strcmp(server, VICTIM) == 0;
	if (!honest && (left == 0 || (*input & 0xf0) == 0xf0)) {
		take();
		return E_TIMEOUT;
	}
	if (honest)
		tell(server, ex->question);
	else
		lie(ex->question);
	return message_read(reply, &rq->arena, wire, len);
}

/* --- a lookup --- */

static struct loop loop;
static struct facts_table *facts; /* nothing is learnt here: rtt_us is 0, and what is silent is not noted */
static struct resolver *resolver;
static bool waiting;
static uint8_t address[4];

static void on_answer(struct waiter *waiter, const struct outcome *outcome)
{
	(void)waiter;
	waiting = false;
	memset(address, 0, sizeof(address));
	must(outcome->wire->wire != NULL && outcome->wire->len <= LIMIT_MESSAGE);
	const struct answer *answer = outcome->answer;
	if (answer->count[SECTION_ANSWER] > 0 && answer->set[SECTION_ANSWER][0]->type == KNOT_RRTYPE_A)
		memcpy(address, rrset_rdata(answer->set[SECTION_ANSWER][0], 0)->data, 4);
}

static void on_turn(void *arg)
{
	(void)arg;
	if (!waiting)
		loop_stop(&loop);
}

static void look_up(const char *text, uint16_t type)
{
	uint8_t name[NAME_MAX_LEN];
	must(name_from_text(name, text) == 0);
	struct ask ask = {.question = {.name = name, .type = type, .rclass = KNOT_CLASS_IN}};
	struct waiter waiter = {.on_answer = on_answer};
	waiting = true;
	questions = 0;
	must(resolver_ask(resolver, &ask, &waiter) == 0);
	loop_run(&loop);
	atomic_store(&loop.stop, false);
	must(questions <= LIMIT_QUESTIONS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_ready;
	if (!is_ready) {
		hash_init();
		must(loop_init(&loop) == 0);
		loop.on_turn = on_turn;
		facts = facts_new();
		is_ready = true;
	}
	input = data;
	left = size;
	uint8_t how = take();
	struct hints hints = {.count = 1};
	must(addr_parse(&hints.hint[0].addr, ROOT, 53) == 0);
	struct resolve_options options = {.minimise = how & 1,
		.ipv4 = true,
		.query_private = how & 2,
		.stale = how & 8,
		.glue = how & 4 ? GLUE_VERIFIED : GLUE_BAILIWICK};
	struct rrcache_conf conf = {.bytes = 4 << 20, .ttl_max_s = LIMIT_CACHE_TTL_S, .stale_s = how & 8 ? 60 : 0};
	struct resolver_conf rconf = {
		.loop = &loop, .rrcache = rrcache_new(&conf), .denials = denials_new(1 << 20), .facts = facts};
	resolver = resolver_new(&rconf);
	resolver_configure(resolver, &hints, &options);
	look_up(how & 16 ? "a.x.evil.org" : "www.evil.org", how & 32 ? types[take() % 10] : KNOT_RRTYPE_A);
	look_up("x.evil.org", KNOT_RRTYPE_A);
	look_up("www.victim.org", KNOT_RRTYPE_A);
	must(memcmp(address, "\300\0\2\120", 4) == 0);
	resolver_free(resolver);
	rrcache_free(rconf.rrcache);
	denials_free(rconf.denials);
	return 0;
}
