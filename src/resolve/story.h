/* The story of a resolution, step by step, for `berth why`.
 *
 *	struct story *story = story_new(arena, now_us);
 *	struct story_event *event = story_add(rq->story, STORY_ASK, now_us, "asked the zone %s", text);
 *	if (event != NULL) event->server = server;
 *
 * A request without a story has NULL and every call does nothing. At most LIMIT_STORY_EVENTS are kept; the rest is
 * counted. Ports are told only of exchanges that ended. Ownership: the request's arena. Thread: the request's. */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/arena.h"
#include "ports/ledger.h"

enum story_kind {
	STORY_CACHE,
	STORY_ASK,
	STORY_REPLY,
	STORY_TIMEOUT,
	STORY_MISMATCH,
	STORY_ERROR,
	STORY_TCP,
	STORY_ROUTE,
	STORY_REFERRAL,
	STORY_ALIAS,
	STORY_ADDRESS,
	STORY_CHAIN,
	STORY_BUDGET,
	STORY_ANSWER,
	STORY_KINDS,
};

struct story_event {
	struct story_event *next;
	enum story_kind kind;
	uint64_t after_us; /* since the story began */
	unsigned depth;    /* 0: the client's question; more: for the address of a server */
	const char *text;
	/* Of an exchange; server.sa.sa_family is 0 when there was none. */
	struct addr server;
	uint16_t port;
	enum transport transport;
	const char *question;
	uint32_t rtt_us;
	const char *reply; /* what kind of reply */
};

struct story {
	struct arena *arena;
	uint64_t begin_us;
	unsigned depth, count, left_out;
	struct story_event *first, *last;
};

struct story *story_new(struct arena *arena, uint64_t now_us);
/* NULL when there is no story or no room. */
struct story_event *story_add(struct story *story, enum story_kind kind, uint64_t now_us, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
const char *story_kind_text(enum story_kind kind);
