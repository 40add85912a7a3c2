/* Decides which bytes are a record: where its names go, which of its rdata are names, and what is too little or too much
 * of it. Which types have which rdata is libknot's to say. */
#include "dns/rr.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"

enum { LABEL_MAX = 63, POINTER = 0xc0 };

/* Bytes that something takes where it stands, and those it has with its names in full. A name that has a pointer never
 * takes as many: it takes two bytes for the root, which is one, or for three at least. */
struct extent {
	size_t taken, full;
};

static bool is_pointer(uint8_t byte)
{
	return byte >= POINTER;
}

static size_t pointed_at(const uint8_t *at)
{
	return (size_t)(at[0] & ~POINTER) << 8 | at[1];
}

/* Follows the name at `at` of what ends at `end`. All zero when it is broken, or the message has been followed too long. */
static struct extent follow(struct rr_reader *reader, size_t at, size_t end)
{
	const uint8_t *wire = reader->wire;
	struct extent name = {0};
	for (size_t begin = at; at < end && reader->steps < LIMIT_MESSAGE_STEPS;) {
		uint8_t label = wire[at];
		reader->steps++;
		if (is_pointer(label)) {
			if (end - at < 2 || pointed_at(wire + at) >= at)
				break;
			if (name.taken == 0)
				name.taken = at + 2 - begin;
			at = pointed_at(wire + at);
			continue;
		}
		name.full += 1u + label;
		if (label > LABEL_MAX || name.full > NAME_MAX_LEN)
			break;
		at += 1u + label;
		if (label > 0)
			continue;
		if (name.taken == 0)
			name.taken = at - begin;
		return name;
	}
	return (struct extent){0};
}

/* A name that follow() found whole. */
static struct extent copy_name(uint8_t *out, const uint8_t *wire, size_t at)
{
	struct extent name = {0};
	size_t begin = at;
	for (uint8_t label = 1; label > 0;) {
		while (is_pointer(wire[at])) {
			if (name.taken == 0)
				name.taken = at + 2 - begin;
			at = pointed_at(wire + at);
		}
		label = wire[at];
		memcpy(out + name.full, wire + at, 1u + label);
		name.full += 1u + label;
		at += 1u + label;
	}
	if (name.taken == 0)
		name.taken = at - begin;
	return name;
}

/* --- owners --- */

static const struct rr_name *find_name(const struct rr_reader *reader, size_t at)
{
	unsigned known = reader->named < RR_NAMES ? reader->named : RR_NAMES;
	for (unsigned i = 0; i < known; i++)
		if (reader->names[i].at == at)
			return &reader->names[i];
	return NULL;
}

/* Where the bytes of a name begin: what two names share that are one pointer to the same place. */
static size_t begin_of(const struct rr_reader *reader)
{
	const uint8_t *at = reader->wire + reader->at;
	return reader->len - reader->at >= 2 && is_pointer(at[0]) ? pointed_at(at) : reader->at;
}

const uint8_t *rr_read_name(struct rr_reader *reader, uint8_t *len)
{
	size_t begin = begin_of(reader);
	const struct rr_name *known = find_name(reader, begin);
	if (known != NULL) { /* by a pointer: nothing that is known begins here */
		reader->at += 2;
		*len = known->len;
		return known->name;
	}
	struct extent extent = follow(reader, reader->at, reader->len);
	if (extent.full == 0)
		return NULL;
	uint8_t *name = arena_alloc(reader->arena, extent.full);
	copy_name(name, reader->wire, reader->at);
	name_lower(name);
	reader->at += extent.taken;
	*len = (uint8_t)extent.full;
	if (begin <= UINT16_MAX)
		reader->names[reader->named++ % RR_NAMES] =
			(struct rr_name){.name = name, .at = (uint16_t)begin, .len = *len};
	return name;
}

/* --- rdata --- */

static bool is_name(int block)
{
	return block == KNOT_RDATA_WF_COMPRESSIBLE_DNAME || block == KNOT_RDATA_WF_DECOMPRESSIBLE_DNAME ||
	       block == KNOT_RDATA_WF_FIXED_DNAME;
}

/* Of a block that is no name; all zero when it is broken, or nothing is left for a remainder. */
static struct extent measure_bytes(const uint8_t *wire, size_t at, size_t end, int block)
{
	int room = (int)(end - at), len = block;
	if (block == KNOT_RDATA_WF_REMAINDER)
		len = room;
	else if (block == KNOT_RDATA_WF_NAPTR_HEADER)
		len = knot_naptr_header_size(wire + at, wire + end);
	if (len < 0 || len > room)
		len = 0;
	return (struct extent){(size_t)len, (size_t)len};
}

static const knot_rdata_descriptor_t *form_of(uint16_t type)
{
	const knot_rdata_descriptor_t *form = knot_get_rdata_descriptor(type);
	return form->type_name != NULL ? form : knot_get_obsolete_rdata_descriptor(type);
}

/* Bytes that the rdata has with its names in full, or -1 when it is none of its type; whether it has pointers. */
static int measure_rdata(
	struct rr_reader *reader, size_t at, size_t end, const knot_rdata_descriptor_t *form, bool *has_pointers)
{
	size_t full = 0;
	for (const int *block = form->block_types; *block != KNOT_RDATA_WF_END; block++) {
		struct extent extent =
			is_name(*block) ? follow(reader, at, end) : measure_bytes(reader->wire, at, end, *block);
		if (extent.taken == 0 && *block != KNOT_RDATA_WF_REMAINDER)
			return -1;
		at += extent.taken;
		full += extent.full;
		*has_pointers |= extent.taken != extent.full;
	}
	return at == end && full <= UINT16_MAX ? (int)full : -1;
}

/* What measure_rdata found good. */
static void write_rdata(uint8_t *out, const uint8_t *wire, size_t at, size_t end, const knot_rdata_descriptor_t *form)
{
	for (const int *block = form->block_types; *block != KNOT_RDATA_WF_END; block++) {
		struct extent extent;
		if (is_name(*block)) {
			extent = copy_name(out, wire, at);
		} else {
			extent = measure_bytes(wire, at, end, *block);
			memcpy(out, wire + at, extent.full);
		}
		at += extent.taken;
		out += extent.full;
	}
}

/* Types whose rdata may be nothing: all of another class (of an update), those nobody knows, and this. */
static bool may_be_empty(const struct rr *rr, const knot_rdata_descriptor_t *form)
{
	return rr->rclass != KNOT_CLASS_IN || rr->type == KNOT_RRTYPE_APL || form->type_name == NULL;
}

static int read_rdata(struct rr_reader *reader, struct rr *rr, size_t len)
{
	const knot_rdata_descriptor_t *form = form_of(rr->type);
	size_t at = reader->at, end = at + len;
	bool has_pointers = false;
	int full = 0;
	if (len > 0)
		full = measure_rdata(reader, at, end, form, &has_pointers);
	else if (!may_be_empty(rr, form))
		full = -1;
	if (full < 0)
		return E_MALFORMED;
	knot_rdata_t *rdata = arena_alloc(reader->arena, knot_rdata_size((uint16_t)full));
	rdata->len = (uint16_t)full;
	if (has_pointers)
		write_rdata(rdata->data, reader->wire, at, end, form);
	else
		memcpy(rdata->data, reader->wire + at, len);
	if (full % 2 != 0)
		rdata->data[full] = 0; /* the padding byte of an odd length */
	rr->rdata = rdata;
	reader->at = end;
	return 0;
}

enum { FIXED = 10 }; /* type, class, TTL, length */

int rr_read(struct rr_reader *reader, struct rr *rr)
{
	rr->owner = rr_read_name(reader, &rr->owner_len);
	if (rr->owner == NULL || reader->len - reader->at < FIXED)
		return E_MALFORMED;
	const uint8_t *at = reader->wire + reader->at;
	rr->type = knot_wire_read_u16(at);
	rr->rclass = knot_wire_read_u16(at + 2);
	rr->ttl_s = knot_wire_read_u32(at + 4);
	uint16_t len = knot_wire_read_u16(at + 8);
	reader->at += FIXED;
	if (reader->len - reader->at < len)
		return E_MALFORMED;
	return read_rdata(reader, rr, len);
}
