/* Decides which keys and signatures are of their algorithm's form, and how OpenSSL is asked. What is dear there is done
 * once: digests are fetched once for the process, and a key keeps its contexts, so that a check is hardly more than the
 * arithmetic. */
#include "dns/crypto.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "dns/crypto_known.h"

enum { ALGORITHMS = 17, RSA_BITS_MAX = 4096, EXPONENT_BITS_MAX = 64, COORDINATE_MAX = 48, EC_POINT_PLAIN = 4 };
enum { RSA_KEY_MAX = 640 }; /* 4096 bits, the exponent and its length, and zeros that should not be there */
enum { DER_INTEGER = 2, DER_SEQUENCE = 0x30, DER_MAX = 2 + 2 * (3 + COORDINATE_MAX) };

enum hash { HASH_NONE, HASH_SHA1, HASH_SHA256, HASH_SHA384, HASH_SHA512, HASHES };

struct scheme {
	const char *type;  /* OpenSSL's word */
	const char *group; /* of elliptic curves */
	enum hash hash;
	size_t key_len, signature_len; /* RSA's vary */
	int bits_min;                  /* of RSA's modulus */
};

static const struct scheme schemes[ALGORITHMS] = {
	[5] = {"RSA", .hash = HASH_SHA1, .bits_min = 512},
	[7] = {"RSA", .hash = HASH_SHA1, .bits_min = 512},
	[8] = {"RSA", .hash = HASH_SHA256, .bits_min = 512},
	[10] = {"RSA", .hash = HASH_SHA512, .bits_min = 1024},
	[13] = {"EC", "prime256v1", HASH_SHA256, .key_len = 64, .signature_len = 64},
	[14] = {"EC", "secp384r1", HASH_SHA384, .key_len = 96, .signature_len = 96},
	[15] = {"ED25519", .key_len = 32, .signature_len = 64},
	[16] = {"ED448", .key_len = 57, .signature_len = 114},
};

struct public_key {
	const struct scheme *scheme;
	EVP_PKEY *pkey;
	EVP_PKEY_CTX *check; /* of the Edwards curves none: they hash as they check */
	EVP_MD_CTX *work;
	size_t signature_len;
};

/* Written once, by whoever comes first. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *hashes[HASHES];
static bool has_algorithm[ALGORITHMS];
static EVP_PKEY
	*curves[ALGORITHMS]; /* keys without a key: making the curve anew costs three times as much as the point */

/* --- keys --- */

static EVP_PKEY *build_pkey(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY *pkey = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
		EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

static EVP_PKEY *build_rsa(const BIGNUM *modulus, const BIGNUM *exponent)
{
	EVP_PKEY *pkey = NULL;
	OSSL_PARAM *params = NULL;
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	if (builder != NULL && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
		OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
		params = OSSL_PARAM_BLD_to_param(builder);
	if (params != NULL)
		pkey = build_pkey("RSA", params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(builder);
	return pkey;
}

static bool is_odd_between(const BIGNUM *number, int bits_min, int bits_max)
{
	return BN_is_odd(number) && BN_num_bits(number) >= bits_min && BN_num_bits(number) <= bits_max;
}

/* RFC 3110 2: the exponent's length in one byte, or a zero and two bytes; the exponent; the modulus. Zeros in front of
 * either are forbidden there, but other resolvers never minded. */
static EVP_PKEY *read_rsa(const struct scheme *scheme, const uint8_t *key, size_t len)
{
	if (len < 3 || len > RSA_KEY_MAX)
		return NULL;
	size_t head = key[0] != 0 ? 1 : 3;
	size_t exponent_len = key[0] != 0 ? key[0] : (size_t)key[1] << 8 | key[2];
	if (exponent_len == 0 || len - head <= exponent_len)
		return NULL;
	BIGNUM *exponent = BN_bin2bn(key + head, (int)exponent_len, NULL);
	BIGNUM *modulus = BN_bin2bn(key + head + exponent_len, (int)(len - head - exponent_len), NULL);
	EVP_PKEY *pkey = NULL;
	/* With 1 as exponent, anybody could sign. */
	if (exponent != NULL && modulus != NULL && is_odd_between(exponent, 2, EXPONENT_BITS_MAX) &&
		is_odd_between(modulus, scheme->bits_min, RSA_BITS_MAX))
		pkey = build_rsa(modulus, exponent);
	BN_free(exponent);
	BN_free(modulus);
	return pkey;
}

/* RFC 6605 4: x and y, which the library wants with a byte before them. That the point is on the curve it checks. */
static EVP_PKEY *read_point(const struct scheme *scheme, const uint8_t *key, size_t len)
{
	uint8_t point[1 + 2 * COORDINATE_MAX];
	point[0] = EC_POINT_PLAIN;
	memcpy(point + 1, key, len);
	EVP_PKEY *pkey = EVP_PKEY_new();
	if (pkey != NULL && curves[scheme - schemes] != NULL &&
		EVP_PKEY_copy_parameters(pkey, curves[scheme - schemes]) == 1 &&
		EVP_PKEY_set1_encoded_public_key(pkey, point, 1 + len) == 1)
		return pkey;
	EVP_PKEY_free(pkey);
	return NULL;
}

static EVP_PKEY *read_pkey(const struct scheme *scheme, const uint8_t *key, size_t len)
{
	if (scheme->bits_min > 0)
		return read_rsa(scheme, key, len);
	if (len != scheme->key_len)
		return NULL;
	if (scheme->group != NULL)
		return read_point(scheme, key, len);
	return EVP_PKEY_new_raw_public_key_ex(NULL, scheme->type, NULL, key, len);
}

/* A context that checks digests, as often as one likes. NULL when the library, or the system's policy, refuses. */
static EVP_PKEY_CTX *check_new(const struct scheme *scheme, EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *check = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	if (check != NULL && hashes[scheme->hash] != NULL && EVP_PKEY_verify_init(check) == 1 &&
		(scheme->group != NULL || EVP_PKEY_CTX_set_rsa_padding(check, RSA_PKCS1_PADDING) == 1) &&
		EVP_PKEY_CTX_set_signature_md(check, hashes[scheme->hash]) == 1)
		return check;
	EVP_PKEY_CTX_free(check);
	return NULL;
}

static struct public_key *read_key(const struct scheme *scheme, const uint8_t *data, size_t len)
{
	EVP_PKEY *pkey = read_pkey(scheme, data, len);
	EVP_PKEY_CTX *check = pkey != NULL && scheme->hash != HASH_NONE ? check_new(scheme, pkey) : NULL;
	EVP_MD_CTX *work = EVP_MD_CTX_new();
	if (pkey == NULL || work == NULL || (check == NULL && scheme->hash != HASH_NONE)) {
		EVP_PKEY_CTX_free(check);
		EVP_PKEY_free(pkey);
		EVP_MD_CTX_free(work);
		ERR_clear_error();
		return NULL;
	}
	struct public_key *key = xalloc(sizeof(*key));
	*key = (struct public_key){.scheme = scheme, .pkey = pkey, .check = check, .work = work};
	key->signature_len = scheme->signature_len > 0 ? scheme->signature_len : (size_t)EVP_PKEY_get_size(pkey);
	return key;
}

void public_key_free(struct public_key *key)
{
	if (key == NULL)
		return;
	EVP_PKEY_CTX_free(key->check);
	EVP_MD_CTX_free(key->work);
	EVP_PKEY_free(key->pkey);
	free(key);
}

/* --- signatures --- */

/* X.690 8.3: as few bytes as hold it, with a zero before a first bit that would be the sign. */
static size_t write_der_integer(uint8_t *out, const uint8_t *number, size_t len)
{
	while (len > 1 && number[0] == 0) {
		number++;
		len--;
	}
	size_t zero = number[0] >> 7;
	out[0] = DER_INTEGER;
	out[1] = (uint8_t)(zero + len);
	out[2] = 0;
	memcpy(out + 2 + zero, number, len);
	return 2 + zero + len;
}

/* RFC 6605 4: r and s, each as long as the curve's order; the library wants a sequence of two integers. */
static size_t write_der_signature(uint8_t out[static DER_MAX], const uint8_t *signature, size_t len)
{
	size_t pos = 2;
	pos += write_der_integer(out + pos, signature, len / 2);
	pos += write_der_integer(out + pos, signature + len / 2, len / 2);
	out[0] = DER_SEQUENCE;
	out[1] = (uint8_t)(pos - 2);
	return pos;
}

static bool is_hash_signed(struct public_key *key, const uint8_t *data, size_t len, const uint8_t *signature)
{
	uint8_t hash[EVP_MAX_MD_SIZE], der[DER_MAX];
	unsigned hash_len;
	size_t signature_len = key->signature_len;
	if (EVP_DigestInit_ex2(key->work, hashes[key->scheme->hash], NULL) != 1 ||
		EVP_DigestUpdate(key->work, data, len) != 1 || EVP_DigestFinal_ex(key->work, hash, &hash_len) != 1)
		return false;
	if (key->scheme->group != NULL) {
		signature_len = write_der_signature(der, signature, signature_len);
		signature = der;
	}
	return EVP_PKEY_verify(key->check, signature, signature_len, hash, hash_len) == 1;
}

/* RFC 8080: the data themselves are signed. */
static bool is_signed(struct public_key *key, const uint8_t *data, size_t len, const uint8_t *signature)
{
	return EVP_DigestVerifyInit_ex(key->work, NULL, NULL, NULL, NULL, key->pkey, NULL) == 1 &&
	       EVP_DigestVerify(key->work, signature, key->signature_len, data, len) == 1;
}

int public_key_verify(
	struct public_key *key, const uint8_t *data, size_t len, const uint8_t *signature, size_t signature_len)
{
	if (signature_len != key->signature_len)
		return E_MALFORMED;
	if (key->check != NULL ? is_hash_signed(key, data, len, signature) : is_signed(key, data, len, signature))
		return 0;
	/* The library keeps a queue of what went wrong in each thread. */
	ERR_clear_error();
	return E_MISMATCH;
}

/* --- what the library can do --- */

static bool can_verify(const struct known_signature *known)
{
	struct public_key *key = read_key(&schemes[known->algorithm], known->key, known->key_len);
	bool can = key != NULL &&
		   public_key_verify(key, known_data, sizeof(known_data), known->signature, known->signature_len) == 0;
	public_key_free(key);
	return can;
}

static EVP_PKEY *make_curve(const char *group)
{
	EVP_PKEY *curve = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	if (ctx != NULL && EVP_PKEY_paramgen_init(ctx) == 1 && EVP_PKEY_CTX_set_group_name(ctx, group) == 1 &&
		EVP_PKEY_paramgen(ctx, &curve) != 1)
		curve = NULL;
	EVP_PKEY_CTX_free(ctx);
	return curve;
}

static void find_out(void)
{
	static const char *const names[HASHES] = {NULL, "SHA1", "SHA256", "SHA384", "SHA512"};
	for (int i = HASH_SHA1; i < HASHES; i++)
		hashes[i] = EVP_MD_fetch(NULL, names[i], NULL);
	for (int i = 0; i < ALGORITHMS; i++)
		if (schemes[i].group != NULL)
			curves[i] = make_curve(schemes[i].group);
	for (const struct known_signature *known = known_signatures; known->algorithm != 0; known++)
		has_algorithm[known->algorithm] = can_verify(known);
	ERR_clear_error();
}

bool crypto_has_algorithm(uint8_t algorithm)
{
	pthread_once(&once, find_out);
	return algorithm < ALGORITHMS && has_algorithm[algorithm];
}

struct public_key *public_key_new(uint8_t algorithm, const uint8_t *key, size_t len)
{
	return crypto_has_algorithm(algorithm) ? read_key(&schemes[algorithm], key, len) : NULL;
}

/* --- digests --- */

/* RFC 3658, 4509, 6605 2. */
static EVP_MD *find_digest(uint8_t type)
{
	pthread_once(&once, find_out);
	return type == 1 ? hashes[HASH_SHA1] : type == 2 ? hashes[HASH_SHA256] : type == 4 ? hashes[HASH_SHA384] : NULL;
}

size_t crypto_digest_len(uint8_t digest_type)
{
	EVP_MD *digest = find_digest(digest_type);
	return digest != NULL ? (size_t)EVP_MD_get_size(digest) : 0;
}

bool crypto_digest(uint8_t out[static CRYPTO_DIGEST_MAX], uint8_t digest_type, const uint8_t *a, size_t a_len,
	const uint8_t *b, size_t b_len)
{
	EVP_MD *digest = find_digest(digest_type);
	EVP_MD_CTX *ctx = digest != NULL ? EVP_MD_CTX_new() : NULL;
	bool good = ctx != NULL && EVP_DigestInit_ex2(ctx, digest, NULL) == 1 && EVP_DigestUpdate(ctx, a, a_len) == 1 &&
		    EVP_DigestUpdate(ctx, b, b_len) == 1 && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}
