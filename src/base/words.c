/* Decides the order of words, and when two are so alike that one may be the other, misspelt. */
#include "base/words.h"

#include <stdbool.h>
#include <string.h>

enum { NEAR_WORD = 24 }; /* longer words are far from everything */

/* Not tolower(3): in a Turkish locale I and i are no pair. */
static int lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

int word_compare(const char *a, const char *b)
{
	while (*a != '\0' && lower(*a) == lower(*b)) {
		a++;
		b++;
	}
	return lower(*a) - lower(*b);
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;
	return least < c ? least : c;
}

/* Levenshtein's distance, two neighbours that changed places counting as one difference. */
static unsigned distance(const char *a, size_t len_a, const char *b, size_t len_b)
{
	unsigned rows[3][NEAR_WORD], *last = rows[0], *row = rows[1], *next = rows[2];
	for (size_t j = 0; j <= len_b; j++)
		row[j] = last[j] = (unsigned)j;
	for (size_t i = 1; i <= len_a; i++) {
		next[0] = (unsigned)i;
		for (size_t j = 1; j <= len_b; j++) {
			bool differ = lower(a[i - 1]) != lower(b[j - 1]);
			next[j] = least(row[j - 1] + differ, row[j] + 1, next[j - 1] + 1);
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
				lower(a[i - 2]) == lower(b[j - 1]) && last[j - 2] + 1 < next[j])
				next[j] = last[j - 2] + 1;
		}
		unsigned *spare = last;
		last = row;
		row = next;
		next = spare;
	}
	return row[len_b];
}

void near_try(struct near *near, const char *word)
{
	size_t len = strlen(near->to), word_len = strlen(word);
	size_t apart = len > word_len ? len - word_len : word_len - len;
	/* The difference in length is a lower bound that spares most of the work. */
	if (len >= NEAR_WORD || word_len >= NEAR_WORD || apart >= near->distance)
		return;
	unsigned found = distance(near->to, len, word, word_len);
	if (found < near->distance && found * 2 <= word_len) {
		near->distance = found;
		near->word = word;
	}
}
