/* What the files of the configuration share; nobody else includes this.
 *
 *	text -> config_tree.c    a tree of nodes with lines; what a configuration does not need of YAML is refused
 *	     -> config_schema.c  the keys and their kinds are checked, and libcyaml fills struct config_raw
 *	     -> config_values.c  the words of config_raw become numbers, addresses and sets in struct config
 *
 * Everything of one reading lives in one arena. Thread: main. */
#pragma once

#include "base/arena.h"
#include "daemon/config.h"

enum {
	CONFIG_KEY = 80,   /* a key with its section, cut */
	CONFIG_QUOTE = 72, /* a value repeated in a message, cut */
	LIMIT_CONFIG_BYTES = 1 << 20,
	LIMIT_CONFIG_DEPTH = 8,
	LIMIT_CONFIG_KEYS = 64, /* of one section; so that looking for a key twice stays cheap */
	LIMIT_CONFIG_LISTEN = 64,
	LIMIT_CONFIG_PORTS = 4096,
	LIMIT_CONFIG_ALLOW = 1024,
	LIMIT_CONFIG_ROUTES = 4096, /* forward and stub zones, each */
	LIMIT_CONFIG_ROUTE_TO = 16,
	LIMIT_CONFIG_ORDINARY = 256,
	LIMIT_CONFIG_ANCHORS = 64,
	LIMIT_CONFIG_WEB = 8,        /* addresses, and names, of the web page */
	LIMIT_CONFIG_IDENTITY = 63,  /* with its length, a TXT record's string in any answer */
	LIMIT_CONFIG_TTL_S = 604800, /* RFC 8767 4: a week */
};

/* Where complaints go. */
struct config_report {
	const char *file;
	char *why; /* CONFIG_ERROR bytes */
};

/* Writes "FILE:LINE: KEY: message" and returns E_INVAL. line 0 and key NULL are left out. */
int config_complain(const struct config_report *report, unsigned line, const char *key, const char *format, ...)
	__attribute__((format(printf, 4, 5), nonnull(1, 4)));

/* --- config_tree.c --- */

enum config_kind { CONFIG_NOTHING, CONFIG_TEXT, CONFIG_LIST, CONFIG_SECTION };

struct config_node {
	enum config_kind kind;
	unsigned line, count;   /* count of children */
	const char *key, *text; /* key: in a section; text: CONFIG_TEXT */
	struct config_node *parent, *first, *last, *next;
};

/* *root is NULL when the text holds nothing. */
int config_tree_read(struct config_node **root, const char *text, size_t len, struct arena *arena,
	const struct config_report *report);
/* The child of that key, or NULL; `section` may be NULL. */
const struct config_node *config_tree_child(const struct config_node *section, const char *key);
/* "ports.range", whole or cut; a list's entry has the name of its list. */
const char *config_tree_path(const struct config_node *node, char out[static CONFIG_KEY]);

/* --- config_schema.c --- */

enum config_switch { CONFIG_UNSET, CONFIG_ON, CONFIG_OFF };

struct config_raw_ports {
	int lend; /* 1 + whether reserved; 0: unset */
	const char *range, *pool, *max, *uses, *age, **exclude, **include;
	unsigned exclude_count, include_count;
};

/* A zone of resolver.forward or resolver.stub. */
struct config_raw_route {
	const char *zone, **to;
	unsigned to_count;
	enum config_switch first;
};

struct config_raw_resolver {
	const char *root_hints, **ordinary;
	enum config_switch minimise, ipv4, ipv6, query_loopback, query_private, priming, nxdomain_cut;
	int glue; /* 1 + enum glue's order; 0: unset */
	struct config_raw_route *forward, *stub;
	unsigned forward_count, stub_count, ordinary_count;
};

/* A zone of dnssec.negative. */
struct config_raw_negative {
	const char *zone, *until;
};

struct config_raw_dnssec {
	enum config_switch validate, builtin, sha1, sentinel, rollover, key_tags;
	const char **anchors, *nsec3_iterations;
	struct config_raw_negative *negative;
	unsigned anchors_count, negative_count;
};

struct config_raw_cache {
	const char *memory, *ttl_min, *ttl_max, *stale, *snapshot;
	enum config_switch prefetch;
};

struct config_raw_identity {
	const char *version, *name;
};

struct config_raw_access {
	const char **allow;
	unsigned allow_count;
};

struct config_raw_web {
	const char **listen, **hosts, **local, *password_file, *votes;
	unsigned listen_count, hosts_count, local_count;
};

struct config_raw_history {
	const char *file, *size, *age;
	enum config_switch loans, watch;
};

struct config_raw_control {
	const char *socket;
};

struct config_raw_log {
	int level; /* 1 + enum log_level; 0: unset */
};

/* The file as libcyaml loads it: NULL and 0 where it says nothing. */
struct config_raw {
	const char **listen;
	unsigned listen_count;
	const char *workers, *user;
	enum config_switch pin;
	struct config_raw_ports *ports;
	struct config_raw_resolver *resolver;
	struct config_raw_dnssec *dnssec;
	struct config_raw_cache *cache;
	struct config_raw_identity *identity;
	struct config_raw_access *access;
	struct config_raw_web *web;
	struct config_raw_history *history;
	struct config_raw_control *control;
	struct config_raw_log *log;
};

int config_schema_check(const struct config_node *root, const struct config_report *report);
/* After a check that found nothing. The result is libcyaml's: config_schema_free. */
int config_schema_load(struct config_raw **raw, const char *text, size_t len, const struct config_report *report);
void config_schema_free(struct config_raw *raw);

/* --- config_values.c --- */

/* What a file that says nothing means. */
void config_values_default(struct config *config, struct arena *arena);
/* Lays what the file says over the defaults. */
int config_values_read(struct config *config, const struct config_raw *raw, const struct config_node *root,
	struct arena *arena, const struct config_report *report);

struct config_reader {
	struct config *config;
	const struct config_node *root;
	struct arena *arena;
	const struct config_report *report;
};

/* NULL when the file does not have it; section NULL: a key outside of any. */
const struct config_node *config_find(const struct config_reader *r, const char *section, const char *key);
/* "VALUE" is not ...: the value of `node`, or of its entry `index` when it is a list. */
int config_refuse(const struct config_reader *r, const struct config_node *node, size_t index, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* A file named relative to the folder of the configuration, which has to open; text NULL: nothing is done. */
int config_read_file_name(
	struct config_reader *r, const struct config_node *node, size_t index, const char *text, const char **out);
/* Decimal digits that make a number in the range. */
bool config_parse_count(const char *text, unsigned least, unsigned most, unsigned *out);
void config_read_switch(enum config_switch word, bool *out);

/* --- config_listen.c --- */

/* The first of a list that a socket on the address would collide with; NULL: none. */
const struct addr *config_find_place(const struct addr *list, size_t count, const struct addr *addr);
int config_read_listen(struct config_reader *r, const struct config_raw *raw);

/* --- config_resolver.c --- */

int config_read_resolver(struct config_reader *r, const struct config_raw_resolver *raw);
int config_read_dnssec(struct config_reader *r, const struct config_raw_dnssec *raw);
