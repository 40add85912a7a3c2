/* Decides what each command of the control socket says. Whatever belongs to a worker is read in that worker's thread.
 */
#include "daemon/anchor_keeper.h"
#include "daemon/cache_keeper.h"
#include "daemon/control_commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/chronicle.h"
#include "daemon/control_json.h"
#include "daemon/control_survey.h"

#ifndef BERTH_VERSION
#define BERTH_VERSION "unknown"
#endif

static double uptime_s(const struct server *server)
{
	return (double)(clock_mono_us() - server->started_us) / 1e6;
}

/* --- status --- */

static void finish_status(struct survey *survey)
{
	const struct server *server = survey->call->server;
	json_t *listen = json_array();
	char text[SERVER_PLACE];
	for (size_t i = 0; server_place(server, i, text) != NULL; i++)
		json_array_append_new(listen, json_string(text));
	json_t *web = json_array();
	for (size_t i = 0; i < server->first->web.listen_count && server->web != NULL; i++)
		json_array_append_new(web, json_string(addr_text(&server->first->web.listen[i], text)));
	control_reply(survey->call,
		json_pack("{s:s, s:i, s:f, s:i, s:i, s:o, s:o, s:s, s:o, s:o, s:s}", "version", BERTH_VERSION, "pid",
			(int)getpid(), "uptime_s", uptime_s(server), "workers", (int)server->workers, "lookups_running",
			(int)survey->running, "listen", listen, "ports", survey_ports_json(survey), "validation",
			server->anchors != NULL ? "on" : "off", "history", chronicle_json(server->chronicle), "web",
			web, "configuration", server->config_path != NULL ? server->config_path : "built in"));
}

/* --- stats --- */

static void finish_stats(struct survey *survey)
{
	struct server *server = survey->call->server;
	json_t *help = json_object();
	for (int i = 0; i < COUNTERS; i++)
		json_object_set_new(help, counter_key((enum counter)i), json_string(counter_help((enum counter)i)));
	struct rrcache_state state;
	rrcache_state(server->rrcache, &state);
	json_t *cache = json_pack("{s:I, s:I, s:I}", "entries", (json_int_t)state.entries, "bytes",
		(json_int_t)state.bytes, "limit_bytes", (json_int_t)state.limit);
	control_reply(survey->call,
		json_pack("{s:f, s:o, s:o, s:o, s:o, s:o}", "uptime_s", uptime_s(server), "counters",
			survey_counters_json(server, ""), "help", help, "ports", survey_ports_json(survey), "cache",
			cache, "history", chronicle_json(server->chronicle)));
}

/* --- query and why --- */

struct inquiry {
	struct mail mail;
	struct waiter waiter;
	struct control_call *call;
	struct worker *owner;
	struct ask ask;
	uint8_t name[NAME_MAX_LEN];
	json_t *reply; /* made in the owner's thread, given away here */
};

static void on_home(struct mail *mail)
{
	struct inquiry *inquiry = container_of(mail, struct inquiry, mail);
	if (inquiry->reply != NULL)
		control_reply(inquiry->call, inquiry->reply);
	else
		control_reply_error(inquiry->call, "too many lookups are running; try again in a moment");
	free(inquiry);
}

static void send_home(struct inquiry *inquiry)
{
	inquiry->mail.on_mail = on_home;
	loop_post(&inquiry->call->server->loop, &inquiry->mail);
}

static void on_answer(struct waiter *waiter, const struct outcome *outcome)
{
	struct inquiry *inquiry = container_of(waiter, struct inquiry, waiter);
	inquiry->reply = json_of_outcome(outcome, &inquiry->ask.question);
	send_home(inquiry);
}

static void on_arrival(struct mail *mail)
{
	struct inquiry *inquiry = container_of(mail, struct inquiry, mail);
	struct resolver *resolver = inquiry->owner->resolver; /* NULL while the daemon ends */
	if (resolver == NULL || resolver_ask(resolver, &inquiry->ask, &inquiry->waiter) != 0)
		send_home(inquiry);
}

static void run_inquiry(struct control_call *call, const json_t *request, bool story)
{
	const char *name = json_string_value(json_object_get(request, "name"));
	const char *type = json_string_value(json_object_get(request, "type"));
	struct inquiry *inquiry = xzalloc(1, sizeof(*inquiry));
	struct question *q = &inquiry->ask.question;
	*q = (struct question){.name = inquiry->name, .type = KNOT_RRTYPE_A, .rclass = KNOT_CLASS_IN};
	if (name == NULL || name_from_text(inquiry->name, name) != 0) {
		control_reply_error(call, "\"%s\" is no domain name", name != NULL ? name : "");
	} else if (type != NULL && (type_from_text(type, &q->type) != 0 || q->type == 0 ||
					   (knot_rrtype_is_metatype(q->type) && q->type != KNOT_RRTYPE_ANY))) {
		control_reply_error(call, "\"%s\" is no record type that can be looked up; try A, AAAA, MX, TXT", type);
	} else {
		inquiry->call = call;
		inquiry->owner = server_owner(call->server, q->name);
		inquiry->ask.story = story;
		inquiry->ask.fresh = json_is_true(json_object_get(request, "fresh"));
		inquiry->waiter.on_answer = on_answer;
		inquiry->mail.on_mail = on_arrival;
		loop_post(&inquiry->owner->loop, &inquiry->mail);
		return;
	}
	free(inquiry);
}

/* --- the rest --- */

static json_t *lines_json(char *text)
{
	json_t *lines = json_array();
	char *rest = NULL;
	for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
		json_array_append_new(lines, json_string(line));
	return lines;
}

/* A letter sent after the reload's comes home after it: by then all workers obey, and the next reload may begin. */
struct reload_reply {
	struct tour tour;
	struct control_call *call;
	json_t *reply;
};

static void visit_for_nothing(struct tour *tour, struct worker *worker)
{
	(void)tour;
	(void)worker;
}

static void on_reloaded(struct tour *tour)
{
	struct reload_reply *after = container_of(tour, struct reload_reply, tour);
	control_reply(after->call, after->reply);
	free(after);
}

static void run_reload(struct control_call *call)
{
	char why[600];
	if (server_reload(call->server, why, sizeof(why)) != 0) {
		control_reply_error(call, "%s", why);
		return;
	}
	struct reload_reply *after = xzalloc(1, sizeof(*after));
	after->call = call;
	after->reply = json_pack("{s:b, s:o}", "reloaded", 1, "warnings", lines_json(why));
	after->tour.visit = visit_for_nothing;
	after->tour.done = on_reloaded;
	tour_begin(&after->tour, call->server);
}

static void run_stop(struct control_call *call)
{
	struct server *server = call->server;
	log_notice("stopping: asked to by the control socket");
	control_reply(call, json_pack("{s:b}", "stopping", 1));
	loop_stop(&server->loop);
}

void control_run(struct control_call *call, const json_t *request)
{
	const char *cmd = json_string_value(json_object_get(request, "cmd"));
	if (cmd == NULL)
		control_reply_error(call, "the request names no \"cmd\"; see doc/control.md");
	else if (strcmp(cmd, "status") == 0)
		survey_begin(survey_new(call, finish_status));
	else if (strcmp(cmd, "stats") == 0)
		survey_begin(survey_new(call, finish_stats));
	else if (strcmp(cmd, "port") == 0)
		control_run_port(call, request);
	else if (strcmp(cmd, "ports") == 0)
		control_run_ports(call);
	else if (strcmp(cmd, "ports-change") == 0)
		control_run_ports_change(call, request);
	else if (strcmp(cmd, "map") == 0)
		control_run_map(call);
	else if (strcmp(cmd, "anchors") == 0)
		control_reply(call, json_pack("{s:b, s:o}", "validates", call->server->anchors != NULL, "anchors",
					    anchor_keeper_json(call->server->anchor_keeper)));
	else if (strcmp(cmd, "cache-save") == 0)
		cache_keeper_save(call->server->cache_keeper, call);
	else if (strcmp(cmd, "audit") == 0)
		control_run_audit(call);
	else if (strcmp(cmd, "query") == 0 || strcmp(cmd, "why") == 0)
		run_inquiry(call, request, cmd[0] == 'w');
	else if (strcmp(cmd, "reload") == 0)
		run_reload(call);
	else if (strcmp(cmd, "stop") == 0)
		run_stop(call);
	else
		control_reply_error(call, "\"%.32s\" is no command; see doc/control.md", cmd);
}
