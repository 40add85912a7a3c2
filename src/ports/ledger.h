/* The ledger: the last loans that ended, in a fixed ring. This is how `berth port 60054` can say what a port did.
 *
 *	struct ledger *ledger = ledger_new(65536);
 *	ledger_add(ledger, &entry);
 *	size_t found = ledger_find(ledger, 60054, entries, 20);      newest first
 *
 * One for each worker, written by it alone; others ask the worker. A loan that has not ended is not here: its port is
 * a secret. The tag is opaque to this room. Never suspends. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "ports/set.h"

enum { LOAN_TAG = 96 };

enum transport { TRANSPORT_UDP, TRANSPORT_TCP };

enum loan_outcome {
	LOAN_LENT, /* not ended */
	LOAN_REPLY,
	LOAN_TIMEOUT,
	LOAN_LATE, /* the reply came after the question was given up */
	LOAN_MISMATCH,
	LOAN_ERROR,
	LOAN_CANCELED,
	LOAN_OUTCOMES,
};

/* What the lender wants to remember; meaning and form are the lender's. */
struct loan_tag {
	uint8_t len;
	uint8_t bytes[LOAN_TAG];
};

struct ledger_entry {
	struct addr server;
	uint64_t begin_us; /* wall clock */
	uint32_t took_us;
	uint16_t port;
	uint8_t transport; /* enum transport */
	uint8_t outcome;   /* enum loan_outcome */
	struct loan_tag tag;
};

struct ledger;

struct ledger *ledger_new(size_t room);
void ledger_free(struct ledger *ledger);
void ledger_add(struct ledger *ledger, const struct ledger_entry *entry);
/* Copies up to `room` entries of the port, newest first; returns how many. */
size_t ledger_find(const struct ledger *ledger, uint16_t port, struct ledger_entry *out, size_t room);

/* Copies what was added after the first `*seen` entries of the ledger's life, oldest first, up to `room` of them, and
 * moves *seen behind them; returns how many. What the ring has lost since is passed over and added to *lost. */
size_t ledger_since(const struct ledger *ledger, uint64_t *seen, struct ledger_entry *out, size_t room, uint64_t *lost)
	__attribute__((nonnull));

/* Of how many loans of the port the ledger knows; *oldest_us is the begin of the first of them. */
size_t ledger_count(const struct ledger *ledger, uint16_t port, uint64_t *oldest_us) __attribute__((nonnull));
/* Adds the ports of the loans that ended since that moment. */
void ledger_mark(const struct ledger *ledger, uint64_t since_us, struct port_set *set) __attribute__((nonnull));
/* How many entries were added in the ledger's life: where ledger_since has seen all. */
uint64_t ledger_added(const struct ledger *ledger) __attribute__((nonnull));

const char *transport_text(enum transport transport);
const char *loan_outcome_text(enum loan_outcome outcome);
