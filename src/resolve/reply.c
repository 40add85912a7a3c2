/* Decides what a reply is. The order of the checks is the checklist: errors, answers, denials, referrals, the rest. */
#include "resolve/reply.h"

#include <string.h>

static bool has_any_at(const struct message *msg, const struct question *q)
{
	for (uint16_t i = 0; i < msg->count[SECTION_ANSWER]; i++)
		if (name_is_equal(msg->set[SECTION_ANSWER][i].owner, q->name))
			return true;
	return false;
}

static bool has_answer(const struct message *msg, const struct question *q)
{
	if (q->type == KNOT_RRTYPE_ANY)
		return has_any_at(msg, q);
	return message_find(msg, SECTION_ANSWER, q->name, q->type) != NULL;
}

static bool leads_out(const struct rrset *set, const uint8_t *zone)
{
	for (uint16_t i = 0; i < set->data.count; i++) {
		const knot_rdata_t *rdata = rrset_rdata(set, i);
		uint8_t next[NAME_MAX_LEN];
		size_t len = name_wire_len(rdata->data, rdata->len);
		if (len == 0)
			return true;
		memcpy(next, rdata->data, len);
		name_lower(next);
		if (!name_is_within(next, zone))
			return true;
	}
	return false;
}

void reply_scrub(struct message *msg, const uint8_t *zone)
{
	for (int section = 0; section < SECTIONS; section++) {
		uint16_t kept = 0;
		for (uint16_t i = 0; i < msg->count[section]; i++) {
			const struct rrset *set = &msg->set[section][i];
			if (set->type != KNOT_RRTYPE_NSEC || !name_is_within(set->owner, zone) || !leads_out(set, zone))
				msg->set[section][kept++] = *set;
		}
		msg->count[section] = kept;
	}
}

const struct rrset *reply_alias(const struct message *msg, const uint8_t *zone, const uint8_t *name)
{
	const struct rrset *alias = message_find(msg, SECTION_ANSWER, name, KNOT_RRTYPE_CNAME);
	return alias != NULL && alias->data.count == 1 && name_is_within(name, zone) ? alias : NULL;
}

const struct rrset *reply_dname(const struct message *msg, const uint8_t *zone, const uint8_t *name)
{
	for (uint16_t i = 0; i < msg->count[SECTION_ANSWER]; i++) {
		const struct rrset *set = &msg->set[SECTION_ANSWER][i];
		if (set->type == KNOT_RRTYPE_DNAME && set->rclass == KNOT_CLASS_IN && set->data.count == 1 &&
			name_is_below(name, set->owner) && name_is_within(set->owner, zone))
			return set;
	}
	return NULL;
}

const struct rrset *reply_referral(const struct message *msg, const uint8_t *zone, const struct question *q)
{
	for (uint16_t i = 0; i < msg->count[SECTION_AUTHORITY]; i++) {
		const struct rrset *ns = &msg->set[SECTION_AUTHORITY][i];
		if (ns->type != KNOT_RRTYPE_NS || ns->rclass != KNOT_CLASS_IN || !name_is_below(ns->owner, zone))
			continue;
		/* The parent answers for DS: a referral to the name itself would be no progress. */
		if (q->type == KNOT_RRTYPE_DS ? name_is_below(q->name, ns->owner) : name_is_within(q->name, ns->owner))
			return ns;
	}
	return NULL;
}

const struct rrset *reply_soa(const struct message *msg, const uint8_t *zone, const struct question *q)
{
	for (uint16_t i = 0; i < msg->count[SECTION_AUTHORITY]; i++) {
		const struct rrset *soa = &msg->set[SECTION_AUTHORITY][i];
		if (soa->type == KNOT_RRTYPE_SOA && soa->rclass == KNOT_CLASS_IN && name_is_within(soa->owner, zone) &&
			name_is_within(q->name, soa->owner))
			return soa;
	}
	return NULL;
}

static bool refers_elsewhere(const struct message *msg)
{
	for (uint16_t i = 0; i < msg->count[SECTION_AUTHORITY]; i++) {
		uint16_t type = msg->set[SECTION_AUTHORITY][i].type;
		if (type == KNOT_RRTYPE_NS || type == KNOT_RRTYPE_SOA)
			return true;
	}
	return false;
}

/* A signed zone's denial, which some give without SOA. */
static bool has_proof(const struct message *msg, const uint8_t *zone)
{
	for (uint16_t i = 0; i < msg->count[SECTION_AUTHORITY]; i++) {
		const struct rrset *set = &msg->set[SECTION_AUTHORITY][i];
		if ((set->type == KNOT_RRTYPE_NSEC || set->type == KNOT_RRTYPE_NSEC3) && set->sigs.count > 0 &&
			name_is_within(set->owner, zone))
			return true;
	}
	return false;
}

/* Nothing else stands beside an alias (RFC 2181 10.1); where something does, what is signed is the zone's. */
static bool stands_for_all(const struct message *msg, const uint8_t *zone, const struct question *q)
{
	if (q->type == KNOT_RRTYPE_CNAME || q->type == KNOT_RRTYPE_ANY)
		return false;
	const struct rrset *alias = reply_alias(msg, zone, q->name);
	const struct rrset *other = message_find(msg, SECTION_ANSWER, q->name, q->type);
	return alias != NULL && (other == NULL || (other->sigs.count == 0 && alias->sigs.count > 0));
}

enum reply_kind reply_kind(const struct message *msg, const uint8_t *zone, const struct question *q, bool sent_edns)
{
	switch (msg->rcode) {
	case KNOT_RCODE_NOERROR:
	case KNOT_RCODE_NXDOMAIN: break;
	case KNOT_RCODE_YXDOMAIN: return reply_dname(msg, zone, q->name) != NULL ? REPLY_DNAME : REPLY_FAILED;
	case KNOT_RCODE_FORMERR:
	case KNOT_RCODE_NOTIMPL: return sent_edns && !msg->edns ? REPLY_NO_EDNS : REPLY_FAILED;
	case KNOT_RCODE_BADVERS: return sent_edns ? REPLY_NO_EDNS : REPLY_FAILED;
	case KNOT_RCODE_BADCOOKIE: return REPLY_BAD_COOKIE;
	default: return REPLY_FAILED;
	}
	/* Below a DNAME a CNAME is made, not asked for. */
	bool is_alias = stands_for_all(msg, zone, q);
	bool is_made = q->type == KNOT_RRTYPE_CNAME && reply_dname(msg, zone, q->name) != NULL;
	if (!is_alias && !is_made && has_answer(msg, q))
		return REPLY_ANSWER;
	if (reply_dname(msg, zone, q->name) != NULL)
		return REPLY_DNAME;
	if (is_alias)
		return REPLY_ALIAS;
	if (msg->rcode == KNOT_RCODE_NXDOMAIN)
		return REPLY_NXDOMAIN;
	if (reply_soa(msg, zone, q) != NULL)
		return REPLY_NODATA;
	if (reply_referral(msg, zone, q) != NULL)
		return REPLY_REFERRAL;
	if (has_proof(msg, zone) && !refers_elsewhere(msg))
		return REPLY_NODATA;
	/* NODATA without SOA is seen in the wild (RFC 2308 2.2, type 3); a referral up or sideways is lameness. */
	return refers_elsewhere(msg) ? REPLY_LAME : REPLY_EMPTY;
}

enum reply_kind reply_kind_of_resolver(const struct message *msg, enum reply_kind kind)
{
	if (kind == REPLY_REFERRAL)
		return REPLY_LAME;
	return kind == REPLY_EMPTY && msg->ra ? REPLY_NODATA : kind;
}

const char *reply_kind_text(enum reply_kind kind)
{
	static const char *const words[REPLY_KINDS] = {"answer", "alias", "dname", "nxdomain", "nodata", "referral",
		"empty", "lame", "failed", "no-edns", "bad-cookie"};
	return words[kind];
}
