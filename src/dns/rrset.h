/* Records of one owner, type and class, with the signatures that cover them.
 *
 *	struct rrset *set = message_find(&msg, SECTION_ANSWER, name, type);
 *	for (uint16_t i = 0; i < set->data.count; i++)
 *		use(rrset_rdata(set, i));
 *
 * The owner is lower case. Records and owner live where the maker says (an arena as a rule). Standards: RFC 2181 5, RFC 4033 5.
 * Thread: the arena's owner. */
#pragma once

#include "dns/knot.h"
#include "dns/name.h"

struct question {
	const uint8_t *name; /* lower case */
	uint16_t type;
	uint16_t rclass;
};

/* What validation says of records (RFC 4033 5). */
enum security {
	SECURITY_UNCHECKED,     /* nobody has looked */
	SECURITY_INDETERMINATE, /* no trust anchor says anything about them */
	SECURITY_INSECURE,      /* proved to be unsigned */
	SECURITY_SECURE,
	SECURITY_BOGUS,
};

struct rrset {
	const uint8_t *owner;
	uint16_t type;
	uint16_t rclass;
	uint32_t ttl_s;
	knot_rdataset_t data;
	knot_rdataset_t sigs; /* RRSIG rdatas; empty when unsigned */
};

const knot_rdata_t *rrset_rdata(const struct rrset *set, uint16_t index);
/* The target of a CNAME, DNAME, NS or the mname of a SOA at `index`, lower case in the arena; NULL when the rdata is
 * too short to hold a name. */
const uint8_t *rrset_target(struct arena *arena, const struct rrset *set, uint16_t index);
/* The CNAME that a DNAME makes of a name below its owner (RFC 6672 3.1), in the arena; NULL when that name would be too
 * long. */
struct rrset *rrset_dname_alias(struct arena *arena, const struct rrset *dname, const uint8_t *name);
/* An rrset of one record, in the arena. */
struct rrset *rrset_of_one(struct arena *arena, const struct rrset *head, const uint8_t *rdata, uint16_t len);
/* `count` of its records, drawn at random, in their order and without the signatures, in the arena; the rrset itself when it
 * has no more. */
const struct rrset *rrset_sample(struct arena *arena, const struct rrset *set, uint16_t count);
/* TTL of a negative answer: the smaller of the SOA's TTL and its minimum (RFC 2308 5); 0 when the rdata is broken. */
uint32_t rrset_negative_ttl(const struct rrset *soa);

/* The least TTL of several; UINT32_MAX of none. */
uint32_t rrset_least_ttl(const struct rrset *const *set, uint16_t count);
/* The rrset itself, or where its TTL is larger a copy in the arena whose TTL is not; records are shared. */
const struct rrset *rrset_limit_ttl(struct arena *arena, const struct rrset *set, uint32_t ttl_s);

/* --- text --- */
enum { TYPE_TEXT = 16 };
/* "A", "TYPE65280"; returns out. */
const char *type_text(uint16_t type, char out[static TYPE_TEXT]);
/* 0, or E_INVAL. */
int type_from_text(const char *text, uint16_t *type);
/* "NOERROR", "RCODE77" in a static or thread-local buffer. */
const char *rcode_text(uint16_t rcode);
/* "www.example.org. A" cut to the size of out; returns out. */
const char *question_text(const struct question *q, char *out, size_t size);
/* Presentation form of one rdata in the arena; "\# ..." form where libknot knows no better. */
const char *rrset_rdata_text(struct arena *arena, const struct rrset *set, uint16_t index);
