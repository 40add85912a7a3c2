/* Decides what is remembered of a resolution's steps. */
#include "resolve/story.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"

enum { TEXT_MAX = 400 };

struct story *story_new(struct arena *arena, uint64_t now_us)
{
	struct story *story = arena_zalloc(arena, sizeof(*story));
	story->arena = arena;
	story->begin_us = now_us;
	return story;
}

struct story_event *story_add(struct story *story, enum story_kind kind, uint64_t now_us, const char *format, ...)
{
	if (story == NULL)
		return NULL;
	if (story->count >= LIMIT_STORY_EVENTS) {
		story->left_out++;
		return NULL;
	}
	char text[TEXT_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	struct story_event *event = arena_zalloc(story->arena, sizeof(*event));
	event->kind = kind;
	event->after_us = now_us - story->begin_us;
	event->depth = story->depth;
	event->text = arena_copy(story->arena, text, strlen(text) + 1);
	if (story->last != NULL)
		story->last->next = event;
	else
		story->first = event;
	story->last = event;
	story->count++;
	return event;
}

const char *story_kind_text(enum story_kind kind)
{
	static const char *const words[STORY_KINDS] = {"cache", "ask", "reply", "timeout", "mismatch", "error", "tcp",
		"route", "referral", "alias", "address", "chain", "budget", "answer"};
	return words[kind];
}
