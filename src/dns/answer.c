/* Decides the wire form of an answer for a client: which records go in, where their TTLs stand, and its OPT. */
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "dns/message.h"

enum { OPTION_EDE = 15, EDE_EXTRA_MAX = 160 };

const char *ede_text(int code)
{
	switch (code) {
	case EDE_OTHER: return "Other";
	case EDE_UNSUPPORTED_KEY: return "Unsupported DNSKEY Algorithm";
	case EDE_UNSUPPORTED_DS: return "Unsupported DS Digest Type";
	case EDE_INDETERMINATE: return "DNSSEC Indeterminate";
	case EDE_DNSSEC_BOGUS: return "DNSSEC Bogus";
	case EDE_SIGNATURE_EXPIRED: return "Signature Expired";
	case EDE_SIGNATURE_EARLY: return "Signature Not Yet Valid";
	case EDE_DNSKEY_MISSING: return "DNSKEY Missing";
	case EDE_RRSIGS_MISSING: return "RRSIGs Missing";
	case EDE_NO_ZONE_BIT: return "No Zone Key Bit Set";
	case EDE_NSEC_MISSING: return "NSEC Missing";
	case EDE_SIGNATURE_BACKWARDS: return "Signature Expired before Valid";
	case EDE_NSEC3_ITERATIONS: return "Unsupported NSEC3 Iterations Value";
	case EDE_STALE_ANSWER: return "Stale Answer";
	case EDE_STALE_NXDOMAIN: return "Stale NXDOMAIN Answer";
	case EDE_CACHED_ERROR: return "Cached Error";
	case EDE_PROHIBITED: return "Prohibited";
	case EDE_NOT_AUTHORITATIVE: return "Not Authoritative";
	case EDE_NOT_SUPPORTED: return "Not Supported";
	case EDE_NO_REACHABLE: return "No Reachable Authority";
	case EDE_NETWORK_ERROR: return "Network Error";
	case EDE_INVALID_DATA: return "Invalid Data";
	default: return "";
	}
}

static bool is_left_out(const struct rrset *set, enum section section, const struct question *q, bool dnssec_ok)
{
	if (dnssec_ok || (section == SECTION_ANSWER && (set->type == q->type || q->type == KNOT_RRTYPE_ANY)))
		return false;
	return knot_rrtype_is_dnssec(set->type);
}

static int put(knot_pkt_t *pkt, const struct rrset *set, uint16_t type, const knot_rdataset_t *data)
{
	if (data->count == 0)
		return 0;
	knot_rrset_t rr;
	knot_rrset_init(&rr, (knot_dname_t *)set->owner, type, set->rclass, set->ttl_s);
	rr.rrs = *data;
	return knot_pkt_put(pkt, KNOT_COMPR_HINT_NONE, &rr, KNOT_PF_NOTRUNC) == KNOT_EOK ? 0 : E_SPACE;
}

static int put_section(
	knot_pkt_t *pkt, const struct answer *answer, enum section section, const struct question *q, bool dnssec_ok)
{
	knot_pkt_begin(pkt, (knot_section_t)section);
	for (uint16_t i = 0; i < answer->count[section]; i++) {
		const struct rrset *set = answer->set[section][i];
		if (is_left_out(set, section, q, dnssec_ok))
			continue;
		int ret = put(pkt, set, set->type, &set->data);
		if (ret == 0 && dnssec_ok)
			ret = put(pkt, set, KNOT_RRTYPE_RRSIG, &set->sigs);
		if (ret != 0)
			return ret;
	}
	return 0;
}

static size_t skip_name(const uint8_t *wire, size_t at)
{
	while (wire[at] != 0) {
		if (wire[at] >= 0xc0)
			return at + 2;
		at += 1u + wire[at];
	}
	return at + 1;
}

/* Walks the records of a message that was written here, so that lengths can be trusted. */
static void note_ttls(struct answer_wire *out, struct arena *arena)
{
	unsigned count = (unsigned)knot_wire_get_ancount(out->wire) + knot_wire_get_nscount(out->wire) +
			 knot_wire_get_arcount(out->wire);
	out->ttl_at = arena_alloc(arena, count * sizeof(*out->ttl_at));
	out->ttl_s = count > 0 ? UINT32_MAX : 0;
	size_t at = skip_name(out->wire, MESSAGE_HEADER) + 4;
	for (unsigned i = 0; i < count; i++) {
		at = skip_name(out->wire, at) + 4;
		uint32_t ttl_s = knot_wire_read_u32(out->wire + at);
		if (ttl_s < out->ttl_s)
			out->ttl_s = ttl_s;
		out->ttl_at[out->ttl_count++] = (uint16_t)at;
		at += 4;
		at += 2u + knot_wire_read_u16(out->wire + at);
	}
}

static void set_header(uint8_t *wire, const struct answer *answer)
{
	knot_wire_set_qr(wire);
	knot_wire_set_ra(wire);
	if (answer->security == SECURITY_SECURE)
		knot_wire_set_ad(wire);
	knot_wire_set_rcode(wire, (uint8_t)answer->rcode);
}

/* What is put together here may exceed what one message holds; the scratch is as large as a message can be. */
bool answer_has_owner(const struct answer *answer, const uint8_t *name)
{
	for (uint16_t i = 0; i < answer->count[SECTION_ANSWER]; i++)
		if (name_is_equal(answer->set[SECTION_ANSWER][i]->owner, name))
			return true;
	return false;
}

int answer_write(struct answer_wire *out, struct arena *arena, const struct answer *answer, const struct question *q,
	bool dnssec_ok)
{
	static _Thread_local uint8_t scratch[LIMIT_MESSAGE];
	*out = (struct answer_wire){.ede = answer->ede, .ede_extra = answer->ede_extra};
	/* Not in the arena: the packet grows by copying, and an arena would keep each copy. */
	knot_pkt_t *pkt = knot_pkt_new(scratch, sizeof(scratch) - 256, NULL); /* room for an OPT with its EDE */
	if (pkt == NULL)
		return E_NOMEM;
	memset(scratch, 0, MESSAGE_HEADER);
	int ret = knot_pkt_put_question(pkt, q->name, q->rclass, q->type) == KNOT_EOK ? 0 : E_SPACE;
	for (int i = 0; i < SECTIONS && ret == 0; i++)
		ret = put_section(pkt, answer, (enum section)i, q, dnssec_ok);
	if (ret == 0) {
		set_header(scratch, answer);
		out->wire = arena_copy(arena, scratch, pkt->size);
		out->len = pkt->size;
		note_ttls(out, arena);
	}
	knot_pkt_free(pkt);
	return ret;
}

size_t opt_write(
	uint8_t *out, size_t room, uint16_t udp_size, bool dnssec_ok, uint8_t ext_rcode, int ede, const char *ede_extra)
{
	size_t extra = ede != EDE_NONE && ede_extra != NULL ? strnlen(ede_extra, EDE_EXTRA_MAX) : 0;
	size_t rdlen = ede != EDE_NONE ? 6 + extra : 0;
	if (room < MESSAGE_OPT)
		return 0;
	if (room < MESSAGE_OPT + rdlen)
		rdlen = 0;
	out[0] = 0;
	knot_wire_write_u16(out + 1, KNOT_RRTYPE_OPT);
	knot_wire_write_u16(out + 3, udp_size);
	out[5] = ext_rcode;
	out[6] = 0; /* version */
	knot_wire_write_u16(out + 7, dnssec_ok ? 0x8000 : 0);
	knot_wire_write_u16(out + 9, (uint16_t)rdlen);
	if (rdlen > 0) {
		knot_wire_write_u16(out + 11, OPTION_EDE);
		knot_wire_write_u16(out + 13, (uint16_t)(2 + extra));
		knot_wire_write_u16(out + 15, (uint16_t)ede);
		if (extra > 0)
			memcpy(out + 17, ede_extra, extra);
	}
	return MESSAGE_OPT + rdlen;
}
