/* How exchanges come by their ports and give them back (resolve/lending.c, resolve/exchange.c): a real loop, a real pool,
 * and servers on loopback that answer as a test says, in a network namespace of its own. Clocks are real, so times are
 * asserted with room for a busy machine above, and exactly below. */
#include "unit/unit.h"

#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "ports/reserve.h"
#include "ports/single.h"
#include "resolve/exchange.h"
#include "unit/sockets.h"

enum { SERVERS = 8, ASKERS = 64, PORT = 5353, TICK_US = 2000, SLACK_MS = 1500, EVER_US = 20000000 };

static struct loop loop;
static struct port_space *space;
static struct port_set set;
static struct ledger *ledger;
static struct pool *pool;
static struct reserve *reserve;
static struct single *single;
static struct facts_table *facts;
static struct inflight *inflight;
static struct resolver *resolver;
static struct counters counters;

/* --- servers --- */

enum manner {
	GOOD,
	SILENT,
	LATE,   /* after `delay_ms` */
	FORGED, /* after `delay_ms`, with what `forge` does to the true reply */
	HELD,   /* keeps questions until the test calls answer() */
};

struct server {
	struct watch watch;
	struct addr addr;
	enum manner manner;
	unsigned delay_ms;
	size_t (*forge)(uint8_t *wire, size_t len);
	struct timer timer;
	uint8_t wire[ASKERS][MESSAGE_QUERY_MAX]; /* questions, in the order in which they came */
	size_t len[ASKERS];
	struct addr from[ASKERS];
	unsigned asked, answered;
};

static struct server server[SERVERS];
static char order[1024]; /* first labels of the questions, as they came to whichever server */

static void reply(struct server *s, unsigned nth, bool forged)
{
	uint8_t wire[MESSAGE_QUERY_MAX];
	size_t len = s->len[nth];
	memcpy(wire, s->wire[nth], len);
	knot_wire_set_qr(wire);
	if (forged)
		len = s->forge(wire, len);
	(void)sendto(s->watch.fd, wire, len, 0, &s->from[nth].sa, addr_socklen(&s->from[nth]));
}

static void answer(struct server *s)
{
	reply(s, s->answered++, false);
}

static void on_delay(struct timer *timer)
{
	struct server *s = container_of(timer, struct server, timer);
	while (s->answered < s->asked) {
		if (s->manner == FORGED)
			reply(s, s->answered, true);
		reply(s, s->answered++, false);
	}
}

static void note_order(const uint8_t *wire)
{
	size_t len = strlen(order);
	snprintf(order + len, sizeof(order) - len, "%.*s ", wire[MESSAGE_HEADER], wire + MESSAGE_HEADER + 1);
	for (char *c = order; *c != '\0'; c++) /* 0x20 */
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c + 'a' - 'A');
}

static void on_question(struct watch *watch, uint32_t events)
{
	struct server *s = container_of(watch, struct server, watch);
	(void)events;
	for (;;) {
		socklen_t len = sizeof(s->from[0]);
		assert_true(s->asked < ASKERS);
		ssize_t got = recvfrom(
			watch->fd, s->wire[s->asked], sizeof(s->wire[0]), MSG_DONTWAIT, &s->from[s->asked].sa, &len);
		if (got < 0)
			return;
		s->len[s->asked++] = (size_t)got;
		note_order(s->wire[s->asked - 1]);
		if (s->manner == GOOD)
			answer(s);
		else if (s->manner == LATE || s->manner == FORGED)
			loop_timer_set(&loop, &s->timer, clock_mono_us() + s->delay_ms * 1000ull);
	}
}

static void open_server(struct server *s)
{
	s->watch = (struct watch){.fd = sockets_bind(&s->addr), .on_ready = on_question};
	assert_true(s->watch.fd >= 0);
	assert_int_equal(loop_watch(&loop, &s->watch, EPOLLIN), 0);
}

static void close_server(struct server *s)
{
	loop_unwatch(&loop, &s->watch);
	close(s->watch.fd);
	s->watch.fd = -1;
}

/* --- who asks --- */

struct asker {
	struct request rq;
	struct exchange ex;
	struct question question;
	uint8_t name[NAME_MAX_LEN], zone[NAME_MAX_LEN];
	struct facts facts;
	struct fiber *fiber;
	int result;
	uint32_t rtt_us;
	uint64_t begin_us, end_us;
	bool done;
};

static struct asker asker[ASKERS];
static unsigned askers;

static void ask_await(void *arg)
{
	struct asker *a = arg;
	struct message msg;
	a->fiber = fiber_self();
	a->begin_us = clock_mono_us();
	facts_get(facts, a->ex.server, &a->facts);
	a->result = exchange_await(&a->rq, &a->ex, &msg, &a->rtt_us);
	a->end_us = clock_mono_us();
	a->done = true;
}

static struct asker *ask_in(const char *label, const char *zone, struct server *s, unsigned timeout_ms)
{
	struct asker *a = &asker[askers++];
	char name[80];
	assert_true(askers <= ASKERS);
	memset(a, 0, sizeof(*a));
	snprintf(name, sizeof(name), "%s.%s", label, zone);
	assert_int_equal(name_from_text(a->name, name), 0);
	assert_int_equal(name_from_text(a->zone, zone), 0);
	a->question = (struct question){.name = a->name, .type = KNOT_RRTYPE_A, .rclass = KNOT_CLASS_IN};
	a->rq.resolver = resolver;
	arena_init(&a->rq.arena);
	budget_init(&a->rq.budget, clock_mono_us());
	a->ex = (struct exchange){.server = &s->addr,
		.question = &a->question,
		.zone = a->zone,
		.facts = &a->facts,
		.edns = true,
		.timeout_us = timeout_ms * 1000};
	assert_int_equal(fiber_spawn(&loop, ask_await, a), 0);
	return a;
}

/* In a zone of its own. */
static struct asker *ask(const char *label, struct server *s, unsigned timeout_ms)
{
	char zone[80];
	snprintf(zone, sizeof(zone), "of-%s.example", label);
	return ask_in(label, zone, s, timeout_ms);
}

static unsigned took_ms(const struct asker *a)
{
	return (unsigned)((a->end_us - a->begin_us) / 1000);
}

/* --- the loop --- */

static bool (*until)(void);
static uint64_t pass_until_us;
static struct timer tick;

static void on_tick(struct timer *timer)
{
	loop_timer_set(&loop, timer, clock_mono_us() + TICK_US);
}

static void on_turn(void *arg)
{
	(void)arg;
	if (until())
		loop_stop(&loop);
}

/* To the end of the very turn in which it is so: no timer that was set in it has run yet, however late the next comes. */
static void run_until(bool (*condition)(void))
{
	until = condition;
	tick = (struct timer){.on_timer = on_tick};
	loop_timer_set(&loop, &tick, clock_mono_us());
	loop.on_turn = on_turn;
	atomic_store(&loop.stop, false);
	loop_run(&loop);
	loop_timer_cancel(&loop, &tick);
}

static bool has_passed(void)
{
	return clock_mono_us() >= pass_until_us;
}

static void pass_ms(unsigned ms)
{
	pass_until_us = clock_mono_us() + ms * 1000ull;
	run_until(has_passed);
}

static bool all_done(void)
{
	bool all = clock_mono_us() < pass_until_us;
	assert_true(all); /* or nothing will ever come of it */
	for (unsigned i = 0; i < askers; i++)
		all &= asker[i].done;
	return all;
}

static void run(void)
{
	pass_until_us = clock_mono_us() + EVER_US;
	run_until(all_done);
}

static unsigned wanted_done, wanted_asked;

static bool has_come_so_far(void)
{
	unsigned done = 0, asked = 0;
	for (unsigned i = 0; i < askers; i++)
		done += asker[i].done;
	for (int i = 0; i < SERVERS; i++)
		asked += server[i].asked;
	return (done >= wanted_done && asked >= wanted_asked) || has_passed();
}

/* Until so many exchanges are done and so many questions have come to the servers, or for four seconds. */
static void run_to(unsigned done, unsigned asked)
{
	wanted_done = done;
	wanted_asked = asked;
	pass_until_us = clock_mono_us() + 4000000;
	run_until(has_come_so_far);
}

/* --- a resolver without anything that is not needed here --- */

static void begin_world(void)
{
	assert_int_equal(loop_init(&loop), 0);
	space = port_space_new();
	ledger = ledger_new(1024);
	facts = facts_new();
	inflight = inflight_new();
	port_set_fill(&set, 50000, 59999);
	port_space_set_usable(space, &set);
	memset(&counters, 0, sizeof(counters));
	counters_attach(&counters);
	memset(server, 0, sizeof(server));
	askers = 0;
	order[0] = '\0';
	for (int i = 0; i < SERVERS; i++) {
		char text[16];
		snprintf(text, sizeof(text), "127.0.0.%d", i + 1);
		assert_int_equal(addr_parse(&server[i].addr, text, PORT), 0);
		server[i].timer.on_timer = on_delay;
		open_server(&server[i]);
	}
}

static void begin_resolver(unsigned size, unsigned max, bool alone)
{
	struct pool_conf conf = {.space = space,
		.ledger = ledger,
		.reserve = reserve,
		.single = single,
		.alone = alone,
		.size = size,
		.max = max,
		.ipv4 = true,
		.user_size = RESOLVER_LOAN_USER};
	pool = pool_new(&conf);
	struct resolver_conf rconf = {.loop = &loop, .facts = facts, .inflight = inflight, .pool = pool};
	resolver = resolver_new(&rconf);
}

static void begin_with(unsigned max)
{
	begin_world();
	begin_resolver(4, max, true);
}

static void begin_reserved(unsigned size, unsigned max, bool alone)
{
	begin_world();
	struct reserve_conf conf = {.space = space, .size = size, .ipv4 = true};
	reserve = reserve_new(&conf);
	begin_resolver(size, max, alone);
}

static int end(void **state)
{
	(void)state;
	resolver_free(resolver);
	for (int i = 0; i < SERVERS; i++)
		if (server[i].watch.fd >= 0)
			close_server(&server[i]);
	for (unsigned i = 0; i < askers; i++)
		arena_deinit(&asker[i].rq.arena);
	counters_attach(NULL);
	pool_free(pool);
	if (reserve != NULL)
		reserve_free(reserve);
	if (single != NULL)
		single_free(single);
	reserve = NULL;
	single = NULL;
	assert_int_equal(port_space_lent(space), 0); /* every port has come back */
	inflight_free(inflight);
	loop_deinit(&loop);
	facts_free(facts);
	ledger_free(ledger);
	port_space_free(space);
	return 0;
}

static uint64_t counted(enum counter which)
{
	return counters_get(&counters, which);
}

static struct facts known(const struct server *s)
{
	struct facts now;
	facts_get(facts, &s->addr, &now);
	return now;
}

static unsigned lent(void)
{
	struct pool_state now;
	pool_state(pool, &now);
	return now.lent;
}

/* --- plain --- */

static void test_answered(void **state)
{
	(void)state;
	begin_with(100);
	for (int i = 0; i < 20; i++) {
		char label[8];
		snprintf(label, sizeof(label), "q%d", i);
		ask(label, &server[i % SERVERS], 1000);
	}
	run();
	for (unsigned i = 0; i < askers; i++)
		assert_true(asker[i].result == 0 && asker[i].rtt_us > 0 && asker[i].rtt_us < 1000000);
	assert_int_equal(lent(), 0);
	assert_int_equal(counted(COUNT_LOANS), 20);
	assert_int_equal(counted(COUNT_LOANS_QUEUED), 0);
}

/* --- the queue --- */

/* Four loans are allowed and out; whoever comes now waits, and is served in the order of coming. */
static void test_queue_keeps_order(void **state)
{
	static const char *const waiting[] = {"w1", "w2", "w3", "w4", "w5", "w6", "w7", "w8"};
	(void)state;
	begin_with(4);
	server[0].manner = server[1].manner = HELD;
	for (int i = 0; i < 4; i++)
		ask((const char *[]){"a", "b", "c", "d"}[i], &server[i / 2], 5000);
	for (int i = 0; i < 4; i++)
		ask(waiting[i], &server[2 + i], 1000);
	run_to(0, 4);
	assert_string_equal(order, "a b c d ");
	assert_int_equal(lent(), 4);
	assert_int_equal(resolver->lending.queued, 4);
	for (int i = 4; i < 8; i++) /* who comes later does not overtake */
		ask(waiting[i], &server[2 + i % 4], 1000);
	answer(&server[0]);
	run_to(9, 12);
	answer(&server[0]);
	answer(&server[1]);
	answer(&server[1]);
	run();
	assert_string_equal(order, "a b c d w1 w2 w3 w4 w5 w6 w7 w8 ");
	for (unsigned i = 0; i < askers; i++)
		assert_int_equal(asker[i].result, 0);
	assert_int_equal(counted(COUNT_LOANS_QUEUED), 8);
	assert_int_equal(counted(COUNT_LOANS_SHED), 0);
	assert_int_equal(resolver->lending.queued, 0);
}

/* Who waits too long gets nothing, at the queue's deadline or at the client's, whichever is first. */
static void test_queue_has_a_deadline(void **state)
{
	(void)state;
	begin_with(4);
	server[0].manner = server[1].manner = HELD;
	for (int i = 0; i < 4; i++)
		ask((const char *[]){"a", "b", "c", "d"}[i], &server[i / 2], 5000);
	pass_ms(20);
	struct asker *patient = ask("patient", &server[2], 1000), *hurried = ask("hurried", &server[3], 1000);
	hurried->rq.budget.deadline_us = clock_mono_us() + 200000;
	run_to(2, 4);
	assert_true(patient->done && hurried->done);
	assert_int_equal(patient->result, E_NOPORT);
	assert_int_equal(hurried->result, E_NOPORT);
	assert_in_range(took_ms(patient), LIMIT_QUEUE_MS - 5, LIMIT_QUEUE_MS + SLACK_MS);
	assert_in_range(took_ms(hurried), 195, LIMIT_QUEUE_MS - 100);
	assert_int_equal(counted(COUNT_LOANS_SHED), 2);
	assert_int_equal(server[2].asked + server[3].asked, 0);
	assert_int_equal(resolver->lending.queued, 0);
	for (int i = 0; i < 2; i++)
		for (int j = 0; j < 2; j++)
			answer(&server[i]);
	run();
	assert_int_equal(lent(), 0);
}

/* One who goes away while waiting leaves no hole: the next is served. */
static void test_queue_survives_cancelling(void **state)
{
	(void)state;
	begin_with(4);
	server[0].manner = server[1].manner = HELD;
	for (int i = 0; i < 4; i++)
		ask((const char *[]){"a", "b", "c", "d"}[i], &server[i / 2], 5000);
	pass_ms(20);
	struct asker *first = ask("first", &server[2], 1000), *next = ask("next", &server[3], 1000);
	pass_ms(20);
	fiber_cancel(first->fiber);
	pass_ms(20);
	assert_true(first->done && !next->done);
	assert_int_equal(first->result, E_CANCELED);
	answer(&server[0]);
	run_to(3, 5);
	assert_true(next->done);
	assert_int_equal(next->result, 0);
	answer(&server[0]);
	answer(&server[1]);
	answer(&server[1]);
	run();
}

/* --- shares --- */

/* A server may hold a fourth of the loans and one more; then it is not asked, others are. */
static void test_a_server_has_its_share(void **state)
{
	struct asker *more, *other;
	(void)state;
	begin_with(8);
	server[0].manner = HELD;
	for (int i = 0; i < 3; i++)
		ask((const char *[]){"a", "b", "c"}[i], &server[0], 5000);
	more = ask("more", &server[0], 5000);
	other = ask("other", &server[1], 1000);
	unsigned questions = more->rq.budget.left[BUDGET_QUESTION];
	run_to(2, 4);
	assert_true(more->done && other->done);
	assert_int_equal(more->result, E_CROWDED);
	assert_int_equal(more->rq.budget.left[BUDGET_QUESTION], questions); /* nothing was sent, nothing is spent */
	assert_int_equal(other->result, 0);
	assert_int_equal(server[0].asked, 3);
	assert_int_equal(counted(COUNT_LOANS_CROWDED), 1);
	answer(&server[0]);
	run_to(3, 4);
	ask("again", &server[0], 5000);
	run_to(3, 5);
	assert_int_equal(server[0].asked, 4);
	for (int i = 0; i < 3; i++)
		answer(&server[0]);
	run();
	assert_int_equal(asker[askers - 1].result, 0);
}

/* A zone may hold half and one more, however many servers it has. */
static void test_a_zone_has_its_share(void **state)
{
	struct asker *more, *other;
	(void)state;
	begin_with(8);
	for (int i = 0; i < 5; i++) {
		server[i].manner = HELD;
		ask_in((const char *[]){"a", "b", "c", "d", "e"}[i], "deaf.example", &server[i], 5000);
	}
	more = ask_in("more", "deaf.example", &server[5], 1000);
	other = ask_in("other", "other.example", &server[5], 1000);
	run_to(2, 6);
	assert_true(more->done && other->done);
	assert_int_equal(more->result, E_CROWDED);
	assert_int_equal(other->result, 0);
	for (int i = 0; i < 5; i++)
		answer(&server[i]);
	run();
	struct asker *again = ask_in("again", "deaf.example", &server[5], 1000);
	run();
	assert_int_equal(again->result, 0);
}

/* --- late replies --- */

static bool none_lent(void)
{
	assert_true(clock_mono_us() < pass_until_us);
	return lent() == 0;
}

static void run_until_none_is_lent(void)
{
	pass_until_us = clock_mono_us() + EVER_US;
	run_until(none_lent);
}

static enum loan_outcome last_outcome(uint16_t port)
{
	struct ledger_entry entry;
	assert_int_equal(ledger_find(ledger, port, &entry, 1), 1);
	return (enum loan_outcome)entry.outcome;
}

/* The true reply comes 600 ms after its question was given up: the server is known to be that slow, not silent. */
static void late_reply_teaches(void)
{
	server[0].manner = LATE;
	server[0].delay_ms = 700;
	struct asker *a = ask("late", &server[0], 100);
	run();
	uint16_t port = addr_port(&server[0].from[0]);
	assert_int_equal(a->result, E_TIMEOUT);
	assert_in_range(took_ms(a), 99, 100 + SLACK_MS);
	assert_true(known(&server[0]).srtt_us == 0 && known(&server[0]).silences == 1);
	assert_int_equal(lent(), 1);
	assert_int_equal(resolver_lingering(resolver), 1);
	assert_true(port_space_is_lent(space, port)); /* nobody else gets it meanwhile */
	run_until_none_is_lent();
	assert_in_range(known(&server[0]).srtt_us, 699000, (700 + SLACK_MS) * 1000);
	assert_int_equal(known(&server[0]).silences, 0);
	assert_int_equal(counted(COUNT_LOANS_LATE), 1);
	assert_int_equal(last_outcome(port), LOAN_LATE);
	assert_int_equal(resolver_lingering(resolver), 0);
	server[0].manner = GOOD;
	a = ask("after", &server[0], 1000);
	run();
	assert_int_equal(a->result, 0);
}

static void test_late_reply_teaches(void **state)
{
	(void)state;
	begin_with(100);
	late_reply_teaches();
}

static void test_late_reply_teaches_reserved(void **state)
{
	for (int alone = 0; alone < 2; alone++) {
		begin_reserved(16, 100, alone);
		late_reply_teaches();
		assert_int_equal(counted(COUNT_LOANS_RESERVED), 2);
		if (alone == 0)
			end(state);
	}
}

static size_t wrong_id(uint8_t *wire, size_t len)
{
	wire[1] ^= 1;
	return len;
}

static size_t wrong_case(uint8_t *wire, size_t len)
{
	wire[MESSAGE_HEADER + 1] ^= 0x20;
	return len;
}

static size_t wrong_name(uint8_t *wire, size_t len)
{
	wire[MESSAGE_HEADER + 1] = 'x';
	return len;
}

static size_t no_reply(uint8_t *wire, size_t len)
{
	knot_wire_clear_qr(wire);
	return len;
}

static size_t cut_off(uint8_t *wire, size_t len)
{
	(void)wire;
	return len / 2;
}

static size_t only_a_header(uint8_t *wire, size_t len)
{
	(void)len;
	memset(wire + 4, 0, 8);
	knot_wire_set_rcode(wire, KNOT_RCODE_FORMERR); /* "no EDNS here" */
	return MESSAGE_HEADER;
}

/* The last bytes of a question are the client cookie. */
static size_t wrong_cookie(uint8_t *wire, size_t len)
{
	wire[len - 1] ^= 1;
	return len;
}

static size_t one_short(uint8_t *wire, size_t len)
{
	(void)wire;
	return len - 1;
}

/* A late datagram that is not the reply teaches nothing at all, and ends the waiting: what comes after it, even if it
 * is the truth, finds the port closed. */
static void test_late_forgeries_teach_nothing(void **state)
{
	static size_t (*const forgeries[])(uint8_t *, size_t) = {
		wrong_id, wrong_case, wrong_name, no_reply, cut_off, only_a_header, wrong_cookie, one_short};
	(void)state;
	begin_with(100);
	for (size_t i = 0; i < COUNT_OF(forgeries); i++) {
		char label[8];
		struct server *s = &server[i % SERVERS];
		snprintf(label, sizeof(label), "lt%zu", i);
		s->manner = FORGED;
		s->forge = forgeries[i];
		s->delay_ms = 600;
		ask(label, s, 50);
	}
	run();
	struct facts before[SERVERS];
	for (int i = 0; i < SERVERS; i++)
		before[i] = known(&server[i]);
	run_until_none_is_lent();
	pass_ms(20); /* for what comes after it */
	for (int i = 0; i < SERVERS; i++) {
		struct facts after = known(&server[i]);
		assert_memory_equal(&after, &before[i], sizeof(after));
		assert_int_equal(after.srtt_us, 0);
		assert_int_equal(after.mismatches, 0); /* no blame for what nobody waited for */
		assert_int_equal(server[i].answered, 1);
		assert_int_equal(last_outcome(addr_port(&server[i].from[0])), LOAN_MISMATCH);
	}
	assert_int_equal(counted(COUNT_LOANS_LATE), 0);
	assert_int_equal(counted(COUNT_UPSTREAM_MISMATCHED), 0);
}

/* Where nothing comes, the port is given back in the end, as a timeout. */
static void test_lingering_ends(void **state)
{
	(void)state;
	begin_with(100);
	server[0].manner = SILENT;
	struct asker *a = ask("silent", &server[0], 100);
	run();
	uint64_t given_up_us = a->end_us;
	pass_ms(LIMIT_LINGER_MS - 1000);
	assert_int_equal(lent(), 1);
	run_until_none_is_lent();
	assert_in_range((clock_mono_us() - given_up_us) / 1000, LIMIT_LINGER_MS - 5, LIMIT_LINGER_MS + SLACK_MS);
	assert_int_equal(last_outcome(addr_port(&server[0].from[0])), LOAN_TIMEOUT);
	assert_int_equal(known(&server[0]).silences, 1);
}

/* Ports that linger make way when others need them: half of all may linger, and none is missed. */
static void test_lingering_makes_way(void **state)
{
	struct asker *a[8];
	(void)state;
	begin_with(8);
	for (int i = 0; i < 4; i++) {
		server[i].manner = SILENT;
		ask((const char *[]){"a", "b", "c", "d"}[i], &server[i], 50);
	}
	run();
	assert_in_range(resolver_lingering(resolver), 1, 4);
	for (int i = 0; i < 8; i++) {
		server[i].manner = HELD;
		char label[8];
		snprintf(label, sizeof(label), "n%d", i);
		a[i] = ask(label, &server[i], 5000);
	}
	run_to(4, 12);
	assert_int_equal(lent(), 8);
	assert_int_equal(resolver_lingering(resolver), 0);
	assert_int_equal(counted(COUNT_LOANS_QUEUED), 0);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(server[i].asked, i < 4 ? 2 : 1);
		server[i].answered = server[i].asked - 1;
		answer(&server[i]);
	}
	run();
	for (int i = 0; i < 8; i++)
		assert_int_equal(a[i]->result, 0);
}

/* The resolver ends while ports linger: all come back (and end() looks). */
static void test_end_while_lingering(void **state)
{
	(void)state;
	begin_with(100);
	server[0].manner = SILENT;
	for (int i = 0; i < 5; i++)
		ask((const char *[]){"a", "b", "c", "d", "e"}[i], &server[0], 50);
	run();
	assert_int_equal(resolver_lingering(resolver), 5);
}

/* --- ICMP --- */

/* The client's own socket at that server: it is this process's. */
static int find_loan(const struct addr *at)
{
	for (int fd = 3; fd < 1000; fd++)
		if (sockets_is_connected_to(fd, at))
			return fd;
	fail_msg("nobody is connected to the server");
	return -1;
}

static bool server0_was_asked(void)
{
	assert_true(clock_mono_us() < pass_until_us);
	return server[0].asked > 0;
}

/* The question has arrived; then a datagram to the server's closed port brings an ICMP error to the loan. */
static struct asker *ask_and_refuse(unsigned timeout_ms)
{
	server[0].manner = HELD;
	struct asker *a = ask("icmp", &server[0], timeout_ms);
	pass_until_us = clock_mono_us() + EVER_US;
	run_until(server0_was_asked);
	int loan = find_loan(&server[0].addr);
	close_server(&server[0]);
	assert_int_equal(send(loan, "x", 1, 0), 1);
	return a;
}

static bool icmp_is_counted(void)
{
	assert_true(clock_mono_us() < pass_until_us);
	return counted(COUNT_UPSTREAM_ICMP) > 0;
}

/* An ICMP error may be forged: the true reply that comes a moment later is still taken. */
static void test_icmp_is_no_verdict(void **state)
{
	(void)state;
	begin_with(100);
	struct asker *a = ask_and_refuse(1000);
	run_until(icmp_is_counted);
	assert_false(a->done);
	open_server(&server[0]);
	answer(&server[0]);
	run();
	assert_int_equal(a->result, 0);
	assert_int_equal(counted(COUNT_UPSTREAM_ERRORS), 0);
	assert_int_equal(known(&server[0]).silences, 0);
}

/* But it is a hint: without a reply the exchange ends sooner than its timeout, and nothing is held against the server. */
static void test_icmp_is_a_hint(void **state)
{
	(void)state;
	begin_with(100);
	struct asker *a = ask_and_refuse(2000);
	run();
	assert_int_equal(a->result, E_REFUSED);
	assert_in_range(took_ms(a), LIMIT_HINT_MS - 1, LIMIT_HINT_MS + SLACK_MS);
	assert_int_equal(lent(), 0); /* it does not linger: somebody said that nobody is there */
	assert_int_equal(known(&server[0]).silences, 0);
	assert_int_equal(counted(COUNT_UPSTREAM_TIMEOUTS), 0);
}

/* More errors do not shorten the wait further, nor lengthen it. */
static void test_icmp_many(void **state)
{
	(void)state;
	begin_with(100);
	struct asker *a = ask_and_refuse(2000);
	int loan = find_loan(&server[0].addr);
	for (int i = 0; i < 1000 && !a->done; i++) {
		(void)!send(loan, "x", 1, 0);
		pass_ms(4);
	}
	run();
	assert_int_equal(a->result, E_REFUSED);
	assert_in_range(took_ms(a), LIMIT_HINT_MS - 1, LIMIT_HINT_MS + SLACK_MS);
	assert_int_equal(counted(COUNT_UPSTREAM_ICMP), 1);
}

/* --- the other ways of lending --- */

/* Nobody calls for it: the resolver's own timer sees to it that a held port goes dark after its reply. */
static void test_reserved_ports_go_dark(void **state)
{
	struct addr dark;
	(void)state;
	begin_reserved(1, 100, true);
	assert_int_equal(addr_parse(&dark, "127.0.0.1", 1), 0);
	ask("one", &server[0], 1000);
	server[0].manner = HELD;
	pass_until_us = clock_mono_us() + EVER_US;
	run_until(server0_was_asked);
	int loan = find_loan(&server[0].addr);
	answer(&server[0]);
	run();
	assert_true(sockets_is_connected_to(loan, &server[0].addr));
	pass_ms(LIMIT_DUSK_MS + 20);
	assert_true(sockets_is_connected_to(loan, &dark));
	for (int i = 0; i < 10; i++) { /* and it can be lent from there, still watched or watched again */
		server[i % SERVERS].manner = GOOD;
		char label[8];
		snprintf(label, sizeof(label), "m%d", i);
		struct asker *a = ask(label, &server[i % SERVERS], 1000);
		run();
		assert_int_equal(a->result, 0);
		if (i % 2)
			pass_ms(LIMIT_DUSK_MS + 20);
	}
}

/* A repeated reply, which comes after the port has been returned, does not spoil the next exchange on it. */
static void test_reserved_port_forgets(void **state)
{
	for (int alone = 0; alone < 2; alone++) {
		begin_reserved(1, 100, alone);
		for (int i = 0; i < 20; i++) {
			char label[8];
			snprintf(label, sizeof(label), "f%d", i);
			struct server *s = &server[i / 2 % 4];
			struct asker *a = ask(label, s, 1000);
			run();
			assert_int_equal(a->result, 0);
			for (int copy = 0; copy < 3; copy++)
				reply(s, s->asked - 1, false);
			if (i % 3 == 0)
				pass_ms(LIMIT_DUSK_MS + 10);
		}
		assert_int_equal(counted(COUNT_UPSTREAM_MISMATCHED), 0);
		assert_int_equal(counted(COUNT_UPSTREAM_TCP), 0);
		assert_int_equal(counted(COUNT_LOANS_RESERVED), 20);
		if (alone == 0)
			end(state);
	}
}

/* One port for all: two questions to one server go one after the other, those to others at once. */
static void test_shared_port_takes_turns(void **state)
{
	(void)state;
	begin_world();
	single = single_new(space, true, false);
	begin_resolver(0, 100, true);
	server[0].manner = HELD;
	struct asker *first = ask("first", &server[0], 2000), *second = ask("second", &server[0], 2000);
	struct asker *other = ask("other", &server[1], 2000);
	run_to(1, 2);
	pass_ms(30); /* the second tries now and then */
	assert_true(other->done && other->result == 0);
	assert_int_equal(server[0].asked, 1);
	answer(&server[0]);
	run_to(2, 3);
	assert_true(first->done && first->result == 0);
	assert_int_equal(server[0].asked, 2);
	answer(&server[0]);
	run();
	assert_int_equal(second->result, 0);
	for (unsigned i = 0; i < server[0].asked; i++)
		assert_int_equal(addr_port(&server[0].from[i]), single_port(single));
	assert_int_equal(addr_port(&server[1].from[0]), single_port(single));
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answered),
		TEST(test_queue_keeps_order),
		TEST(test_queue_has_a_deadline),
		TEST(test_queue_survives_cancelling),
		TEST(test_a_server_has_its_share),
		TEST(test_a_zone_has_its_share),
		TEST(test_late_reply_teaches),
		TEST(test_late_reply_teaches_reserved),
		TEST(test_late_forgeries_teach_nothing),
		TEST(test_lingering_ends),
		TEST(test_lingering_makes_way),
		TEST(test_end_while_lingering),
		TEST(test_icmp_is_no_verdict),
		TEST(test_icmp_is_a_hint),
		TEST(test_icmp_many),
		TEST(test_reserved_ports_go_dark),
		TEST(test_reserved_port_forgets),
		TEST(test_shared_port_takes_turns),
	};
	sockets_enter_namespace();
	log_init(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
