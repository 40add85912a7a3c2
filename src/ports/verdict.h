/* What to think of a port, in one sentence.
 *
 *	struct verdict_facts facts = {.port = 60054, .holders = first, .count = count};
 *	memcpy(facts.probe, ...);
 *	char words[VERDICT_WORDS];
 *	enum verdict verdict = verdict_of(&facts, words);
 *	printf("%s\n", words);            an ephemeral port of firefox (pid 812, user ann), connected to ...
 *
 * Pure but for the names of users; thread: any. */
#pragma once

#include "ports/inspect.h"

enum { VERDICT_WORDS = 768, VERDICT_WHO = 256, VERDICT_FAMILIES = 2 };

enum verdict {
	VERDICT_FREE,
	VERDICT_LENT,     /* by berthd, to ask somebody */
	VERDICT_POOL,     /* berthd holds it, to be lent */
	VERDICT_SQUAT,    /* another program holds a good part of the range */
	VERDICT_SERVICE,  /* somebody listens there */
	VERDICT_CLIENT,   /* an ephemeral port of a connection */
	VERDICT_CHOSEN,   /* a connection from a port that the program chose itself */
	VERDICT_INACTIVE, /* bound, and nothing done with it */
	VERDICT_ENDED,    /* kept by the kernel for a connection that ended */
	VERDICT_UNLISTED, /* held, and not in the kernel's tables */
	VERDICT_UNTRIED,  /* nobody holds it, but whether it is free could not be tried */
	VERDICTS,
};

/* What berthd says of the port, as far as it was asked. */
struct verdict_daemon {
	bool is_held;                            /* bound ahead and idle */
	const char *question, *server;           /* NULL, or it is lent to ask this */
	uint64_t ago_us;                         /* since then */
	size_t loans;                            /* remembered ones that ended, since when: */
	const char *since;                       /* as text; NULL where there are none */
	const char *last_question, *last_server; /* of the newest of them, which ended so long ago: */
	uint64_t last_ago_us;
};

struct verdict_facts {
	uint16_t port;
	bool is_reserved; /* in ip_local_reserved_ports */
	enum port_probe probe[PORT_TRANSPORTS][VERDICT_FAMILIES];
	const struct holder *holders; /* of this port alone, as inspect_of_port has them */
	size_t count;
	unsigned share; /* inspect_share of a UDP holder without a peer; else 0 */
	struct verdict_daemon daemon;
};

enum verdict verdict_of(const struct verdict_facts *facts, char out[static VERDICT_WORDS]) __attribute__((nonnull));
/* "free", "lent", "pool", ...: one word. */
const char *verdict_key(enum verdict verdict);
/* The holder that the verdict is about: of our namespace before others, listeners before connections; NULL: none. */
const struct holder *verdict_lead(const struct verdict_facts *facts) __attribute__((nonnull));
/* Whether inspect_share of that holder is worth asking for; NULL is allowed. */
bool verdict_wants_share(const struct holder *lead);
/* "firefox (pid 812, user ann)", "nginx (pid 80 and 3 more, user www-data)", "the kernel", "a process of user ann" */
const char *verdict_who(const struct holder *holder, char out[static VERDICT_WHO]) __attribute__((nonnull));
/* Who holds so many hundredths of the dynamic range's UDP ports has a pool of them. */
enum { VERDICT_POOL_SHARE = 4 };
