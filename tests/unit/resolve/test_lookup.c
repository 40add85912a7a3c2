/* Whole look-ups in a small Internet: resolve/exchange.c and the clock are replaced at link time. */
#include "unit/unit.h"

#include <unistd.h>

#include "base/counters.h"
#include "base/hash.h"
#include "base/limits.h"
#include "cache/facts.h"
#include "resolve/resolver.h"
#include "unit/fake/clock.h"
#include "unit/fake/world.h"
#include "unit/sets.h"

enum { A = KNOT_RRTYPE_A, AAAA = KNOT_RRTYPE_AAAA, NS = KNOT_RRTYPE_NS, CNAME = KNOT_RRTYPE_CNAME };

#define ROOT    "198.51.100.1"
#define ORG     "198.51.100.2"
#define EXAMPLE "198.51.100.3"
#define VICTIM  "198.51.100.4"
#define EVIL    "198.51.100.5"
#define LONE    "198.51.100.6"
#define DEAF    "198.51.100.7"

#define MANY(x)                                                                                                        \
	x("1") x("2") x("3") x("4") x("5") x("6") x("7") x("8") x("9") x("a") x("b") x("c") x("d") x("e") x("f") x(    \
		"g") x("h") x("i") x("j") x("k") x("l") x("m") x("n") x("o") x("p") x("q") x("r") x("s") x("t") x("u")

static const struct zone zones[] = {
	{".", {{ROOT, GOOD}},
		{{".", NS, "a.root", 86400}, {"a.root", A, ROOT, 86400}, {"org", NS, "ns.org", 86400},
			{"ns.org", A, ORG, 86400}}},
	{"org", {{ORG, GOOD}},
		{
			{"example.org", NS, "ns.example.org", 3600},
			{"ns.example.org", A, EXAMPLE, 3600},
			{"victim.org", NS, "ns.victim.org", 3600},
			{"ns.victim.org", A, VICTIM, 3600},
			{"evil.org", NS, "ns.evil.org", 3600},
			{"ns.evil.org", A, EVIL, 3600},
			{"lame.org", NS, "ns.lame.org"},
			{"lame.org", NS, "ns2.lame.org"},
			{"ns.lame.org", A, "198.51.100.21"},
			{"ns2.lame.org", A, "198.51.100.22"},
			{"refused.org", NS, "ns.refused.org"},
			{"ns.refused.org", A, "198.51.100.23"},
			{"needy.org", NS, "ns2.refused.org"},
			{"deaf.org", NS, "ns.deaf.org"},
			{"ns.deaf.org", A, DEAF},
			{"half.org", NS, "ns.half.org"},
			{"half.org", NS, "ns2.half.org"},
			{"ns.half.org", A, DEAF},
			{"ns2.half.org", A, "198.51.100.24"},
			{"plain.org", NS, "ns.plain.org"},
			{"ns.plain.org", A, "198.51.100.25"},
			{"ent.org", NS, "ns.ent.org"},
			{"ns.ent.org", A, "198.51.100.26"},
			{"endless.org", NS, "ns.endless.org"},
			{"ns.endless.org", A, "198.51.100.27"},
			{"lone.org", NS, "ns.victim.org", 3600}, /* no glue: the address has to be looked up */
			{"cyc1.org", NS, "ns.cyc2.org"},
			{"cyc2.org", NS, "ns.cyc1.org"},
#define WIDE(n) {"wide.org", NS, "n" n ".wide.org"}, {"n" n ".wide.org", A, "198.51.100.3" n},
			WIDE("0") WIDE("1") WIDE("2") WIDE("3") WIDE("4") WIDE("5") WIDE("6") WIDE("7")
#undef WIDE
				{"loopback.org", NS, "ns.loopback.org"},
			{"ns.loopback.org", A, "127.0.0.1"},
		}},
	{"example.org", {{EXAMPLE, GOOD}},
		{{"example.org", NS, "ns.example.org", 86400}, {"www.example.org", A, "192.0.2.1"},
			{"www.example.org", A, "192.0.2.2"}, {"alias.example.org", CNAME, "www.example.org"},
			{"far.example.org", CNAME, "www.victim.org"}, {"loop.example.org", CNAME, "pool.example.org"},
			{"pool.example.org", CNAME, "loop.example.org"},
			{"self.example.org", CNAME, "self.example.org"},
			{"dead.example.org", CNAME, "nothing.example.org"}, {"a.b.c.example.org", A, "192.0.2.3"},
			{"x.y.z.k.l.m.n.o.p.q.example.org", A, "192.0.2.4"}}},
	{"victim.org", {{VICTIM, GOOD}}, {{"www.victim.org", A, "192.0.2.66"}, {"ns.victim.org", A, VICTIM}}},
	{"lone.org", {{VICTIM, GOOD}}, {{"www.lone.org", A, "192.0.2.67"}}},
	{"evil.org", {{EVIL, POISON}},
		{{"www.evil.org", A, "192.0.2.5"}, {"alias.evil.org", CNAME, "www.victim.org"},
			{"sub.evil.org", NS, "ns.victim.org"}, {"ns.victim.org", A, "203.0.113.66"},
			{"nx.evil.org", NS, "ns.evil.org"},
#define NXNS(n) {"nxns.evil.org", NS, "no" n ".victim.org"},
			MANY(NXNS)
#undef NXNS
		}},
	{"sub.evil.org", {{VICTIM, GOOD}}, {{"www.sub.evil.org", A, "192.0.2.6"}}},
	{"lame.org", {{"198.51.100.21", LAME}, {"198.51.100.22", GOOD}}, {{"www.lame.org", A, "192.0.2.7"}}},
	{"refused.org", {{"198.51.100.23", REFUSES}}, {{"www.refused.org", A, "192.0.2.8"}}},
	{"wide.org",
		{{"198.51.100.30", REFUSES}, {"198.51.100.31", REFUSES}, {"198.51.100.32", REFUSES},
			{"198.51.100.33", REFUSES}, {"198.51.100.34", REFUSES}, {"198.51.100.35", REFUSES},
			{"198.51.100.36", REFUSES}, {"198.51.100.37", REFUSES}},
		{{"wide.org", A, "192.0.2.8"}}},
	{"half.org", {{DEAF, SILENT}, {"198.51.100.24", GOOD}}, {{"www.half.org", A, "192.0.2.9"}}},
	{"plain.org", {{"198.51.100.25", NO_EDNS}}, {{"www.plain.org", A, "192.0.2.10"}}},
	{"ent.org", {{"198.51.100.26", DENIES_ENT}}, {{"www.a.b.ent.org", A, "192.0.2.11"}}},
	{"endless.org", {{"198.51.100.27", ENDLESS}}, {{"endless.org", NS, "ns.endless.org"}}},
};

static struct loop loop;
static struct rrcache *cache;
static struct facts_table *facts;
static struct resolver *resolver;
static struct arena arena;
static struct resolve_options options;

/* What came back, the last of all waiters'. */
static unsigned answers, waiting;
static struct message msg;
static int ede;
static char extra[200];

static void on_answer(struct waiter *waiter, const struct outcome *outcome)
{
	(void)waiter;
	answers++;
	waiting--;
	ede = outcome->answer->ede;
	snprintf(extra, sizeof(extra), "%s", outcome->answer->ede_extra != NULL ? outcome->answer->ede_extra : "");
	assert_int_equal(message_read(&msg, &arena, outcome->wire->wire, outcome->wire->len), 0);
}

static void on_turn(void *arg)
{
	(void)arg;
	if (waiting == 0)
		loop_stop(&loop);
}

static int begin(void **state)
{
	static struct hints hints;
	struct rrcache_conf conf = {.bytes = 16 << 20, .ttl_max_s = LIMIT_CACHE_TTL_S};
	(void)state;
	alarm(60); /* a look-up that never ends shall not hang the tests */
	hash_init();
	arena_init(&arena);
	world_begin(zones, COUNT_OF(zones));
	assert_int_equal(loop_init(&loop), 0);
	loop.on_turn = on_turn;
	cache = rrcache_new(&conf);
	facts = facts_new();
	struct resolver_conf rconf = {.loop = &loop, .rrcache = cache, .facts = facts};
	resolver = resolver_new(&rconf);
	assert_int_equal(addr_parse(&hints.hint[0].addr, ROOT, 53), 0);
	hints.count = 1;
	options = (struct resolve_options){.minimise = true, .ipv4 = true, .priming = true};
	resolver_configure(resolver, &hints, &options);
	answers = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	resolver_free(resolver);
	facts_free(facts);
	rrcache_free(cache);
	loop_deinit(&loop);
	arena_deinit(&arena);
	return 0;
}

static void configure(bool minimise)
{
	static struct hints hints;
	assert_int_equal(addr_parse(&hints.hint[0].addr, ROOT, 53), 0);
	hints.count = 1;
	options.minimise = minimise;
	resolver_configure(resolver, &hints, &options);
}

static void ask_for(const char *name, uint16_t type, struct waiter *waiter)
{
	struct ask ask = {.question = {.name = set_name(&arena, name), .type = type, .rclass = 1}};
	*waiter = (struct waiter){.on_answer = on_answer};
	waiting++;
	assert_int_equal(resolver_ask(resolver, &ask, waiter), 0);
}

static void run(void)
{
	loop_run(&loop);
	atomic_store(&loop.stop, false);
	assert_int_equal(resolver_running(resolver), 0);
}

/* Returns the RCODE. */
static int look_up(const char *name, uint16_t type)
{
	struct waiter waiter;
	ask_for(name, type, &waiter);
	run();
	return msg.rcode;
}

static const uint8_t *address_at(const char *owner)
{
	const struct rrset *set = message_find(&msg, SECTION_ANSWER, set_name(&arena, owner), A);
	return set != NULL ? rrset_rdata(set, 0)->data : (const uint8_t *)"none";
}

static void assert_address(const char *owner, const char *address)
{
	struct addr addr;
	size_t len;
	assert_int_equal(addr_parse(&addr, address, 53), 0);
	assert_memory_equal(address_at(owner), addr_bytes(&addr, &len), 4);
}

/* From the root down; nobody hears more labels than he has to know (RFC 9156); the second time nobody is asked. */
static void test_plain(void **state)
{
	(void)state;
	assert_int_equal(look_up("www.example.org", A), 0);
	assert_address("www.example.org", "192.0.2.1");
	assert_int_equal(ede, EDE_NONE);
	assert_int_equal(world_asked(NULL, NULL, 0), 4);
	assert_int_equal(world_asked(ROOT, ".", NS), 1);
	assert_int_equal(world_longest(ROOT), 1);
	assert_int_equal(world_longest(ORG), 2);
	assert_int_equal(world_asked(EXAMPLE, "www.example.org.", A), 1);
	assert_int_equal(look_up("www.example.org", A), 0);
	assert_int_equal(world_asked(NULL, NULL, 0), 4);
}

static void test_outcomes(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		int rcode, ede;
		const char *owner, *address; /* in the answer; NULL: none */
	} cases[] = {
		{"www.example.org", AAAA, 0, EDE_NONE, NULL, NULL},
		{"nothing.example.org", A, 3, EDE_NONE, NULL, NULL},
		{"c.example.org", A, 0, EDE_NONE, NULL, NULL},
		{"a.b.c.example.org", A, 0, EDE_NONE, "a.b.c.example.org", "192.0.2.3"},
		{"x.y.z.k.l.m.n.o.p.q.example.org", A, 0, EDE_NONE, "x.y.z.k.l.m.n.o.p.q.example.org", "192.0.2.4"},
		{"alias.example.org", A, 0, EDE_NONE, "www.example.org", "192.0.2.1"},
		{"alias.example.org", CNAME, 0, EDE_NONE, NULL, NULL},
		{"far.example.org", A, 0, EDE_NONE, "www.victim.org", "192.0.2.66"},
		{"dead.example.org", A, 3, EDE_NONE, NULL, NULL},
		{"loop.example.org", A, 2, EDE_INVALID_DATA, NULL, NULL},
		{"self.example.org", A, 2, EDE_INVALID_DATA, NULL, NULL},
		{"www.lone.org", A, 0, EDE_NONE, "www.lone.org", "192.0.2.67"},
		{"www.lame.org", A, 0, EDE_NONE, "www.lame.org", "192.0.2.7"},
		{"www.half.org", A, 0, EDE_NONE, "www.half.org", "192.0.2.9"},
		{"www.plain.org", A, 0, EDE_NONE, "www.plain.org", "192.0.2.10"},
		{"www.a.b.ent.org", A, 0, EDE_NONE, "www.a.b.ent.org", "192.0.2.11"},
		{"www.refused.org", A, 2, EDE_NO_REACHABLE, NULL, NULL},
		{"www.deaf.org", A, 2, EDE_NO_REACHABLE, NULL, NULL},
		{"www.loopback.org", A, 2, EDE_NO_REACHABLE, NULL, NULL},
		{"nobody", A, 3, EDE_NONE, NULL, NULL},
		{".", NS, 0, EDE_NONE, NULL, NULL},
	};
	(void)state;
	for (int minimise = 0; minimise < 2; minimise++) {
		for (size_t i = 0; i < COUNT_OF(cases); i++) {
			end(NULL);
			begin(NULL);
			configure(minimise);
			uint64_t begin_us = fake_mono_us;
			int rcode = look_up(cases[i].name, cases[i].type);
			if (rcode != cases[i].rcode || ede != cases[i].ede)
				print_error("%s: rcode %d, ede %d (%s)\n", cases[i].name, rcode, ede, extra);
			assert_int_equal(rcode, cases[i].rcode);
			assert_int_equal(ede, cases[i].ede);
			if (cases[i].owner != NULL)
				assert_address(cases[i].owner, cases[i].address);
			/* Never much longer than a client waits. */
			assert_true(fake_mono_us - begin_us < (LIMIT_DEADLINE_MS + LIMIT_TRY_MAX_MS) * 1000ull);
			assert_true(world_asked(NULL, NULL, 0) <= LIMIT_QUESTIONS);
			assert_int_equal(world_asked("127.0.0.1", NULL, 0), 0);
		}
	}
}

static void test_negative_cache(void **state)
{
	(void)state;
	assert_int_equal(look_up("nothing.example.org", A), 3);
	unsigned before = world_asked(NULL, NULL, 0);
	assert_int_equal(look_up("nothing.example.org", A), 3);
	assert_int_equal(look_up("nothing.example.org", AAAA), 3); /* an NXDOMAIN is for all types */
	assert_int_equal(world_asked(NULL, NULL, 0), before);
	assert_int_equal(look_up("www.example.org", AAAA), 0);
	assert_int_equal(look_up("www.example.org", A), 0); /* a NODATA is not */
	assert_address("www.example.org", "192.0.2.1");
	fake_pass_s(60);
	before = world_asked(NULL, NULL, 0);
	assert_int_equal(look_up("nothing.example.org", A), 3);
	assert_int_equal(world_asked(NULL, NULL, 0), before + 1);
}

/* After its TTL the name is asked for again, from the cut that is still known. */
static void test_expiry(void **state)
{
	(void)state;
	look_up("www.example.org", A);
	fake_pass_s(300);
	assert_int_equal(look_up("www.example.org", A), 0);
	assert_int_equal(world_asked(NULL, NULL, 0), 5);
	assert_int_equal(world_asked(EXAMPLE, NULL, 0), 2);
	/* The cut lives as long as the parent says, whatever the child says of itself (ghost domains). */
	assert_int_equal(look_up("example.org", NS), 0);
	fake_pass_s(3300);
	unsigned before = world_asked(ORG, NULL, 0);
	assert_int_equal(look_up("www.example.org", A), 0);
	assert_int_equal(world_asked(ORG, NULL, 0), before + 1);
}

/* Nothing that evil.org says of others is believed: not beside an answer, not behind an alias, not as glue. */
static void test_poison(void **state)
{
	static const char *const baits[] = {"www.evil.org", "alias.evil.org", "nothing.evil.org", "www.sub.evil.org"};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(baits); i++) {
		end(NULL);
		begin(NULL); /* nothing better is known yet */
		look_up(baits[i], A);
		if (i == 1)
			assert_address("www.victim.org", "192.0.2.66");
		if (i == 3)
			assert_address("www.sub.evil.org", "192.0.2.6");
		assert_int_equal(look_up("www.victim.org", A), 0);
		assert_address("www.victim.org", "192.0.2.66");
		assert_int_equal(look_up("ns.victim.org", A), 0);
		assert_address("ns.victim.org", VICTIM);
		assert_int_equal(world_asked("203.0.113.66", NULL, 0), 0);
	}
}

/* Attacks on the budget: each ends in SERVFAIL after a bounded number of questions. */
static void test_budget(void **state)
{
	static const struct {
		const char *name;
		unsigned most;
	} cases[] = {
		{"www.cyc1.org", 12},                            /* TsuNAME */
		{"www.nxns.evil.org", 5 + LIMIT_SERVER_LOOKUPS}, /* NXNSAttack */
		{"1.2.3.4.5.6.7.8.9.1.2.3.4.5.6.7.8.9.1.2.3.4.5.6.7.8.9.1.2.3.4.5.6.7.8.9.1.2.3.4.5.6.7.8.9.endless."
		 "org",
			LIMIT_REFERRALS + 3}, /* CVE-2014-8500 */
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		end(NULL);
		begin(NULL);
		configure(false);
		assert_int_equal(look_up(cases[i].name, A), 2);
		if (world_asked(NULL, NULL, 0) > cases[i].most)
			print_error("%s: %u questions\n", cases[i].name, world_asked(NULL, NULL, 0));
		assert_true(world_asked(NULL, NULL, 0) <= cases[i].most);
	}
	assert_string_equal(extra, "limit of one request reached: referrals");
}

/* Two zones whose only servers lie in each other: the look-up that would wait for itself is not begun (TsuNAME). */
static void test_cycle(void **state)
{
	static struct counters counters;
	(void)state;
	counters_attach(&counters);
	assert_int_equal(look_up("www.cyc1.org", A), 2);
	counters_attach(NULL);
	assert_int_equal(counters_get(&counters, COUNT_LOOKUPS), 3); /* www.cyc1, ns.cyc2, ns.cyc1 */
}

/* Those who refuse to say a server's IPv4 address are not asked for the other (NRDelegation). */
static void test_address_refused(void **state)
{
	(void)state;
	options.ipv6 = true;
	configure(false);
	assert_int_equal(look_up("www.needy.org", A), 2);
	assert_int_equal(world_asked("198.51.100.23", "ns2.refused.org.", A), 1);
	assert_int_equal(world_asked("198.51.100.23", NULL, 0), 1);
}

/* A server that has been silent for long has one try to be heard in (PRSD). */
static void test_deaf(void **state)
{
	struct addr deaf;
	(void)state;
	assert_int_equal(addr_parse(&deaf, DEAF, 53), 0);
	assert_int_equal(look_up("w1.deaf.org", A), 2);
	assert_int_equal(world_asked(DEAF, NULL, 0), LIMIT_TRIES_PER_ADDRESS);
	for (int i = 0; i < 6; i++)
		facts_note_silence(facts, &deaf);
	assert_int_equal(look_up("w2.deaf.org", A), 2);
	assert_int_equal(world_asked(DEAF, NULL, 0), LIMIT_TRIES_PER_ADDRESS + LIMIT_TRIES_DEAF);
}

/* Where six servers of a zone said no, the others are spared (NXNSAttack with glue). */
static void test_refused_by_many(void **state)
{
	(void)state;
	assert_int_equal(look_up("wide.org", A), 2);
	assert_int_equal(world_asked(NULL, "wide.org.", A), 1 + LIMIT_TRIES_REFUSED);
}

/* The same question from three clients at once is one lookup; another is another. */
static void test_merged(void **state)
{
	struct waiter waiter[4];
	(void)state;
	for (int i = 0; i < 3; i++)
		ask_for("www.example.org", A, &waiter[i]);
	assert_int_equal(resolver_running(resolver), 1);
	ask_for("www.victim.org", A, &waiter[3]);
	assert_int_equal(resolver_running(resolver), 2);
	run();
	assert_int_equal(answers, 4);
	assert_int_equal(world_asked(EXAMPLE, NULL, 0), 1);
}

static void test_too_many_waiters(void **state)
{
	static struct waiter waiter[LIMIT_WAITERS + 1];
	struct ask ask = {.question = {.name = set_name(&arena, "www.example.org"), .type = A, .rclass = 1}};
	(void)state;
	for (int i = 0; i < LIMIT_WAITERS; i++)
		ask_for("www.example.org", A, &waiter[i]);
	assert_int_not_equal(resolver_ask(resolver, &ask, &waiter[LIMIT_WAITERS]), 0);
	run();
	assert_int_equal(answers, LIMIT_WAITERS);
}

/* Ended in the middle: those who wait are told. */
static void test_free_while_running(void **state)
{
	struct waiter waiter[2];
	(void)state;
	ask_for("www.example.org", A, &waiter[0]);
	ask_for("www.victim.org", A, &waiter[1]);
	resolver_free(resolver);
	assert_int_equal(answers, 2);
	assert_int_equal(msg.rcode, 2);
	struct resolver_conf rconf = {.loop = &loop, .rrcache = cache, .facts = facts};
	resolver = resolver_new(&rconf);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_plain),
		TEST(test_outcomes),
		TEST(test_negative_cache),
		TEST(test_expiry),
		TEST(test_poison),
		TEST(test_budget),
		TEST(test_cycle),
		TEST(test_address_refused),
		TEST(test_deaf),
		TEST(test_refused_by_many),
		TEST(test_merged),
		TEST(test_too_many_waiters),
		TEST(test_free_while_running),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
