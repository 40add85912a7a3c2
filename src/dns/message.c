/* Decides how a reply is read into rrsets and what makes it ours; how a question is written. Parsing of names and rdata
 * is libknot's; grouping, limits and matching are decided here. */
#include "dns/message.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/random.h"

/* One record while records are being grouped. */
struct record {
	const knot_rrset_t *rr;
	const knot_rdata_t *rdata;
	uint32_t ttl_s;
	uint16_t type; /* the covered type for a signature */
	bool is_sig;
	uint8_t owner_len;
};

enum { RR_MIN = 11 }; /* root owner, type, class, TTL, length */

static uint16_t covered_type(const knot_rdata_t *rdata)
{
	return rdata->len >= 2 ? knot_wire_read_u16(rdata->data) : KNOT_RRTYPE_RRSIG;
}

/* Order: rrsets together, signatures after the records they cover, rdatas in canonical order, equal ones adjacent,
 * signatures as they came. */
static int compare_records(const void *left, const void *right)
{
	const struct record *a = left, *b = right;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->rr->rclass != b->rr->rclass)
		return a->rr->rclass < b->rr->rclass ? -1 : 1;
	if (a->owner_len != b->owner_len)
		return a->owner_len < b->owner_len ? -1 : 1;
	int order = memcmp(a->rr->owner, b->rr->owner, a->owner_len);
	if (order != 0)
		return order;
	if (a->is_sig != b->is_sig)
		return a->is_sig ? 1 : -1;
	if (a->is_sig) /* as they came: only the first few are kept, and a packet holds them side by side */
		return a->rr < b->rr ? -1 : 1;
	return knot_rdata_cmp(a->rdata, b->rdata);
}

static bool is_same_rrset(const struct record *a, const struct record *b)
{
	return a->type == b->type && a->rr->rclass == b->rr->rclass && a->owner_len == b->owner_len &&
	       memcmp(a->rr->owner, b->rr->owner, a->owner_len) == 0;
}

/* Packs the rdatas of sorted records, each once, into one block. */
static knot_rdataset_t pack(struct arena *arena, const struct record *records, size_t count)
{
	knot_rdataset_t set = {0};
	size_t size = 0;
	for (size_t i = 0; i < count; i++)
		size += knot_rdata_size(records[i].rdata->len);
	if (size == 0)
		return set;
	uint8_t *at = arena_alloc(arena, size);
	set.rdata = (knot_rdata_t *)at;
	for (size_t i = 0; i < count; i++) {
		const knot_rdata_t *rdata = records[i].rdata;
		if (i > 0 && knot_rdata_cmp(rdata, records[i - 1].rdata) == 0)
			continue;
		size_t len = knot_rdata_size(rdata->len);
		at[len - 1] = 0; /* the padding byte of an odd length */
		memcpy(at, rdata, sizeof(*rdata) + rdata->len);
		at += len;
		set.count++;
	}
	set.size = (uint32_t)(at - (uint8_t *)set.rdata);
	return set;
}

static struct rrset make_rrset(struct arena *arena, const struct record *records, size_t count)
{
	size_t sigs = 0;
	uint32_t ttl_s = UINT32_MAX;
	for (size_t i = 0; i < count; i++) {
		sigs += records[i].is_sig;
		if (records[i].ttl_s < ttl_s)
			ttl_s = records[i].ttl_s;
	}
	return (struct rrset){
		.owner = records[0].rr->owner,
		.type = records[0].type,
		.rclass = records[0].rr->rclass,
		.ttl_s = ttl_s,
		.data = pack(arena, records, count - sigs),
		.sigs = pack(arena, records + count - sigs, sigs < LIMIT_SIGS ? sigs : LIMIT_SIGS),
	};
}

/* A lone signature is an rrset of type RRSIG of its own: somebody may have asked for it. */
static void settle_lone_sigs(struct rrset *set)
{
	if (set->data.count > 0)
		return;
	set->type = KNOT_RRTYPE_RRSIG;
	set->data = set->sigs;
	set->sigs = (knot_rdataset_t){0};
}

/* Who asks for RRSIG gets them as an rrset of their own, whatever they cover. */
static size_t collect(struct record *records, const knot_pktsection_t *section, bool sigs_apart)
{
	size_t count = 0;
	for (uint16_t i = 0; i < section->count; i++) {
		const knot_rrset_t *rr = knot_pkt_rr(section, i);
		if (rr->type == KNOT_RRTYPE_OPT || rr->type == KNOT_RRTYPE_TSIG || rr->rrs.count == 0)
			continue;
		knot_dname_to_lower(rr->owner);
		bool is_sig = rr->type == KNOT_RRTYPE_RRSIG && !sigs_apart;
		records[count++] = (struct record){
			.rr = rr,
			.rdata = rr->rrs.rdata,
			.ttl_s = rr->ttl > INT32_MAX ? 0 : rr->ttl, /* RFC 2181 8 */
			.type = is_sig ? covered_type(rr->rrs.rdata) : rr->type,
			.is_sig = is_sig,
			.owner_len = (uint8_t)knot_dname_size(rr->owner),
		};
	}
	return count;
}

static void group_section(struct message *msg, struct arena *arena, enum section which, const knot_pkt_t *pkt)
{
	const knot_pktsection_t *section = knot_pkt_section(pkt, (knot_section_t)which);
	if (section->count == 0)
		return;
	struct record *records = arena_alloc(arena, section->count * sizeof(*records));
	size_t count = collect(records, section, msg->question.type == KNOT_RRTYPE_RRSIG);
	qsort(records, count, sizeof(*records), compare_records);
	struct rrset *sets = arena_alloc(arena, count * sizeof(*sets));
	uint16_t made = 0;
	for (size_t begin = 0, end; begin < count; begin = end) {
		for (end = begin + 1; end < count && is_same_rrset(&records[begin], &records[end]);)
			end++;
		sets[made] = make_rrset(arena, records + begin, end - begin);
		settle_lone_sigs(&sets[made]);
		made += sets[made].data.size <= LIMIT_RRSET_BYTES;
	}
	msg->set[which] = sets;
	msg->count[which] = made;
}

static void read_flags(struct message *msg, const uint8_t *wire)
{
	msg->id = knot_wire_get_id(wire);
	msg->opcode = knot_wire_get_opcode(wire);
	msg->aa = knot_wire_get_aa(wire) != 0;
	msg->tc = knot_wire_get_tc(wire) != 0;
	msg->rd = knot_wire_get_rd(wire) != 0;
	msg->ra = knot_wire_get_ra(wire) != 0;
	msg->ad = knot_wire_get_ad(wire) != 0;
	msg->cd = knot_wire_get_cd(wire) != 0;
}

static void read_cookie(struct message *msg, const knot_pkt_t *pkt)
{
	const uint8_t *option = knot_pkt_edns_option(pkt, KNOT_EDNS_OPTION_COOKIE);
	if (option == NULL)
		return;
	uint16_t len = knot_edns_opt_get_length(option);
	bool with_server = len >= COOKIE_CLIENT + COOKIE_SERVER_MIN && len <= COOKIE_CLIENT + COOKIE_SERVER_MAX;
	if (len != COOKIE_CLIENT && !with_server)
		return;
	msg->has_cookie = true;
	const uint8_t *data = knot_edns_opt_get_data((uint8_t *)option);
	memcpy(msg->cookie.client, data, COOKIE_CLIENT);
	msg->cookie.server_len = (uint8_t)(len - COOKIE_CLIENT);
	memcpy(msg->cookie.server, data + COOKIE_CLIENT, msg->cookie.server_len);
}

int message_read(struct message *msg, struct arena *arena, const uint8_t *wire, size_t len)
{
	*msg = (struct message){0};
	if (len < MESSAGE_HEADER || len > LIMIT_MESSAGE)
		return E_MALFORMED;
	size_t records =
		(size_t)knot_wire_get_ancount(wire) + knot_wire_get_nscount(wire) + knot_wire_get_arcount(wire);
	if (records * RR_MIN > len - MESSAGE_HEADER || knot_wire_get_qdcount(wire) > 1)
		return E_MALFORMED;
	if (records > LIMIT_MESSAGE_RRS)
		return E_SPACE;

	knot_mm_t mm = knot_mm_of(arena);
	knot_pkt_t *pkt = knot_pkt_new((void *)wire, (uint16_t)len, &mm);
	if (pkt == NULL || knot_pkt_parse(pkt, KNOT_PF_KEEPWIRE | KNOT_PF_NOCANON) != KNOT_EOK)
		return E_MALFORMED;
	read_flags(msg, wire);
	msg->rcode = knot_pkt_ext_rcode(pkt);
	msg->edns = knot_pkt_has_edns(pkt);
	read_cookie(msg, pkt);
	if (knot_pkt_qname(pkt) != NULL)
		msg->question = (struct question){
			.name = name_copy_lower(arena, knot_pkt_qname(pkt)),
			.type = knot_pkt_qtype(pkt),
			.rclass = knot_pkt_qclass(pkt),
		};
	for (int i = 0; i < SECTIONS; i++)
		group_section(msg, arena, (enum section)i, pkt);
	return 0;
}

struct rrset *message_find(const struct message *msg, enum section section, const uint8_t *owner, uint16_t type)
{
	for (uint16_t i = 0; i < msg->count[section]; i++) {
		struct rrset *set = &msg->set[section][i];
		if (set->type == type && set->rclass == KNOT_CLASS_IN && name_is_equal(set->owner, owner))
			return set;
	}
	return NULL;
}

enum match_kind message_match(
	const uint8_t *wire, size_t len, uint16_t id, const uint8_t *raw_name, uint16_t type, uint16_t rclass)
{
	if (len < MESSAGE_HEADER || knot_wire_get_id(wire) != id || !knot_wire_get_qr(wire))
		return MATCH_NO;
	if (knot_wire_get_opcode(wire) != KNOT_OPCODE_QUERY || knot_wire_get_qdcount(wire) != 1)
		return MATCH_NO;
	const uint8_t *name = wire + MESSAGE_HEADER;
	size_t name_size = name_wire_len(name, len - MESSAGE_HEADER);
	if (name_size == 0 || len < MESSAGE_HEADER + name_size + 4)
		return MATCH_NO;
	if (knot_wire_read_u16(name + name_size) != type || knot_wire_read_u16(name + name_size + 2) != rclass)
		return MATCH_NO;
	if (name_size == name_len(raw_name) && memcmp(name, raw_name, name_size) == 0)
		return MATCH_YES;
	return name_is_equal_nocase(name, raw_name) ? MATCH_CASE : MATCH_NO;
}

/* The COOKIE option behind the fixed part of OPT; returns its length. */
static size_t write_cookie(uint8_t *at, const struct cookie *cookie)
{
	uint16_t len = COOKIE_CLIENT + cookie->server_len;
	knot_wire_write_u16(at, KNOT_EDNS_OPTION_COOKIE);
	knot_wire_write_u16(at + 2, len);
	memcpy(at + 4, cookie->client, COOKIE_CLIENT);
	memcpy(at + 4 + COOKIE_CLIENT, cookie->server, cookie->server_len);
	return 4u + len;
}

static size_t write_opt(uint8_t *at, const struct question_form *form)
{
	size_t len = opt_write(at, MESSAGE_OPT, LIMIT_UDP_PAYLOAD, form->dnssec_ok, 0, EDE_NONE, NULL);
	if (form->cookie == NULL)
		return len;
	size_t option = write_cookie(at + len, form->cookie);
	knot_wire_write_u16(at + len - 2, (uint16_t)option);
	return len + option;
}

size_t message_write_question(uint8_t wire[static MESSAGE_QUERY_MAX], const struct question_form *form)
{
	memset(wire, 0, MESSAGE_HEADER);
	knot_wire_set_id(wire, form->id);
	wire[2] = form->rd ? 0x01 : 0;
	wire[3] = form->cd ? 0x10 : 0;
	knot_wire_set_qdcount(wire, 1);
	size_t len = name_len(form->raw_name);
	uint8_t *at = wire + MESSAGE_HEADER;
	memcpy(at, form->raw_name, len);
	at += len;
	knot_wire_write_u16(at, form->type);
	knot_wire_write_u16(at + 2, form->rclass);
	at += 4;
	if (form->edns) {
		knot_wire_set_arcount(wire, 1);
		at += write_opt(at, form);
	}
	return (size_t)(at - wire);
}

/* Length bytes are at most 63 and so no letters: each byte can be looked at alone. */
unsigned name_mix_case(uint8_t *raw, const uint8_t *name)
{
	size_t len = name_len(name);
	unsigned letters = 0;
	uint8_t flip[(NAME_MAX_LEN + 7) / 8];
	random_bytes(flip, (len + 7) / 8);
	for (size_t i = 0; i < len; i++) {
		bool is_letter = (uint8_t)((name[i] | 0x20) - 'a') < 26;
		raw[i] = is_letter && flip[i / 8] >> i % 8 & 1 ? name[i] ^ 0x20 : name[i];
		letters += is_letter;
	}
	return letters;
}
