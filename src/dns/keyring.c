/* Decides which parsed keys are kept: those used last. A key is known by its whole rdata, all bytes compared, so that no
 * other key is ever taken for it. */
#include "dns/keyring.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/list.h"
#include "dns/crypto.h"

enum { BUCKETS = 1024, HASH_SEED = 0x6b65 };

struct entry {
	struct link used;   /* in keyring.used */
	struct entry *next; /* in its bucket */
	struct public_key *key;
	unsigned bucket;
	uint16_t len;
	uint8_t rdata[];
};

struct keyring {
	struct entry *bucket[BUCKETS];
	struct link used; /* least recently first */
	unsigned count;
};

struct keyring *keyring_new(void)
{
	struct keyring *keyring = xzalloc(1, sizeof(*keyring));
	link_init(&keyring->used);
	return keyring;
}

static void drop(struct keyring *keyring, struct entry *entry)
{
	struct entry **at = &keyring->bucket[entry->bucket];
	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	link_remove(&entry->used);
	keyring->count--;
	public_key_free(entry->key);
	free(entry);
}

static struct entry *oldest(struct keyring *keyring)
{
	return container_of(keyring->used.next, struct entry, used);
}

void keyring_free(struct keyring *keyring)
{
	if (keyring == NULL)
		return;
	while (keyring->count > 0)
		drop(keyring, oldest(keyring));
	free(keyring);
}

static struct entry *add(struct keyring *keyring, const struct dnskey *key, unsigned bucket)
{
	struct public_key *parsed = public_key_new(key->algorithm, key->key, key->key_len);
	if (parsed == NULL)
		return NULL;
	if (keyring->count == LIMIT_KEYS)
		drop(keyring, oldest(keyring));
	struct entry *entry = xalloc(sizeof(*entry) + key->rdata->len);
	*entry = (struct entry){.next = keyring->bucket[bucket], .key = parsed, .bucket = bucket};
	entry->len = key->rdata->len;
	memcpy(entry->rdata, key->rdata->data, entry->len);
	keyring->bucket[bucket] = entry;
	keyring->count++;
	link_init(&entry->used);
	return entry;
}

struct public_key *keyring_find(struct keyring *keyring, const struct dnskey *key)
{
	const knot_rdata_t *rdata = key->rdata;
	unsigned bucket = (unsigned)(hash_bytes(HASH_SEED, rdata->data, rdata->len) % BUCKETS);
	struct entry *entry = keyring->bucket[bucket];
	while (entry != NULL && (entry->len != rdata->len || memcmp(entry->rdata, rdata->data, rdata->len) != 0))
		entry = entry->next;
	if (entry == NULL)
		entry = add(keyring, key, bucket);
	if (entry == NULL)
		return NULL;
	link_remove(&entry->used);
	link_append(&keyring->used, &entry->used);
	return entry->key;
}

unsigned keyring_count(const struct keyring *keyring)
{
	return keyring->count;
}
