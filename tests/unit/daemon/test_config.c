/* Every key, every default, and every complaint with its exact line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "daemon/config.h"

#define LONG_NAME     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG_NAME_CUT LONG_NAME

static struct config *read_ok(const char *text)
{
	struct config *config;
	char why[CONFIG_ERROR] = "";
	if (config_read_text(&config, "b.yaml", text, strlen(text), why) != 0)
		fail_msg("%s\nin\n%s", why, text);
	return config;
}

static void assert_default(const struct config *c)
{
	char text[ADDR_TEXT];
	assert_int_equal(c->listen_count, 2);
	assert_string_equal(addr_text(&c->listen[0], text), "127.0.0.1@53");
	assert_string_equal(addr_text(&c->listen[1], text), "::1@53");
	assert_int_equal(c->workers, CONFIG_WORKERS_AUTO);
	assert_null(c->user);
	assert_int_equal(c->ports.range.first, 49152);
	assert_int_equal(c->ports.range.last, 65535);
	assert_int_equal(c->ports.pool, 2500);
	assert_int_equal(port_set_count(c->ports.exclude), 0);
	assert_int_equal(port_set_count(c->ports.include), 0);
	assert_null(c->resolver.root_hints);
	assert_true(c->dnssec.validate && c->dnssec.builtin && c->dnssec.sha1 && c->dnssec.anchor_count == 0);
	assert_true(c->resolver.minimise && c->resolver.ipv4 && c->resolver.ipv6);
	assert_false(c->resolver.query_loopback);
	assert_true(c->resolver.query_private && c->resolver.priming);
	assert_int_equal(c->resolver.glue, CONFIG_GLUE_BAILIWICK);
	assert_int_equal(c->resolver.forward_count + c->resolver.stub_count + c->resolver.ordinary_count, 0);
	assert_int_equal(c->cache.stale, 0);
	assert_true(c->cache.prefetch);
	assert_null(c->identity.version);
	assert_null(c->identity.name);
	assert_int_equal(c->cache.memory, 256 << 20);
	assert_int_equal(c->cache.ttl_min, 0);
	assert_int_equal(c->cache.ttl_max, 86400);
	assert_int_equal(c->allow_count, 8);
	assert_int_equal(c->log_level, LOG_LEVEL_NOTICE);
	assert_int_equal(c->control_socket[0], '/');
	assert_true(c->history.loans && !c->history.watch && !c->history.is_named);
	assert_int_equal(c->history.bytes, 64 << 20);
	assert_int_equal(c->history.age_s, 86400);
}

static void test_defaults(void **state)
{
	static const char *const texts[] = {"", "\n", "# nothing\n", "---\n", "{}", "~", "--- # x\n...\n", "null",
		"ports:\n  # pool: 3\nlog:\n", "ports: {}\nresolver: ~\n", "\xef\xbb\xbf# with a mark\n",
		"\r\n# dos\r\n"};
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct config *c = read_ok(texts[i]);
		assert_default(c);
		config_free(c);
	}
	char why[CONFIG_ERROR];
	struct config *c;
	assert_int_equal(config_read(&c, NULL, why), 0);
	assert_default(c);
	config_free(c);
	assert_int_equal(config_read(&c, "/dev/null", why), 0);
	assert_default(c);
	config_free(c);
	config_free(NULL);
}

static bool allows(const struct config *c, const char *text)
{
	struct addr addr;
	assert_int_equal(addr_parse(&addr, text, 53), 0);
	for (size_t i = 0; i < c->allow_count; i++)
		if (prefix_has(&c->allow[i], &addr))
			return true;
	return false;
}

static void test_allow_default(void **state)
{
	static const char *const in[] = {
		"127.0.0.1", "::1", "10.1.2.3", "172.31.255.255", "192.168.7.7", "169.254.1.1", "fd00::1", "fe80::1"};
	static const char *const out[] = {"192.0.2.1", "172.32.0.1", "11.0.0.1", "2001:db8::1", "::2", "8.8.8.8"};
	(void)state;
	struct config *c = read_ok("");
	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
		assert_true(allows(c, in[i]));
	for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
		assert_false(allows(c, out[i]));
	config_free(c);
}

static void test_xdp(void **state)
{
	(void)state;
	struct config *c = read_ok("listen: [\"::1\", eth0@5300 xdp, fifteen-letters  xdp]\n");
	assert_int_equal(c->listen_count, 1);
	assert_int_equal(c->xdp_count, 2);
	assert_string_equal(c->xdp[0].interface, "eth0");
	assert_int_equal(c->xdp[0].port, 5300);
	assert_string_equal(c->xdp[1].interface, "fifteen-letters");
	assert_int_equal(c->xdp[1].port, 53);
	config_free(c);
	c = read_ok("listen: [eth0 xdp]\n");
	assert_int_equal(c->listen_count, 0);
	config_free(c);
}

static void test_every_key(void **state)
{
	char text[ADDR_TEXT];
	(void)state;
	struct config *c = read_ok(
		"listen: [127.0.0.1@5310, \"::1@5310\", 192.0.2.1]\n"
		"workers: 2\n"
		"pin: true\n"
		"user: berth\n"
		"ports: {range: 50000-65535, lend: reserved, pool: 100, max: 300, uses: 7, age: 0, "
		"exclude: [51820, 60100-60199,\n"
		"  \"mdns, 60000, 60150-60200\", Domain], include: [64738, \"https,51413\"]}\n"
		"resolver: {root-hints: /dev/null, minimise: no, ipv4: true,\n"
		"  ipv6: off, query-loopback: on, query-private: no, priming: off, glue: verified, nxdomain-cut: on,\n"
		"  forward: [{zone: ., to: [192.0.2.9, 192.0.2.10@5353], first: yes},\n"
		"    {zone: example.org, to: [192.0.2.2]}],\n"
		"  stub: [{zone: corp.example, to: [10.0.0.1]}], ordinary: [test, 10.in-addr.arpa]}\n"
		"dnssec: {validate: no, sha1: off, negative: [{zone: example.net, until: 2026-12-31}, {zone: "
		"example.com}]}\n"
		"cache: {memory: 1G, ttl-min: 5, ttl-max: 604800, stale: 1d, prefetch: no}\n"
		"identity: {version: none of yours, name: a}\n"
		"access: {allow: [192.0.2.0/24, \"2001:db8::/32\"]}\n"
		"history: {file: /tmp/h.db, loans: no, watch: yes, size: 8M, age: 7d}\n"
		"control: {socket: /tmp/x}\n"
		"log: {level: debug}\n");
	assert_string_equal(c->history.file, "/tmp/h.db");
	assert_true(c->history.watch && c->history.is_named && !c->history.loans);
	assert_int_equal(c->history.bytes, 8 << 20);
	assert_int_equal(c->history.age_s, 7 * 86400);
	assert_int_equal(c->listen_count, 3);
	assert_string_equal(addr_text(&c->listen[0], text), "127.0.0.1@5310");
	assert_string_equal(addr_text(&c->listen[1], text), "::1@5310");
	assert_string_equal(addr_text(&c->listen[2], text), "192.0.2.1@53");
	assert_int_equal(c->workers, 2);
	assert_true(c->pin);
	assert_string_equal(c->user, "berth");
	assert_int_equal(c->resolver.forward_count, 2);
	assert_string_equal(c->resolver.forward[0].zone, ".");
	assert_int_equal(c->resolver.forward[0].count, 2);
	assert_string_equal(addr_text(&c->resolver.forward[0].to[1], text), "192.0.2.10@5353");
	assert_true(c->resolver.forward[0].first);
	assert_false(c->resolver.forward[1].first);
	assert_int_equal(c->resolver.stub_count, 1);
	assert_string_equal(c->resolver.stub[0].zone, "corp.example");
	assert_int_equal(c->resolver.ordinary_count, 2);
	assert_string_equal(c->resolver.ordinary[1], "10.in-addr.arpa");
	assert_false(c->resolver.query_private || c->resolver.priming);
	assert_int_equal(c->resolver.glue, CONFIG_GLUE_VERIFIED);
	assert_true(c->resolver.nxdomain_cut);
	assert_int_equal(c->cache.stale, 86400);
	assert_false(c->cache.prefetch);
	assert_string_equal(c->identity.version, "none of yours");
	assert_string_equal(c->identity.name, "a");
	assert_int_equal(c->ports.range.first, 50000);
	assert_int_equal(c->ports.pool, 100);
	assert_true(c->ports.reserved);
	assert_int_equal(c->ports.max, 300);
	assert_int_equal(c->ports.uses, 7);
	assert_int_equal(c->ports.age_s, 0);
	static const uint16_t out[] = {51820, 60100, 60199, 60200, 5353, 60000, 53}, in[] = {64738, 443, 51413};
	for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
		assert_true(port_set_has(c->ports.exclude, out[i]));
	assert_int_equal(port_set_count(c->ports.exclude), 105);
	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
		assert_true(port_set_has(c->ports.include, in[i]));
	assert_int_equal(port_set_count(c->ports.include), 3);
	assert_string_equal(c->resolver.root_hints, "/dev/null");
	assert_true(!c->dnssec.validate && !c->dnssec.sha1 && c->dnssec.negative[0].until_s == 1798675200);
	assert_false(c->resolver.minimise || c->resolver.ipv6);
	assert_true(c->resolver.ipv4 && c->resolver.query_loopback);
	assert_int_equal(c->cache.memory, 1 << 30);
	assert_int_equal(c->cache.ttl_min, 5);
	assert_int_equal(c->cache.ttl_max, 604800);
	assert_true(allows(c, "192.0.2.9") && allows(c, "2001:db8:ffff::1") && !allows(c, "127.0.0.1"));
	assert_string_equal(c->control_socket, "/tmp/x");
	assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
	config_free(c);
}

static void test_web_local(void **state)
{
	(void)state;
	struct config *c = read_ok("web: {local: [alice, bob]}");
	assert_true(c->web.has_local);
	assert_int_equal(c->web.local_count, 2);
	assert_string_equal(c->web.local[1], "bob");
	config_free(c);
	c = read_ok("web: {local: []}");
	assert_true(c->web.has_local); /* nobody, not those of the group */
	assert_int_equal(c->web.local_count, 0);
	config_free(c);
	c = read_ok("web: {votes: none}");
	assert_false(c->web.has_local);
	config_free(c);
}

static void test_memory(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {{"1M", 1 << 20}, {"1024K", 1 << 20}, {"1048576", 1 << 20}, {"1T", UINT64_C(1) << 40},
		{"3g", UINT64_C(3) << 30}, {"\"512M\"", 512 << 20}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[64];
		snprintf(text, sizeof(text), "cache: {memory: %s}", cases[i].text);
		struct config *c = read_ok(text);
		assert_int_equal(c->cache.memory, cases[i].bytes);
		config_free(c);
	}
}

static void test_ages(void **state)
{
	static const struct {
		const char *text;
		uint32_t age_s;
	} cases[] = {{"0", 0}, {"3600", 3600}, {"90s", 90}, {"15m", 900}, {"24h", 86400}, {"7D", 604800},
		{"3650d", 315360000}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[64];
		snprintf(text, sizeof(text), "history: {age: %s}", cases[i].text);
		struct config *c = read_ok(text);
		assert_int_equal(c->history.age_s, cases[i].age_s);
		config_free(c);
	}
}

static void test_lists(void **state)
{
	(void)state;
	struct config *c = read_ok("access:\n  allow: []\nports:\n  exclude: []\n  range: 60000\nworkers: 256\n"
				   "listen:\n- 127.0.0.1\n- 127.0.0.1@54\n");
	assert_int_equal(c->allow_count, 0);
	assert_false(allows(c, "127.0.0.1"));
	assert_int_equal(port_set_count(c->ports.exclude), 0);
	assert_int_equal(c->ports.range.first, c->ports.range.last);
	assert_int_equal(c->workers, 256);
	assert_int_equal(c->listen_count, 2);
	config_free(c);
}

#define TEN "0123456789"

struct wrong {
	const char *text, *why;
};

static const struct wrong wrongs[] = {
	/* the text as a whole */
	{"a\xff", "b.yaml:1: not UTF-8; save the file as UTF-8 text"},
	{"# \n# \xc0\x80\n", "b.yaml:2: not UTF-8; save the file as UTF-8 text"},
	{"\tworkers: 2\n",
		"b.yaml:1: a tab or a character that has to be in quotes; indent with spaces, quote the value"},
	{"ports:\n\tpool: 2\n",
		"b.yaml:2: a tab or a character that has to be in quotes; indent with spaces, quote the value"},
	{"workers: @\n",
		"b.yaml:1: a tab or a character that has to be in quotes; indent with spaces, quote the value"},
	{"workers: 2\x01\n", "b.yaml:1: a control character; take it away"},
	{"workers: 1\n---\nworkers: 2\n", "b.yaml:2: a second document starts here (---); write one document"},
	{"user: &x berth\n",
		"b.yaml:1: anchors and aliases (& and *) are not used in this file; write the value itself, in "
		"quotes when it starts with one of them"},
	{"ports:\n  range: *x\n",
		"b.yaml:2: ports: anchors and aliases (& and *) are not used in this file; write the value "
		"itself, in quotes when it starts with one of them"},
	{"a: &a [x,x]\nb: &b [*a,*a]\n", "b.yaml:1: anchors and aliases (& and *) are not used in this file; write the "
					 "value itself, in quotes when it starts with one of them"},
	{"user: !!str berth\n",
		"b.yaml:1: tags (!) are not used in this file; write the value itself, in quotes when it "
		"starts with one"},
	{"workers: 1\nuser: x\nworkers: 2\n", "b.yaml:3: workers: is said twice, first in line 1; keep one of them"},
	{"ports:\n  pool: 1\n  pool: 1\n", "b.yaml:3: ports.pool: is said twice, first in line 2; keep one of them"},
	{"user: \"a\\0b\"\n",
		"b.yaml:1: a value of more than one line, or with a control character in it; write it on one "
		"line"},
	{"user: |\n  a\n  b\n",
		"b.yaml:1: a value of more than one line, or with a control character in it; write it on "
		"one line"},
	{"[[[[[[[[[[", "b.yaml:1: nested deeper than any key of this file; check the brackets"},
	{"\nlisten: [a\nuser: b\n\n", "b.yaml:2: a list that does not end; close it with ]"},
	{"ports: {pool: 1\n\n", "b.yaml:1: a section in braces that does not end; close it with }"},
	{"user: \"berth\n", "b.yaml:1: a quote that does not end; close it"},
	{"user: a: b\n", "b.yaml:1: a colon where no key can be; check the indentation, quote a value with a colon"},
	{"workers: 1\nuser\n", "b.yaml:2: a line that is not KEY: VALUE; add the colon"},
	{"ports:\n  pool: 1\n range: 1\n",
		"b.yaml:3: the indentation does not fit the lines above; indent the keys of a section alike"},
	{"? [a]\n: b\n", "b.yaml:1: a list or a section where a key has to be; write KEY: VALUE"},
	{"hello\n", "b.yaml:1: not a section; write KEY: VALUE lines, with keys of listen, workers, pin, user, ports, "
		    "resolver, dnssec, "
		    "cache, identity, access, web, history, control, log"},
	{"- a\n", "b.yaml:1: not a section; write KEY: VALUE lines, with keys of listen, workers, pin, user, ports, "
		  "resolver, dnssec, "
		  "cache, identity, access, web, history, control, log"},
	{"listen: [::1]\n", "b.yaml:1: a value that has to be in quotes, as \"::1\" has in a list; quote it"},
	/* keys */
	{"worker: 1\n", "b.yaml:1: worker: there is no such key; did you mean workers?"},
	{"\nports:\n  rnage: 1\n", "b.yaml:3: ports.rnage: there is no such key; did you mean ports.range?"},
	{"resolver: {minimize: true}\n",
		"b.yaml:1: resolver.minimize: there is no such key; did you mean resolver.minimise?"},
	{"pool: 3\n", "b.yaml:1: pool: there is no such key; did you mean ports.pool?"},
	{"cache: {allow: []}\n", "b.yaml:1: cache.allow: there is no such key; did you mean access.allow?"},
	{"ports:\n  workers: 1\n",
		"b.yaml:2: ports.workers: there is no such key; did you mean workers, which stands at the "
		"left margin?"},
	{"colour: red\n", "b.yaml:1: colour: there is no such key; the keys are listen, workers, pin, user, ports, "
			  "resolver, dnssec, "
			  "cache, identity, access, web, history, control, log"},
	{"cache: {colour: red}\n", "b.yaml:1: cache.colour: there is no such key; those of cache are memory, ttl-min, "
				   "ttl-max, stale, snapshot, prefetch"},
	{"\"a\xe2\x80\xae\": 1\n",
		"b.yaml:1: a\\u202e: there is no such key; the keys are listen, workers, pin, user, ports, "
		"resolver, dnssec, cache, identity, access, web, history, control, log"},
	/* kinds */
	{"workers:\n", "b.yaml:1: workers: has no value; write one after the colon, or take the key away"},
	{"workers: ~\n", "b.yaml:1: workers: has no value; write one after the colon, or take the key away"},
	{"user: \"\"\n", "b.yaml:1: user: has no value; write one after the colon, or take the key away"},
	{"workers: [1]\n", "b.yaml:1: workers: a list where one value has to be; write it after the colon"},
	{"workers: {a: 1}\n", "b.yaml:1: workers: a section where one value has to be; write it after the colon"},
	{"listen: 127.0.0.1\n",
		"b.yaml:1: listen: not a list; write listen: [ONE, TWO], or each entry on a line of its own "
		"after \"- \""},
	{"listen:\n",
		"b.yaml:1: listen: not a list; write listen: [ONE, TWO], or each entry on a line of its own after "
		"\"- \""},
	{"listen:\n- ::1\n- a: b\n",
		"b.yaml:3: listen: a section where one value has to be; write it as it is; quote it "
		"when it has a colon"},
	{"listen:\n- ::1\n-\n", "b.yaml:3: listen: has an empty entry; write a value, or take the entry away"},
	{"ports: 3\n",
		"b.yaml:1: ports: not a section; write KEY: VALUE lines indented below it, with keys of lend, range, "
		"pool, max, uses, age, exclude, include"},
	{"ports: [pool]\n",
		"b.yaml:1: ports: not a section; write KEY: VALUE lines indented below it, with keys of lend, range, "
		"pool, max, uses, age, exclude, include"},
	{"log: {level: loud}\n",
		"b.yaml:1: log.level: \"loud\" is not one of the words for it; write one of error, warning, "
		"notice, info, debug"},
	{"log:\n  level: [a]\n", "b.yaml:2: log.level: a list where one value has to be; write it after the colon"},
	{"resolver: {ipv4: flase}\n",
		"b.yaml:1: resolver.ipv4: \"flase\" is not one of the words for it; write one of true, false"},
	{"resolver: {minimise: 1}\n",
		"b.yaml:1: resolver.minimise: \"1\" is not one of the words for it; write one of true, false"},
	{"resolver: {query-loopback: }\n",
		"b.yaml:1: resolver.query-loopback: has no value; write one after the colon, or "
		"take the key away"},
	/* values */
	{"listen: []\n",
		"b.yaml:1: listen: an empty list; name at least one address, or take the key away for 127.0.0.1 "
		"and ::1"},
	{"listen:\n- 127.0.0.1\n- localhost\n", "b.yaml:3: listen: \"localhost\" is not an address; write ADDRESS or "
						"ADDRESS@PORT, for example 127.0.0.1@53, or INTERFACE@PORT xdp"},
	{"listen: [127.0.0.1@70000]\n", "b.yaml:1: listen: \"127.0.0.1@70000\" is not an address; write ADDRESS or "
					"ADDRESS@PORT, for example 127.0.0.1@53, or INTERFACE@PORT xdp"},
	{"listen: [\"::1\",\n  \"::1@53\"]\n", "b.yaml:2: listen: \"::1@53\" is named twice; keep one of them"},
	{"listen: [0.0.0.0, 127.0.0.1]\n", "b.yaml:1: listen: \"127.0.0.1\" and 0.0.0.0@53 are one place, for the one "
					   "stands for every address; keep one of "
					   "them"},
	{"listen: [\"::1\", \"::\"]\n", "b.yaml:1: listen: \"::\" and ::1@53 are one place, for the one stands for "
					"every address; keep one of them"},
	{"listen: [127.0.0.1]\nweb: {listen: [\"::1@53\", 127.0.0.1@53]}\n",
		"b.yaml:2: web.listen: \"127.0.0.1@53\" is where DNS is listened for (listen); choose another port"},
	{"web: {listen: [127.0.0.1@8053, 0.0.0.0@8053]}\n",
		"b.yaml:1: web.listen: \"0.0.0.0@8053\" is part of another entry, or has one in it; keep one of them"},
	{"resolver: {forward: [192.0.2.1]}\n",
		"b.yaml:1: resolver.forward: not a section; write KEY: VALUE lines, with keys of zone, to, first"},
	{"listen: [eth0@0 xdp]\n",
		"b.yaml:1: listen: \"eth0@0 xdp\" is not an interface for XDP; write INTERFACE@PORT xdp, "
		"for example eth0@53 xdp"},
	{"listen: [eth0@65536 xdp]\n", "b.yaml:1: listen: \"eth0@65536 xdp\" is not an interface for XDP; write "
				       "INTERFACE@PORT xdp, for example "
				       "eth0@53 xdp"},
	{"listen:\n- ::1\n- eth0@ xdp\n",
		"b.yaml:3: listen: \"eth0@ xdp\" is not an interface for XDP; write INTERFACE@PORT xdp, for example "
		"eth0@53 xdp"},
	{"listen: [sixteen-letters-@53 xdp]\n", "b.yaml:1: listen: \"sixteen-letters-@53 xdp\" is not an interface for "
						"XDP; write INTERFACE@PORT xdp, for "
						"example eth0@53 xdp"},
	{"listen: [127.0.0.1@53 xdp]\n", "b.yaml:1: listen: \"127.0.0.1@53 xdp\" is not an interface for XDP; write "
					 "INTERFACE@PORT xdp, for example "
					 "eth0@53 xdp"},
	{"listen: [a/b xdp]\n",
		"b.yaml:1: listen: \"a/b xdp\" is not an interface for XDP; write INTERFACE@PORT xdp, for "
		"example eth0@53 xdp"},
	{"listen: [eth0 xdp,\n  eth0@5300 xdp]\n", "b.yaml:2: listen: \"eth0@5300 xdp\" is an interface that is named "
						   "already; XDP takes the queries of one port "
						   "of each"},
	{"listen: [eth0@53 xdq]\n",
		"b.yaml:1: listen: \"eth0@53 xdq\" is not an address; write ADDRESS or ADDRESS@PORT, for "
		"example 127.0.0.1@53, or INTERFACE@PORT xdp"},
	{"workers: many\n",
		"b.yaml:1: workers: \"many\" is not a number of workers; write 1 to 256, or 0 for one per core"},
	{"workers: 257\n",
		"b.yaml:1: workers: \"257\" is not a number of workers; write 1 to 256, or 0 for one per core"},
	{"workers: -1\n",
		"b.yaml:1: workers: \"-1\" is not a number of workers; write 1 to 256, or 0 for one per core"},
	{"workers: 0x2\n",
		"b.yaml:1: workers: \"0x2\" is not a number of workers; write 1 to 256, or 0 for one per core"},
	{"workers: 99999999999999999999\n",
		"b.yaml:1: workers: \"99999999999999999999\" is not a number of workers; write 1 "
		"to 256, or 0 for one per core"},
	{"user: a b\n", "b.yaml:1: user: \"a b\" is not the name of an account; write for example berth"},
	{"user: \"\xe2\x80\xae/x\"\n",
		"b.yaml:1: user: \"\\u202e/x\" is not the name of an account; write for example berth"},
	{"\n\nports: {range: 70000}\n",
		"b.yaml:3: ports.range: \"70000\" is not a range of ports; write FIRST-LAST, for "
		"example 49152-65535"},
	{"ports: {range: 0-9}\n",
		"b.yaml:1: ports.range: \"0-9\" is not a range of ports; write FIRST-LAST, for example "
		"49152-65535"},
	{"ports: {range: 9-8}\n",
		"b.yaml:1: ports.range: \"9-8\" is not a range of ports; write FIRST-LAST, for example "
		"49152-65535"},
	{"ports: {pool: 0}\n", "b.yaml:1: ports.pool: \"0\" is not a number of sockets for the pool; write 1 to 60000"},
	{"ports: {pool: 60001}\n",
		"b.yaml:1: ports.pool: \"60001\" is not a number of sockets for the pool; write 1 to 60000"},
	{"ports: {lend: reserved, pool: 10001}\n",
		"b.yaml:1: ports.pool: \"10001\" is not a number of sockets for the pool; write 0 to 10000"},
	{"ports: {lend: rent}\n",
		"b.yaml:1: ports.lend: \"rent\" is not one of the words for it; write one of fresh, reserved"},
	{"ports: {max: 2499}\n",
		"b.yaml:1: ports.max: \"2499\" is not a number of loans; write 2500, which ports.pool is, to 1000000"},
	{"ports: {uses: -1}\n", "b.yaml:1: ports.uses: \"-1\" is not a number of exchanges; write 1 to 1000000000, or "
				"0 for any number"},
	{"ports: {age: 1h}\n",
		"b.yaml:1: ports.age: \"1h\" is not a number of seconds; write 1 to 31536000, or 0 for any number"},
	{"ports:\n  exclude:\n  - 5\n  - 5 6\n",
		"b.yaml:4: ports.exclude: \"5 6\" is more than one word; put a comma between them"},
	{"ports:\n  include: [\"5, 6\",\n   \"7, 70000\"]\n",
		"b.yaml:3: ports.include: \"70000\" is not a port or a range of ports; write for example 51820 or "
		"60100-60199"},
	{"ports: {exclude: [5-9, mdsn]}\n",
		"b.yaml:1: ports.exclude: \"mdsn\" is no registered service; did you mean mdns?"},
	{"ports: {exclude: [\"5,\"]}\n",
		"b.yaml:1: ports.exclude: \"\" is no port; take a comma away, or write for example 51820 or "
		"60100-60199"},
	{"ports: {include: mdns}\n",
		"b.yaml:1: ports.include: not a list; write include: [ONE, TWO], or each entry on a line of its own "
		"after \"- \""},
	{"ports:\n  range: 5-9\n  exclude: [1-7, 8, 9]\n",
		"b.yaml:3: ports.exclude: leaves no port of the range 5-9; exclude fewer ports, or widen ports.range"},
	{"resolver: {ipv4: false, ipv6: false}\n",
		"b.yaml:1: resolver.ipv6: no family is left to ask servers over; switch on ipv4 or ipv6"},
	{"resolver:\n  root-hints: /nowhere/at/all\n", "b.yaml:2: resolver.root-hints: \"/nowhere/at/all\" cannot be "
						       "opened: No such file or directory; name a file "
						       "that berthd can read"},
	{"dnssec:\n  anchors: [/]\n", "b.yaml:2: dnssec.anchors: \"/\" cannot be opened: Is a directory; name "
				      "a file that berthd can read"},
	{"cache: {memory: 1023K}\n",
		"b.yaml:1: cache.memory: \"1023K\" is not a size of memory; write 1M to 1T, for example 256M"},
	{"cache: {memory: 2T}\n",
		"b.yaml:1: cache.memory: \"2T\" is not a size of memory; write 1M to 1T, for example 256M"},
	{"cache: {memory: 5MB}\n",
		"b.yaml:1: cache.memory: \"5MB\" is not a size of memory; write 1M to 1T, for example 256M"},
	{"cache: {memory: M}\n",
		"b.yaml:1: cache.memory: \"M\" is not a size of memory; write 1M to 1T, for example 256M"},
	{"cache: {memory: 5-}\n",
		"b.yaml:1: cache.memory: \"5-\" is not a size of memory; write 1M to 1T, for example 256M"},
	{"cache: {ttl-min: 1d}\n", "b.yaml:1: cache.ttl-min: \"1d\" is not a number of seconds; write 0 to 604800"},
	{"resolver:\n  forward:\n  - {zone: ., to: [192.0.2.1]}\n  - {to: [192.0.2.1]}\n",
		"b.yaml:4: resolver.forward: has an entry without zone; write {zone: NAME, to: [ADDRESS]}"},
	{"resolver:\n  stub:\n  - zone: a..b\n    to: [192.0.2.1]\n",
		"b.yaml:3: resolver.stub.zone: \"a..b\" is not a domain name; write for example example.org, or . for "
		"everything"},
	{"resolver: {stub: [{zone: a}]}\n",
		"b.yaml:1: resolver.stub: names nobody to ask; write to: [ADDRESS], for example to: [192.0.2.1]"},
	{"resolver: {stub: [{zone: a, to: [b]}]}\n",
		"b.yaml:1: resolver.stub.to: \"b\" is not an address; write ADDRESS or "
		"ADDRESS@PORT, for example 192.0.2.1@53"},
	{"resolver: {forward: [{zone: ., to: [192.0.2.1, 127.0.0.1]}]}\n",
		"b.yaml:1: resolver.forward.to: \"127.0.0.1\" is where berthd itself listens: it would ask itself; "
		"name "
		"another server"},
	{"resolver: {forward: [{zone: a.b, to: [192.0.2.1]}], stub: [{zone: A.b., to: [192.0.2.1]}]}\n",
		"b.yaml:1: resolver.stub.zone: \"A.b.\" is named twice; keep one of them"},
	{"resolver: {stub: [{zone: a, to: [0.0.0.0]}]}\n",
		"b.yaml:1: resolver.stub.to: \"0.0.0.0\" is no server's address; name one that can be asked"},
	{"resolver: {ipv6: no, stub: [{zone: a, to: [\"2001:db8::1\"]}]}\n",
		"b.yaml:1: resolver.stub.to: \"2001:db8::1\" is of a family that resolver.ipv6 switches off; name "
		"another, or "
		"switch it on"},
	{"listen: [0.0.0.0]\nresolver: {forward: [{zone: ., to: [127.0.0.1]}]}\n",
		"b.yaml:2: resolver.forward.to: \"127.0.0.1\" is where berthd itself listens: it would ask itself; "
		"name another "
		"server"},
	{"resolver: {forward: {zone: .}}\n",
		"b.yaml:1: resolver.forward: not a list; write forward: [ONE, TWO], or each "
		"entry on a line of its own after \"- \""},
	{"resolver: {ordinary: [\".x\"]}\n",
		"b.yaml:1: resolver.ordinary: \".x\" is not a domain name; write for example "
		"10.in-addr.arpa"},
	{"resolver: {glue: some}\n", "b.yaml:1: resolver.glue: \"some\" is not one of the words for it; write one of "
				     "bailiwick, verified, any"},
	{"cache: {stale: never}\n", "b.yaml:1: cache.stale: \"never\" is not a time; write for example 1d, 12h or "
				    "86400, at most 7d, or 0 for never"},
	{"identity: {name: " LONG_NAME "}\n",
		"b.yaml:1: identity.name: \"" LONG_NAME_CUT "\" is too long; write at most 63 bytes"},
	{"cache: {ttl-max: 604801}\n",
		"b.yaml:1: cache.ttl-max: \"604801\" is not a number of seconds; write 0 to 604800"},
	{"cache:\n  ttl-max: 60\n  ttl-min: 61\n",
		"b.yaml:3: cache.ttl-min: \"61\" leaves no TTL between ttl-min, 61, and ttl-max, 60; change one"},
	{"cache: {ttl-min: 86401}\n", "b.yaml:1: cache.ttl-min: \"86401\" leaves no TTL between ttl-min, 86401, and "
				      "ttl-max, 86400; change one"},
	{"history: {age: 1w}\n", "b.yaml:1: history.age: \"1w\" is not an age; write for example 24h, 7d or 3600, at "
				 "most 3650d, or 0 for any"},
	{"history: {age: 3651d}\n", "b.yaml:1: history.age: \"3651d\" is not an age; write for example 24h, 7d or "
				    "3600, at most 3650d, or 0 for any"},
	{"history: {age: d}\n", "b.yaml:1: history.age: \"d\" is not an age; write for example 24h, 7d or 3600, at "
				"most 3650d, or 0 for any"},
	{"history: {age: 1.5h}\n", "b.yaml:1: history.age: \"1.5h\" is not an age; write for example 24h, 7d or 3600, "
				   "at most 3650d, or 0 for any"},
	{"history: {age: h7}\n", "b.yaml:1: history.age: \"h7\" is not an age; write for example 24h, 7d or 3600, at "
				 "most 3650d, or 0 for any"},
	{"history: {age: 7dd}\n", "b.yaml:1: history.age: \"7dd\" is not an age; write for example 24h, 7d or 3600, at "
				  "most 3650d, or 0 for any"},
	{"history: {age: -1}\n", "b.yaml:1: history.age: \"-1\" is not an age; write for example 24h, 7d or 3600, at "
				 "most 3650d, or 0 for any"},
	{"history: {size: 1K}\n",
		"b.yaml:1: history.size: \"1K\" is not a size of the file; write 1M to 1T, for example 64M"},
	{"history: {size: 0}\n",
		"b.yaml:1: history.size: \"0\" is not a size of the file; write 1M to 1T, for example 64M"},
	{"history: {size: 2T}\n",
		"b.yaml:1: history.size: \"2T\" is not a size of the file; write 1M to 1T, for example 64M"},
	{"history: {file: history.db}\n", "b.yaml:1: history.file: \"history.db\" is not a file's path from the root; "
					  "write for example /var/lib/berth/history.db"},
	{"history: {file: /var/lib/}\n", "b.yaml:1: history.file: \"/var/lib/\" is not a file's path from the root; "
					 "write for example /var/lib/berth/history.db"},
	{"access:\n  allow:\n  - 10.0.0.0/8\n  - 10.0.0.1/8\n",
		"b.yaml:4: access.allow: \"10.0.0.1/8\" is not a network; write ADDRESS/BITS with no bit set after the "
		"first "
		"BITS, for example 10.0.0.0/8"},
	{"access: {allow: [any]}\n",
		"b.yaml:1: access.allow: \"any\" is not a network; write ADDRESS/BITS with no bit set "
		"after the first BITS, for example 10.0.0.0/8"},
	{"control: {socket: x}\n", "b.yaml:1: control.socket: \"x\" is not a path from the root; write for example "
				   "/run/berth/control"},
	{"control:\n  socket: /" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "1234567\n",
		"b.yaml:2: control.socket: \"/" TEN TEN TEN TEN TEN TEN
		"0123456...\" is too long for a socket; write at most 107 characters"},
};

static void test_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		struct config *config = (void *)1;
		char why[CONFIG_ERROR] = "";
		int ret = config_read_text(&config, "b.yaml", wrongs[i].text, strlen(wrongs[i].text), why);
		if (ret != E_INVAL)
			fail_msg("taken: %s", wrongs[i].text);
		assert_null(config);
		assert_string_equal(why, wrongs[i].why);
	}
}

/* Lists that are one too long, in the line of the entry that is too much. */
static void test_too_many(void **state)
{
	static const struct {
		const char *head, *entry, *why;
		unsigned max;
	} cases[] = {
		{"listen:\n", "- 127.0.0.1@%u\n", "b.yaml:66: listen: more than 64 entries; join some of them", 64},
		{"ports:\n exclude:\n", " - %u\n",
			"b.yaml:4099: ports.exclude: more than 4096 entries; join some of them", 4096},
		{"access:\n allow:\n", " - 10.0.0.0/8 # %u\n",
			"b.yaml:1027: access.allow: more than 1024 entries; join some of them", 1024},
	};
	(void)state;
	char *text = malloc(1 << 20), why[CONFIG_ERROR];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config *config;
		int len = sprintf(text, "%s", cases[i].head);
		for (unsigned n = 1; n <= cases[i].max + 1; n++) {
			if (n == cases[i].max + 1) {
				assert_int_equal(config_read_text(&config, "b.yaml", text, (size_t)len, why), 0);
				config_free(config);
			}
			len += sprintf(text + len, cases[i].entry, n);
		}
		assert_int_equal(config_read_text(&config, "b.yaml", text, (size_t)len, why), E_INVAL);
		assert_string_equal(why, cases[i].why);
	}
	free(text);
}

static void test_bytes(void **state)
{
	struct config *config;
	char why[CONFIG_ERROR];
	(void)state;
	assert_int_equal(config_read_text(&config, "b.yaml", "user: a\n\0", 9, why), E_INVAL);
	assert_string_equal(why, "b.yaml:2: a NUL byte; save the file as UTF-8 text");
	char *big = malloc((1 << 20) + 1);
	memset(big, '\n', (1 << 20) + 1);
	assert_int_equal(config_read_text(&config, "b.yaml", big, 1 << 20, why), 0);
	config_free(config);
	assert_int_equal(config_read_text(&config, "b.yaml", big, (1 << 20) + 1, why), E_INVAL);
	assert_string_equal(why, "b.yaml: larger than 1 MiB; a configuration is some lines of text");
	memset(big, '[', 1 << 20);
	assert_int_equal(config_read_text(&config, "b.yaml", big, 1 << 20, why), E_INVAL);
	free(big);
	char name[1024], text[300] = "user: ";
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	memset(text + 6, 'u', 200);
	assert_int_equal(config_read_text(&config, name, text, strlen(text), why), E_INVAL);
	assert_non_null(strstr(why, "uuu...\" is not the name of an account; write for example berth"));
	assert_null(strchr(why, '\n'));
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_files(void **state)
{
	char folder[] = "/tmp/berth-test-XXXXXX", path[64], hints[64], why[CONFIG_ERROR], wanted[CONFIG_ERROR];
	struct config *c;
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/b.yaml", folder);
	snprintf(hints, sizeof(hints), "%s/hints", folder);
	assert_int_equal(config_read(&c, path, why), E_NOENT);
	snprintf(wanted, sizeof(wanted),
		"%s: cannot be read: No such file or directory; name a file that berthd can read", path);
	assert_string_equal(why, wanted);
	assert_int_equal(config_read(&c, folder, why), E_INVAL);
	snprintf(wanted, sizeof(wanted), "%s: a folder; name a file", folder);
	assert_string_equal(why, wanted);
	write_file(path, "workers: 3\nresolver: {root-hints: hints}\n");
	assert_int_equal(config_read(&c, path, why), E_INVAL);
	snprintf(wanted, sizeof(wanted),
		"%s:2: resolver.root-hints: \"hints\" cannot be opened: No such file or directory; name a file that "
		"berthd "
		"can read, seen from the folder of this file",
		path);
	assert_string_equal(why, wanted);
	write_file(hints, "");
	assert_int_equal(config_read(&c, path, why), 0);
	assert_string_equal(c->resolver.root_hints, hints);
	assert_int_equal(c->workers, 3);
	config_free(c);
	if (geteuid() != 0) {
		chmod(path, 0);
		assert_int_equal(config_read(&c, path, why), E_ACCESS);
	}
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(config_read(&c, path, why), E_INVAL);
	snprintf(wanted, sizeof(wanted), "%s: not a file; name a file", path);
	assert_string_equal(why, wanted);
	unlink(path);
	unlink(hints);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_allow_default),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_xdp),
		cmocka_unit_test(test_web_local),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
