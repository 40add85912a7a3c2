/* Records of a message, read where they lie, one after the other.
 *
 *	struct record_reader reader = {.arena = arena, .wire = wire, .len = len, .at = MESSAGE_HEADER};
 *	const uint8_t *name = record_read_name(&reader, &name_len);                the question's
 *	reader.at += 4;
 *	while (count-- > 0 && record_read(&reader, &record) == 0) ...
 *
 * What is read lives in the arena and needs the wire no more: owners are lower case, records of one owner share it where
 * the message had a pointer, names in rdata are whole and keep their case. Every byte is hostile: a name's pointers go
 * backwards and are at most LIMIT_POINTERS, nothing asserts. Standards: RFC 1035 4.1.3 and 4.1.4, RFC 3597 4. Thread: the
 * arena's owner. Never suspends. */
#pragma once

#include "dns/knot.h"
#include "dns/name.h"

enum { RECORD_NAMES = 8 }; /* names that are remembered by where they stand */

struct record_reader {
	struct arena *arena;
	const uint8_t *wire;
	size_t len, at;
	struct record_name {
		const uint8_t *name;
		uint16_t at;
		uint8_t len;
	} names[RECORD_NAMES];
	unsigned named;
};

struct record {
	const uint8_t *owner;
	knot_rdata_t *rdata;
	uint32_t ttl_s; /* as sent */
	uint16_t type, rclass;
	uint8_t owner_len;
};

/* The name at the reader's place, lower case, which it leaves behind; NULL when it is broken. */
const uint8_t *record_read_name(struct record_reader *reader, uint8_t *len);
/* 0, or E_MALFORMED. */
int record_read(struct record_reader *reader, struct record *record);
