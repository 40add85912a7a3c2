/* Decides what each command of the control socket says. Whatever belongs to a worker is read in that worker's thread.
 */
#include "daemon/control_commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/control_json.h"

#ifndef BERTH_VERSION
#define BERTH_VERSION "unknown"
#endif

enum { LOANS_SHOWN = 20 };

/* --- what is collected from all workers --- */

struct survey {
	struct tour tour;
	struct control_call *call;
	void (*finish)(struct survey *survey);
	struct pool_state pool;
	struct port_range moorable;
	size_t running;
	/* of one port */
	uint16_t port;
	struct ledger_entry loan[2 * LOANS_SHOWN], lent; /* the second half: room while a worker's are added */
	size_t loans;
	bool is_lent;
};

static void visit_pool(struct tour *tour, struct worker *worker)
{
	struct survey *survey = container_of(tour, struct survey, tour);
	struct pool_state state;
	pool_state(worker->pool, &state);
	survey->pool.size += state.size;
	survey->pool.idle += state.idle;
	survey->pool.lent += state.lent;
	survey->pool.grown += state.grown;
	survey->moorable = pool_moorable(worker->pool);
	if (worker->resolver != NULL)
		survey->running += resolver_running(worker->resolver);
}

static void on_surveyed(struct tour *tour)
{
	struct survey *survey = container_of(tour, struct survey, tour);
	survey->finish(survey);
	free(survey);
}

static struct survey *begin_survey(struct control_call *call, void (*finish)(struct survey *))
{
	struct survey *survey = xzalloc(1, sizeof(*survey));
	survey->call = call;
	survey->finish = finish;
	survey->tour.visit = visit_pool;
	survey->tour.done = on_surveyed;
	return survey;
}

static json_t *ports_json(const struct survey *survey)
{
	const struct server *server = survey->call->server;
	unsigned usable = port_space_usable(server->space, 1, PORTS_ALL - 1);
	unsigned moorable = port_space_usable(server->space, survey->moorable.first, survey->moorable.last);
	char range[16];
	snprintf(range, sizeof(range), "%u-%u", server->config->ports.range.first, server->config->ports.range.last);
	return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i}", "range", range, "usable", (int)usable, "pool",
		(int)survey->pool.size, "idle", (int)survey->pool.idle, "lent", (int)survey->pool.lent, "grown",
		(int)survey->pool.grown, "moorable", (int)moorable);
}

static double uptime_s(const struct server *server)
{
	return (double)(clock_mono_us() - server->started_us) / 1e6;
}

/* --- status --- */

static void finish_status(struct survey *survey)
{
	const struct server *server = survey->call->server;
	json_t *listen = json_array();
	char text[ADDR_TEXT];
	for (size_t i = 0; i < server->first->listen_count; i++)
		json_array_append_new(listen, json_string(addr_text(&server->first->listen[i], text)));
	control_reply(survey->call,
		json_pack("{s:s, s:i, s:f, s:i, s:i, s:o, s:o, s:s}", "version", BERTH_VERSION, "pid", (int)getpid(),
			"uptime_s", uptime_s(server), "workers", (int)server->workers, "lookups_running",
			(int)survey->running, "listen", listen, "ports", ports_json(survey), "validation", "off"));
}

/* --- stats --- */

static void finish_stats(struct survey *survey)
{
	struct server *server = survey->call->server;
	struct counters **blocks = xzalloc(server->workers, sizeof(struct counters *));
	for (unsigned i = 0; i < server->workers; i++)
		blocks[i] = &server->worker[i].counters;
	uint64_t total[COUNTERS];
	counters_sum(blocks, server->workers, total);
	free(blocks);
	json_t *numbers = json_object(), *help = json_object();
	for (int i = 0; i < COUNTERS; i++) {
		json_object_set_new(numbers, counter_key((enum counter)i), json_integer((json_int_t)total[i]));
		json_object_set_new(help, counter_key((enum counter)i), json_string(counter_help((enum counter)i)));
	}
	struct rrcache_state state;
	rrcache_state(server->rrcache, &state);
	json_t *cache = json_pack("{s:I, s:I, s:I}", "entries", (json_int_t)state.entries, "bytes",
		(json_int_t)state.bytes, "limit_bytes", (json_int_t)state.limit);
	control_reply(survey->call, json_pack("{s:f, s:o, s:o, s:o, s:o}", "uptime_s", uptime_s(server), "counters",
					    numbers, "help", help, "ports", ports_json(survey), "cache", cache));
}

/* --- port --- */

static int compare_loans(const void *left, const void *right)
{
	const struct ledger_entry *a = left, *b = right;
	return a->begin_us < b->begin_us ? 1 : a->begin_us > b->begin_us ? -1 : 0;
}

/* The newest of this worker's loans and of those found before. */
static void visit_port(struct tour *tour, struct worker *worker)
{
	struct survey *survey = container_of(tour, struct survey, tour);
	survey->loans += ledger_find(worker->ledger, survey->port, survey->loan + survey->loans, LOANS_SHOWN);
	qsort(survey->loan, survey->loans, sizeof(survey->loan[0]), compare_loans);
	if (survey->loans > LOANS_SHOWN)
		survey->loans = LOANS_SHOWN;
	if (pool_find_lent(worker->pool, survey->port, &survey->lent))
		survey->is_lent = true;
}

static const char *why_not_usable(const struct config *config, uint16_t port)
{
	if (port < config->ports.range.first || port > config->ports.range.last)
		return "outside of ports.range";
	if (port_set_has(config->ports.exclude, port))
		return "excluded by ports.exclude";
	return "reserved by net.ipv4.ip_local_reserved_ports";
}

static void finish_port(struct survey *survey)
{
	struct server *server = survey->call->server;
	bool is_usable = port_space_is_usable(server->space, survey->port);
	json_t *loans = json_array();
	for (size_t i = 0; i < survey->loans; i++)
		json_array_append_new(loans, json_of_loan(&survey->loan[i]));
	json_t *reply = json_pack("{s:i, s:b, s:b, s:o, s:i}", "port", (int)survey->port, "usable", (int)is_usable,
		"taken_by_other", (int)port_space_is_taken(server->space, survey->port), "loans", loans, "pid",
		(int)getpid());
	if (!is_usable)
		json_object_set_new(reply, "why_not", json_string(why_not_usable(server->config, survey->port)));
	if (survey->is_lent)
		json_object_set_new(reply, "lent", json_of_loan(&survey->lent));
	control_reply(survey->call, reply);
}

static void run_port(struct control_call *call, const json_t *request)
{
	const json_t *port = json_object_get(request, "port");
	if (!json_is_integer(port) || json_integer_value(port) < 1 || json_integer_value(port) > 65535) {
		control_reply_error(call, "\"port\" must be a number from 1 to 65535");
		return;
	}
	struct survey *survey = begin_survey(call, finish_port);
	survey->port = (uint16_t)json_integer_value(port);
	survey->tour.visit = visit_port;
	tour_begin(&survey->tour, call->server);
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

static void run_reload(struct control_call *call)
{
	char why[600];
	if (server_reload(call->server, why, sizeof(why)) == 0)
		control_reply(call, json_pack("{s:b, s:o}", "reloaded", 1, "warnings", lines_json(why)));
	else
		control_reply_error(call, "%s", why);
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
		tour_begin(&begin_survey(call, finish_status)->tour, call->server);
	else if (strcmp(cmd, "stats") == 0)
		tour_begin(&begin_survey(call, finish_stats)->tour, call->server);
	else if (strcmp(cmd, "port") == 0)
		run_port(call, request);
	else if (strcmp(cmd, "query") == 0 || strcmp(cmd, "why") == 0)
		run_inquiry(call, request, cmd[0] == 'w');
	else if (strcmp(cmd, "reload") == 0)
		run_reload(call);
	else if (strcmp(cmd, "stop") == 0)
		run_stop(call);
	else
		control_reply_error(call, "\"%.32s\" is no command; see doc/control.md", cmd);
}
