/* Decides how a reply is read into rrsets and what makes it ours; how a question is written. */
#include "dns/message.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/random.h"
#include "dns/rr.h"

/* A record while records are being grouped. */
struct entry {
	struct rr rr;
	uint16_t type; /* the covered type for a signature */
	uint16_t place;
	bool is_sig;
};

enum {
	RR_MIN = 11,      /* root owner, type, class, TTL, length */
	FEW_ENTRIES = 32, /* are sorted as they are: most replies come sorted */
};

static uint16_t covered_type(const knot_rdata_t *rdata)
{
	return rdata->len >= 2 ? knot_wire_read_u16(rdata->data) : KNOT_RRTYPE_RRSIG;
}

static int compare_owners(const struct rr *a, const struct rr *b)
{
	return a->owner == b->owner ? 0 : memcmp(a->owner, b->owner, a->owner_len);
}

/* Order: rrsets together, signatures after the records they cover, rdatas in canonical order, equal ones adjacent,
 * signatures as they came. */
static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->rr.rclass != b->rr.rclass)
		return a->rr.rclass < b->rr.rclass ? -1 : 1;
	if (a->rr.owner_len != b->rr.owner_len)
		return a->rr.owner_len < b->rr.owner_len ? -1 : 1;
	int order = compare_owners(&a->rr, &b->rr);
	if (order != 0)
		return order;
	if (a->is_sig != b->is_sig)
		return a->is_sig ? 1 : -1;
	if (a->is_sig) /* as they came: only the first few are kept, and a packet holds them side by side */
		return a->place < b->place ? -1 : 1;
	return knot_rdata_cmp(a->rr.rdata, b->rr.rdata);
}

static void sort(struct entry *entries, size_t count)
{
	if (count > FEW_ENTRIES) {
		qsort(entries, count, sizeof(*entries), compare_entries);
		return;
	}
	for (size_t i = 1; i < count; i++) {
		size_t to = i;
		while (to > 0 && compare_entries(&entries[to - 1], &entries[i]) > 0)
			to--;
		if (to == i)
			continue;
		struct entry moved = entries[i];
		memmove(&entries[to + 1], &entries[to], (i - to) * sizeof(moved));
		entries[to] = moved;
	}
}

static bool is_same_rrset(const struct entry *a, const struct entry *b)
{
	return a->type == b->type && a->rr.rclass == b->rr.rclass && a->rr.owner_len == b->rr.owner_len &&
	       compare_owners(&a->rr, &b->rr) == 0;
}

/* Packs the rdatas of sorted entries, each once, into one block; one alone stays where it is. */
static knot_rdataset_t pack(struct arena *arena, const struct entry *entries, size_t count)
{
	knot_rdataset_t set = {0};
	size_t size = 0;
	for (size_t i = 0; i < count; i++)
		size += knot_rdata_size(entries[i].rr.rdata->len);
	if (count == 1)
		return (knot_rdataset_t){.count = 1, .size = (uint32_t)size, .rdata = entries[0].rr.rdata};
	if (size == 0)
		return set;
	uint8_t *at = arena_alloc(arena, size);
	set.rdata = (knot_rdata_t *)at;
	for (size_t i = 0; i < count; i++) {
		const knot_rdata_t *rdata = entries[i].rr.rdata;
		if (i > 0 && knot_rdata_cmp(rdata, entries[i - 1].rr.rdata) == 0)
			continue;
		size_t len = knot_rdata_size(rdata->len);
		memcpy(at, rdata, len);
		at += len;
		set.count++;
	}
	set.size = (uint32_t)(at - (uint8_t *)set.rdata);
	return set;
}

static struct rrset make_rrset(struct arena *arena, const struct entry *entries, size_t count)
{
	size_t sigs = 0;
	uint32_t ttl_s = UINT32_MAX;
	for (size_t i = 0; i < count; i++) {
		sigs += entries[i].is_sig;
		if (entries[i].rr.ttl_s < ttl_s)
			ttl_s = entries[i].rr.ttl_s;
	}
	return (struct rrset){
		.owner = entries[0].rr.owner,
		.type = entries[0].type,
		.rclass = entries[0].rr.rclass,
		.ttl_s = ttl_s,
		.data = pack(arena, entries, count - sigs),
		.sigs = pack(arena, entries + count - sigs, sigs < LIMIT_SIGS ? sigs : LIMIT_SIGS),
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

static void group(struct message *msg, struct arena *arena, enum section section, struct entry *entries, size_t count)
{
	sort(entries, count);
	struct rrset *sets = arena_alloc(arena, count * sizeof(*sets));
	uint16_t made = 0;
	for (size_t begin = 0, end; begin < count; begin = end) {
		for (end = begin + 1; end < count && is_same_rrset(&entries[begin], &entries[end]);)
			end++;
		sets[made] = make_rrset(arena, entries + begin, end - begin);
		settle_lone_sigs(&sets[made]);
		made += sets[made].data.size <= LIMIT_RRSET_BYTES;
	}
	msg->set[section] = sets;
	msg->count[section] = made;
}

static void read_flags(struct message *msg, const uint8_t *wire)
{
	msg->id = knot_wire_get_id(wire);
	msg->opcode = knot_wire_get_opcode(wire);
	msg->rcode = knot_wire_get_rcode(wire);
	msg->aa = knot_wire_get_aa(wire) != 0;
	msg->tc = knot_wire_get_tc(wire) != 0;
	msg->rd = knot_wire_get_rd(wire) != 0;
	msg->ra = knot_wire_get_ra(wire) != 0;
	msg->ad = knot_wire_get_ad(wire) != 0;
	msg->cd = knot_wire_get_cd(wire) != 0;
}

static void read_cookie(struct message *msg, const uint8_t *data, uint16_t len)
{
	bool with_server = len >= COOKIE_CLIENT + COOKIE_SERVER_MIN && len <= COOKIE_CLIENT + COOKIE_SERVER_MAX;
	if (len != COOKIE_CLIENT && !with_server)
		return;
	msg->has_cookie = true;
	memcpy(msg->cookie.client, data, COOKIE_CLIENT);
	msg->cookie.server_len = (uint8_t)(len - COOKIE_CLIENT);
	memcpy(msg->cookie.server, data + COOKIE_CLIENT, msg->cookie.server_len);
}

/* One OPT, in the additional section (RFC 6891 6.1.1); of its cookies the first counts (RFC 7873 5.2). */
static int read_opt(struct message *msg, enum section section, const struct rr *opt)
{
	if (section != SECTION_ADDITIONAL || msg->edns)
		return E_MALFORMED;
	msg->edns = true;
	msg->rcode |= (uint16_t)(opt->ttl_s >> 24 << 4);
	bool seen = false;
	const uint8_t *at = opt->rdata->data, *end = at + opt->rdata->len;
	while (at < end) {
		if (end - at < 4 || end - at - 4 < knot_wire_read_u16(at + 2))
			return E_MALFORMED;
		uint16_t code = knot_wire_read_u16(at), len = knot_wire_read_u16(at + 2);
		if (code == KNOT_EDNS_OPTION_COOKIE && !seen)
			read_cookie(msg, at + 4, len);
		seen |= code == KNOT_EDNS_OPTION_COOKIE;
		at += 4 + len;
	}
	return 0;
}

/* Who asks for RRSIG gets them as an rrset of their own, whatever they cover. */
static struct entry make_entry(const struct message *msg, const struct rr *rr, size_t place)
{
	bool is_sig = rr->type == KNOT_RRTYPE_RRSIG && msg->question.type != KNOT_RRTYPE_RRSIG;
	struct entry entry = {
		.rr = *rr,
		.type = is_sig ? covered_type(rr->rdata) : rr->type,
		.place = (uint16_t)place,
		.is_sig = is_sig,
	};
	if (rr->ttl_s > INT32_MAX) /* RFC 2181 8 */
		entry.rr.ttl_s = 0;
	return entry;
}

static int read_section(struct message *msg, struct rr_reader *reader, enum section section, uint16_t records)
{
	if (records == 0)
		return 0;
	struct entry *entries = arena_alloc(reader->arena, records * sizeof(*entries));
	size_t count = 0;
	while (records-- > 0) {
		struct rr rr;
		int ret = rr_read(reader, &rr);
		if (ret == 0 && rr.type == KNOT_RRTYPE_OPT)
			ret = read_opt(msg, section, &rr);
		if (ret != 0)
			return ret;
		if (rr.type == KNOT_RRTYPE_OPT || rr.type == KNOT_RRTYPE_TSIG)
			continue;
		entries[count] = make_entry(msg, &rr, count);
		count++;
	}
	group(msg, reader->arena, section, entries, count);
	return 0;
}

/* Before its name there is nothing to point to. */
static int read_question(struct message *msg, struct rr_reader *reader)
{
	uint8_t len;
	msg->question.name = rr_read_name(reader, &len);
	if (msg->question.name == NULL || reader->at != (size_t)MESSAGE_HEADER + len || reader->len - reader->at < 4)
		return E_MALFORMED;
	msg->question.type = knot_wire_read_u16(reader->wire + reader->at);
	msg->question.rclass = knot_wire_read_u16(reader->wire + reader->at + 2);
	reader->at += 4;
	return 0;
}

int message_read(struct message *msg, struct arena *arena, const uint8_t *wire, size_t len)
{
	*msg = (struct message){0};
	if (len < MESSAGE_HEADER || len > LIMIT_MESSAGE)
		return E_MALFORMED;
	const uint16_t records[SECTIONS] = {
		knot_wire_get_ancount(wire), knot_wire_get_nscount(wire), knot_wire_get_arcount(wire)};
	size_t all = (size_t)records[0] + records[1] + records[2];
	if (all * RR_MIN > len - MESSAGE_HEADER || knot_wire_get_qdcount(wire) > 1)
		return E_MALFORMED;
	if (all > LIMIT_MESSAGE_RRS)
		return E_SPACE;

	read_flags(msg, wire);
	struct rr_reader reader = {.arena = arena, .wire = wire, .len = len, .at = MESSAGE_HEADER};
	int ret = knot_wire_get_qdcount(wire) > 0 ? read_question(msg, &reader) : 0;
	for (int i = 0; i < SECTIONS && ret == 0; i++)
		ret = read_section(msg, &reader, (enum section)i, records[i]);
	if (ret == 0 && reader.at < len)
		ret = E_MALFORMED;
	if (ret != 0)
		*msg = (struct message){0};
	return ret;
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
