/* Words of ASCII whose case does not matter: their order, and which is near to another, for "did you mean ...?".
 *
 *	struct near near = near_to("ragne");
 *	near_try(&near, "range");
 *	near_try(&near, "pool");
 *	if (near.word != NULL)
 *		printf("did you mean %s?\n", near.word);
 *
 * The locale has no say. The words are the caller's and have to live as long as the struct. Thread: any. */
#pragma once

#include <stddef.h>

/* As strcmp, upper case taken for lower. */
int word_compare(const char *a, const char *b) __attribute__((nonnull));

struct near {
	const char *to, *word; /* word: the best so far; NULL: none is near enough to be meant */
	unsigned distance;
};

static inline struct near near_to(const char *text)
{
	return (struct near){text, NULL, 3};
}

/* Takes the word when at most two letters, and at most half of its letters, differ, and when it is nearer than those
 * before; the case of letters does not count. */
void near_try(struct near *near, const char *word) __attribute__((nonnull));
