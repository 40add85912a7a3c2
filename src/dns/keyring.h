/* Public keys as the library wants them: made of a DNSKEY once, kept while they are used, the least recently used thrown
 * out. At most LIMIT_KEYS.
 *
 *	struct keyring *keyring = keyring_new();
 *	struct public_key *key = keyring_find(keyring, &dnskey);
 *
 * Ownership: what is found is the keyring's, until the next keyring_find. Thread: one. Never suspends. */
#pragma once

#include "dns/dnssec.h"

struct keyring;
struct public_key;

struct keyring *keyring_new(void);
void keyring_free(struct keyring *keyring);
/* NULL when the key is not of its algorithm's form, or the library has not its algorithm. That is not remembered: such
 * keys are told at little cost. */
struct public_key *keyring_find(struct keyring *keyring, const struct dnskey *key);
unsigned keyring_count(const struct keyring *keyring);
