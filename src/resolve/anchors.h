/* Trust anchors: where chains of trust begin (RFC 4033), and names below which nothing is believed to be signed whatever
 * it says (negative trust anchors, RFC 7646).
 *
 *	struct anchors *anchors = anchors_new();
 *	anchors_add_builtin(anchors);                                        the root's
 *	anchors_read(anchors, "/etc/berth/example.key", why, sizeof(why));   DS and DNSKEY records, as in a zone file
 *	const struct anchor *anchor = anchors_find(anchors, q->name, now_s);     the closest at or above; or NULL
 *	anchors_unref(anchors);
 *
 * Never changed once they are shared: a reload makes others, and every request keeps those it began with. Thread: any.
 * Never suspends. */
#pragma once

#include "dns/rrset.h"

struct anchor {
	struct anchor *next; /* in its bucket */
	bool is_negative;
	uint32_t until_s;         /* of a negative one: wall clock; 0: for ever */
	knot_rdataset_t ds, keys; /* DS and DNSKEY rdatas; either is enough */
	uint8_t zone[];           /* lower case */
};

struct anchors;

struct anchors *anchors_new(void);
struct anchors *anchors_ref(struct anchors *anchors);
/* NULL is allowed. */
void anchors_unref(struct anchors *anchors);

/* The root's keys, as IANA publishes them. */
void anchors_add_builtin(struct anchors *anchors);
/* One DS or DNSKEY rdata. 0; E_INVAL: another type, or no such rdata; E_EXIST: a negative anchor is there. */
int anchors_add(struct anchors *anchors, const uint8_t *zone, uint16_t type, const uint8_t *rdata, uint16_t len)
	__attribute__((warn_unused_result));
/* 0, or E_EXIST: an anchor is there. */
int anchors_add_negative(struct anchors *anchors, const uint8_t *zone, uint32_t until_s)
	__attribute__((warn_unused_result));
/* All DS and DNSKEY records of a file in the form of a zone file; relative names are below the root. 0; E_NOENT, E_MALFORMED,
 * E_EXIST with one line in `why`. */
int anchors_read(struct anchors *anchors, const char *path, char *why, size_t size) __attribute__((warn_unused_result));
/* The same for text. */
int anchors_read_text(struct anchors *anchors, const char *text, size_t len, char *why, size_t size)
	__attribute__((warn_unused_result));

/* The closest anchor, positive or negative, at or above the name; of two at one name there is only one. A negative one
 * whose time is up counts no more. `anchors` may be NULL. */
const struct anchor *anchors_find(const struct anchors *anchors, const uint8_t *name, uint32_t now_s);
/* All of them, in no order: the next after `anchor`, the first after NULL; NULL at the end. */
const struct anchor *anchors_next(const struct anchors *anchors, const struct anchor *anchor);
/* Whether both hold the same. */
bool anchors_are_equal(const struct anchors *a, const struct anchors *b);
