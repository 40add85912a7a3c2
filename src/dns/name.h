/* Domain names in wire form, as libknot keeps them. Inside the house every name is lower case and uncompressed, so that
 * equality is equality of bytes; only message readers and writers know a name's case.
 *
 *	uint8_t name[NAME_MAX_LEN];
 *	if (name_from_text(name, "www.example.org") != 0) ...
 *	if (name_is_below(name, zone)) ...
 *
 * Standards: RFC 1035 3.1, RFC 4343. Ownership: the caller's. Thread: any. Never suspends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"

enum { NAME_MAX_LEN = 255, NAME_TEXT = 1008 };

/* Lower case, with or without the last dot. 0, or E_INVAL. */
int name_from_text(uint8_t out[static NAME_MAX_LEN], const char *text);
/* With the last dot; bytes that are not printable come as \DDD. Returns out. */
const char *name_text(const uint8_t *name, char out[static NAME_TEXT]);

/* Bytes, the root label included. */
__attribute__((nonnull)) static inline size_t name_len(const uint8_t *name)
{
	const uint8_t *at = name;
	while (*at != 0)
		at += 1u + *at;
	return (size_t)(at - name) + 1;
}
unsigned name_labels(const uint8_t *name); /* the root has 0 */
__attribute__((nonnull)) static inline bool name_is_equal(const uint8_t *a, const uint8_t *b)
{
	while (*a == *b && *a != 0 && memcmp(a + 1, b + 1, *a) == 0) {
		a += 1u + *a;
		b += 1u + *b;
	}
	return *a == 0 && *b == 0;
}
bool name_is_equal_nocase(const uint8_t *a, const uint8_t *b);
/* name is zone itself or below it. */
bool name_is_within(const uint8_t *name, const uint8_t *zone);
/* name is truly below zone. */
bool name_is_below(const uint8_t *name, const uint8_t *zone);
static inline bool name_is_root(const uint8_t *name)
{
	return name[0] == 0;
}
/* The name without its first label; NULL for the root. Points into name. */
const uint8_t *name_parent(const uint8_t *name);
/* The last `labels` labels of name; name itself when it has no more. Points into name. */
const uint8_t *name_suffix(const uint8_t *name, unsigned labels);

void name_lower(uint8_t *name);
/* The `len` bytes of a name, to another place or to the same. Length bytes are at most 63, below 'A': none is harmed. */
void name_lower_to(uint8_t *to, const uint8_t *from, size_t len);
uint8_t *name_copy(struct arena *arena, const uint8_t *name);
uint8_t *name_copy_lower(struct arena *arena, const uint8_t *name);

/* Length of the uncompressed name that begins at wire, or 0 when it does not end within `room` bytes, is longer than
 * 255 or holds a compression pointer. For questions: nothing before them can be pointed to. */
size_t name_wire_len(const uint8_t *wire, size_t room);
