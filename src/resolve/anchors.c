/* Decides what a file of trust anchors holds, and which anchor a name belongs to: the closest. */
#include "resolve/anchors.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libzscanner/scanner.h>

#include "base/check.h"
#include "base/error.h"
#include "base/hash.h"
#include "dns/dnssec.h"

enum { BUCKETS = 256, HASH_SEED = 0xa4c4 };

struct anchors {
	_Atomic unsigned refs;
	size_t count;
	struct anchor *bucket[BUCKETS];
};

struct anchors *anchors_new(void)
{
	struct anchors *anchors = xzalloc(1, sizeof(*anchors));
	anchors->refs = 1;
	return anchors;
}

struct anchors *anchors_ref(struct anchors *anchors)
{
	if (anchors != NULL)
		atomic_fetch_add_explicit(&anchors->refs, 1, memory_order_relaxed);
	return anchors;
}

static void free_anchor(struct anchor *anchor)
{
	knot_rdataset_clear(&anchor->ds, NULL);
	knot_rdataset_clear(&anchor->keys, NULL);
	free(anchor);
}

void anchors_unref(struct anchors *anchors)
{
	if (anchors == NULL || atomic_fetch_sub(&anchors->refs, 1) > 1)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (anchors->bucket[i] != NULL) {
			struct anchor *anchor = anchors->bucket[i];
			anchors->bucket[i] = anchor->next;
			free_anchor(anchor);
		}
	}
	free(anchors);
}

/* --- the table --- */

static size_t bucket_of(const uint8_t *zone)
{
	return hash_bytes(HASH_SEED, zone, name_len(zone)) % BUCKETS;
}

static struct anchor *find_exact(const struct anchors *anchors, const uint8_t *zone)
{
	struct anchor *anchor = anchors->bucket[bucket_of(zone)];
	while (anchor != NULL && !name_is_equal(anchor->zone, zone))
		anchor = anchor->next;
	return anchor;
}

static struct anchor *make(struct anchors *anchors, const uint8_t *zone)
{
	size_t len = name_len(zone);
	struct anchor *anchor = xzalloc(1, sizeof(*anchor) + len);
	memcpy(anchor->zone, zone, len);
	struct anchor **bucket = &anchors->bucket[bucket_of(zone)];
	anchor->next = *bucket;
	*bucket = anchor;
	anchors->count++;
	return anchor;
}

int anchors_add_negative(struct anchors *anchors, const uint8_t *zone, uint32_t until_s)
{
	if (find_exact(anchors, zone) != NULL)
		return E_EXIST;
	struct anchor *anchor = make(anchors, zone);
	anchor->is_negative = true;
	anchor->until_s = until_s;
	return 0;
}

static bool is_good(uint16_t type, const knot_rdata_t *rdata)
{
	struct dnskey key;
	struct ds ds;
	if (type == KNOT_RRTYPE_DNSKEY)
		return dnskey_read(&key, rdata) == 0 && dnskey_may_sign(&key);
	return type == KNOT_RRTYPE_DS && ds_read(&ds, rdata) == 0;
}

int anchors_add(struct anchors *anchors, const uint8_t *zone, uint16_t type, const uint8_t *rdata, uint16_t len)
{
	struct anchor *anchor = find_exact(anchors, zone);
	if (anchor != NULL && anchor->is_negative)
		return E_EXIST;
	knot_rdata_t *one = xalloc(knot_rdata_size(len));
	knot_rdata_init(one, len, rdata);
	int ret = is_good(type, one) ? 0 : E_INVAL;
	if (ret == 0 && anchor == NULL)
		anchor = make(anchors, zone);
	if (ret == 0)
		require(knot_rdataset_add(type == KNOT_RRTYPE_DS ? &anchor->ds : &anchor->keys, one, NULL) == 0);
	free(one);
	return ret;
}

const struct anchor *anchors_find(const struct anchors *anchors, const uint8_t *name, uint32_t now_s)
{
	if (anchors == NULL || anchors->count == 0)
		return NULL;
	for (; name != NULL; name = name_parent(name)) {
		const struct anchor *anchor = find_exact(anchors, name);
		if (anchor != NULL && (anchor->until_s == 0 || now_s < anchor->until_s))
			return anchor;
	}
	return NULL;
}

const struct anchor *anchors_next(const struct anchors *anchors, const struct anchor *anchor)
{
	if (anchor != NULL && anchor->next != NULL)
		return anchor->next;
	for (size_t i = anchor != NULL ? bucket_of(anchor->zone) + 1 : 0; i < BUCKETS; i++)
		if (anchors->bucket[i] != NULL)
			return anchors->bucket[i];
	return NULL;
}

bool anchors_are_equal(const struct anchors *a, const struct anchors *b)
{
	if (a == NULL || b == NULL || a->count != b->count)
		return a == b;
	for (const struct anchor *one = NULL; (one = anchors_next(a, one)) != NULL;) {
		const struct anchor *other = find_exact(b, one->zone);
		if (other == NULL || one->is_negative != other->is_negative || one->until_s != other->until_s ||
			!knot_rdataset_eq(&one->ds, &other->ds) || !knot_rdataset_eq(&one->keys, &other->keys))
			return false;
	}
	return true;
}

/* --- files --- */

/* What a file is read into; the first error is the one that is told, the scanner goes on behind it. */
struct reading {
	struct anchors *anchors;
	size_t count;
	unsigned long long bad_line;
	const char *what;
};

static void complain(struct reading *reading, const zs_scanner_t *scanner, const char *what)
{
	if (reading->bad_line != 0)
		return;
	reading->bad_line = scanner->line_counter;
	reading->what = what;
}

static void on_error(zs_scanner_t *scanner)
{
	complain(scanner->process.data, scanner, zs_strerror(scanner->error.code));
}

static void on_record(zs_scanner_t *scanner)
{
	struct reading *reading = scanner->process.data;
	uint8_t zone[NAME_MAX_LEN];
	memcpy(zone, scanner->r_owner, scanner->r_owner_length);
	name_lower(zone);
	int ret =
		anchors_add(reading->anchors, zone, scanner->r_type, scanner->r_data, (uint16_t)scanner->r_data_length);
	if (ret == E_INVAL)
		complain(reading, scanner, "neither a DS nor the DNSKEY of a zone");
	else if (ret == E_EXIST)
		complain(reading, scanner, "the zone has a negative trust anchor");
	reading->count += ret == 0;
}

/* `path` NULL: `text`. */
static int read_from(struct anchors *anchors, const char *path, const char *text, size_t len, char *why, size_t size)
{
	struct reading reading = {.anchors = anchors};
	zs_scanner_t *scanner = xalloc(sizeof(*scanner));
	const char *name = path != NULL ? path : "trust anchor";
	int ret = E_MALFORMED;
	if (zs_init(scanner, ".", KNOT_CLASS_IN, 3600) != 0 ||
		zs_set_processing(scanner, on_record, on_error, &reading) != 0) {
		snprintf(why, size, "%s: cannot be scanned", name);
	} else if ((path != NULL ? zs_set_input_file(scanner, path) : zs_set_input_string(scanner, text, len)) != 0) {
		snprintf(why, size, "%s: cannot be read; give a file with DS or DNSKEY records", name);
		ret = E_NOENT;
	} else if (zs_parse_all(scanner) != 0 || reading.bad_line != 0) {
		snprintf(why, size, "%s:%llu: %s", name, reading.bad_line,
			reading.what != NULL ? reading.what : zs_strerror(scanner->error.code));
	} else if (reading.count == 0) {
		snprintf(why, size, "%s: holds no trust anchor; DS or DNSKEY records are needed", name);
	} else {
		ret = 0;
	}
	zs_deinit(scanner);
	free(scanner);
	return ret;
}

int anchors_read(struct anchors *anchors, const char *path, char *why, size_t size)
{
	return read_from(anchors, path, NULL, 0, why, size);
}

int anchors_read_text(struct anchors *anchors, const char *text, size_t len, char *why, size_t size)
{
	return read_from(anchors, NULL, text, len, why, size);
}

/* KSK-2017 and KSK-2024 (IANA, root-anchors.xml). */
void anchors_add_builtin(struct anchors *anchors)
{
	static const char text[] = ". DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"
				   ". DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16\n";
	char why[160];
	require(anchors_read_text(anchors, text, sizeof(text) - 1, why, sizeof(why)) == 0);
}
