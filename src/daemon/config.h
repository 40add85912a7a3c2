/* The configuration: one YAML file, read whole, checked whole, then never touched again.
 *
 *	struct config *config;
 *	char why[CONFIG_ERROR];
 *	if (config_read(&config, path, why) != 0) { fprintf(stderr, "berthd: %s\n", why); exit(1); }
 *	config_free(config);
 *
 * No file at all is a safe resolver on loopback. Only this room reads the file; everybody else gets small structs.
 * Ownership: all strings and lists belong to the config. Thread: main. Never suspends. */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/log.h"
#include "ports/set.h"

enum { CONFIG_ERROR = 512, CONFIG_WORKERS_AUTO = 0 };

/* Which addresses of servers a delegation may bring: enum glue of resolve/resolver.h. */
enum config_glue { CONFIG_GLUE_BAILIWICK, CONFIG_GLUE_VERIFIED, CONFIG_GLUE_ANY };

/* Whom to ask about a zone, as the operator says it. */
struct config_route {
	const char *zone; /* as written; that it is a name has been checked */
	struct addr *to;
	size_t count;
	bool first; /* where they fail, the zone's own servers are asked */
};

/* A zone that counts as unsigned. */
struct config_negative {
	const char *zone; /* as written; that it is a name has been checked */
	uint32_t until_s; /* wall clock; 0: for ever */
};

/* An interface whose queries are taken before the kernel's stack has them. */
struct config_xdp {
	char interface[IF_NAMESIZE];
	uint16_t port;
};

struct config {
	struct addr *listen; /* default 127.0.0.1@53 and ::1@53 */
	size_t listen_count;
	struct config_xdp *xdp; /* default none; their addresses are not in `listen` */
	size_t xdp_count;
	unsigned workers; /* CONFIG_WORKERS_AUTO: one per core */
	bool pin;         /* each stays on a core of its own */
	const char *user; /* NULL: stay who we are, without capabilities */

	struct {
		struct port_range range; /* default 49152-65535 */
		bool reserved;        /* ports.lend: hold ports, as Windows does; default: draw a fresh one each time */
		unsigned pool;        /* default 2500; 1 to 60000, reserved 0 (one port for all) to 10000 */
		unsigned max;         /* loans at once; default four times the pool, at least 1000 */
		unsigned uses, age_s; /* of a reserved port; default 1000 and an hour; 0: any */
		struct port_set *exclude; /* never NULL; default empty */
		struct port_set *include; /* used although registered or on the list of clashes; the same */
	} ports;

	struct {
		const char *root_hints; /* NULL: built in */
		bool minimise, ipv4, ipv6, query_loopback, query_private;
		bool nxdomain_cut; /* a name that does not exist has none below it */
		enum config_glue glue;
		bool priming; /* ask the root's servers who they are, before anything else */
		struct config_route *forward, *stub;
		size_t forward_count, stub_count;
		const char **ordinary; /* special-use names that are looked up like any other */
		size_t ordinary_count;
	} resolver;

	struct {
		bool validate;             /* default yes */
		bool builtin;              /* the root's anchors that berthd brings along */
		unsigned nsec3_iterations; /* more make a denial count as unsigned; default 50, at most 500 */
		bool rollover;             /* anchors follow their zones' keys (RFC 5011) */
		bool key_tags;             /* anchored zones are told which of their keys are trusted (RFC 8145) */
		bool sentinel;             /* RFC 8509 */
		bool sha1;                 /* signatures and digests with SHA-1 count */
		const char **anchors;      /* files with DS and DNSKEY records */
		size_t anchor_count;
		struct config_negative *negative; /* zones that count as unsigned whatever they say (RFC 7646) */
		size_t negative_count;
	} dnssec;

	struct {
		size_t memory;             /* bytes, default 256M, at least 1M */
		uint32_t ttl_min, ttl_max; /* seconds */
		uint32_t stale;            /* seconds that an expired answer is kept for bad times; 0: not */
		const char *snapshot;      /* the file that it is kept in over a restart; NULL: none */
		bool prefetch;             /* popular answers are looked up again before they expire */
	} cache;

	struct {
		const char *version; /* told to who asks for version.bind or version.server; NULL: nobody is */
		const char *name;    /* the same for id.server and hostname.bind */
	} identity;

	struct prefix *allow; /* access.allow: who may ask; default loopback and private networks */
	size_t allow_count;
	struct {
		struct addr *listen; /* default 127.0.0.1@8053; none: no web page */
		size_t listen_count;
		bool by_default;    /* nobody asked for that address: it may be taken */
		const char **hosts; /* names by which it may be called, beside addresses and localhost */
		size_t host_count;
		const char **local; /* users of this machine who see it without a password, beside root and berthd's */
		size_t local_count;
		bool has_local;            /* named; else the members of group berth */
		const char *password_file; /* NULL: nobody can log in */
		const char *votes;         /* the file of votes; NULL: none are taken */
	} web;
	struct {
		const char *file; /* default: history.db in path_state_dir; NULL: there is no such folder */
		bool is_named;    /* by the configuration */
		bool loans, watch;
		uint64_t bytes;
		uint32_t age_s; /* 0: any */
	} history;
	const char *control_socket; /* default /run/berth/control when root, else $XDG_RUNTIME_DIR/berth-control */
	enum log_level log_level;
};

/* path NULL: the defaults. 0, or E_INVAL/E_NOENT/E_ACCESS with one line in `why`: "FILE:LINE: KEY: what is wrong; what
 * would be right". */
int config_read(struct config **config, const char *path, char why[static CONFIG_ERROR]);
/* The same for text that is in memory already; `name` stands for the file in complaints and for its folder. */
int config_read_text(
	struct config **config, const char *name, const char *text, size_t len, char why[static CONFIG_ERROR]);
void config_free(struct config *config);

/* Where the control socket is when nobody says otherwise: path_control_socket of base/paths.h, as in the tool. */
const char *config_default_socket(char *out, size_t size);
