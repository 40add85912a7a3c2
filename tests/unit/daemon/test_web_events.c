/* When does a stream of events end? The loop, libmicrohttpd and the workers are played by this file; time stands still
 * until it is moved. */
#include "unit/unit.h"

#include "daemon/web_parts.h"
#include "unit/fake/clock.h"

static struct {
	MHD_ContentReaderCallback read;
	MHD_ContentReaderFreeCallback gone;
	void *viewer;
	unsigned suspended, resumed;
	struct timer *timer;
} played;

/* --- what web_events.c calls --- */

struct MHD_Response *MHD_create_response_from_callback(
	uint64_t size, size_t block, MHD_ContentReaderCallback read, void *arg, MHD_ContentReaderFreeCallback gone)
{
	(void)size;
	(void)block;
	played.read = read;
	played.gone = gone;
	played.viewer = arg;
	return NULL;
}

enum MHD_Result MHD_add_response_header(struct MHD_Response *response, const char *name, const char *value)
{
	(void)response;
	(void)name;
	(void)value;
	return MHD_YES;
}

void MHD_suspend_connection(struct MHD_Connection *conn)
{
	(void)conn;
	played.suspended++;
}

void web_resume(struct web *web, struct MHD_Connection *conn)
{
	(void)web;
	(void)conn;
	played.resumed++;
}

void web_reply(struct visit *visit, unsigned status, struct MHD_Response *response)
{
	(void)visit;
	(void)status;
	(void)response;
}

void web_reply_error(struct visit *visit, unsigned status, const char *format, ...)
{
	(void)visit;
	(void)status;
	(void)format;
	fail();
}

void map_tick(struct web_map *map, uint64_t now_us)
{
	(void)map;
	(void)now_us;
}

int tours_begin(struct web_tours *tours, struct web_tour *tour)
{
	(void)tours;
	(void)tour;
	return 0;
}

struct web_tour *tour_new(struct web *web, void (*finish)(struct web_tour *tour))
{
	(void)web;
	(void)finish;
	return NULL;
}

json_t *stats_json(const struct web_tour *tour)
{
	(void)tour;
	return json_object();
}

void tour_begin(struct tour *tour, struct server *server)
{
	(void)tour;
	(void)server;
}

void loop_timer_set(struct loop *loop, struct timer *timer, uint64_t at_us)
{
	(void)loop;
	timer->at_us = at_us;
	played.timer = timer;
}

void loop_timer_cancel(struct loop *loop, struct timer *timer)
{
	(void)loop;
	(void)timer;
	played.timer = NULL;
}

const char *loan_tag_text(const struct loan_tag *tag, char *out, size_t size)
{
	(void)tag;
	(void)size;
	*out = '\0';
	return out;
}

/* --- the tests --- */

static struct server server;
static struct web web = {.server = &server};
static struct web_client client;
static struct visit visit = {.web = &web, .client = &client};

static void pass(uint32_t seconds)
{
	fake_pass_s(seconds);
	for (int tick = 0; tick < 4; tick++) {
		server.loop.now_us = fake_mono_us;
		played.timer->on_timer(played.timer);
	}
}

static void test_a_silent_stream_ends_at_its_age(void **state)
{
	char text[256];
	(void)state;
	web.events = events_new(&web);
	server.loop.now_us = fake_mono_us;
	events_run(&visit);
	assert_int_equal(events_viewers(web.events), 1);
	assert_true(client.is_viewer);
	assert_true(played.read(played.viewer, 0, text, sizeof(text)) > 0);
	assert_int_equal(played.read(played.viewer, 0, text, sizeof(text)), 0);
	assert_int_equal(played.suspended, 1);
	pass(LIMIT_WEB_VIEW_S - 1);
	assert_int_equal(played.resumed, 0);
	pass(2);
	assert_int_equal(played.resumed, 1); /* or libmicrohttpd would never ask again */
	assert_int_equal(played.read(played.viewer, 0, text, sizeof(text)), MHD_CONTENT_READER_END_OF_STREAM);
	played.gone(played.viewer);
	assert_int_equal(events_viewers(web.events), 0);
	assert_null(played.timer);
	events_free(web.events);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_silent_stream_ends_at_its_age)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
