/* Loans packed into a few dozen bytes each, for the history's file: a batch is one row, and a small bitmap beside it says
 * which ports it may have loans of, so that a search for one port unpacks few of the batches.
 *
 *	struct pack *pack = pack_new(256 << 10);
 *	while (pack_add(pack, &entry, "www.example.org. A")) ...       false: it is full; write it, pack_clear, add again
 *	struct pack_ports ports;
 *	pack_ports(pack, &ports);
 *
 *	struct unpack unpack = unpack_begin(bytes, len);
 *	for (struct packed_loan loan; unpack_next(&unpack, &loan);) ...
 *
 * What is unpacked came from a file and is believed in nothing: a batch that ends within a loan ends before it.
 * Pure; thread: the owner's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ports/ledger.h"
#include "ports/set.h"

enum {
	PACK_LOANS = 4096,
	PACK_TEXT = 255,            /* of a question; longer ones are cut */
	PACK_LOAN = 48 + PACK_TEXT, /* bytes of one loan at most */
	PACK_PORTS = PORTS_ALL / 8, /* bytes of the bitmap at most: one bit for each port */
	PACK_BITS_EACH = 8,         /* bits for each loan at least: of eight batches without the port one is unpacked */
};

/* What was packed since the last pack_clear. */
struct pack {
	uint8_t *bytes;
	size_t len, room; /* a batch ends when another loan may not fit */
	unsigned count;
	uint64_t first_us, last_us; /* first begin, last end */
	uint64_t before_us;         /* begin of the loan before */
	struct port_set ports;
};

/* Of at most `room` bytes. */
struct pack *pack_new(size_t room) __attribute__((returns_nonnull));
void pack_free(struct pack *pack);
void pack_clear(struct pack *pack) __attribute__((nonnull));
/* False, and nothing has changed, when it is full. */
bool pack_add(struct pack *pack, const struct ledger_entry *entry, const char *question) __attribute__((nonnull));

struct pack_ports {
	uint8_t bytes[PACK_PORTS];
	size_t len; /* a power of two: the ports' last bits */
};

void pack_ports(const struct pack *pack, struct pack_ports *out) __attribute__((nonnull));
/* False: the batch has no loan of these ports. A bitmap that is none rules nothing out. */
bool pack_ports_may_have(const uint8_t *bytes, size_t len, struct port_range range) __attribute__((nonnull));

struct packed_loan {
	struct addr server;
	uint64_t begin_us;
	uint32_t took_us;
	uint16_t port;
	enum transport transport;
	enum loan_outcome outcome;
	const uint8_t *question; /* within the batch, without NUL */
	size_t question_len;
};

struct unpack {
	const uint8_t *at, *end;
	uint64_t before_us;
	bool is_bad; /* it ended within a loan, or holds nonsense */
};

struct unpack unpack_begin(const uint8_t *bytes, size_t len);
bool unpack_next(struct unpack *unpack, struct packed_loan *out) __attribute__((nonnull));
