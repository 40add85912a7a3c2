/* Decides what a hash of a name costs: SHA-1 by OpenSSL with one context per thread, and a table of what the denial at
 * hand has hashed, since the proofs for one name go through the same ancestors again. */
#include "dns/nsec3_hash.h"

#include <pthread.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/check.h"

/* A pure function's values: right for whoever asks under the same salt and iterations. It is the thread's and not the
 * denial's because denials live on fibers' stacks. */
static _Thread_local struct {
	uint16_t iterations;
	uint8_t salt_len, salt[255];
	unsigned count;
	struct {
		uint8_t name_len, name[NAME_MAX_LEN], hash[NSEC3_HASH];
	} entry[DENIAL_HASHES_MOST];
} known;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t context_key;
static EVP_MD *sha1;

static void free_context(void *context)
{
	EVP_MD_CTX_free(context);
}

/* An OpenSSL without SHA-1 is no OpenSSL: there is nothing sensible to go on with. */
static void begin(void)
{
	sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	require(sha1 != NULL && EVP_MD_get_size(sha1) == NSEC3_HASH);
	require(pthread_key_create(&context_key, free_context) == 0);
}

/* The thread's context, which dies with it. */
static EVP_MD_CTX *context_of_thread(void)
{
	require(pthread_once(&once, begin) == 0);
	EVP_MD_CTX *context = pthread_getspecific(context_key);
	if (context == NULL) {
		context = EVP_MD_CTX_new();
		require(context != NULL && pthread_setspecific(context_key, context) == 0);
	}
	return context;
}

void nsec3_hash(
	uint8_t out[static NSEC3_HASH], const uint8_t *name, const uint8_t *salt, uint8_t salt_len, uint16_t iterations)
{
	EVP_MD_CTX *context = context_of_thread();
	const uint8_t *data = name;
	size_t len = name_len(name);
	for (unsigned left = iterations + 1u; left > 0; left--) {
		int good = EVP_DigestInit_ex2(context, sha1, NULL) && EVP_DigestUpdate(context, data, len) &&
			   EVP_DigestUpdate(context, salt, salt_len) && EVP_DigestFinal_ex(context, out, NULL);
		require(good);
		data = out;
		len = NSEC3_HASH;
	}
}

void nsec3_hash_forget(void)
{
	known.count = 0;
}

static bool are_parameters_known(const struct denial *denial)
{
	return known.iterations == denial->nsec3.iterations && known.salt_len == denial->nsec3.salt_len &&
	       memcmp(known.salt, denial->nsec3.salt, known.salt_len) == 0;
}

static const uint8_t *find(const uint8_t *name, size_t len)
{
	for (unsigned i = 0; i < known.count; i++)
		if (known.entry[i].name_len == len && memcmp(known.entry[i].name, name, len) == 0)
			return known.entry[i].hash;
	return NULL;
}

static void remember(const uint8_t *name, size_t len, const uint8_t hash[static NSEC3_HASH])
{
	/* Full only when denials take turns: the one at hand hashes no more names than there is room for. */
	if (known.count == DENIAL_HASHES_MOST)
		return;
	memcpy(known.entry[known.count].name, name, len);
	memcpy(known.entry[known.count].hash, hash, NSEC3_HASH);
	known.entry[known.count++].name_len = (uint8_t)len;
}

static void take_parameters(const struct denial *denial)
{
	known.count = 0;
	known.iterations = denial->nsec3.iterations;
	known.salt_len = denial->nsec3.salt_len;
	memcpy(known.salt, denial->nsec3.salt, known.salt_len);
}

bool nsec3_hash_of(uint8_t out[static NSEC3_HASH], struct denial *denial, const uint8_t *name)
{
	size_t len = name_len(name);
	if (!are_parameters_known(denial))
		take_parameters(denial);
	const uint8_t *hash = find(name, len);
	if (hash != NULL) {
		memcpy(out, hash, NSEC3_HASH);
		return true;
	}
	if (denial->hashes == DENIAL_HASHES_MOST)
		return false;
	denial->hashes++;
	nsec3_hash(out, name, denial->nsec3.salt, denial->nsec3.salt_len, denial->nsec3.iterations);
	remember(name, len, out);
	return true;
}
