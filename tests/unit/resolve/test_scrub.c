/* What may enter from a reply, seen by what happens afterwards: a server of mid.org adds an NS rrset with glue to every
 * kind of reply, for zones that are its own, above, beside and below, with glue in and out of its bailiwick. Then somebody
 * asks for a name of that zone. Of 150 cells only those may lead to the server that it named in which it refers to a zone
 * below itself, and names an address within its own zone. */
#include "unit/unit.h"

#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/limits.h"
#include "net/fiber.h"
#include "resolve/exchange.h"
#include "resolve/lending.h"
#include "unit/fake/clock.h"
#include "unit/wire.h"

#define ROOT      "198.51.100.1"
#define ORG       "198.51.100.2"
#define MID       "198.51.100.3"
#define SIBLING   "198.51.100.4"
#define CHILD     "198.51.100.5"
#define FORGER    "203.0.113.66"
#define HONEST    "192.0.2.80"
#define NS_TARGET "ns.planted."

enum {
	A = KNOT_RRTYPE_A,
	NS = KNOT_RRTYPE_NS,
	CNAME = KNOT_RRTYPE_CNAME,
	DNAME = KNOT_RRTYPE_DNAME,
	SOA = KNOT_RRTYPE_SOA
};
enum { RTT_US = 10000 };

static const char *const zones[] = {"mid.org", "org", "sib.org", "child.mid.org", "."};
enum { OWN, PARENT, BESIDE, BELOW, TOP, ZONES };
static const char *const kinds[] = {"answer", "alias", "dname", "nxdomain", "nodata", "referral"};
enum { ANSWER, ALIAS, BY_DNAME, NXDOMAIN, NODATA, REFERRAL, KINDS };

static struct cell {
	int kind, owner, glue;
} cell;
static bool is_planted;
static unsigned forger_asked;

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

/* --- the servers --- */

static struct wire w;
static unsigned counts[3];

static void put(int section, const char *owner, uint16_t type, const char *value)
{
	uint8_t rdata[NAME_MAX_LEN];
	struct addr addr;
	size_t len = 0;
	if (type == SOA)
		memcpy(rdata, "\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\74", len = 22);
	else if (addr_parse(&addr, value, 53) == 0)
		memcpy(rdata, addr_bytes(&addr, &len), 4);
	else if (name_from_text(rdata, value) == 0)
		len = name_len(rdata);
	wire_rr(&w, owner, type, 300, rdata, len);
	counts[section]++;
}

/* The name of the planted server: it lies in the zone where its glue pretends to come from. */
static const char *planted(char out[static NAME_TEXT])
{
	snprintf(out, NAME_TEXT, "%s%s", NS_TARGET, cell.glue == TOP ? "" : zones[cell.glue]);
	return out;
}

static void plant(void)
{
	char name[NAME_TEXT];
	put(SECTION_AUTHORITY, zones[cell.owner], NS, planted(name));
	put(SECTION_ADDITIONAL, planted(name), A, FORGER);
	is_planted = true;
}

static unsigned refer(const char *zone, const char *address)
{
	char name[NAME_TEXT];
	snprintf(name, sizeof(name), "ns.%s", zone);
	put(SECTION_AUTHORITY, zone, NS, name);
	put(SECTION_ADDITIONAL, name, A, address);
	return 0;
}

static unsigned lie(const char *name)
{
	unsigned rcode = 0;
	switch (cell.kind) {
	case ANSWER: put(SECTION_ANSWER, name, A, HONEST); break;
	case ALIAS:
		put(SECTION_ANSWER, name, CNAME, "w.mid.org");
		put(SECTION_ANSWER, "w.mid.org", A, HONEST);
		break;
	case BY_DNAME: put(SECTION_ANSWER, "d.mid.org", DNAME, "e.mid.org"); break;
	case NXDOMAIN: rcode = 3; /* fall through */
	case NODATA: put(SECTION_AUTHORITY, "mid.org", SOA, ""); break;
	default: break;
	}
	plant();
	return (cell.kind == REFERRAL ? 0u : 0x0400u) | rcode;
}

static bool is_in(const struct question *q, const char *zone)
{
	uint8_t apex[NAME_MAX_LEN];
	return name_from_text(apex, zone) == 0 && name_is_within(q->name, apex);
}

static unsigned tell(const struct question *q, const char *name)
{
	if (strstr(name, NS_TARGET) != NULL || q->type != A) { /* no honest server knows of it */
		put(SECTION_AUTHORITY, ".", SOA, "");
		return 0x0403;
	}
	put(SECTION_ANSWER, name, A, HONEST);
	return 0x0400;
}

static unsigned act(const char *server, const struct question *q, const char *name)
{
	if (strcmp(server, FORGER) == 0) {
		forger_asked++;
		put(SECTION_ANSWER, name, A, FORGER);
		return 0x0400;
	}
	if (strcmp(server, ROOT) == 0 && is_in(q, "org"))
		return refer("org", ORG);
	if (strcmp(server, ORG) == 0 && is_in(q, "mid.org"))
		return refer("mid.org", MID);
	if (strcmp(server, ORG) == 0 && is_in(q, "sib.org"))
		return refer("sib.org", SIBLING);
	if (strcmp(server, MID) == 0 && !is_planted)
		return lie(name);
	if (strcmp(server, MID) == 0 && is_in(q, "child.mid.org"))
		return refer("child.mid.org", CHILD);
	return tell(q, name);
}

int exchange_await(struct request *rq, const struct exchange *ex, struct message *reply, uint32_t *rtt_us)
{
	char name[NAME_TEXT], server[ADDR_TEXT];
	int ret = request_take(rq, BUDGET_QUESTION);
	if (ret != 0)
		return ret;
	fake_mono_us += RTT_US;
	rq->resolver->conf.loop->now_us = fake_mono_us;
	ret = fiber_yield_await();
	*rtt_us = RTT_US;
	if (ret != 0)
		return ret;
	memset(counts, 0, sizeof(counts));
	wire_begin(&w, 1, 0, 1, 0, 0, 0);
	wire_question(&w, name_text(ex->question->name, name), ex->question->type);
	unsigned flags = 0x8000 | act(addr_host_text(ex->server, server), ex->question, name);
	size_t len = w.len;
	wire_begin(&w, 1, flags, 1, counts[0], counts[1], counts[2]);
	w.len = len;
	return message_read(reply, &rq->arena, w.bytes, w.len);
}

/* --- a cell --- */

static struct loop loop;
static struct resolver *resolver;
static struct arena arena;
static struct message msg;
static bool waiting;

static void on_answer(struct waiter *waiter, const struct outcome *outcome)
{
	(void)waiter;
	waiting = false;
	assert_int_equal(message_read(&msg, &arena, outcome->wire->wire, outcome->wire->len), 0);
}

static void on_turn(void *arg)
{
	(void)arg;
	if (!waiting)
		loop_stop(&loop);
}

static void look_up(const char *text)
{
	uint8_t name[NAME_MAX_LEN];
	assert_int_equal(name_from_text(name, text), 0);
	struct ask ask = {.question = {.name = name, .type = A, .rclass = 1}};
	struct waiter waiter = {.on_answer = on_answer};
	waiting = true;
	assert_int_equal(resolver_ask(resolver, &ask, &waiter), 0);
	loop_run(&loop);
	atomic_store(&loop.stop, false);
}

static bool is_answered_by(const char *address)
{
	struct addr addr;
	size_t len;
	if (msg.count[SECTION_ANSWER] == 0 || addr_parse(&addr, address, 53) != 0)
		return false;
	return memcmp(rrset_rdata(&msg.set[SECTION_ANSWER][0], 0)->data, addr_bytes(&addr, &len), 4) == 0;
}

/* The first question meets the lie; the second is for a name of the zone whose NS was planted. */
static void run_cell(void)
{
	static const char *const victims[ZONES] = {"www.mid.org", "www.org", "www.sib.org", "www.child.mid.org", "www"};
	const char *first = cell.kind == REFERRAL   ? "q.child.mid.org"
			    : cell.kind == BY_DNAME ? "q.d.mid.org"
						    : "q.mid.org";
	is_planted = false;
	forger_asked = 0;
	look_up(first);
	look_up(victims[cell.owner]);
	bool believed = cell.kind == REFERRAL && cell.owner == BELOW && (cell.glue == OWN || cell.glue == BELOW);
	bool right =
		believed ? forger_asked > 0 && is_answered_by(FORGER) : forger_asked == 0 && !is_answered_by(FORGER);
	if (!right)
		print_error("%s, NS of %s, glue of %s: %s\n", kinds[cell.kind], zones[cell.owner], zones[cell.glue],
			believed ? "not used" : "used");
	assert_true(right);
}

static void test_matrix(void **state)
{
	(void)state;
	struct hints hints = {.count = 1};
	assert_int_equal(addr_parse(&hints.hint[0].addr, ROOT, 53), 0);
	struct resolve_options options = {.ipv4 = true};
	unsigned cells = 0;
	for (cell.kind = 0; cell.kind < KINDS; cell.kind++) {
		for (cell.owner = 0; cell.owner < ZONES; cell.owner++) {
			for (cell.glue = 0; cell.glue < ZONES; cell.glue++, cells++) {
				struct rrcache_conf conf = {.bytes = 1 << 20, .ttl_max_s = LIMIT_CACHE_TTL_S};
				struct resolver_conf rconf = {
					.loop = &loop, .rrcache = rrcache_new(&conf), .facts = facts_new()};
				resolver = resolver_new(&rconf);
				resolver_configure(resolver, &hints, &options);
				run_cell();
				resolver_free(resolver);
				facts_free(rconf.facts);
				rrcache_free(rconf.rrcache);
			}
		}
	}
	assert_int_equal(cells, 150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_matrix)};
	alarm(60);
	hash_init();
	arena_init(&arena);
	assert_int_equal(loop_init(&loop), 0);
	loop.on_turn = on_turn;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	loop_deinit(&loop);
	arena_deinit(&arena);
	return failed;
}
