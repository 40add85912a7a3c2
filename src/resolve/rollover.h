/* Trust anchors that follow their zone from one key to the next (RFC 5011): the states of a zone's keys, and their file.
 *
 *	struct rollover rollover;
 *	rollover_init(&rollover, anchor);                         what the configuration says of the zone
 *	if (rollover_see(&rollover, keyring, &arena, keys, now_s)) ...     a DNSKEY rrset that was proved; something changed
 *	rollover_add(&rollover, anchors);                         the keys that are trusted now
 *
 * A new key is trusted after it was seen for thirty days, at least twice; one that revokes itself no more, at once. Of
 * keys by their digest (DS) those that fit are trusted at first sight: whoever configured the digest said so. Ownership:
 * the caller's; everything is copied. Thread: main. Never suspends, touches no file. */
#pragma once

#include <stdio.h>

#include "dns/signature.h"
#include "resolve/anchors.h"

enum rollover_state {
	ROLLOVER_PENDING, /* seen, not yet long enough */
	ROLLOVER_VALID,
	ROLLOVER_MISSING, /* trusted, and not in the set that was seen last */
	ROLLOVER_REVOKED, /* remembered for thirty days, so that it does not come back */
	ROLLOVER_STATES,
};

enum {
	ROLLOVER_KEYS = 16,      /* of a zone: RFC 5011 6.4 wants room for some; a zone with more has lost its mind */
	ROLLOVER_KEY_MAX = 1028, /* bytes of a DNSKEY rdata: RSA-8192 */
	ROLLOVER_HOLD_S = 30 * 86400,
};

struct rollover_key {
	enum rollover_state state;
	uint32_t since_s; /* wall clock: when it came into this state */
	uint16_t len;
	uint8_t rdata[ROLLOVER_KEY_MAX]; /* without the REVOKE bit */
};

struct rollover {
	uint8_t zone[NAME_MAX_LEN];
	struct anchors *initial; /* what the configuration says, of this zone alone */
	uint64_t origin;         /* a sum of that: what grew from another configuration is not trusted */
	unsigned count;
	struct rollover_key key[ROLLOVER_KEYS];
};

void rollover_init(struct rollover *rollover, const struct anchor *anchor);
void rollover_deinit(struct rollover *rollover);
/* The zone's DNSKEY rrset as it was proved by the anchors of now. True: states have changed. */
bool rollover_see(struct rollover *rollover, struct keyring *keyring, struct arena *scratch, const struct rrset *keys,
	uint32_t now_s);
/* When to look again (RFC 5011 2.3), seconds from now; keys NULL: it could not be had. */
uint32_t rollover_wait_s(const struct rrset *keys, uint32_t now_s);
/* Adds the trusted keys, and what the configuration says but for keys that have revoked themselves. */
void rollover_add(const struct rollover *rollover, struct anchors *anchors);

/* The key as a record, without the REVOKE bit; to be freed. */
knot_rdata_t *rollover_rdata(const struct rollover_key *key) __attribute__((returns_nonnull));
const char *rollover_state_text(enum rollover_state state);
/* A line for each key: state, time, zone, origin, rdata; the last two in hexadecimal. 0, or E_SYSTEM. */
int rollover_write(const struct rollover *rollover, FILE *file) __attribute__((warn_unused_result));
/* One such line. E_NOENT: of another zone, or grown from other anchors than are configured now; E_MALFORMED; E_SPACE. */
int rollover_read_line(struct rollover *rollover, const char *line) __attribute__((warn_unused_result));
