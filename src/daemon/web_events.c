/* Decides what viewers are told as it happens, how often, and what becomes of one who does not listen.
 *
 * One computation serves all viewers: a quarter of a second's loans and changes become frames, which are shared. */
#include "daemon/web_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"

enum {
	TICK_US = 250000,
	TICKS_A_SECOND = 4,
	FRAMES = 256,
	BLOCK = 16384,
	TOLD = 4,    /* loans of a tick that are told in words */
	PACKED = 3,  /* bytes of the others: port, outcome */
	FIRST = 128, /* loans of the past that a first viewer begins with */
};

#define UNSEEN UINT64_MAX

/* A piece of the stream; every viewer that has not read it holds a reference. */
struct frame {
	unsigned refs;
	size_t len;
	char text[];
};

struct viewer {
	struct link link;
	struct web_events *events;
	struct MHD_Connection *conn;
	struct web_client *client;
	uint64_t since_us;
	struct frame *frame[FRAMES];
	unsigned first, count;
	size_t offset, bytes; /* of the first frame; of all */
	bool is_asleep, is_over;
};

/* What the tick's tour brings home. Written by each worker in its turn. */
struct gathering {
	struct tour tour;
	struct web_events *events;
	struct ledger_entry *loan;
	size_t count, room;
	uint64_t passed_over;
	bool is_away;
};

struct web_events {
	struct web *web;
	struct link viewers;
	unsigned count, ticks;
	struct timer timer;
	uint64_t *seen; /* of each worker's ledger */
	struct gathering gathering;
};

/* --- frames --- */

static void frame_unref(struct frame *frame)
{
	if (--frame->refs == 0)
		free(frame);
}

static struct frame *frame_new(const char *name, const char *text)
{
	size_t room = strlen(name) + strlen(text) + sizeof("event: \ndata: \n\n");
	struct frame *frame = xalloc(sizeof(*frame) + room);
	frame->refs = 1;
	frame->len = (size_t)snprintf(frame->text, room, "event: %s\ndata: %s\n\n", name, text);
	return frame;
}

static void drop_frames(struct viewer *viewer)
{
	for (; viewer->count > 0; viewer->count--) {
		frame_unref(viewer->frame[viewer->first]);
		viewer->first = (viewer->first + 1) % FRAMES;
	}
	viewer->bytes = viewer->offset = 0;
}

static void append(struct viewer *viewer, struct frame *frame)
{
	viewer->frame[(viewer->first + viewer->count++) % FRAMES] = frame;
	viewer->bytes += frame->len;
	frame->refs++;
}

static void wake(struct viewer *viewer)
{
	if (!viewer->is_asleep)
		return;
	viewer->is_asleep = false;
	web_resume(viewer->events->web, viewer->conn);
}

/* Who is too slow does not hold what it did not read: the stream ends, and the browser asks for all anew. */
static void give(struct viewer *viewer, struct frame *frame)
{
	if (viewer->is_over)
		return;
	if (viewer->count == FRAMES || viewer->bytes + frame->len > LIMIT_WEB_VIEWER_BYTES)
		viewer->is_over = true;
	else
		append(viewer, frame);
	wake(viewer);
}

void events_tell(struct web_events *events, const char *name, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(value);
	if (text == NULL)
		return;
	struct frame *frame = frame_new(name, text);
	free(text);
	for (struct link *l = events->viewers.next; l != &events->viewers; l = l->next)
		give(container_of(l, struct viewer, link), frame);
	frame_unref(frame);
}

/* --- a viewer's stream, as libmicrohttpd asks for it --- */

static ssize_t on_read(void *cls, uint64_t pos, char *out, size_t room)
{
	struct viewer *viewer = cls;
	size_t len = 0;
	(void)pos;
	while (viewer->count > 0 && len < room) {
		struct frame *frame = viewer->frame[viewer->first];
		size_t left = frame->len - viewer->offset, some = left < room - len ? left : room - len;
		memcpy(out + len, frame->text + viewer->offset, some);
		len += some;
		viewer->offset += some;
		if (viewer->offset < frame->len)
			break;
		viewer->bytes -= frame->len;
		viewer->offset = 0;
		viewer->first = (viewer->first + 1) % FRAMES;
		viewer->count--;
		frame_unref(frame);
	}
	if (len == 0 && viewer->is_over)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (len == 0) {
		viewer->is_asleep = true;
		MHD_suspend_connection(viewer->conn);
	}
	return (ssize_t)len;
}

static void on_gone(void *cls)
{
	struct viewer *viewer = cls;
	struct web_events *events = viewer->events;
	drop_frames(viewer);
	link_remove(&viewer->link);
	viewer->client->is_viewer = false;
	free(viewer);
	if (--events->count == 0)
		loop_timer_cancel(&events->web->server->loop, &events->timer);
}

/* --- what the workers did --- */

static void visit(struct tour *tour, struct worker *worker)
{
	struct gathering *g = container_of(tour, struct gathering, tour);
	uint64_t *seen = &g->events->seen[worker->index], added = ledger_added(worker->ledger), lost = 0;
	if (*seen == UNSEEN) /* of what happened while nobody looked, what is fresh */
		*seen = added > FIRST ? added - FIRST : 0;
	if (added - *seen > LIMIT_WEB_LOANS) {
		g->passed_over += added - LIMIT_WEB_LOANS - *seen;
		*seen = added - LIMIT_WEB_LOANS;
	}
	size_t room = g->room - g->count;
	g->count += ledger_since(
		worker->ledger, seen, g->loan + g->count, room < LIMIT_WEB_LOANS ? room : LIMIT_WEB_LOANS, &lost);
	g->passed_over += lost;
}

static json_t *loan_json(const struct ledger_entry *loan)
{
	char server[ADDR_TEXT], question[NAME_TEXT + TYPE_TEXT];
	json_t *text = json_string(loan_tag_text(&loan->tag, question, sizeof(question)));
	return json_pack("{s:i, s:s, s:s, s:f, s:s, s:o, s:I}", "port", (int)loan->port, "server",
		addr_text(&loan->server, server), "transport", transport_text((enum transport)loan->transport), "at",
		(double)loan->begin_us / 1e6, "outcome", loan_outcome_text((enum loan_outcome)loan->outcome),
		"question", text != NULL ? text : json_string("?"), "took_us", (json_int_t)loan->took_us);
}

/* Port and outcome of each, in base64 of three bytes: four characters. */
static json_t *pack_loans(const struct ledger_entry *loan, size_t count)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = xalloc(4 * count + 1), *out = text;
	for (size_t i = 0; i < count; i++) {
		uint32_t three = (uint32_t)loan[i].port << 8 | loan[i].outcome;
		for (int shift = 18; shift >= 0; shift -= 6)
			*out++ = digits[three >> shift & 63];
	}
	json_t *packed = json_stringn(text, (size_t)(out - text));
	free(text);
	return packed;
}

static void tell_loans(struct web_events *events)
{
	struct gathering *g = &events->gathering;
	json_t *told = json_array();
	for (size_t i = g->count > TOLD ? g->count - TOLD : 0; i < g->count; i++)
		json_array_append_new(told, loan_json(&g->loan[i]));
	events_tell(events, "loans",
		json_pack("{s:o, s:o, s:I}", "packed", pack_loans(g->loan, g->count), "last", told, "more",
			(json_int_t)g->passed_over));
}

static void on_home(struct tour *tour)
{
	struct gathering *g = container_of(tour, struct gathering, tour);
	g->is_away = false;
	if (g->count > 0 && !g->events->web->is_ending)
		tell_loans(g->events);
}

static void gather(struct web_events *events)
{
	struct gathering *g = &events->gathering;
	if (g->is_away)
		return; /* a worker is busy: what it did is told with the next tick */
	g->count = 0;
	g->passed_over = 0;
	g->is_away = true;
	tour_begin(&g->tour, events->web->server);
}

/* --- ticks --- */

static void finish_stats(struct web_tour *tour)
{
	if (!tour->web->is_ending)
		events_tell(tour->web->events, "stats", stats_json(tour));
}

static void end_old(struct web_events *events, uint64_t now_us)
{
	for (struct link *l = events->viewers.next; l != &events->viewers; l = l->next) {
		struct viewer *viewer = container_of(l, struct viewer, link);
		if (now_us - viewer->since_us > LIMIT_WEB_VIEW_S * 1000000ull) {
			viewer->is_over = true;
			wake(viewer);
		}
	}
}

static void on_tick(struct timer *timer)
{
	struct web_events *events = container_of(timer, struct web_events, timer);
	struct web *web = events->web;
	uint64_t now_us = web->server->loop.now_us;
	loop_timer_set(&web->server->loop, timer, now_us + TICK_US);
	gather(events);
	if (events->ticks++ % TICKS_A_SECOND != 0)
		return;
	end_old(events, now_us);
	map_tick(web->map, now_us);
	(void)tours_begin(web->tours, tour_new(web, finish_stats));
}

static void begin_ticks(struct web_events *events)
{
	struct gathering *g = &events->gathering;
	unsigned workers = events->web->server->workers;
	if (events->seen == NULL) { /* how many workers there are is known by now */
		events->seen = xalloc(workers * sizeof(*events->seen));
		g->room = workers * (size_t)LIMIT_WEB_LOANS;
		g->loan = xzalloc(g->room, sizeof(*g->loan));
	}
	for (unsigned i = 0; i < workers && !g->is_away; i++)
		events->seen[i] = UNSEEN;
	events->ticks = 0;
	loop_timer_set(&events->web->server->loop, &events->timer, clock_mono_us() + 1);
}

void events_run(struct visit *visit)
{
	struct web_events *events = visit->web->events;
	if (events->count >= LIMIT_WEB_VIEWERS) {
		web_reply_error(visit, MHD_HTTP_SERVICE_UNAVAILABLE, "%u viewers are looking already", events->count);
		return;
	}
	struct viewer *viewer = xzalloc(1, sizeof(*viewer));
	viewer->events = events;
	viewer->conn = visit->conn;
	viewer->client = visit->client;
	viewer->client->is_viewer = true;
	viewer->since_us = clock_mono_us();
	link_append(&events->viewers, &viewer->link);
	/* The browser waits so long before it asks again. */
	struct frame *hello = frame_new("hello", "{}\nretry: 2000");
	append(viewer, hello);
	frame_unref(hello);
	struct MHD_Response *response =
		MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, on_read, viewer, on_gone);
	MHD_add_response_header(response, "Content-Type", "text/event-stream");
	MHD_add_response_header(response, "X-Accel-Buffering", "no");
	web_reply(visit, MHD_HTTP_OK, response);
	if (events->count++ == 0)
		begin_ticks(events);
}

unsigned events_viewers(const struct web_events *events)
{
	return events->count;
}

/* --- begin and end --- */

struct web_events *events_new(struct web *web)
{
	struct web_events *events = xzalloc(1, sizeof(*events));
	events->web = web;
	events->timer.on_timer = on_tick;
	link_init(&events->viewers);
	events->gathering.events = events;
	events->gathering.tour.visit = visit;
	events->gathering.tour.done = on_home;
	return events;
}

void events_end(struct web_events *events)
{
	loop_timer_cancel(&events->web->server->loop, &events->timer);
	for (struct link *l = events->viewers.next; l != &events->viewers; l = l->next) {
		struct viewer *viewer = container_of(l, struct viewer, link);
		viewer->is_over = true;
		wake(viewer);
	}
}

void events_free(struct web_events *events)
{
	free(events->gathering.loan);
	free(events->seen);
	free(events);
}
