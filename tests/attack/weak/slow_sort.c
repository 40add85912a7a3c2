/* Decides that records of a reply are put in order by looking at each pair of them. */
#include <stdlib.h>
#include <string.h>

enum { ITEM_MAX = 256 };

void __real_qsort(void *items, size_t count, size_t size, int (*compare)(const void *, const void *));
void __wrap_qsort(void *items, size_t count, size_t size, int (*compare)(const void *, const void *));

void __wrap_qsort(void *items, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	char *at = items, held[ITEM_MAX];
	if (size > ITEM_MAX) {
		__real_qsort(items, count, size, compare);
		return;
	}
	for (size_t i = 1; i < count; i++) {
		size_t j = i;
		memcpy(held, at + i * size, size);
		for (; j > 0 && compare(at + (j - 1) * size, held) > 0; j--)
			memcpy(at + j * size, at + (j - 1) * size, size);
		memcpy(at + j * size, held, size);
	}
}
