#include "unit/unit.h"

#include <stdlib.h>

#include "base/error.h"
#include "dns/crypto.h"
#include "dns/crypto_known.h"

static const struct known_signature *known_of(uint8_t algorithm)
{
	const struct known_signature *known = known_signatures;
	while (known->algorithm != algorithm)
		known++;
	return known;
}

/* Whether that key verifies the known signature. E_MALFORMED: there is no such key. */
static int try_key(uint8_t algorithm, const uint8_t *bytes, size_t len)
{
	const struct known_signature *known = known_of(algorithm);
	struct public_key *key = public_key_new(algorithm, bytes, len);
	if (key == NULL)
		return E_MALFORMED;
	int ret = public_key_verify(key, known_data, sizeof(known_data), known->signature, known->signature_len);
	/* Again, and after something bad: what a key keeps of one check does not harm the next. */
	uint8_t bad[512] = {0};
	memcpy(bad, known->signature, known->signature_len);
	bad[known->signature_len / 2] ^= 1;
	assert_int_not_equal(public_key_verify(key, known_data, sizeof(known_data), bad, known->signature_len), 0);
	assert_int_not_equal(
		public_key_verify(key, known_data, sizeof(known_data) - 1, known->signature, known->signature_len), 0);
	assert_int_equal(
		public_key_verify(key, known_data, sizeof(known_data), known->signature, known->signature_len), ret);
	public_key_free(key);
	return ret;
}

static void test_known(void **state)
{
	(void)state;
	for (const struct known_signature *known = known_signatures; known->algorithm != 0; known++) {
		assert_true(crypto_has_algorithm(known->algorithm));
		assert_int_equal(try_key(known->algorithm, known->key, known->key_len), 0);
		for (size_t len = 0; len < known->key_len; len++)
			assert_int_not_equal(try_key(known->algorithm, known->key, len), 0);
	}
	public_key_free(NULL);
}

/* An RSA key of parts; the parts in front of the numbers are written as they are given. */
static size_t rsa_key(uint8_t *out, const char *head, size_t head_len, const uint8_t *modulus, size_t modulus_len)
{
	memcpy(out, head, head_len);
	memcpy(out + head_len, modulus, modulus_len);
	return head_len + modulus_len;
}

#define HEAD(text) (text), sizeof(text) - 1

static void test_rsa_forms(void **state)
{
	static const struct {
		const char *head;
		size_t head_len;
		int ret;
	} cases[] = {
		{HEAD("\3\1\0\1"), 0},
		{HEAD("\0\0\3\1\0\1"), 0},          /* the long form, though the short would do */
		{HEAD("\5\0\0\1\0\1"), 0},          /* zeros in front */
		{HEAD("\3\1\0\1\0\0\0"), 0},        /* of the modulus */
		{HEAD("\1\3"), E_MISMATCH},         /* another exponent */
		{HEAD("\5\1\0\0\0\1"), E_MISMATCH}, /* 2^32 + 1, which some signers used */
		{HEAD("\10\xff\xff\xff\xff\xff\xff\xff\xff"), E_MISMATCH},
		{HEAD("\11\1\0\0\0\0\0\0\0\1"), E_MALFORMED}, /* 65 bits */
		{HEAD("\1\1"), E_MALFORMED},
		{HEAD("\1\0"), E_MALFORMED},
		{HEAD("\1\2"), E_MALFORMED},
		{HEAD("\3\1\0\0"), E_MALFORMED},
		{HEAD("\0\0\0"), E_MALFORMED},
		{HEAD("\0\0"), E_MALFORMED},
		{HEAD("\0\xff\xff\1\0\1"), E_MALFORMED},
		{HEAD("\xff\1\0\1"), E_MALFORMED},
	};
	const struct known_signature *known = known_of(8);
	uint8_t key[1024];
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		size_t len = rsa_key(key, cases[i].head, cases[i].head_len, known->key + 4, known->key_len - 4);
		assert_int_equal(try_key(8, key, len), cases[i].ret);
	}
}

static void test_rsa_sizes(void **state)
{
	static const struct {
		uint8_t algorithm;
		int bits;
		bool good;
	} cases[] = {
		{5, 511, false},
		{5, 512, true},
		{7, 512, true},
		{8, 511, false},
		{8, 512, true},
		{8, 513, true},
		{8, 4096, true},
		{8, 4097, false},
		{10, 1023, false},
		{10, 1024, true},
		{10, 4096, true},
		{10, 4097, false},
		{5, 8, false},
		{5, 1, false},
	};
	uint8_t key[1024], modulus[520];
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		size_t bytes = ((size_t)cases[i].bits + 7) / 8;
		memset(modulus, 0x5b, sizeof(modulus));
		modulus[0] = (uint8_t)(1 << ((cases[i].bits - 1) % 8));
		modulus[bytes - 1] |= 1;
		size_t len = rsa_key(key, HEAD("\3\1\0\1"), modulus, bytes);
		struct public_key *made = public_key_new(cases[i].algorithm, key, len);
		assert_int_equal(made != NULL, cases[i].good);
		public_key_free(made);
		modulus[bytes - 1] &= 0xfe;
		len = rsa_key(key, HEAD("\3\1\0\1"), modulus, bytes);
		assert_null(public_key_new(cases[i].algorithm, key, len)); /* even */
	}
	/* So large that nobody would make a number of it. */
	uint8_t *huge = calloc(1, 65531);
	memcpy(huge, "\3\1\0\1", 4);
	huge[65530] = 1;
	assert_null(public_key_new(8, huge, 65531));
	free(huge);
}

static void test_points(void **state)
{
	static const uint8_t algorithms[] = {13, 14};
	uint8_t key[96];
	(void)state;
	for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
		const struct known_signature *known = known_of(algorithms[i]);
		memcpy(key, known->key, known->key_len);
		key[known->key_len - 1] ^= 1; /* beside the curve */
		assert_null(public_key_new(algorithms[i], key, known->key_len));
		memset(key, 0, sizeof(key));
		assert_null(public_key_new(algorithms[i], key, known->key_len));
		memset(key, 0xff, sizeof(key)); /* beyond the field */
		assert_null(public_key_new(algorithms[i], key, known->key_len));
	}
}

static void test_lengths(void **state)
{
	uint8_t signature[600] = {0};
	(void)state;
	for (const struct known_signature *known = known_signatures; known->algorithm != 0; known++) {
		struct public_key *key = public_key_new(known->algorithm, known->key, known->key_len);
		for (size_t len = 0; len < sizeof(signature); len++)
			assert_int_equal(public_key_verify(key, known_data, sizeof(known_data), signature, len),
				len == known->signature_len ? E_MISMATCH : E_MALFORMED);
		public_key_free(key);
	}
}

static void test_digests(void **state)
{
	static const struct {
		uint8_t type;
		size_t len;
		const char *abc; /* of "abc", FIPS 180-4's example; as far as it is compared */
	} cases[] = {
		{1, 20, "\xa9\x99\x3e\x36\x47\x06\x81\x6a"},
		{2, 32, "\xba\x78\x16\xbf\x8f\x01\xcf\xea"},
		{4, 48, "\xcb\x00\x75\x3f\x45\xa3\x5e\x8b"},
	};
	uint8_t out[CRYPTO_DIGEST_MAX];
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_int_equal(crypto_digest_len(cases[i].type), cases[i].len);
		assert_true(crypto_digest(out, cases[i].type, (const uint8_t *)"a", 1, (const uint8_t *)"bc", 2));
		assert_memory_equal(out, cases[i].abc, 8);
	}
	assert_int_equal(crypto_digest_len(0), 0);
	assert_int_equal(crypto_digest_len(3), 0);
	assert_false(crypto_digest(out, 3, (const uint8_t *)"a", 1, (const uint8_t *)"", 0));
}

static void test_algorithms(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		bool known = i == 5 || i == 7 || i == 8 || i == 10 || (i >= 13 && i <= 16);
		assert_int_equal(crypto_has_algorithm((uint8_t)i), known);
		if (!known)
			assert_null(public_key_new((uint8_t)i, (const uint8_t *)"\3\1\0\1\1\1\1\1", 8));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_rsa_forms),
		cmocka_unit_test(test_rsa_sizes),
		cmocka_unit_test(test_points),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_digests),
		cmocka_unit_test(test_algorithms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
