/* Records of a message, read where they lie, one after the other.
 *
 *	struct rr_reader reader = {.arena = arena, .wire = wire, .len = len, .at = MESSAGE_HEADER};
 *	const uint8_t *name = rr_read_name(&reader, &name_len);                the question's
 *	reader.at += 4;
 *	while (count-- > 0 && rr_read(&reader, &rr) == 0) ...
 *
 * What is read lives in the arena and needs the wire no more: owners are lower case, records of one owner share it where
 * the message had a pointer, names in rdata are whole and keep their case. Every byte is hostile: pointers go backwards, the
 * labels and pointers of all names of a message are at most LIMIT_MESSAGE_STEPS, nothing asserts. Standards: RFC 1035 4.1.3 and 4.1.4, RFC 3597 4. Thread: the
 * arena's owner. Never suspends. */
#pragma once

#include "dns/knot.h"
#include "dns/name.h"

enum { RR_NAMES = 8 }; /* names that are remembered by where they stand */

struct rr_reader {
	struct arena *arena;
	const uint8_t *wire;
	size_t len, at;
	struct rr_name {
		const uint8_t *name;
		uint16_t at;
		uint8_t len;
	} names[RR_NAMES];
	unsigned named;
	unsigned steps; /* along names, of LIMIT_MESSAGE_STEPS */
};

struct rr {
	const uint8_t *owner;
	knot_rdata_t *rdata;
	uint32_t ttl_s; /* as sent */
	uint16_t type, rclass;
	uint8_t owner_len;
};

/* The name at the reader's place, lower case, which it leaves behind; NULL when it is broken. */
const uint8_t *rr_read_name(struct rr_reader *reader, uint8_t *len);
/* 0, or E_MALFORMED; then neither reader nor record are of use. */
int rr_read(struct rr_reader *reader, struct rr *rr);
