/* A small Internet in place of resolve/exchange.c: zones as tables, servers that answer from them at once, a clock that
 * moves by each exchange.
 *
 *	static const struct zone zones[] = {{"org", {"198.51.100.2"}, {{"example.org", NS, "ns.example.org"}, ...}}};
 *	world_begin(zones, COUNT_OF(zones));
 *	... resolver_ask ...
 *	assert_int_equal(world_asked("198.51.100.2", NULL, 0), 1);
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum manner {
	GOOD,
	SILENT,
	REFUSES,
	LAME,       /* refers upwards */
	NO_EDNS,    /* FORMERR to any OPT */
	DENIES_ENT, /* NXDOMAIN for empty non-terminals */
	ENDLESS,    /* refers one label deeper, to itself, for ever */
	POISON,     /* adds records of www.victim.org wherever it can */
};

enum { ZONE_SERVERS = 8, ZONE_RECORDS = 96 };

struct zone_record {
	const char *owner;
	uint16_t type;     /* A, AAAA, NS or CNAME */
	const char *value; /* in text */
	uint32_t ttl_s;    /* 0: 300 */
};

struct zone {
	const char *apex;
	struct {
		const char *address;
		enum manner manner;
	} server[ZONE_SERVERS];
	struct zone_record record[ZONE_RECORDS];
};

void world_begin(const struct zone *zones, size_t count);
/* How many questions were asked of that server (NULL: any), for that name (NULL: any), of that type (0: any). */
unsigned world_asked(const char *server, const char *name, uint16_t type);
/* The most labels of a name that the server was asked for. */
unsigned world_longest(const char *server);
