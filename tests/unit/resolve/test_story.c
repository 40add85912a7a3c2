#include "unit/unit.h"

#include "base/limits.h"
#include "resolve/story.h"

static void test_limit(void **state)
{
	struct arena arena;
	(void)state;
	arena_init(&arena);
	struct story *story = story_new(&arena, 1000);
	for (unsigned i = 0; i < LIMIT_STORY_EVENTS; i++) {
		story->depth = i % 3;
		struct story_event *event = story_add(story, STORY_ASK, 1000 + i, "step %u", i);
		assert_non_null(event);
		assert_ptr_equal(story->last, event);
		assert_int_equal(event->server.sa.sa_family, 0);
	}
	for (int i = 0; i < 7; i++)
		assert_null(story_add(story, STORY_ANSWER, 9999, "too much"));
	assert_int_equal(story->count, LIMIT_STORY_EVENTS);
	assert_int_equal(story->left_out, 7);
	unsigned count = 0;
	for (const struct story_event *event = story->first; event != NULL; event = event->next, count++) {
		char text[32];
		snprintf(text, sizeof(text), "step %u", count);
		assert_string_equal(event->text, text);
		assert_int_equal(event->after_us, count);
		assert_int_equal(event->depth, count % 3);
	}
	assert_int_equal(count, LIMIT_STORY_EVENTS);
	arena_deinit(&arena);
}

static void test_none_and_long(void **state)
{
	static char text[3000];
	struct arena arena;
	(void)state;
	assert_null(story_add(NULL, STORY_ASK, 1, "nobody %s", "listens"));
	arena_init(&arena);
	memset(text, 'x', sizeof(text) - 1);
	const struct story_event *event = story_add(story_new(&arena, 0), STORY_ASK, 1, "%s", text);
	assert_int_equal(strlen(event->text), 399);
	for (int a = 0; a < STORY_KINDS; a++)
		for (int b = 0; b < a; b++)
			assert_string_not_equal(
				story_kind_text((enum story_kind)a), story_kind_text((enum story_kind)b));
	arena_deinit(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_limit), cmocka_unit_test(test_none_and_long)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
