/* Decides what a sentinel's name asks, and whether the answer is no. */
#include "resolve/sentinel.h"

#include <string.h>

#include "base/clock.h"
#include "resolve/anchors.h"

enum { TAG_DIGITS = 5 };

/* "root-key-sentinel-is-ta-20326": what follows the prefix, five decimal digits; false when it is another name. */
static bool read_tag(const uint8_t *label, const char *prefix, unsigned *tag)
{
	size_t len = strlen(prefix);
	if (label[0] != len + TAG_DIGITS || memcmp(label + 1, prefix, len) != 0)
		return false;
	*tag = 0;
	for (const uint8_t *at = label + 1 + len; at < label + 1 + label[0]; at++) {
		if (*at < '0' || *at > '9')
			return false;
		*tag = *tag * 10 + (*at - '0');
	}
	return true;
}

static bool trusts(const struct request *rq, unsigned tag)
{
	static const uint8_t root[] = "";
	const struct anchor *anchor = anchors_find(rq->options.anchors, root, clock_wall_s());
	if (anchor == NULL || anchor->is_negative)
		return false;
	const knot_rdata_t *rdata = anchor->ds.rdata;
	for (uint16_t i = 0; i < anchor->ds.count; i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata)) {
		struct ds ds;
		if (ds_read(&ds, rdata) == 0 && ds.tag == tag)
			return true;
	}
	rdata = anchor->keys.rdata;
	for (uint16_t i = 0; i < anchor->keys.count; i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata)) {
		struct dnskey key;
		if (dnskey_read(&key, rdata) == 0 && key.tag == tag)
			return true;
	}
	return false;
}

bool sentinel_says_no(const struct request *rq, const struct answer *answer)
{
	const struct question *q = rq->question;
	unsigned tag;
	if (!rq->options.sentinel || rq->cd || answer->security != SECURITY_SECURE ||
		(q->type != KNOT_RRTYPE_A && q->type != KNOT_RRTYPE_AAAA))
		return false;
	if (read_tag(q->name, "root-key-sentinel-is-ta-", &tag))
		return !trusts(rq, tag);
	return read_tag(q->name, "root-key-sentinel-not-ta-", &tag) && trusts(rq, tag);
}
