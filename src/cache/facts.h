/* What is known of each server address: how fast it answers, whether it fails, what it does not understand.
 *
 *	struct facts now;
 *	facts_get(table, &address, &now);                a copy; zeros for a stranger
 *	facts_note_reply(table, &address, rtt_us);
 *
 * Everything here was learnt from datagrams that matched a question, or from silence, and is forgotten after
 * LIMIT_FACTS_S. A fixed table: a flood of addresses overwrites the oldest, it never grows.
 * Thread: any; readers take no lock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "dns/message.h"

struct facts {
	uint32_t srtt_us, rttvar_us; /* RFC 6298; 0: never answered */
	uint16_t silences;           /* questions in a row without a reply */
	uint64_t no_edns_until_us;   /* monotonic; it answered FORMERR or NOTIMP to EDNS, then without */
	bool no_case;                /* does not keep the case of a question's name: seen over TCP */
	uint64_t silent_us;          /* monotonic, of the last silence */
	uint8_t mismatches;          /* datagrams in its name that did not match, since: */
	uint64_t mismatch_us;        /* monotonic */
	uint64_t tcp_only_until_us;  /* monotonic; 0: never */
	struct cookie cookie;        /* server_len 0: none yet */
};

struct facts_table;

struct facts_table *facts_new(void);
void facts_free(struct facts_table *table);
void facts_get(struct facts_table *table, const struct addr *addr, struct facts *out);
void facts_note_reply(struct facts_table *table, const struct addr *addr, uint32_t rtt_us);
void facts_note_silence(struct facts_table *table, const struct addr *addr);
void facts_note_no_edns(struct facts_table *table, const struct addr *addr);
/* A datagram in this server's name did not match. True when from now on it is to be asked over TCP only, which is said
 * once for each such time. */
bool facts_note_mismatch(struct facts_table *table, const struct addr *addr);
void facts_note_no_case(struct facts_table *table, const struct addr *addr);
void facts_note_cookie(struct facts_table *table, const struct addr *addr, const struct cookie *cookie);
