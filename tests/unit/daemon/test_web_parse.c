#include "unit/unit.h"

#include <string.h>

#include "daemon/web_parse.h"

static void test_hosts(void **state)
{
	static const char *const names[] = {"berth.example.net"};
	static const struct {
		const char *host;
		enum web_host kind;
	} rows[] = {{"localhost", WEB_HOST_LOOPBACK}, {"LOCALHOST:8053", WEB_HOST_LOOPBACK},
		{"127.0.0.1:8053", WEB_HOST_LOOPBACK}, {"127.9.9.9", WEB_HOST_LOOPBACK},
		{"[::1]:8053", WEB_HOST_LOOPBACK}, {"[::1]", WEB_HOST_LOOPBACK}, {"192.0.2.1", WEB_HOST_KNOWN},
		{"[2001:db8::1]:80", WEB_HOST_KNOWN}, {"Berth.Example.Net:1", WEB_HOST_KNOWN},
		{"evil.example", WEB_HOST_BAD}, {"127.0.0.1.evil.example", WEB_HOST_BAD},
		{"localhost.evil", WEB_HOST_BAD}, {"127.0.0.1@53", WEB_HOST_BAD}, {"127.0.0.1:", WEB_HOST_BAD},
		{"127.0.0.1:x", WEB_HOST_BAD}, {"[::1", WEB_HOST_BAD}, {"[::1]x", WEB_HOST_BAD}, {"", WEB_HOST_BAD},
		{NULL, WEB_HOST_BAD}};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(web_host_kind(rows[i].host, names, 1), rows[i].kind);
}

static void test_origins(void **state)
{
	(void)state;
	assert_true(web_origin_is("http://127.0.0.1:8053", "127.0.0.1:8053"));
	assert_true(web_origin_is("https://Berth.example", "berth.example"));
	assert_false(web_origin_is("http://127.0.0.1:8054", "127.0.0.1:8053"));
	assert_false(web_origin_is("http://127.0.0.1:8053.evil", "127.0.0.1:8053"));
	assert_false(web_origin_is("null", "127.0.0.1:8053"));
	assert_false(web_origin_is("ftp://a", "a"));
}

static void test_paths(void **state)
{
	static const struct {
		const char *path;
		int port;
	} rows[] = {{"/port/0", 0}, {"/port/65535", 65535}, {"/port/65536", -1}, {"/port/053", -1}, {"/port/", -1},
		{"/port/5x", -1}, {"/port/-1", -1}, {"/port/100000", -1}, {"/ports/5", -1}, {"/port/5/", -1}};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(web_path_port(rows[i].path, "/port/"), rows[i].port);
}

static void test_cookies(void **state)
{
	char out[8];
	(void)state;
	assert_true(web_cookie("a=1; key=abc; b=2", "key", out, sizeof(out)));
	assert_string_equal(out, "abc");
	assert_false(web_cookie("xkey=abc", "key", out, sizeof(out)));
	assert_false(web_cookie("key=abc; key=abd", "key", out, sizeof(out)));
	assert_false(web_cookie("key=12345678", "key", out, sizeof(out)));
	assert_false(web_cookie(NULL, "key", out, sizeof(out)));
}

static void test_languages(void **state)
{
	static const struct {
		const char *accept, *language;
	} rows[] = {{NULL, "en"}, {"", "en"}, {"vi", "vi"}, {"th-TH,th;q=0.9", "th"}, {"de, vi;q=0.5, th;q=0.7", "th"},
		{"fr", "en"}, {"en;q=0.3, vi;q=0.8", "vi"}, {"vienna", "en"}, {"vi;q=0", "en"}, {"TH", "th"}};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(web_language(rows[i].accept), rows[i].language);
}

static void test_secrets(void **state)
{
	(void)state;
	assert_true(web_is_same_secret("abcd", "abcd", 4));
	assert_false(web_is_same_secret("abcd", "abce", 4));
	assert_false(web_is_same_secret("xbcd", "abcd", 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_cookies),
		cmocka_unit_test(test_languages),
		cmocka_unit_test(test_secrets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
