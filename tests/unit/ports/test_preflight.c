/* What an operator is told of the pool (ports/preflight.c): which lines come, at which level, with which numbers. */
#include "unit/unit.h"

#include <math.h>
#include <stdlib.h>

#include "ports/kernel.h"
#include "ports/preflight.h"
#include "unit/sockets.h"

enum { LINES = 16, PLENTY = 1000000 };

static struct usable usable;
static struct preflight flight;
static struct {
	enum preflight_level level;
	char text[500];
} line[LINES];
static unsigned lines;
static bool can_set; /* ip_local_port_range is ours */

static void on_line(enum preflight_level level, const char *text, void *arg)
{
	assert_ptr_equal(arg, &flight);
	assert_true(lines < LINES);
	assert_true(strlen(text) < sizeof(line[0].text));
	line[lines].level = level;
	strcpy(line[lines++].text, text);
}

static void fly(void)
{
	flight.among = !flight.reserved ? usable.count[PORT_USABLE] : flight.wanted == 0 ? 1 : flight.pool;
	lines = 0;
	preflight(&flight, on_line, &flight);
	assert_true(lines >= 3);
}

/* The one line with these words; its level. */
static enum preflight_level find(const char *words)
{
	int found = -1;
	for (unsigned i = 0; i < lines; i++) {
		if (strstr(line[i].text, words) == NULL)
			continue;
		assert_int_equal(found, -1);
		found = (int)i;
	}
	if (found < 0) {
		for (unsigned i = 0; i < lines; i++)
			print_message("said: %s\n", line[i].text);
		fail_msg("nobody said: %s", words);
	}
	return line[found].level;
}

static bool is_said(const char *words)
{
	for (unsigned i = 0; i < lines; i++)
		if (strstr(line[i].text, words) != NULL)
			return true;
	return false;
}

static void set_kernel_range(const char *range)
{
	if (can_set)
		assert_true(sockets_sysctl("net/ipv4/ip_local_port_range", range));
}

static void use_rules(uint16_t first, uint16_t last, uint16_t excluded_first, uint16_t excluded_last)
{
	static struct usable_rules rules;
	static struct port_set held;
	memset(&rules, 0, sizeof(rules));
	memset(&held, 0, sizeof(held));
	rules.range = (struct port_range){first, last};
	port_set_fill(&rules.exclude, excluded_first, excluded_last);
	port_set_add(&held, first);
	usable_make(&usable, &rules, &held);
	flight.range = rules.range;
}

static int begin(void **state)
{
	(void)state;
	flight = (struct preflight){.usable = &usable, .wanted = 2500, .pool = 2500, .max = 10000, .files = PLENTY};
	use_rules(53000, 60999, 60000, 60099); /* no known clash lies there */
	set_kernel_range("32768 60999");
	return 0;
}

/* --- the set --- */

static void test_what_is_usable(void **state)
{
	char text[100];
	(void)state;
	fly();
	unsigned count = usable.count[PORT_USABLE];
	assert_int_equal(count, 8000 - 100 - 1 - usable.count[PORT_CLASHING]);
	snprintf(text, sizeof(text), "%u ports of 53000-60999 are usable (not: 100 excluded", count);
	assert_int_equal(find(text), PREFLIGHT_GOOD);
	assert_true(is_said(", 1 held by other programs"));
	assert_false(is_said("ip_local_reserved_ports")); /* what took nothing away is not named */
	snprintf(text, sizeof(text), "of all of them for each question: %.1f bits to guess, %.1f with the ID",
		log2(count), log2(count) + 16);
	assert_int_equal(find(text), PREFLIGHT_GOOD);
}

static void test_few_ports(void **state)
{
	(void)state;
	use_rules(53000, 53999, 53100, 53199);
	fly();
	assert_int_equal(find("that is few"), PREFLIGHT_WARNING);
	assert_int_equal(find("are usable"), PREFLIGHT_GOOD);
}

/* Held ports are fewer to guess than usable ones, one port is none. */
static void test_reserved(void **state)
{
	(void)state;
	flight.reserved = true;
	fly();
	assert_int_equal(find("of those that are held: 11.3 bits"), PREFLIGHT_GOOD); /* log2(2500) */
	assert_false(is_said("fast way"));                                           /* nothing is moored */
	flight.wanted = flight.pool = 1000;
	fly();
	assert_int_equal(find("of those that are held: 10.0 bits"), PREFLIGHT_WARNING);
	flight.wanted = flight.pool = 0;
	fly();
	flight.wanted = 2500;
	flight.pool = 16; /* what can be held */
	fly();
	assert_int_equal(find("of those that are held: 4.0 bits"), PREFLIGHT_WARNING);
	assert_int_equal(find("ports.pool is 2500, but 16 ports are held of each family"), PREFLIGHT_WARNING);
	flight.wanted = flight.pool = 0;
	fly();
	assert_int_equal(find("one port is shared by all questions: 0.0 bits to guess, 16.0"), PREFLIGHT_WARNING);
}

static void test_bits(void **state)
{
	(void)state;
	assert_true(port_bits(0) <= 0 && port_bits(1) <= 0);
	assert_true(fabs(port_bits(16384) - 14) < 1e-9);
}

/* --- the kernel --- */

static void test_kernel_range(void **state)
{
	char text[200];
	(void)state;
	if (!can_set || !kernel_can_moor())
		skip();
	fly();
	assert_int_equal(find("ip_local_port_range 32768-60999 covers all of them"), PREFLIGHT_GOOD);
	set_kernel_range("32768 55999");
	fly();
	unsigned moorable = 0;
	for (unsigned port = 53000; port <= 55999; port++)
		moorable += port_set_has(&usable.set, (uint16_t)port);
	snprintf(text, sizeof(text), "%u of the usable ports go the fast way, the other %u cost a fresh socket",
		moorable, usable.count[PORT_USABLE] - moorable);
	assert_int_equal(find(text), PREFLIGHT_NOTE);
	assert_true(is_said("ip_local_port_range=\"32768 60999\"")); /* wide enough for both */
	set_kernel_range("54000 65535");
	fly();
	assert_true(is_said("ip_local_port_range=\"53000 65535\""));
}

/* Even if there is none, nothing is praised. */
static void test_no_port_at_all(void **state)
{
	(void)state;
	use_rules(53000, 53000, 53000, 53000);
	fly();
	assert_int_equal(usable.count[PORT_USABLE], 0);
	assert_int_equal(find("0 ports of 53000-53000 are usable"), PREFLIGHT_WARNING);
	assert_false(is_said("covers all of them"));
}

/* "default" is what the next interface begins with. */
static void test_redirects(void **state)
{
	static const struct {
		const char *all, *one, *forwarding;
		bool obeyed;
	} rows[] = {{"0", "0", "0", false}, {"0", "1", "0", true}, {"1", "0", "0", true}, {"1", "1", "1", true},
		{"0", "1", "1", false}, {"1", "0", "1", false}};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (!can_set || !sockets_sysctl("net/ipv4/conf/default/forwarding", rows[i].forwarding))
			skip();
		assert_true(sockets_sysctl("net/ipv4/conf/all/accept_redirects", rows[i].all));
		assert_true(sockets_sysctl("net/ipv4/conf/default/accept_redirects", rows[i].one));
		fly();
		assert_int_equal(is_said("obeys ICMP redirects"), rows[i].obeyed);
	}
}

/* --- descriptors --- */

static void test_descriptors(void **state)
{
	static const struct {
		unsigned long files;
		bool reserved;
		enum preflight_level level;
	} rows[] = {
		{0, false, PREFLIGHT_GOOD}, /* any number */
		{PLENTY, false, PREFLIGHT_GOOD},
		{10600, false, PREFLIGHT_GOOD},
		{10599, false, PREFLIGHT_NOTE},
		{3100, false, PREFLIGHT_NOTE},
		{3099, false, PREFLIGHT_WARNING},
		{1024, false, PREFLIGHT_WARNING},
		{13100, true, PREFLIGHT_GOOD}, /* held in both families */
		{5600, true, PREFLIGHT_NOTE},
		{5599, true, PREFLIGHT_WARNING},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		flight.files = rows[i].files;
		flight.reserved = rows[i].reserved;
		fly();
		assert_int_equal(find("descriptors: "), rows[i].level);
		assert_int_equal(is_said("LimitNOFILE="), rows[i].level != PREFLIGHT_GOOD);
	}
}

/* Lines are sentences for people: none is cut off, whatever the numbers. */
static void test_no_line_is_cut(void **state)
{
	(void)state;
	flight = (struct preflight){.usable = &usable, .wanted = 60000, .pool = 100, .max = 4000000000u, .files = 1};
	use_rules(1, 65535, 10000, 60000);
	fly();
	for (unsigned i = 0; i < lines; i++)
		assert_true(strlen(line[i].text) < 390);
}

static void test_levels(void **state)
{
	(void)state;
	assert_string_equal(preflight_level_text(PREFLIGHT_GOOD), "good");
	assert_string_equal(preflight_level_text(PREFLIGHT_NOTE), "note");
	assert_string_equal(preflight_level_text(PREFLIGHT_WARNING), "warning");
	assert_string_equal(preflight_level_text(PREFLIGHT_LEVELS), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_what_is_usable, begin),
		cmocka_unit_test_setup(test_few_ports, begin),
		cmocka_unit_test_setup(test_reserved, begin),
		cmocka_unit_test_setup(test_bits, begin),
		cmocka_unit_test_setup(test_kernel_range, begin),
		cmocka_unit_test_setup(test_no_port_at_all, begin),
		cmocka_unit_test_setup(test_redirects, begin),
		cmocka_unit_test_setup(test_descriptors, begin),
		cmocka_unit_test_setup(test_no_line_is_cut, begin),
		cmocka_unit_test_setup(test_levels, begin),
	};
	can_set = sockets_enter_namespace() && sockets_sysctl("net/ipv4/ip_local_port_range", "32768 60999");
	if (!can_set)
		print_message("skipped: ip_local_port_range cannot be set here\n");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
