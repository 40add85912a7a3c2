#include "unit/unit.h"

#include <arpa/inet.h>

#include "base/addr.h"
#include "base/error.h"

static void test_parse_and_text(void **state)
{
	static const struct {
		const char *text, *out; /* NULL: refused */
	} cases[] = {
		{"192.0.2.1", "192.0.2.1@53"},
		{"192.0.2.1@5353", "192.0.2.1@5353"},
		{"192.0.2.1@65535", "192.0.2.1@65535"},
		{"2001:DB8::1", "2001:db8::1@53"},
		{"2001:db8:0:0:0:0:0:1@1", "2001:db8::1@1"},
		{"::", "::@53"},
		{"::ffff:255.255.255.255@65535", "::ffff:255.255.255.255@65535"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff@53"},
		{"", NULL},
		{"@", NULL},
		{"@53", NULL},
		{"192.0.2.1@", NULL},
		{"192.0.2.1@0", NULL},
		{"192.0.2.1@65536", NULL},
		{"192.0.2.1@-1", NULL},
		{"192.0.2.1@+1", NULL},
		{"192.0.2.1@ 1", NULL},
		{"192.0.2.1@53 ", NULL},
		{"192.0.2.1@53@54", NULL},
		{"192.0.2.1@99999999999999999999", NULL},
		{"192.0.2.1:53", NULL},
		{"192.0.2", NULL},
		{"192.0.2.256", NULL},
		{"192.0.2.1.1", NULL},
		{" 192.0.2.1", NULL},
		{"fe80::1%eth0", NULL},
		{"fe80::1%eth0@53", NULL},
		{"2001:db8::1::2", NULL},
		{"[2001:db8::1]", NULL},
		{"ns.example", NULL},
		{"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct addr addr;
		char text[ADDR_TEXT];
		int ret = addr_parse(&addr, cases[i].text, 53);
		assert_int_equal(ret, cases[i].out != NULL ? 0 : E_INVAL);
		if (ret == 0)
			assert_string_equal(addr_text(&addr, text), cases[i].out);
	}
}

static struct addr parse(const char *text)
{
	struct addr addr;
	assert_int_equal(addr_parse(&addr, text, 53), 0);
	return addr;
}

static void test_kinds(void **state)
{
	static const struct {
		const char *text;
		bool loopback, bogus, any;
	} cases[] = {
		{"192.0.2.1", false, false, false},
		{"10.0.0.1", false, false, false},
		{"127.0.0.1", true, false, false},
		{"127.255.255.255", true, false, false},
		{"128.0.0.1", false, false, false},
		{"0.0.0.0", false, true, true},
		{"0.1.2.3", false, true, false},
		{"1.0.0.0", false, false, false},
		{"169.253.255.255", false, false, false},
		{"169.254.0.0", false, true, false},
		{"169.254.255.255", false, true, false},
		{"169.255.0.0", false, false, false},
		{"223.255.255.255", false, false, false},
		{"224.0.0.0", false, true, false},
		{"239.255.255.255", false, true, false},
		{"240.0.0.1", false, true, false},
		{"255.255.255.255", false, true, false},
		{"2001:db8::1", false, false, false},
		{"::1", true, false, false},
		{"::", false, true, true},
		{"::2", false, true, false},
		{"::192.0.2.1", false, true, false},
		{"::ffff:192.0.2.1", false, true, false},
		{"::ffff:127.0.0.1", false, true, false},
		{"fe80::1", false, true, false},
		{"febf::1", false, true, false},
		{"fec0::1", false, false, false},
		{"fc00::1", false, false, false},
		{"ff02::1", false, true, false},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct addr addr = parse(cases[i].text);
		assert_int_equal(addr_is_loopback(&addr), cases[i].loopback);
		assert_int_equal(addr_is_bogus(&addr), cases[i].bogus);
		assert_int_equal(addr_is_any(&addr), cases[i].any);
	}
}

static void test_equal(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
		{"192.0.2.1", "192.0.2.1@53", true},
		{"192.0.2.1", "192.0.2.1@54", false},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8::1", "2001:db8:0::1", true},
		{"2001:db8::1", "2001:db8::1:1", false},
		{"0.0.0.0", "::", false},
		{"192.0.2.1", "::ffff:192.0.2.1", false},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct addr a = parse(cases[i].a), b = parse(cases[i].b);
		assert_int_equal(addr_equal(&a, &b), cases[i].equal);
		assert_int_equal(addr_equal(&b, &a), cases[i].equal);
	}
}

static void test_bytes_and_port(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct addr addr = parse(v6 ? "2001:db8::1" : "192.0.2.1");
		size_t len;
		const uint8_t *bytes = addr_bytes(&addr, &len);
		assert_int_equal(len, v6 ? 16 : 4);
		assert_int_equal(addr_socklen(&addr), v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
		struct addr copy = addr_of_bytes(bytes, len, 0x1234);
		assert_int_equal(addr_port(&copy), 0x1234);
		assert_int_equal(copy.v4.sin_port, htons(0x1234)); /* the same place in both families */
		addr_set_port(&copy, 53);
		assert_true(addr_equal(&copy, &addr));
	}
}

static void test_prefix_parse(void **state)
{
	static const struct {
		const char *text;
		int bits; /* -1: refused */
	} cases[] = {
		{"0.0.0.0/0", 0},
		{"192.0.2.0/24", 24},
		{"192.0.2.1", 32},
		{"192.0.2.1/32", 32},
		{"192.0.2.128/25", 25},
		{"::/0", 0},
		{"2001:db8::/32", 32},
		{"2001:db8::1", 128},
		{"fe80::/10", 10},
		{"192.0.2.1/24", -1},
		{"192.0.2.64/25", -1},
		{"fe80::/8", -1},
		{"192.0.2.0/33", -1},
		{"2001:db8::/129", -1},
		{"192.0.2.0/", -1},
		{"192.0.2.0/ 24", -1},
		{"192.0.2.0/-1", -1},
		{"192.0.2.0/+24", -1},
		{"192.0.2.0/24/24", -1},
		{"192.0.2.0/24x", -1},
		{"192.0.2.0/18446744073709551640", -1},
		{"192.0.2.0@53/24", -1},
		{"/24", -1},
		{"", -1},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct prefix prefix;
		assert_int_equal(prefix_parse(&prefix, cases[i].text), cases[i].bits < 0 ? E_INVAL : 0);
		if (cases[i].bits >= 0)
			assert_int_equal(prefix.bits, cases[i].bits);
	}
}

static void test_prefix_has(void **state)
{
	static const struct {
		const char *prefix, *addr;
		bool has;
	} cases[] = {
		{"0.0.0.0/0", "255.255.255.255", true},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "127.0.0.1", false},
		{"::/0", "ffff::", true},
		{"192.0.2.0/24", "192.0.2.0", true},
		{"192.0.2.0/24", "192.0.2.255@1", true},
		{"192.0.2.0/24", "192.0.3.0", false},
		{"192.0.2.0/24", "192.0.1.255", false},
		{"192.0.2.128/25", "192.0.2.127", false},
		{"192.0.2.128/25", "192.0.2.128", true},
		{"128.0.0.0/1", "127.255.255.255", false},
		{"128.0.0.0/1", "128.0.0.0", true},
		{"192.0.2.254/31", "192.0.2.255", true},
		{"192.0.2.254/31", "192.0.2.253", false},
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.0", false},
		{"fe80::/10", "febf:ffff::", true},
		{"fe80::/10", "fec0::", false},
		{"2001:db8::/127", "2001:db8::1", true},
		{"2001:db8::/127", "2001:db8::2", false},
		{"2001:db8::1", "2001:db8::1", true},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct prefix prefix;
		struct addr addr = parse(cases[i].addr);
		assert_int_equal(prefix_parse(&prefix, cases[i].prefix), 0);
		assert_int_equal(prefix_has(&prefix, &addr), cases[i].has);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_and_text),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_bytes_and_port),
		cmocka_unit_test(test_prefix_parse),
		cmocka_unit_test(test_prefix_has),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
