/* Decides how a request's memory is cut from chunks, and what happens when there is none. */
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_SIZE = 16 * 1024 - 64 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t size; /* of data */
	alignas(max_align_t) uint8_t data[];
};

_Noreturn static void die_without_memory(size_t size)
{
	fprintf(stderr, "berth: out of memory (%zu bytes wanted); lower cache.memory or give the service more\n", size);
	abort();
}

void *xalloc(size_t size)
{
	void *mem = malloc(size ? size : 1);
	if (mem == NULL)
		die_without_memory(size);
	return mem;
}

void *xrealloc(void *mem, size_t size)
{
	void *moved = realloc(mem, size ? size : 1);
	if (moved == NULL)
		die_without_memory(size);
	return moved;
}

void *xzalloc(size_t count, size_t size)
{
	void *mem = calloc(count ? count : 1, size ? size : 1);
	if (mem == NULL)
		die_without_memory(count * size);
	return mem;
}

void arena_init(struct arena *arena)
{
	*arena = (struct arena){0};
}

static void free_chunks(struct arena_chunk *chunk)
{
	while (chunk != NULL) {
		struct arena_chunk *next = chunk->next;
		free(chunk);
		chunk = next;
	}
}

void arena_deinit(struct arena *arena)
{
	free_chunks(arena->chunks);
	arena_init(arena);
}

void arena_reset(struct arena *arena)
{
	struct arena_chunk *keep = NULL, *chunk = arena->chunks;
	while (chunk != NULL) {
		struct arena_chunk *next = chunk->next;
		if (keep == NULL && chunk->size == CHUNK_SIZE)
			keep = chunk;
		else
			free(chunk);
		chunk = next;
	}
	arena_init(arena);
	if (keep != NULL) {
		keep->next = NULL;
		arena->chunks = keep;
		arena->pos = keep->data;
		arena->end = keep->data + keep->size;
	}
}

struct arena_mark arena_mark(const struct arena *arena)
{
	return (struct arena_mark){.chunk = arena->chunks, .pos = arena->pos, .used = arena->used};
}

void arena_release(struct arena *arena, const struct arena_mark *mark)
{
	while (arena->chunks != mark->chunk) {
		struct arena_chunk *chunk = arena->chunks;
		arena->chunks = chunk->next;
		free(chunk);
	}
	arena->pos = mark->pos;
	arena->end = mark->chunk != NULL ? mark->chunk->data + mark->chunk->size : NULL;
	arena->used = mark->used;
}

static void add_chunk(struct arena *arena, size_t size)
{
	size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
	struct arena_chunk *chunk = xalloc(sizeof(*chunk) + room);
	chunk->size = room;
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	arena->pos = chunk->data;
	arena->end = chunk->data + room;
}

void *arena_alloc_more(struct arena *arena, size_t size)
{
	if (size > SIZE_MAX / 2)
		die_without_memory(size);
	add_chunk(arena, size + alignof(max_align_t));
	return arena_alloc(arena, size);
}

void *arena_zalloc(struct arena *arena, size_t size)
{
	return memset(arena_alloc(arena, size), 0, size);
}

void *arena_copy(struct arena *arena, const void *data, size_t len)
{
	void *mem = arena_alloc(arena, len);
	if (len > 0)
		memcpy(mem, data, len);
	return mem;
}
