/* Decides which keys of a zone are trusted, by what was seen of them and for how long (RFC 5011 4). */
#include "resolve/rollover.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"

enum { HOUR_S = 3600, DAY_S = 86400, LINE = 16 + 16 + NAME_TEXT + 2 * ROLLOVER_KEY_MAX };

/* FNV-1a: it is compared with itself alone. */
static uint64_t sum_of(uint64_t sum, const knot_rdataset_t *set)
{
	const knot_rdata_t *rdata = set->rdata;
	for (uint16_t i = 0; i < set->count; i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata))
		for (uint16_t j = 0; j < rdata->len; j++)
			sum = (sum ^ rdata->data[j]) * UINT64_C(0x100000001b3);
	return sum;
}

void rollover_init(struct rollover *rollover, const struct anchor *anchor)
{
	*rollover = (struct rollover){.initial = anchors_new(), .origin = UINT64_C(0xcbf29ce484222325)};
	memcpy(rollover->zone, anchor->zone, name_len(anchor->zone));
	const struct {
		uint16_t type;
		const knot_rdataset_t *set;
	} kinds[] = {{KNOT_RRTYPE_DS, &anchor->ds}, {KNOT_RRTYPE_DNSKEY, &anchor->keys}};
	for (size_t k = 0; k < 2; k++) {
		const knot_rdata_t *rdata = kinds[k].set->rdata;
		for (uint16_t i = 0; i < kinds[k].set->count; i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata))
			(void)!anchors_add(rollover->initial, anchor->zone, kinds[k].type, rdata->data, rdata->len);
		rollover->origin = sum_of(rollover->origin, kinds[k].set);
	}
}

void rollover_deinit(struct rollover *rollover)
{
	anchors_unref(rollover->initial);
	rollover->initial = NULL;
}

const char *rollover_state_text(enum rollover_state state)
{
	static const char *const words[ROLLOVER_STATES] = {"pending", "valid", "missing", "revoked"};
	return words[state];
}

knot_rdata_t *rollover_rdata(const struct rollover_key *key)
{
	knot_rdata_t *rdata = xalloc(knot_rdata_size(key->len));
	knot_rdata_init(rdata, key->len, key->rdata);
	return rdata;
}

/* --- keys --- */

/* A key is the same whether it revokes itself or not (RFC 5011 2.1). */
static bool is_same(const struct rollover_key *known, const struct dnskey *key)
{
	const knot_rdata_t *rdata = key->rdata;
	return known->len == rdata->len && known->rdata[0] == rdata->data[0] &&
	       known->rdata[1] == (rdata->data[1] & ~DNSKEY_REVOKE) &&
	       memcmp(known->rdata + 2, rdata->data + 2, rdata->len - 2u) == 0;
}

static struct rollover_key *find(struct rollover *rollover, const struct dnskey *key)
{
	for (unsigned i = 0; i < rollover->count; i++)
		if (is_same(&rollover->key[i], key))
			return &rollover->key[i];
	return NULL;
}

static void set_state(struct rollover_key *key, enum rollover_state state, uint32_t now_s)
{
	key->state = state;
	key->since_s = now_s;
}

static bool add(struct rollover *rollover, const struct dnskey *key, enum rollover_state state, uint32_t now_s)
{
	if (rollover->count >= ROLLOVER_KEYS || key->rdata->len > ROLLOVER_KEY_MAX)
		return false;
	struct rollover_key *made = &rollover->key[rollover->count++];
	made->len = key->rdata->len;
	memcpy(made->rdata, key->rdata->data, made->len);
	set_state(made, state, now_s);
	return true;
}

static void drop(struct rollover *rollover, struct rollover_key *key)
{
	*key = rollover->key[--rollover->count];
}

/* Whether the configuration names the key, or its digest. */
static bool is_initial(const struct rollover *rollover, const struct dnskey *key)
{
	const struct anchor *anchor = anchors_find(rollover->initial, rollover->zone, 0);
	if (anchor == NULL)
		return false;
	if (knot_rdataset_member(&anchor->keys, key->rdata))
		return true;
	const knot_rdata_t *rdata = anchor->ds.rdata;
	for (uint16_t i = 0; i < anchor->ds.count; i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata)) {
		struct ds ds;
		if (ds_read(&ds, rdata) == 0 && ds_is_of(&ds, rollover->zone, key))
			return true;
	}
	return false;
}

/* A revocation counts when the key has signed it itself (RFC 5011 2.1). */
static bool has_signed(struct keyring *keyring, struct arena *scratch, const struct rrset *keys,
	const struct dnskey *key, uint32_t now_s)
{
	const knot_rdata_t *rdata = keys->sigs.rdata;
	for (uint16_t i = 0; i < keys->sigs.count; i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata)) {
		struct rrsig sig;
		if (rrsig_read(&sig, scratch, rdata) == 0 && sig.tag == key->tag &&
			signature_look(&sig, keys, now_s) == SIGNATURE_WORTH &&
			signature_verify(keyring, scratch, keys, &sig, key) == 0)
			return true;
	}
	return false;
}

/* --- what was seen --- */

static bool see_revoked(struct rollover *rollover, const struct dnskey *key, uint32_t now_s)
{
	struct rollover_key *known = find(rollover, key);
	if (known == NULL || known->state == ROLLOVER_REVOKED)
		return false;
	if (known->state == ROLLOVER_PENDING)
		drop(rollover, known);
	else
		set_state(known, ROLLOVER_REVOKED, now_s);
	return true;
}

static bool see_key(struct rollover *rollover, const struct dnskey *key, uint32_t now_s)
{
	struct rollover_key *known = find(rollover, key);
	if (known == NULL)
		return add(rollover, key, is_initial(rollover, key) ? ROLLOVER_VALID : ROLLOVER_PENDING, now_s);
	bool is_ripe = known->state == ROLLOVER_PENDING && now_s >= known->since_s &&
		       now_s - known->since_s >= ROLLOVER_HOLD_S;
	if (known->state != ROLLOVER_MISSING && !is_ripe)
		return false;
	set_state(known, ROLLOVER_VALID, now_s);
	return true;
}

static bool is_among(const struct rollover_key *known, const struct dnskey *seen, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (is_same(known, &seen[i]))
			return true;
	return false;
}

/* What the configuration names and has revoked itself is remembered for ever: else it would be trusted again. */
static bool is_configured(const struct rollover *rollover, const struct rollover_key *known)
{
	struct dnskey key;
	knot_rdata_t *rdata = rollover_rdata(known);
	bool is = dnskey_read(&key, rdata) == 0 && is_initial(rollover, &key);
	free(rdata);
	return is;
}

/* What is not there any more. */
static bool miss_keys(struct rollover *rollover, const struct dnskey *seen, unsigned count, uint32_t now_s)
{
	bool changed = false;
	for (unsigned i = rollover->count; i > 0; i--) {
		struct rollover_key *known = &rollover->key[i - 1];
		bool is_old = now_s >= known->since_s && now_s - known->since_s >= ROLLOVER_HOLD_S;
		if (is_among(known, seen, count))
			continue;
		if (known->state == ROLLOVER_VALID)
			set_state(known, ROLLOVER_MISSING, now_s);
		else if (known->state == ROLLOVER_PENDING ||
			 (known->state == ROLLOVER_REVOKED && is_old && !is_configured(rollover, known)))
			drop(rollover, known);
		else
			continue;
		changed = true;
	}
	return changed;
}

bool rollover_see(struct rollover *rollover, struct keyring *keyring, struct arena *scratch, const struct rrset *keys,
	uint32_t now_s)
{
	struct dnskey seen[ROLLOVER_KEYS];
	unsigned count = 0;
	bool changed = false;
	const knot_rdata_t *rdata = keys->data.rdata;
	for (unsigned i = 0; i < keys->data.count && i < LIMIT_ZONE_KEYS && count < ROLLOVER_KEYS;
		i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata)) {
		struct dnskey *key = &seen[count];
		if (dnskey_read(key, rdata) != 0 || (key->flags & DNSKEY_ZONE) == 0 || (key->flags & DNSKEY_SEP) == 0)
			continue;
		count++;
		if ((key->flags & DNSKEY_REVOKE) == 0)
			changed |= see_key(rollover, key, now_s);
		else if (has_signed(keyring, scratch, keys, key, now_s))
			changed |= see_revoked(rollover, key, now_s);
	}
	return miss_keys(rollover, seen, count, now_s) || changed;
}

static uint32_t within(uint32_t value, uint32_t least, uint32_t most)
{
	return value < least ? least : value > most ? most : value;
}

uint32_t rollover_wait_s(const struct rrset *keys, uint32_t now_s)
{
	if (keys == NULL)
		return HOUR_S;
	uint32_t wait_s = keys->ttl_s / 2;
	const knot_rdata_t *rdata = keys->sigs.rdata;
	for (uint16_t i = 0; i < keys->sigs.count; i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata)) {
		if (rdata->len < 18)
			continue;
		uint32_t left_s =
			knot_wire_read_u32(rdata->data + 8) - now_s; /* the expiration, by serial arithmetic */
		if (left_s < INT32_MAX && left_s / 2 < wait_s)
			wait_s = left_s / 2;
	}
	return within(wait_s, HOUR_S, 15 * DAY_S);
}

/* --- what is trusted --- */

static bool is_trusted(const struct rollover_key *key)
{
	return key->state == ROLLOVER_VALID || key->state == ROLLOVER_MISSING;
}

static bool is_revoked_by(const struct rollover *rollover, const struct ds *ds, const knot_rdata_t *plain)
{
	bool revoked = false;
	for (unsigned i = 0; i < rollover->count && !revoked; i++) {
		const struct rollover_key *known = &rollover->key[i];
		struct dnskey key;
		if (known->state != ROLLOVER_REVOKED)
			continue;
		knot_rdata_t *rdata = rollover_rdata(known);
		if (ds != NULL)
			revoked = dnskey_read(&key, rdata) == 0 && ds_is_of(ds, rollover->zone, &key);
		else
			revoked = knot_rdata_cmp(rdata, plain) == 0;
		free(rdata);
	}
	return revoked;
}

/* What the configuration says stays good, but for what has revoked itself. */
static void add_initial(const struct rollover *rollover, const struct anchor *initial, struct anchors *anchors)
{
	const knot_rdata_t *rdata = initial->ds.rdata;
	for (uint16_t i = 0; i < initial->ds.count; i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata)) {
		struct ds ds;
		if (ds_read(&ds, rdata) == 0 && !is_revoked_by(rollover, &ds, NULL))
			(void)!anchors_add(anchors, rollover->zone, KNOT_RRTYPE_DS, rdata->data, rdata->len);
	}
	rdata = initial->keys.rdata;
	for (uint16_t i = 0; i < initial->keys.count; i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata))
		if (!is_revoked_by(rollover, NULL, rdata))
			(void)!anchors_add(anchors, rollover->zone, KNOT_RRTYPE_DNSKEY, rdata->data, rdata->len);
}

void rollover_add(const struct rollover *rollover, struct anchors *anchors)
{
	for (unsigned i = 0; i < rollover->count; i++)
		if (is_trusted(&rollover->key[i]))
			(void)!anchors_add(anchors, rollover->zone, KNOT_RRTYPE_DNSKEY, rollover->key[i].rdata,
				rollover->key[i].len);
	const struct anchor *initial = anchors_find(rollover->initial, rollover->zone, 0);
	if (initial != NULL)
		add_initial(rollover, initial, anchors);
}

/* --- the file --- */

int rollover_write(const struct rollover *rollover, FILE *file)
{
	char zone[NAME_TEXT];
	name_text(rollover->zone, zone);
	for (unsigned i = 0; i < rollover->count; i++) {
		const struct rollover_key *key = &rollover->key[i];
		fprintf(file, "%s %" PRIu32 " %s %016" PRIx64 " ", rollover_state_text(key->state), key->since_s, zone,
			rollover->origin);
		for (uint16_t j = 0; j < key->len; j++)
			fprintf(file, "%02x", key->rdata[j]);
		fputc('\n', file);
	}
	return ferror(file) ? E_SYSTEM : 0;
}

static int hex_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_rdata(struct rollover_key *key, const char *hex)
{
	for (key->len = 0; hex[0] != '\0' && hex[0] != '\n'; hex += 2) {
		int high = hex_of(hex[0]), low = high < 0 ? -1 : hex_of(hex[1]);
		if (low < 0 || key->len >= ROLLOVER_KEY_MAX)
			return E_MALFORMED;
		key->rdata[key->len++] = (uint8_t)(high << 4 | low);
	}
	return key->len > 4 ? 0 : E_MALFORMED;
}

int rollover_read_line(struct rollover *rollover, const char *line)
{
	char state[16], zone[NAME_TEXT];
	uint8_t name[NAME_MAX_LEN];
	uint32_t since_s;
	uint64_t origin;
	int hex = 0;
	if (sscanf(line, "%15s %" SCNu32 " %1007s %" SCNx64 " %n", state, &since_s, zone, &origin, &hex) != 4 ||
		hex == 0 || name_from_text(name, zone) != 0)
		return E_MALFORMED;
	bool is_revoked = strcmp(state, rollover_state_text(ROLLOVER_REVOKED)) == 0;
	if (!name_is_equal(name, rollover->zone) || (origin != rollover->origin && !is_revoked))
		return E_NOENT; /* what is revoked stays so */
	if (rollover->count >= ROLLOVER_KEYS)
		return E_SPACE;
	struct rollover_key *key = &rollover->key[rollover->count];
	int ret = read_rdata(key, line + hex);
	for (int i = 0; i < ROLLOVER_STATES && ret == 0; i++) {
		if (strcmp(state, rollover_state_text((enum rollover_state)i)) != 0)
			continue;
		set_state(key, (enum rollover_state)i, since_s);
		rollover->count++;
		return 0;
	}
	return E_MALFORMED;
}
