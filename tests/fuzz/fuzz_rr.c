/* Any bytes as records: what our reader takes libknot's takes, and reads the same in it. What it refuses libknot refuses,
 * but for bytes behind the rdata, which it overlooks where names were compressed. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "dns/message.h"
#include "dns/rr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void compare(const struct rr *ours, const knot_rrset_t *theirs)
{
	must(ours->owner_len == knot_dname_size(theirs->owner));
	must(knot_dname_is_case_equal(ours->owner, theirs->owner));
	must(ours->type == theirs->type && ours->rclass == theirs->rclass && ours->ttl_s == theirs->ttl);
	if (theirs->rrs.count == 0) {
		must(ours->rdata->len == 0);
		return;
	}
	must(ours->rdata->len == theirs->rrs.rdata->len);
	must(memcmp(ours->rdata->data, theirs->rrs.rdata->data, ours->rdata->len) == 0);
}

static const knot_pkt_t *read_with_libknot(struct arena *arena, uint8_t *wire, size_t len)
{
	knot_mm_t mm = knot_mm_of(arena);
	knot_pkt_t *pkt = knot_pkt_new(wire, (uint16_t)len, &mm);
	return knot_pkt_parse(pkt, KNOT_PF_KEEPWIRE | KNOT_PF_NOCANON) == KNOT_EOK ? pkt : NULL;
}

/* What libknot refuses for more than its form; and rdata with a pointer to the root, which is shorter in full: it takes
 * that for bytes left over. */
static bool is_special(const struct rr_reader *before, const struct rr *record)
{
	struct rr_reader reader = *before;
	uint8_t len;
	rr_read_name(&reader, &len);
	uint16_t rdata_len = knot_wire_read_u16(reader.wire + reader.at + 8);
	return record->type == KNOT_RRTYPE_OPT || record->type == KNOT_RRTYPE_TSIG || record->rdata->len < rdata_len;
}

/* What libknot took has to be good for us where no name of it is compressed. */
static void read_whole(struct arena *arena, const knot_rrset_t *rr)
{
	static uint8_t wire[LIMIT_MESSAGE];
	int len = knot_rrset_to_wire_extra(rr, wire, sizeof(wire), 0, NULL, 0);
	if (len == KNOT_ESPACE)
		return; /* larger than a message, with its names whole */
	struct rr_reader reader = {.arena = arena, .wire = wire, .len = (size_t)len};
	struct rr record;
	must(len > 0 && rr_read(&reader, &record) == 0 && reader.at == (size_t)len);
	compare(&record, rr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < MESSAGE_HEADER || size > LIMIT_MESSAGE || knot_wire_get_qdcount(data) > 1 ||
		knot_wire_get_opcode(data) != KNOT_OPCODE_QUERY)
		return 0;
	struct arena arena;
	arena_init(&arena);
	uint8_t *wire = arena_copy(&arena, data, size), len;
	const knot_pkt_t *pkt = read_with_libknot(&arena, wire, size);
	struct rr_reader reader = {.arena = &arena, .wire = wire, .len = size, .at = MESSAGE_HEADER};
	unsigned left = knot_wire_get_ancount(wire) + knot_wire_get_nscount(wire) + knot_wire_get_arcount(wire);
	bool good = true, special = false;
	if (knot_wire_get_qdcount(wire) > 0) {
		good = rr_read_name(&reader, &len) != NULL && reader.at == MESSAGE_HEADER + len &&
		       reader.len - reader.at >= 4;
		reader.at += 4;
	}
	for (unsigned i = 0; good && i < left; i++) {
		struct rr_reader before = reader;
		struct rr record;
		good = rr_read(&reader, &record) == 0;
		if (!good && pkt != NULL)
			read_whole(&arena, &pkt->rr[i]);
		if (!good)
			break;
		special |= is_special(&before, &record);
		if (pkt != NULL)
			compare(&record, &pkt->rr[i]);
	}
	good = good && reader.at == size;
	must(!good || pkt != NULL || special);
	arena_deinit(&arena);
	return 0;
}
