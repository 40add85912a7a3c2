/* Decides the form of packed loans. Of each: how its begin differs from the one before (zigzag), how long it took, the
 * port, a byte of outcome, transport, family and whether the server's port is 53, the server's address, its port where
 * it is another, and the question with its length before it. Numbers are of 7 bits a byte, the least first. */
#include "ports/pack.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"

enum { OUTCOME_BITS = 0x0f, IS_TCP = 0x10, IS_V6 = 0x20, IS_PORT_53 = 0x40, USUAL_PORT = 53 };

/* --- packing --- */

struct pack *pack_new(size_t room)
{
	struct pack *pack = xzalloc(1, sizeof(*pack));
	pack->room = room;
	pack->bytes = xalloc(room);
	return pack;
}

void pack_free(struct pack *pack)
{
	if (pack == NULL)
		return;
	free(pack->bytes);
	free(pack);
}

void pack_clear(struct pack *pack)
{
	pack->len = 0;
	pack->count = 0;
	pack->first_us = pack->last_us = pack->before_us = 0;
	memset(&pack->ports, 0, sizeof(pack->ports));
}

static uint8_t *put_number(uint8_t *to, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*to++ = (uint8_t)(value | 0x80);
	*to++ = (uint8_t)value;
	return to;
}

static uint8_t *put_port(uint8_t *to, uint16_t port)
{
	*to++ = (uint8_t)port;
	*to++ = (uint8_t)(port >> 8);
	return to;
}

static uint8_t *put_bytes(uint8_t *to, const void *bytes, size_t len)
{
	memcpy(to, bytes, len);
	return to + len;
}

static uint64_t zigzag(int64_t value)
{
	return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static int64_t unzigzag(uint64_t value)
{
	return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static uint8_t flags_of(const struct ledger_entry *entry)
{
	return (uint8_t)((entry->outcome & OUTCOME_BITS) | (entry->transport == TRANSPORT_TCP ? IS_TCP : 0) |
			 (addr_is_v6(&entry->server) ? IS_V6 : 0) |
			 (addr_port(&entry->server) == USUAL_PORT ? IS_PORT_53 : 0));
}

static void note_span(struct pack *pack, const struct ledger_entry *entry)
{
	uint64_t end_us = entry->begin_us + entry->took_us;
	if (pack->count == 0 || entry->begin_us < pack->first_us)
		pack->first_us = entry->begin_us;
	if (end_us > pack->last_us)
		pack->last_us = end_us;
	pack->before_us = entry->begin_us;
	pack->count++;
	port_set_add(&pack->ports, entry->port);
}

bool pack_add(struct pack *pack, const struct ledger_entry *entry, const char *question)
{
	if (pack->count == PACK_LOANS || pack->room - pack->len < PACK_LOAN)
		return false;
	size_t text_len = strnlen(question, PACK_TEXT), host_len;
	const uint8_t *host = addr_bytes(&entry->server, &host_len);
	uint8_t flags = flags_of(entry), *to = pack->bytes + pack->len;
	to = put_number(to, zigzag((int64_t)(entry->begin_us - pack->before_us)));
	to = put_number(to, entry->took_us);
	to = put_port(to, entry->port);
	*to++ = flags;
	to = put_bytes(to, host, host_len);
	if ((flags & IS_PORT_53) == 0)
		to = put_port(to, addr_port(&entry->server));
	*to++ = (uint8_t)text_len;
	to = put_bytes(to, question, text_len);
	pack->len = (size_t)(to - pack->bytes);
	note_span(pack, entry);
	return true;
}

/* --- which ports --- */

void pack_ports(const struct pack *pack, struct pack_ports *out)
{
	out->len = PACK_PORTS;
	for (size_t i = 0; i < PACK_PORTS; i++)
		out->bytes[i] = (uint8_t)(pack->ports.word[i / 8] >> i % 8 * 8);
	while (out->len > 1 && out->len * 8 / 2 >= (size_t)pack->count * PACK_BITS_EACH) {
		out->len /= 2;
		for (size_t i = 0; i < out->len; i++)
			out->bytes[i] |= out->bytes[out->len + i];
	}
}

bool pack_ports_may_have(const uint8_t *bytes, size_t len, struct port_range range)
{
	unsigned bits = (unsigned)len * 8;
	if (len == 0 || len > PACK_PORTS || (len & (len - 1)) != 0 || range.last - range.first + 1u >= bits)
		return true;
	for (unsigned port = range.first; port <= range.last; port++) {
		unsigned bit = port & (bits - 1);
		if (bytes[bit / 8] >> bit % 8 & 1)
			return true;
	}
	return false;
}

/* --- unpacking --- */

struct unpack unpack_begin(const uint8_t *bytes, size_t len)
{
	return (struct unpack){.at = bytes, .end = len > 0 ? bytes + len : bytes};
}

static const uint8_t *take(struct unpack *unpack, size_t len)
{
	static const uint8_t nothing[16];
	require(len <= sizeof(nothing));
	if (unpack->is_bad || (size_t)(unpack->end - unpack->at) < len) {
		unpack->is_bad = true;
		return nothing;
	}
	unpack->at += len;
	return unpack->at - len;
}

static uint64_t take_number(struct unpack *unpack)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = *take(unpack, 1);
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	unpack->is_bad = true;
	return 0;
}

static uint16_t take_port(struct unpack *unpack)
{
	const uint8_t *bytes = take(unpack, 2);
	return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static void take_question(struct unpack *unpack, struct packed_loan *out)
{
	size_t len = *take(unpack, 1);
	if (len > (size_t)(unpack->end - unpack->at))
		unpack->is_bad = true;
	if (unpack->is_bad)
		return;
	out->question = unpack->at;
	out->question_len = len;
	unpack->at += len;
}

bool unpack_next(struct unpack *unpack, struct packed_loan *out)
{
	if (unpack->is_bad || unpack->at == unpack->end)
		return false;
	unpack->before_us += (uint64_t)unzigzag(take_number(unpack));
	*out = (struct packed_loan){.begin_us = unpack->before_us};
	uint64_t took_us = take_number(unpack);
	out->took_us = took_us < UINT32_MAX ? (uint32_t)took_us : UINT32_MAX;
	out->port = take_port(unpack);
	uint8_t flags = *take(unpack, 1);
	size_t host_len = flags & IS_V6 ? 16 : 4;
	const uint8_t *host = take(unpack, host_len);
	uint16_t server_port = flags & IS_PORT_53 ? USUAL_PORT : take_port(unpack);
	out->server = addr_of_bytes(host, host_len, server_port);
	out->transport = flags & IS_TCP ? TRANSPORT_TCP : TRANSPORT_UDP;
	out->outcome = (enum loan_outcome)(flags & OUTCOME_BITS);
	take_question(unpack, out);
	return !unpack->is_bad;
}
