/* Memory of one request, freed as a whole.
 *
 *	struct arena arena;
 *	arena_init(&arena);
 *	uint8_t *copy = arena_copy(&arena, name, len);
 *	arena_deinit(&arena);
 *
 * Allocation never returns NULL: a process without memory aborts with a line. What the network can size is limited
 * before it comes here (budget_take looks at arena_used). Not thread safe: one owner. Never suspends. */
#pragma once

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* newest first */
	uint8_t *pos, *end;         /* free part of the newest */
	size_t used;                /* bytes handed out since the last reset */
};

void arena_init(struct arena *arena);
void arena_deinit(struct arena *arena);
/* Everything allocated is gone; one chunk stays for the next round. */
void arena_reset(struct arena *arena);

/* For arena_alloc alone, when the newest chunk is full. */
void *arena_alloc_more(struct arena *arena, size_t size) __attribute__((returns_nonnull, nonnull));
/* `size` bytes aligned for any type, not initialised. No bytes get a place too. */
__attribute__((malloc, returns_nonnull, nonnull)) static inline void *arena_alloc(struct arena *arena, size_t size)
{
	const size_t align = alignof(max_align_t);
	size_t need = size > 0 ? (size + align - 1) & ~(align - 1) : align;
	if (size > SIZE_MAX / 2 || (size_t)(arena->end - arena->pos) < need)
		return arena_alloc_more(arena, size);
	void *mem = arena->pos;
	arena->pos += need;
	arena->used += need;
	return mem;
}
void *arena_zalloc(struct arena *arena, size_t size) __attribute__((malloc, returns_nonnull, nonnull));
void *arena_copy(struct arena *arena, const void *data, size_t len) __attribute__((returns_nonnull));

/* A place to go back to: what is allocated after arena_mark is given back by arena_release, newest mark first. A reset
 * makes marks void. */
struct arena_mark {
	struct arena_chunk *chunk;
	uint8_t *pos;
	size_t used;
};
struct arena_mark arena_mark(const struct arena *arena);
void arena_release(struct arena *arena, const struct arena_mark *mark);

static inline size_t arena_used(const struct arena *arena)
{
	return arena->used;
}

/* malloc, realloc and calloc that abort with a line instead of returning NULL; for small things at start and on rare
 * paths. */
void *xalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *mem, size_t size) __attribute__((returns_nonnull, warn_unused_result));
void *xzalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
