/* One good signature of each algorithm over the same five bytes, by which the house finds out what its library does.
 *
 *	for (const struct known_signature *known = known_signatures; known->algorithm != 0; known++) ...
 *
 * Thread: any, constant. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct known_signature {
	uint8_t algorithm;
	const uint8_t *key;
	size_t key_len;
	const uint8_t *signature;
	size_t signature_len;
};

extern const uint8_t known_data[5];
extern const struct known_signature known_signatures[]; /* ends with algorithm 0 */
