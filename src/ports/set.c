/* Decides how sets and ranges of ports are written and counted. */
#include "ports/set.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

void port_set_fill(struct port_set *set, uint16_t first, uint16_t last)
{
	memset(set, 0, sizeof(*set));
	port_set_add_range(set, (struct port_range){first, last});
}

/* The bits of word i that belong to ports first to last. */
static uint64_t mask(unsigned i, unsigned first, unsigned last)
{
	unsigned low = first > i * 64 ? first - i * 64 : 0, high = last < i * 64 + 63 ? last - i * 64 : 63;
	return UINT64_MAX << low & UINT64_MAX >> (63 - high);
}

void port_set_add_range(struct port_set *set, struct port_range range)
{
	for (unsigned i = range.first / 64; range.first <= range.last && i <= range.last / 64u; i++)
		set->word[i] |= mask(i, range.first, range.last);
}

void port_set_remove(struct port_set *set, uint16_t first, uint16_t last)
{
	for (unsigned i = first / 64; first <= last && i <= last / 64u; i++)
		set->word[i] &= ~mask(i, first, last);
}

void port_set_join(struct port_set *set, const struct port_set *more)
{
	for (unsigned i = 0; i < PORT_SET_WORDS; i++)
		set->word[i] |= more->word[i];
}

void port_set_subtract(struct port_set *set, const struct port_set *less)
{
	for (unsigned i = 0; i < PORT_SET_WORDS; i++)
		set->word[i] &= ~less->word[i];
}

unsigned port_set_count(const struct port_set *set)
{
	unsigned count = 0;
	for (unsigned i = 0; i < PORT_SET_WORDS; i++)
		count += (unsigned)__builtin_popcountll(set->word[i]);
	return count;
}

/* Digits only: no sign, no space, no hexadecimal; NULL when there is no port of 0-65535 at text. */
static const char *read_port(const char *text, unsigned *port)
{
	if (text[0] < '0' || text[0] > '9')
		return NULL;
	unsigned value = 0;
	for (; *text >= '0' && *text <= '9'; text++) {
		value = value * 10 + (unsigned)(*text - '0');
		if (value >= PORTS_ALL)
			return NULL;
	}
	*port = value;
	return text;
}

static const char *read_range(const char *text, unsigned *first, unsigned *last)
{
	text = read_port(text, first);
	*last = *first;
	if (text != NULL && *text == '-')
		text = read_port(text + 1, last);
	return text != NULL && *first <= *last ? text : NULL;
}

int port_range_parse(struct port_range *range, const char *text)
{
	unsigned first = 0, last = 0;
	text = read_range(text, &first, &last);
	if (text == NULL || *text != '\0' || first == 0)
		return E_INVAL;
	*range = (struct port_range){(uint16_t)first, (uint16_t)last};
	return 0;
}

unsigned port_set_remove_list(struct port_set *set, const char *text)
{
	unsigned before = port_set_count(set);
	while (*text != '\0') {
		unsigned first = 0, last = 0;
		const char *end = read_range(text, &first, &last);
		if (end != NULL && (*end == '\0' || strchr(", \t\n", *end) != NULL))
			port_set_remove(set, (uint16_t)first, (uint16_t)last);
		/* An entry that cannot be read is passed over: the others still count. */
		text += strcspn(text, ",\n");
		text += strspn(text, ", \t\n");
	}
	return before - port_set_count(set);
}
