/* Decides what counts as a client's query, in one pass over the bytes and without allocation: this runs for every
 * datagram that arrives. What else may stand in a query (records of unknown use) is walked over, not kept. */
#include <string.h>

#include "dns/message.h"

enum { FLAG_QR = 0x80, FLAG_TC = 0x02, FLAG_RD = 0x01, FLAG_RA = 0x80, FLAG_AD = 0x20, FLAG_CD = 0x10 };
enum { TYPE_OPT = 41, CLASS_ANY = 255, UDP_SIZE_PLAIN = 512, OPT_DO = 0x8000 };
enum { RECORD_HEAD = 10 }; /* of a record, after its owner: type, class, TTL, length of its rdata */

struct cursor {
	const uint8_t *pos, *end;
	bool bad; /* sticky: read many, check once */
};

static void skip(struct cursor *c, size_t len)
{
	if (c->bad || (size_t)(c->end - c->pos) < len)
		c->bad = true;
	else
		c->pos += len;
}

/* The next `len` bytes, at most RECORD_HEAD of them; zeros once the cursor is bad. */
static const uint8_t *take(struct cursor *c, size_t len)
{
	static const uint8_t zeros[RECORD_HEAD];
	if (c->bad || (size_t)(c->end - c->pos) < len) {
		c->bad = true;
		return zeros;
	}
	const uint8_t *at = c->pos;
	c->pos += len;
	return at;
}

/* Walks over an owner name, which may end in a compression pointer; says whether it was the root. */
static bool skip_owner(struct cursor *c)
{
	uint8_t label = take(c, 1)[0];
	bool root = label == 0;
	while (!c->bad && label != 0) {
		if (label >= 0xc0) {
			take(c, 1);
			break;
		}
		if (label > 63)
			c->bad = true;
		skip(c, label);
		label = take(c, 1)[0];
	}
	return root;
}

/* Reads one record of the additional section; an OPT is taken, a second one is an error (RFC 6891 6.1.1). */
static void read_additional(struct cursor *c, struct query *query, uint8_t *version)
{
	bool root = skip_owner(c);
	const uint8_t *head = take(c, RECORD_HEAD);
	uint16_t rclass = knot_wire_read_u16(head + 2);
	skip(c, knot_wire_read_u16(head + 8));
	if (c->bad || knot_wire_read_u16(head) != TYPE_OPT)
		return;
	if (query->edns || !root) {
		c->bad = true;
		return;
	}
	query->edns = true;
	query->udp_size = rclass < UDP_SIZE_PLAIN ? UDP_SIZE_PLAIN : rclass;
	*version = head[5];
	query->dnssec_ok = knot_wire_read_u16(head + 6) & OPT_DO;
}

static void skip_records(struct cursor *c, unsigned count)
{
	for (unsigned i = 0; i < count && !c->bad; i++) {
		skip_owner(c);
		skip(c, knot_wire_read_u16(take(c, RECORD_HEAD) + 8));
	}
}

static bool is_meta_type(uint16_t type)
{
	return type == 0 || type == TYPE_OPT || type == 249 || type == 250; /* OPT, TKEY, TSIG */
}

static void read_header(struct query *query, const uint8_t *wire)
{
	*query = (struct query){.id = knot_wire_read_u16(wire), .udp_size = UDP_SIZE_PLAIN};
	query->rd = wire[2] & FLAG_RD;
	query->ad = wire[3] & FLAG_AD;
	query->cd = wire[3] & FLAG_CD;
}

enum query_verdict query_read(struct query *query, const uint8_t *wire, size_t len)
{
	if (len < MESSAGE_HEADER || wire[2] & FLAG_QR)
		return QUERY_DROP;
	read_header(query, wire);
	if (wire[2] & 0x78)
		return QUERY_NOTIMP;
	if (knot_wire_get_qdcount(wire) != 1 || wire[2] & FLAG_TC)
		return QUERY_FORMERR;
	struct cursor c = {.pos = wire + MESSAGE_HEADER, .end = wire + len};
	query->raw_name = c.pos;
	query->name_len = (uint8_t)name_wire_len(c.pos, len - MESSAGE_HEADER);
	if (query->name_len == 0)
		return QUERY_FORMERR;
	skip(&c, query->name_len);
	const uint8_t *asked = take(&c, 4);
	query->type = knot_wire_read_u16(asked);
	query->rclass = knot_wire_read_u16(asked + 2);
	if (c.bad)
		return QUERY_FORMERR;
	query->question_end = (uint16_t)(c.pos - wire);

	uint8_t version = 0;
	skip_records(&c, knot_wire_get_ancount(wire) + knot_wire_get_nscount(wire));
	for (unsigned i = knot_wire_get_arcount(wire); i > 0 && !c.bad; i--)
		read_additional(&c, query, &version);
	if (c.bad || is_meta_type(query->type) || query->rclass == 0)
		return QUERY_FORMERR;
	return version > 0 ? QUERY_BADVERS : QUERY_OK;
}

size_t query_write_error(uint8_t *wire, const struct query *query, uint8_t rcode)
{
	wire[2] = (uint8_t)(FLAG_QR | (wire[2] & 0x78) | (query->rd ? FLAG_RD : 0));
	wire[3] = (uint8_t)(FLAG_RA | (query->cd ? FLAG_CD : 0) | rcode);
	memset(wire + 4, 0, 8);
	if (query->question_end == 0)
		return MESSAGE_HEADER;
	wire[5] = 1;
	return query->question_end;
}
