#include "unit/unit.h"

#include <stdalign.h>

#include "base/arena.h"

static void test_alignment(void **state)
{
	static const size_t sizes[] = {0, 1, 2, 7, 8, 15, 16, 17, 63, 4095, 16319, 16320, 16321};
	struct arena arena;
	(void)state;
	arena_init(&arena);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		uint8_t *mem = arena_alloc(&arena, sizes[i]);
		assert_non_null(mem);
		assert_int_equal((uintptr_t)mem % alignof(max_align_t), 0);
		memset(mem, 0xee, sizes[i]); /* ASan says when it is not ours */
	}
	arena_deinit(&arena);
}

/* Nothing asked of an arena that has nothing yet: still no NULL, as the header promises. */
static void test_empty(void **state)
{
	struct arena arena;
	(void)state;
	arena_init(&arena);
	assert_non_null(arena_alloc(&arena, 0));
	arena_deinit(&arena);
	arena_init(&arena);
	assert_non_null(arena_copy(&arena, NULL, 0));
	arena_deinit(&arena);
	arena_deinit(&arena); /* twice is harmless */
}

static void test_no_overlap(void **state)
{
	enum { PIECES = 5000 };
	static uint32_t *piece[PIECES];
	struct arena arena;
	(void)state;
	arena_init(&arena);
	for (uint32_t i = 0; i < PIECES; i++) {
		piece[i] = arena_alloc(&arena, 4 + i % 97);
		*piece[i] = i;
	}
	for (uint32_t i = 0; i < PIECES; i++)
		assert_int_equal(*piece[i], i);
	assert_true(arena_used(&arena) >= PIECES * 4);
	arena_deinit(&arena);
}

static void test_reset(void **state)
{
	struct arena arena;
	(void)state;
	arena_init(&arena);
	void *first = arena_alloc(&arena, 100);
	for (int i = 0; i < 100; i++)
		arena_alloc(&arena, 10000);
	arena_alloc(&arena, 5 << 20);
	arena_reset(&arena);
	assert_int_equal(arena_used(&arena), 0);
	/* One chunk of the usual size stays: the next round costs no malloc. */
	void *again = arena_alloc(&arena, 100);
	arena_reset(&arena);
	assert_ptr_equal(arena_alloc(&arena, 100), again);
	(void)first;
	arena_deinit(&arena);

	arena_init(&arena);
	arena_alloc(&arena, 5 << 20); /* only a huge one: it does not stay */
	arena_reset(&arena);
	assert_null(arena.chunks);
	memset(arena_alloc(&arena, 64), 1, 64);
	arena_deinit(&arena);
}

static void test_release(void **state)
{
	static const size_t before[] = {0, 1, 16000, 16320, 1 << 20}, after[] = {1, 400, 16320, 40000, 1 << 20};
	struct arena arena;
	(void)state;
	arena_init(&arena);
	struct arena_mark empty = arena_mark(&arena);
	for (size_t i = 0; i < COUNT_OF(before); i++) {
		uint8_t *kept = arena_zalloc(&arena, before[i] + 1);
		struct arena_mark mark = arena_mark(&arena);
		size_t used = arena_used(&arena);
		for (size_t j = 0; j < COUNT_OF(after); j++)
			memset(arena_alloc(&arena, after[j]), 0xee, after[j]);
		arena_release(&arena, &mark);
		assert_int_equal(arena_used(&arena), used);
		assert_ptr_equal(arena.chunks, mark.chunk);
		assert_int_equal(kept[0] | kept[before[i]], 0);
		arena_release(&arena, &mark); /* twice is harmless */
		memset(arena_alloc(&arena, after[0]), 0, after[0]);
		arena_release(&arena, &mark);
	}
	arena_release(&arena, &empty);
	assert_null(arena.chunks);
	assert_int_equal(arena_used(&arena), 0);
	assert_non_null(arena_alloc(&arena, 0));
	arena_deinit(&arena);
}

static void test_huge(void **state)
{
	struct arena arena;
	(void)state;
	arena_init(&arena);
	uint8_t *small = arena_alloc(&arena, 16);
	uint8_t *huge = arena_zalloc(&arena, 8 << 20);
	assert_int_equal(huge[0] | huge[(8 << 20) - 1], 0);
	memset(huge, 0xff, 8 << 20);
	small[15] = 1;
	uint8_t *copy = arena_copy(&arena, huge, 4 << 20);
	assert_memory_equal(copy, huge, 4 << 20);
	assert_true(arena_used(&arena) >= 12 << 20);
	arena_deinit(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_no_overlap),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_huge),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
