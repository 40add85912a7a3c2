#include "unit/unit.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/limits.h"
#include "cache/facts.h"
#include "unit/fake/clock.h"

static struct facts_table *table;
static struct addr server;

static int begin(void **state)
{
	(void)state;
	hash_init();
	table = facts_new();
	return addr_parse(&server, "192.0.2.1", 53);
}

static int end(void **state)
{
	(void)state;
	facts_free(table);
	return 0;
}

static struct facts get(void)
{
	struct facts facts;
	memset(&facts, 0xee, sizeof(facts));
	facts_get(table, &server, &facts);
	return facts;
}

/* RFC 6298 2: the first measure, then srtt by 1/8 and the deviation by 1/4. */
static void test_smoothing(void **state)
{
	static const struct {
		uint32_t rtt_us, srtt_us, rttvar_us;
	} steps[] = {
		{80000, 80000, 40000},
		{80000, 80000, 30000},
		{160000, 90000, 42500},
		{10000, 80000, 51875},
		{0, 70000, 58907},
		{UINT32_MAX, 536932161, 1073768504},
	};
	(void)state;
	assert_int_equal(get().srtt_us, 0);
	for (size_t i = 0; i < COUNT_OF(steps); i++) {
		facts_note_reply(table, &server, steps[i].rtt_us);
		assert_int_equal(get().srtt_us, steps[i].srtt_us);
		assert_int_equal(get().rttvar_us, steps[i].rttvar_us);
	}
}

/* However fast, an answer is told apart from none. */
static void test_zero_rtt(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		facts_note_reply(table, &server, 0);
		assert_true(get().srtt_us > 0);
	}
}

static void test_converges(void **state)
{
	(void)state;
	facts_note_reply(table, &server, 1000000);
	for (int i = 0; i < 100; i++)
		facts_note_reply(table, &server, 20000);
	assert_in_range(get().srtt_us, 19000, 21000);
	assert_true(get().rttvar_us < 1000);
}

static bool no_edns(void)
{
	return get().no_edns_until_us > fake_mono_us;
}

static void test_silence(void **state)
{
	(void)state;
	for (int i = 1; i <= 3; i++) {
		fake_pass_s(1);
		facts_note_silence(table, &server);
		assert_int_equal(get().silences, i);
		assert_int_equal(get().silent_us, fake_mono_us);
		assert_int_equal(get().srtt_us, 0);
	}
	facts_note_reply(table, &server, 5000);
	assert_int_equal(get().silences, 0);
	for (int i = 0; i < 70000; i++)
		facts_note_silence(table, &server);
	assert_int_equal(get().silences, UINT16_MAX); /* and not round to none */
	assert_int_equal(get().srtt_us, 5000);
}

static void test_apart(void **state)
{
	struct facts facts;
	struct addr other = server;
	(void)state;
	facts_note_reply(table, &server, 5000);
	addr_set_port(&other, 54);
	facts_get(table, &other, &facts);
	assert_int_equal(facts.srtt_us, 0);
	assert_int_equal(addr_parse(&other, "2001:db8::1", 53), 0);
	facts_note_no_edns(table, &other);
	facts_get(table, &other, &facts);
	assert_true(facts.no_edns_until_us > fake_mono_us && facts.srtt_us == 0);
	assert_false(no_edns());
	assert_int_equal(get().srtt_us, 5000);
}

static void test_forgetting(void **state)
{
	(void)state;
	facts_note_reply(table, &server, 5000);
	facts_note_no_edns(table, &server);
	fake_pass_s(LIMIT_FACTS_S - 1);
	assert_true(no_edns() && get().srtt_us == 5000);
	fake_pass_s(1);
	assert_true(!no_edns() && get().srtt_us == 0 && get().silences == 0);
	facts_note_silence(table, &server); /* begins anew */
	assert_true(get().silences == 1 && !no_edns() && get().srtt_us == 0);
	/* Each new fact keeps the others, but none keeps a server without EDNS for ever. */
	facts_note_no_edns(table, &server);
	fake_pass_s(LIMIT_FACTS_S - 1);
	facts_note_reply(table, &server, 7000);
	assert_true(no_edns());
	fake_pass_s(LIMIT_FACTS_S - 1);
	assert_true(!no_edns() && get().srtt_us == 7000);
}

/* A flood of addresses never crashes and never grows; who is asked all the time is mostly still known. */
static void test_flood(void **state)
{
	struct addr other;
	unsigned known = 0;
	(void)state;
	for (uint32_t i = 0; i < 200000; i++) {
		uint8_t bytes[16] = {0x20, 1, 0xd, 0xb8, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
		other = addr_of_bytes(bytes, 16, 53);
		fake_mono_us++;
		facts_note_silence(table, &other);
		if (i % 1000 == 0) {
			known += get().srtt_us != 0;
			facts_note_reply(table, &server, 5000);
		}
	}
	assert_true(known > 190);
	struct facts facts;
	facts_get(table, &other, &facts);
	assert_int_equal(facts.silences, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void *write_cookies(void *arg)
{
	for (unsigned i = 0; i < 1000000; i++) {
		struct cookie cookie = {.server_len = COOKIE_SERVER_MAX};
		memset(cookie.server, (int)(i & 0xff), sizeof(cookie.server));
		facts_note_cookie(table, arg, &cookie);
	}
	return NULL;
}

/* Readers take no lock, and never see half of what was written. */
static void test_readers_and_writers(void **state)
{
	(void)state;
	pthread_t thread[2];
	for (int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, write_cookies, &server);
	for (unsigned i = 0; i < 1000000; i++) {
		struct cookie cookie = get().cookie;
		for (unsigned j = 1; j < sizeof(cookie.server); j++)
			assert_int_equal(cookie.server[j], cookie.server[0]);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(get().cookie.server_len, COOKIE_SERVER_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_smoothing),
		TEST(test_zero_rtt),
		TEST(test_converges),
		TEST(test_silence),
		TEST(test_apart),
		TEST(test_forgetting),
		TEST(test_flood),
		TEST(test_readers_and_writers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
