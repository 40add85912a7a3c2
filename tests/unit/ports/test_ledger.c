#include "unit/unit.h"

#include "ports/ledger.h"

static void add(struct ledger *ledger, uint16_t port, uint32_t number)
{
	struct ledger_entry entry = {.port = port, .took_us = number};
	ledger_add(ledger, &entry);
}

static void test_newest_first(void **state)
{
	struct ledger *ledger = ledger_new(8);
	struct ledger_entry out[10];
	(void)state;
	assert_int_equal(ledger_find(ledger, 0, out, 10), 0); /* an unwritten entry is no loan of port 0 */
	for (uint32_t i = 1; i <= 5; i++)
		add(ledger, i % 2 ? 50001 : 50002, i);
	assert_int_equal(ledger_find(ledger, 50001, out, 10), 3);
	assert_true(out[0].took_us == 5 && out[1].took_us == 3 && out[2].took_us == 1);
	assert_int_equal(ledger_find(ledger, 50001, out, 2), 2);
	assert_true(out[0].took_us == 5 && out[1].took_us == 3);
	assert_int_equal(ledger_find(ledger, 50001, out, 0), 0);
	assert_int_equal(ledger_find(ledger, 50003, out, 10), 0);
	ledger_free(ledger);
}

static void test_ring_wraps(void **state)
{
	(void)state;
	for (size_t room = 1; room <= 9; room++) {
		struct ledger *ledger = ledger_new(room);
		struct ledger_entry out[20];
		for (uint32_t i = 1; i <= 40; i++) {
			add(ledger, 50000, i);
			size_t have = ledger_find(ledger, 50000, out, 20);
			assert_int_equal(have, i < room ? i : room);
			for (size_t k = 0; k < have; k++)
				assert_int_equal(out[k].took_us, i - k);
		}
		ledger_free(ledger);
	}
}

static void test_count_and_mark(void **state)
{
	(void)state;
	struct ledger *ledger = ledger_new(8);
	struct port_set set = {{0}};
	uint64_t oldest_us = 7;
	assert_int_equal(ledger_count(ledger, 50000, &oldest_us), 0);
	assert_int_equal(oldest_us, 0);
	for (unsigned i = 0; i < 12; i++) { /* 4 to 11 stay */
		struct ledger_entry entry = {
			.port = (uint16_t)(50000 + i % 3), .begin_us = 1000 + i * 100, .took_us = 50};
		ledger_add(ledger, &entry);
	}
	assert_int_equal(ledger_count(ledger, 50000, &oldest_us), 2);
	assert_int_equal(oldest_us, 1600);
	ledger_mark(ledger, 2051, &set); /* the last two, which ended at 2050 and 2150 */
	assert_int_equal(port_set_count(&set), 1);
	assert_true(port_set_has(&set, 50002));
	ledger_mark(ledger, 2050, &set);
	assert_int_equal(port_set_count(&set), 2);
	ledger_mark(ledger, 0, &set);
	assert_int_equal(port_set_count(&set), 3);
	ledger_free(ledger);
}

static void test_since(void **state)
{
	(void)state;
	struct ledger *ledger = ledger_new(8);
	struct ledger_entry out[20];
	uint64_t seen = 0, lost = 0;
	assert_int_equal(ledger_since(ledger, &seen, out, 20, &lost), 0);
	for (uint32_t i = 0; i < 5; i++)
		add(ledger, 50000, i);
	assert_int_equal(
		ledger_since(ledger, &seen, out, 3, &lost), 3); /* oldest first, as many as there is room for */
	assert_int_equal(out[0].took_us, 0);
	assert_int_equal(out[2].took_us, 2);
	for (uint32_t i = 5; i < 11; i++)
		add(ledger, 50000, i);
	assert_int_equal(ledger_since(ledger, &seen, out, 20, &lost), 8); /* 3 to 10: the ring has just these */
	assert_int_equal(out[0].took_us, 3);
	assert_int_equal(out[7].took_us, 10);
	assert_int_equal(lost, 0);
	for (uint32_t i = 11; i < 31; i++)
		add(ledger, 50000, i);
	assert_int_equal(ledger_since(ledger, &seen, out, 20, &lost), 8);
	assert_int_equal(out[0].took_us, 23);
	assert_int_equal(lost, 12);
	assert_int_equal(ledger_since(ledger, &seen, out, 20, &lost), 0);
	ledger_free(ledger);
}

static void test_words(void **state)
{
	(void)state;
	assert_string_equal(transport_text(TRANSPORT_TCP), "tcp");
	assert_string_equal(transport_text(TRANSPORT_UDP), "udp");
	assert_string_equal(loan_outcome_text(LOAN_MISMATCH), "mismatch");
	assert_string_equal(loan_outcome_text(LOAN_OUTCOMES), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_newest_first),
		cmocka_unit_test(test_ring_wraps),
		cmocka_unit_test(test_since),
		cmocka_unit_test(test_count_and_mark),
		cmocka_unit_test(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
