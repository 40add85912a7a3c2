/* Packed loans come back as they were, whatever is cut off or scribbled over; the bitmap never hides a loan. */
#include "unit/unit.h"

#include <stdlib.h>

#include "ports/pack.h"

enum { ROOM = 256 << 10 };

static uint32_t draw(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % below;
}

static struct ledger_entry make(uint32_t *seed)
{
	static const char *const servers[] = {"192.0.2.1@53", "2001:db8::1@53", "203.0.113.9@5300", "2001:db8::2@1"};
	struct ledger_entry entry = {.begin_us = 1790000000000000ull + draw(seed, 5000000),
		.took_us = draw(seed, 2) ? draw(seed, 300) : UINT32_MAX - draw(seed, 3),
		.port = (uint16_t)(1 + draw(seed, 65535)),
		.transport = (uint8_t)draw(seed, 2),
		.outcome = (uint8_t)(LOAN_REPLY + draw(seed, LOAN_OUTCOMES - LOAN_REPLY))};
	assert_int_equal(addr_parse(&entry.server, servers[draw(seed, 4)], 53), 0);
	return entry;
}

static void assert_same(const struct packed_loan *loan, const struct ledger_entry *entry, const char *question)
{
	assert_int_equal(loan->begin_us, entry->begin_us);
	assert_int_equal(loan->took_us, entry->took_us);
	assert_int_equal(loan->port, entry->port);
	assert_int_equal(loan->transport, entry->transport);
	assert_int_equal(loan->outcome, entry->outcome);
	assert_true(addr_equal(&loan->server, &entry->server));
	assert_int_equal(loan->question_len, strlen(question));
	assert_memory_equal(loan->question, question, loan->question_len);
}

static const char *question_of(unsigned number, char out[64])
{
	if (number % 7 == 0)
		return "";
	snprintf(out, 64, "host%u.example.org. A", number);
	return out;
}

static void test_round(void **state)
{
	(void)state;
	struct pack *pack = pack_new(ROOM);
	static struct ledger_entry entries[PACK_LOANS];
	char text[64];
	uint32_t seed = 4;
	unsigned count = 0;
	pack_clear(pack);
	for (; count < PACK_LOANS; count++) {
		entries[count] = make(&seed);
		assert_true(pack_add(pack, &entries[count], question_of(count, text)));
	}
	assert_false(pack_add(pack, &entries[0], "")); /* full by number */
	struct unpack unpack = unpack_begin(pack->bytes, pack->len);
	struct packed_loan loan;
	for (unsigned i = 0; i < count; i++) {
		assert_true(unpack_next(&unpack, &loan));
		assert_same(&loan, &entries[i], question_of(i, text));
		assert_true(loan.begin_us >= pack->first_us && loan.begin_us + loan.took_us <= pack->last_us);
	}
	assert_false(unpack_next(&unpack, &loan));
	assert_false(unpack.is_bad);
	pack_free(pack);
}

static void test_full_by_bytes(void **state)
{
	(void)state;
	struct pack *pack = pack_new(4 * PACK_LOAN);
	char longest[600];
	uint32_t seed = 1;
	unsigned count = 0;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	struct ledger_entry entry = make(&seed);
	pack_clear(pack);
	while (pack_add(pack, &entry, longest))
		count++;
	assert_in_range(count, 3, 4);
	assert_true(pack->len <= pack->room);
	struct unpack unpack = unpack_begin(pack->bytes, pack->len);
	struct packed_loan loan;
	assert_true(unpack_next(&unpack, &loan));
	assert_int_equal(loan.question_len, PACK_TEXT);
	pack_free(pack);
}

/* Exactly as large as what is there, so that a sanitizer sees a step too far. */
static size_t unpack_copy(const uint8_t *bytes, size_t len, bool *is_bad)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	memcpy(copy, bytes, len);
	struct unpack unpack = unpack_begin(copy, len);
	size_t count = 0, sum = 0;
	for (struct packed_loan loan; unpack_next(&unpack, &loan); count++)
		for (size_t i = 0; i < loan.question_len; i++)
			sum += loan.question[i];
	*is_bad = unpack.is_bad;
	free(copy);
	return sum == SIZE_MAX ? 0 : count;
}

static void test_cut_and_scribbled(void **state)
{
	(void)state;
	struct pack *pack = pack_new(ROOM);
	uint32_t seed = 9;
	bool is_bad;
	pack_clear(pack);
	for (unsigned i = 0; i < 20; i++) {
		struct ledger_entry entry = make(&seed);
		assert_true(pack_add(pack, &entry, "www.example.org. AAAA"));
	}
	for (size_t len = 0; len < pack->len; len++)
		assert_true(unpack_copy(pack->bytes, len, &is_bad) < 20);
	assert_int_equal(unpack_copy(pack->bytes, pack->len - 1, &is_bad), 19);
	assert_true(is_bad);
	for (unsigned round = 0; round < 20000; round++) {
		uint8_t copy[2048];
		size_t len = pack->len < sizeof(copy) ? pack->len : sizeof(copy);
		memcpy(copy, pack->bytes, len);
		for (unsigned k = 0; k < 4; k++)
			copy[draw(&seed, (uint32_t)len)] = (uint8_t)draw(&seed, 256);
		(void)unpack_copy(copy, len, &is_bad);
	}
	pack_free(pack);
}

static void test_ports(void **state)
{
	(void)state;
	struct pack *pack = pack_new(ROOM);
	static struct pack_ports ports;
	uint32_t seed = 77;
	for (unsigned count = 0; count <= PACK_LOANS; count = count == 0 ? 1 : count * 4) {
		struct port_set in = {{0}};
		unsigned maybe = 0;
		pack_clear(pack);
		for (unsigned i = 0; i < count; i++) {
			struct ledger_entry entry = make(&seed);
			port_set_add(&in, entry.port);
			assert_true(pack_add(pack, &entry, ""));
		}
		pack_ports(pack, &ports);
		assert_int_equal(ports.len & (ports.len - 1), 0);
		for (unsigned port = 1; port < PORTS_ALL; port++) {
			struct port_range one = {(uint16_t)port, (uint16_t)port};
			bool may = pack_ports_may_have(ports.bytes, ports.len, one);
			assert_true(may || !port_set_has(&in, (uint16_t)port)); /* nothing is hidden */
			maybe += may;
		}
		assert_true(maybe <= PORTS_ALL / PACK_BITS_EACH); /* and most is ruled out */
	}
	/* What is no bitmap rules nothing out. */
	static const size_t lengths[] = {0, 3, PACK_PORTS * 2};
	static uint8_t none[PACK_PORTS * 2];
	for (size_t i = 0; i < COUNT_OF(lengths); i++)
		assert_true(pack_ports_may_have(none, lengths[i], (struct port_range){53, 53}));
	pack_free(pack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_round), cmocka_unit_test(test_full_by_bytes),
		cmocka_unit_test(test_cut_and_scribbled), cmocka_unit_test(test_ports)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
