/* What is said of a port, and what is concluded of who chose it (ports/verdict.c, ports/origin.c). */
#include "unit/unit.h"

#include "ports/verdict.h"

static const struct netns ours = {.is_ours = true}, other = {.id = 4026532008, .pid = 4711};
static const struct process fox = {.pid = 812, .uid = 0, .name = "firefox"};
static const struct process *const foxes[] = {&fox, &fox, &fox};

static struct holder holder_of(
	enum port_transport transport, enum diag_state state, const char *local, const char *peer)
{
	struct holder holder = {.ns = &ours, .how = OWNER_BISECT, .owners = foxes, .owner_count = 1};
	holder.socket.transport = transport;
	holder.socket.state = state;
	assert_int_equal(addr_parse(&holder.socket.local, local, 0), 0);
	assert_int_equal(addr_parse(&holder.socket.peer, peer != NULL ? peer : "0.0.0.0", 0), 0);
	holder.origin = origin_of(&holder.socket, (struct port_range){32768, 60999}, false);
	return holder;
}

static char words[VERDICT_WORDS];

static enum verdict say(struct verdict_facts facts)
{
	memset(words, 'x', sizeof(words));
	return verdict_of(&facts, words);
}

static enum verdict say_of(struct holder holder)
{
	return say((struct verdict_facts){.port = addr_port(&holder.socket.local), .holders = &holder, .count = 1});
}

static void test_free_ports(void **state)
{
	(void)state;
	assert_int_equal(say((struct verdict_facts){.port = 60054}), VERDICT_FREE);
	assert_string_equal(words, "free: take it");
	assert_int_equal(say((struct verdict_facts){.port = 443}), VERDICT_FREE);
	assert_string_equal(words, "free; registered for https, so take it for that");
	assert_int_equal(say((struct verdict_facts){.port = 60054, .is_reserved = true}), VERDICT_FREE);
	assert_non_null(strstr(words, "ip_local_reserved_ports"));
	struct verdict_facts facts = {.port = 60054};
	facts.probe[PORT_TCP][0] = PROBE_HELD;
	assert_int_equal(say(facts), VERDICT_UNLISTED);
	facts.probe[PORT_TCP][0] = PROBE_DENIED;
	assert_int_equal(say(facts), VERDICT_UNTRIED);
	assert_non_null(strstr(words, "only root may take it"));
	facts.probe[PORT_TCP][0] = PROBE_FAILED;
	assert_int_equal(say(facts), VERDICT_UNTRIED);
	assert_null(strstr(words, "root"));
}

static void test_connections(void **state)
{
	(void)state;
	assert_int_equal(
		say_of(holder_of(PORT_UDP, DIAG_CONNECTED, "192.0.2.7@60054", "192.0.2.1@53")), VERDICT_CLIENT);
	assert_string_equal(
		words, "an ephemeral port of firefox (pid 812, user root), connected to 192.0.2.1@53: unremarkable");
	assert_int_equal(
		say_of(holder_of(PORT_UDP, DIAG_CONNECTED, "192.0.2.7@61054", "192.0.2.1@53")), VERDICT_CHOSEN);
	assert_non_null(strstr(words, "it chose the number itself"));
	assert_int_equal(say_of(holder_of(PORT_TCP, DIAG_CLOSING, "192.0.2.7@60054", "192.0.2.1@53")), VERDICT_CLIENT);
	assert_non_null(strstr(words, "with a connection to"));
	assert_int_equal(say_of(holder_of(PORT_TCP, DIAG_TIME_WAIT, "192.0.2.7@60054", "192.0.2.1@53")), VERDICT_ENDED);
	assert_non_null(strstr(words, "TIME_WAIT"));
}

static void test_waiting(void **state)
{
	(void)state;
	assert_int_equal(say_of(holder_of(PORT_TCP, DIAG_LISTENING, "127.0.0.1@443", NULL)), VERDICT_SERVICE);
	assert_string_equal(words,
		"firefox (pid 812, user root) listens here on 127.0.0.1, the port of https: for this machine alone");
	assert_int_equal(say_of(holder_of(PORT_UDP, DIAG_UNCONNECTED, "::@61054", NULL)), VERDICT_SERVICE);
	assert_string_equal(words, "firefox (pid 812, user root) hears everybody here on every address");
	assert_int_equal(say_of(holder_of(PORT_TCP, DIAG_INACTIVE, "0.0.0.0@61054", NULL)), VERDICT_INACTIVE);
}

/* The share makes a pool of what is one socket like others. */
static void test_pools(void **state)
{
	(void)state;
	struct holder holder = holder_of(PORT_UDP, DIAG_UNCONNECTED, "0.0.0.0@60054", NULL);
	struct verdict_facts facts = {.port = 60054, .holders = &holder, .count = 1, .share = VERDICT_POOL_SHARE - 1};
	assert_int_equal(say(facts), VERDICT_SERVICE);
	facts.share = 15;
	assert_int_equal(say(facts), VERDICT_SQUAT);
	assert_non_null(strstr(words, "about 15% of the dynamic range, some 2457 UDP ports"));
	facts.daemon.is_held = true;
	assert_int_equal(say(facts), VERDICT_POOL);
	facts.daemon.question = "www.example. A";
	facts.daemon.server = "192.0.2.1@53";
	assert_int_equal(say(facts), VERDICT_LENT);
	assert_string_equal(words, "lent by berthd, to ask 192.0.2.1@53 for www.example. A, 0 ms ago: unremarkable");
	facts.daemon.ago_us = 12400;
	facts.daemon.loans = 14;
	facts.daemon.since = "14:02";
	assert_int_equal(say(facts), VERDICT_LENT);
	assert_string_equal(words, "lent by berthd, to ask 192.0.2.1@53 for www.example. A, 12 ms ago: unremarkable; "
				   "14 loans since 14:02");
}

/* What nobody has now, berthd may have had. */
static void test_last_loan(void **state)
{
	static const struct {
		uint64_t ago_us;
		const char *words;
	} cases[] = {{0, "0 ms"}, {999400, "999 ms"}, {1500000, "1.5 s"}, {59000000, "59 s"}, {7200000000, "120 min"}};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char wanted[256];
		struct verdict_facts facts = {.port = 60054,
			.daemon = {.loans = 1,
				.since = "14:02",
				.last_question = "a. A",
				.last_server = "192.0.2.1@53",
				.last_ago_us = cases[i].ago_us}};
		assert_int_equal(say(facts), VERDICT_FREE);
		snprintf(wanted, sizeof(wanted),
			"free: take it; berthd lent it for a. A to 192.0.2.1@53 until %s ago; 1 loan since 14:02",
			cases[i].words);
		assert_string_equal(words, wanted);
	}
}

/* Who has it where no process is seen, and where several are. */
static void test_who(void **state)
{
	char who[VERDICT_WHO];
	struct holder holder = holder_of(PORT_TCP, DIAG_LISTENING, "0.0.0.0@443", NULL);
	(void)state;
	holder.owner_count = 3;
	assert_string_equal(verdict_who(&holder, who), "firefox (pid 812 and 2 more, user root)");
	holder.owner_count = 0;
	holder.how = OWNER_DENIED;
	assert_string_equal(verdict_who(&holder, who), "a process of user root");
	holder.how = OWNER_KERNEL;
	assert_string_equal(verdict_who(&holder, who), "the kernel");
	holder.how = OWNER_NOBODY;
	assert_non_null(strstr(verdict_who(&holder, who), "the kernel itself"));
}

/* Ours before another namespace's, a listener before a connection, wherever they stand. */
static void test_lead(void **state)
{
	struct holder holders[] = {holder_of(PORT_TCP, DIAG_LISTENING, "0.0.0.0@60054", NULL),
		holder_of(PORT_TCP, DIAG_TIME_WAIT, "0.0.0.0@60054", "192.0.2.1@53"),
		holder_of(PORT_TCP, DIAG_CONNECTED, "0.0.0.0@60054", "192.0.2.1@53")};
	struct verdict_facts facts = {.port = 60054, .holders = holders, .count = COUNT_OF(holders)};
	(void)state;
	assert_ptr_equal(verdict_lead(&facts), &holders[0]);
	holders[0].ns = &other;
	assert_ptr_equal(verdict_lead(&facts), &holders[2]);
	facts.count = 1;
	assert_int_equal(say(facts), VERDICT_FREE);
	assert_string_equal(words, "free: take it; in another network namespace, firefox (pid 812, user root) has it");
	facts.count = 0;
	assert_null(verdict_lead(&facts));
}

static void test_origins(void **state)
{
	static const struct {
		enum port_transport transport;
		enum diag_state state;
		const char *local;
		bool has_listener;
		enum origin_who who;
		enum origin_sure sure;
	} rows[] = {
		{PORT_TCP, DIAG_LISTENING, "0.0.0.0@443", true, ORIGIN_PROGRAM, ORIGIN_CERTAIN},
		{PORT_TCP, DIAG_LISTENING, "0.0.0.0@50000", true, ORIGIN_PROGRAM, ORIGIN_GUESS},
		{PORT_TCP, DIAG_CONNECTED, "192.0.2.7@443", true, ORIGIN_LISTENER, ORIGIN_LIKELY},
		{PORT_TCP, DIAG_CONNECTED, "192.0.2.7@50000", true, ORIGIN_LISTENER, ORIGIN_LIKELY},
		{PORT_TCP, DIAG_CONNECTED, "192.0.2.7@50000", false, ORIGIN_KERNEL, ORIGIN_LIKELY},
		{PORT_TCP, DIAG_TIME_WAIT, "192.0.2.7@50000", false, ORIGIN_KERNEL, ORIGIN_GUESS},
		{PORT_TCP, DIAG_CONNECTED, "192.0.2.7@443", false, ORIGIN_PROGRAM, ORIGIN_LIKELY},
		{PORT_TCP, DIAG_INACTIVE, "192.0.2.7@32767", false, ORIGIN_PROGRAM, ORIGIN_CERTAIN},
		{PORT_UDP, DIAG_CONNECTED, "192.0.2.7@32768", true, ORIGIN_KERNEL, ORIGIN_LIKELY},
		{PORT_UDP, DIAG_CONNECTED, "192.0.2.7@61000", false, ORIGIN_PROGRAM, ORIGIN_CERTAIN},
		{PORT_UDP, DIAG_UNCONNECTED, "0.0.0.0@60999", false, ORIGIN_KERNEL, ORIGIN_GUESS},
		{PORT_UDP, DIAG_UNCONNECTED, "192.0.2.7@60999", false, ORIGIN_PROGRAM, ORIGIN_GUESS},
		{PORT_UDP, DIAG_UNCONNECTED, "::@53", false, ORIGIN_PROGRAM, ORIGIN_CERTAIN},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct holder holder = holder_of(rows[i].transport, rows[i].state, rows[i].local, NULL);
		struct origin origin =
			origin_of(&holder.socket, (struct port_range){32768, 60999}, rows[i].has_listener);
		assert_int_equal(origin.who, rows[i].who);
		assert_int_equal(origin.sure, rows[i].sure);
	}
}

/* Every name has a place for it, and none two. */
static void test_keys(void **state)
{
	(void)state;
	for (int i = 0; i < VERDICTS; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(verdict_key((enum verdict)i), verdict_key((enum verdict)k));
	assert_string_equal(verdict_key(VERDICTS), "unknown");
	for (int i = 0; i < OWNER_HOWS; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(owner_how_text((enum owner_how)i), owner_how_text((enum owner_how)k));
	for (int i = 0; i < DIAG_STATES; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(
				diag_state_text((enum diag_state)i), diag_state_text((enum diag_state)k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_free_ports),
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_pools),
		cmocka_unit_test(test_last_loan),
		cmocka_unit_test(test_who),
		cmocka_unit_test(test_lead),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
