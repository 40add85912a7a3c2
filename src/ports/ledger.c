/* Decides what is remembered of a loan and for how long: until the ring comes round. */
#include "ports/ledger.h"

#include <stdlib.h>

#include "base/arena.h"

struct ledger {
	size_t room, next;
	uint64_t added;
	struct ledger_entry entry[];
};

struct ledger *ledger_new(size_t room)
{
	/* calloc: memory that was never written costs nothing. */
	struct ledger *ledger = xzalloc(1, sizeof(*ledger) + room * sizeof(ledger->entry[0]));
	ledger->room = room;
	return ledger;
}

void ledger_free(struct ledger *ledger)
{
	free(ledger);
}

void ledger_add(struct ledger *ledger, const struct ledger_entry *entry)
{
	ledger->entry[ledger->next] = *entry;
	ledger->next = (ledger->next + 1) % ledger->room;
	ledger->added++;
}

size_t ledger_find(const struct ledger *ledger, uint16_t port, struct ledger_entry *out, size_t room)
{
	size_t have = ledger->added < ledger->room ? (size_t)ledger->added : ledger->room, found = 0;
	for (size_t i = 1; i <= have && found < room; i++) {
		const struct ledger_entry *entry = &ledger->entry[(ledger->next + ledger->room - i) % ledger->room];
		if (entry->port == port)
			out[found++] = *entry;
	}
	return found;
}

size_t ledger_since(const struct ledger *ledger, uint64_t *seen, struct ledger_entry *out, size_t room, uint64_t *lost)
{
	uint64_t oldest = ledger->added > ledger->room ? ledger->added - ledger->room : 0;
	if (*seen < oldest) {
		*lost += oldest - *seen;
		*seen = oldest;
	}
	size_t count = 0;
	for (; count < room && *seen < ledger->added; count++, (*seen)++)
		out[count] = ledger->entry[*seen % ledger->room];
	return count;
}

static size_t have(const struct ledger *ledger)
{
	return ledger->added < ledger->room ? (size_t)ledger->added : ledger->room;
}

size_t ledger_count(const struct ledger *ledger, uint16_t port, uint64_t *oldest_us)
{
	size_t count = 0, all = have(ledger);
	*oldest_us = 0;
	for (size_t i = 0; i < all; i++) {
		const struct ledger_entry *entry = &ledger->entry[i];
		if (entry->port != port)
			continue;
		if (count++ == 0 || entry->begin_us < *oldest_us)
			*oldest_us = entry->begin_us;
	}
	return count;
}

/* In the order of their ends; a clock that was set back only makes the walk longer or shorter. */
void ledger_mark(const struct ledger *ledger, uint64_t since_us, struct port_set *set)
{
	size_t all = have(ledger);
	for (size_t i = 1; i <= all; i++) {
		const struct ledger_entry *entry = &ledger->entry[(ledger->next + ledger->room - i) % ledger->room];
		if (entry->begin_us + entry->took_us < since_us)
			return;
		port_set_add(set, entry->port);
	}
}

uint64_t ledger_added(const struct ledger *ledger)
{
	return ledger->added;
}

const char *transport_text(enum transport transport)
{
	return transport == TRANSPORT_TCP ? "tcp" : "udp";
}

const char *loan_outcome_text(enum loan_outcome outcome)
{
	static const char *const words[LOAN_OUTCOMES] = {
		"lent", "reply", "timeout", "late", "mismatch", "error", "canceled"};
	return outcome < LOAN_OUTCOMES ? words[outcome] : "?";
}
