/* Digests and public keys as DNSSEC writes them: the one place that talks to OpenSSL.
 *
 *	struct public_key *key = public_key_new(13, rdata, 64);
 *	ret = public_key_verify(key, data, len, signature, 64);
 *	public_key_free(key);
 *
 * Algorithms and digests have the numbers of the IANA's DNSSEC registries. Every byte is hostile. Standards: RFC 3110,
 * 5702, 6605, 8080. Ownership: the caller's. Thread: digests any; a key is one thread's, for it holds the workings of
 * its last check. Never suspends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CRYPTO_DIGEST_MAX = 48 };

/* Digests of DS records: 1 (SHA-1), 2 (SHA-256), 4 (SHA-384). Its length, or 0 when it is another or the library has it
 * not. */
size_t crypto_digest_len(uint8_t digest_type);
/* Over a, then b. False when the library fails. out takes crypto_digest_len bytes. */
bool crypto_digest(uint8_t out[static CRYPTO_DIGEST_MAX], uint8_t digest_type, const uint8_t *a, size_t a_len,
	const uint8_t *b, size_t b_len) __attribute__((warn_unused_result));

/* Whether the library has shown that it checks signatures of that algorithm: at the first call it is given a known one
 * of each, since a system's policy may forbid what the library could do. */
bool crypto_has_algorithm(uint8_t algorithm);

/* NULL when the key is not of its algorithm's form: wrong length, no point of the curve, an RSA modulus under 512 or
 * above 4096 bits (under 1024 for SHA-512, RFC 5702 2.2), an RSA exponent that is even, 1 or above 64 bits. So no key
 * costs more than a fraction of a millisecond. */
struct public_key *public_key_new(uint8_t algorithm, const uint8_t *key, size_t len);
void public_key_free(struct public_key *key);
/* 0; E_MISMATCH: not this key's signature of these data; E_MALFORMED: it has not the length of such a signature. */
int public_key_verify(struct public_key *key, const uint8_t *data, size_t len, const uint8_t *signature,
	size_t signature_len) __attribute__((warn_unused_result));
