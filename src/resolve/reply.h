/* What a server's reply means, and what of it may be believed. For resolve/ only.
 *
 *	switch (reply_kind(&msg, zone, &q)) { case REPLY_REFERRAL: ns = reply_referral(&msg, zone, &q); ... }
 *
 * Nothing outside the asked zone's bailiwick survives. Standards: RFC 1034 5.3.3, RFC 2181 5.4.1, RFC 2308.
 * Thread: any. Never suspends. */
#pragma once

#include "dns/message.h"

enum reply_kind {
	REPLY_ANSWER,
	REPLY_ALIAS,
	REPLY_DNAME, /* an alias of all names below its owner */
	REPLY_NXDOMAIN,
	REPLY_NODATA,
	REPLY_REFERRAL,
	REPLY_EMPTY,      /* nothing at all, not even a SOA: believed when no other server of the zone knows more */
	REPLY_LAME,       /* it does not serve the zone: refers upwards or sideways, or says nothing */
	REPLY_FAILED,     /* SERVFAIL, REFUSED and the like */
	REPLY_NO_EDNS,    /* it does not understand EDNS */
	REPLY_BAD_COOKIE, /* it wants the cookie that it has just sent (RFC 7873 5.3) */
	REPLY_KINDS,
};

enum reply_kind reply_kind(const struct message *msg, const uint8_t *zone, const struct question *q, bool sent_edns);
/* What the same reply means when a resolver gave it: it never refers, and denies without SOA. */
enum reply_kind reply_kind_of_resolver(const struct message *msg, enum reply_kind kind);
/* Throws away what no zone may say: NSEC records that lead out of the zone, which would deny other zones' names to whoever
 * uses them. */
void reply_scrub(struct message *msg, const uint8_t *zone);
const char *reply_kind_text(enum reply_kind kind);

/* The NS rrset of a referral: below the zone, at or above the name; NULL when there is none. */
const struct rrset *reply_referral(const struct message *msg, const uint8_t *zone, const struct question *q);
/* The SOA of a denial: within the zone, at or above the name; NULL when there is none. */
const struct rrset *reply_soa(const struct message *msg, const uint8_t *zone, const struct question *q);
/* The CNAME of the answer section at `name`, when it lies in the zone. */
const struct rrset *reply_alias(const struct message *msg, const uint8_t *zone, const uint8_t *name);
/* The DNAME of the answer section above `name`, when it lies in the zone (RFC 6672). */
const struct rrset *reply_dname(const struct message *msg, const uint8_t *zone, const uint8_t *name);
