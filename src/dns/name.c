/* Decides how names are compared and cut; text is libknot's. */
#include "dns/name.h"

#include <string.h>

#include "base/error.h"
#include "dns/knot.h"

_Static_assert(NAME_MAX_LEN == KNOT_DNAME_MAXLEN, "RFC 1035 2.3.4");
_Static_assert(NAME_TEXT > KNOT_DNAME_TXT_MAXLEN, "the longest text must fit");

int name_from_text(uint8_t out[static NAME_MAX_LEN], const char *text)
{
	if (text[0] == '\0' || strlen(text) > KNOT_DNAME_TXT_MAXLEN)
		return E_INVAL;
	if (knot_dname_from_str(out, text, NAME_MAX_LEN) == NULL)
		return E_INVAL;
	name_lower(out);
	return 0;
}

const char *name_text(const uint8_t *name, char out[static NAME_TEXT])
{
	if (knot_dname_to_str(out, name, NAME_TEXT) == NULL)
		strcpy(out, "?");
	return out;
}

unsigned name_labels(const uint8_t *name)
{
	unsigned labels = 0;
	for (; *name != 0; name += 1u + *name)
		labels++;
	return labels;
}

bool name_is_equal_nocase(const uint8_t *a, const uint8_t *b)
{
	return knot_dname_is_case_equal(a, b);
}

bool name_is_within(const uint8_t *name, const uint8_t *zone)
{
	size_t left = name_len(name), wanted = name_len(zone);
	while (left > wanted) {
		left -= 1u + *name;
		name += 1u + *name;
	}
	return left == wanted && memcmp(name, zone, wanted) == 0;
}

bool name_is_below(const uint8_t *name, const uint8_t *zone)
{
	return name_len(name) > name_len(zone) && name_is_within(name, zone);
}

const uint8_t *name_parent(const uint8_t *name)
{
	return name_is_root(name) ? NULL : name + 1 + name[0];
}

const uint8_t *name_suffix(const uint8_t *name, unsigned labels)
{
	for (unsigned have = name_labels(name); have > labels; have--)
		name += 1 + name[0];
	return name;
}

static inline uint8_t lower(uint8_t byte)
{
	return (uint8_t)(byte | ((uint8_t)(byte - 'A') < 26 ? 0x20 : 0));
}

/* Eight at once: 0x20 is set where the byte is between 'A' and 'Z'. */
static inline uint64_t lower_word(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), high = ones * 0x80;
	uint64_t low = word & ~high, above = low + ones * (0x80 - 'A'), beyond = low + ones * (0x7f - 'Z');
	return word | ((~word & (above ^ beyond) & high) >> 2);
}

static inline void lower_eight(uint8_t *to, const uint8_t *from)
{
	uint64_t word;
	memcpy(&word, from, sizeof(word));
	word = lower_word(word);
	memcpy(to, &word, sizeof(word));
}

void name_lower_to(uint8_t *to, const uint8_t *from, size_t len)
{
	size_t at = 0;
	for (; at + 8 <= len; at += 8)
		lower_eight(to + at, from + at);
	if (at > 0 && at < len)
		lower_eight(to + len - 8, from + len - 8); /* some bytes again */
	else
		for (; at < len; at++)
			to[at] = lower(from[at]);
}

void name_lower(uint8_t *name)
{
	name_lower_to(name, name, name_len(name));
}

uint8_t *name_copy(struct arena *arena, const uint8_t *name)
{
	return arena_copy(arena, name, name_len(name));
}

uint8_t *name_copy_lower(struct arena *arena, const uint8_t *name)
{
	uint8_t *copy = name_copy(arena, name);
	name_lower(copy);
	return copy;
}

size_t name_wire_len(const uint8_t *wire, size_t room)
{
	size_t pos = 0;
	while (pos < room && pos < NAME_MAX_LEN) {
		if (wire[pos] == 0)
			return pos + 1;
		if (wire[pos] > 63)
			return 0;
		pos += 1u + wire[pos];
	}
	return 0;
}
