/* Lists of ports in words: what each means, and the exact complaint about what means nothing. */
#include "unit/unit.h"

#include <stdlib.h>

#include "base/error.h"
#include "ports/list.h"
#include "ports/registry.h"

static void test_good(void **state)
{
	static const struct {
		const char *text;
		unsigned count;
		uint16_t in[3];
	} cases[] = {
		{"51820", 1, {51820, 51820, 51820}},
		{"51820, 60100-60199, mdns", 102, {51820, 60199, 5353}},
		{"51820,51820,51819-51821", 3, {51819, 51820, 51821}},
		{"\t domain ,\n https ", 2, {53, 443, 443}},
		{"DOMAIN", 1, {53, 53, 53}},
		{"http-alt", 3, {591, 8008, 8080}},
		{"x11", 64, {6000, 6031, 6063}},
		{"914c/g", 1, {211, 211, 211}}, /* a name may begin with a digit */
		{"3com-tsmux", 1, {106, 106, 106}},
		{"https", 1, {443, 443, 443}}, /* there is a row of that name without a port, too */
		{"1-65535", 65535, {1, 32768, 65535}},
		{"007", 1, {7, 7, 7}},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		static struct port_set set;
		char why[PORT_LIST_WHY] = "";
		memset(&set, 0, sizeof(set));
		if (port_list_parse(&set, cases[i].text, why, sizeof(why)) != 0)
			fail_msg("%s", why);
		assert_int_equal(port_set_count(&set), cases[i].count);
		for (size_t j = 0; j < COUNT_OF(cases[i].in); j++)
			assert_true(port_set_has(&set, cases[i].in[j]));
	}
}

#define TEN  "0123456789"
#define PORT "is not a port or a range of ports; write for example 51820 or 60100-60199"
#define ANY                                                                                                            \
	"is no registered service; write ports, ranges and names of IANA's registry, for example 51820, "              \
	"60100-60199, mdns"
#define NONE   "\"\" is no port; take a comma away, or write for example 51820 or 60100-60199"
#define COMMAS "is more than one word; put a comma between them"

static void test_bad(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"", NONE},
		{" ", NONE},
		{",", NONE},
		{"53,", NONE},
		{"53,,54", NONE},
		{"0", "\"0\" " PORT},
		{"9-8", "\"9-8\" " PORT},
		{"5-", "\"5-\" " PORT},
		{"65536", "\"65536\" " PORT},
		{"1-2-3", "\"1-2-3\" " PORT},
		{"53, 70000, 54", "\"70000\" " PORT},
		{"5 6", "\"5 6\" " COMMAS},
		{"domain https", "\"domain https\" " COMMAS},
		{"5 - 6", "\"5 - 6\" " COMMAS},
		{"mdsn", "\"mdsn\" is no registered service; did you mean mdns?"},
		{"Domian", "\"Domian\" is no registered service; did you mean domain?"},
		{"airplay", "\"airplay\" is registered without a port; write the number of the port"},
		{"wireguard", "\"wireguard\" is no registered service; write its port, 51820 as a rule"},
		{"entirely-else", "\"entirely-else\" " ANY},
		{"\x1b[31m", "\"\\x1b[31m\" " ANY},
		{"-5", "\"-5\" " PORT},
		{TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN,
			"\"" TEN TEN TEN TEN TEN TEN
			"01234567...\" is too long for a port, a range or a service's name"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		static struct port_set set, before;
		char why[PORT_LIST_WHY] = "";
		port_set_fill(&set, 7, 7);
		before = set;
		assert_int_equal(port_list_parse(&set, cases[i].text, why, sizeof(why)), E_INVAL);
		assert_string_equal(why, cases[i].why);
		assert_memory_equal(&set, &before, sizeof(set));
	}
}

/* Adds to what is there; a complaint is cut to its room. */
static void test_room(void **state)
{
	static struct port_set set;
	char why[12] = "";
	(void)state;
	port_set_fill(&set, 7, 9);
	assert_int_equal(port_list_parse(&set, "9-10", why, sizeof(why)), 0);
	assert_int_equal(port_set_count(&set), 4);
	assert_int_equal(port_list_parse(&set, "mdsn", why, sizeof(why)), E_INVAL);
	assert_string_equal(why, "\"mdsn\" is n");
}

/* Each name of the registry that has a port is a list, unless it reads as a number. */
static void test_every_name(void **state)
{
	const struct service *s;
	(void)state;
	for (size_t i = 0; (s = registry_row(i)) != NULL; i++) {
		static struct port_set set;
		char why[PORT_LIST_WHY];
		memset(&set, 0, sizeof(set));
		if (s->port == 0)
			continue;
		assert_int_equal(port_list_parse(&set, s->name, why, sizeof(why)), 0);
		assert_true(port_set_has(&set, s->port));
		assert_false(port_set_has(&set, 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_every_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
