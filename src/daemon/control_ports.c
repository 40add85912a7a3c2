/* Decides what the control socket says of ports, and how their set is changed while running. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/log.h"
#include "daemon/control_json.h"
#include "daemon/control_survey.h"
#include "ports/audit.h"
#include "ports/list.h"
#include "ports/reserve.h"

/* --- one port --- */

static void finish_port(struct survey *survey)
{
	struct server *server = survey->call->server;
	enum port_why why = (enum port_why)server->keeper.usable.why[survey->port];
	json_t *loans = json_array();
	for (size_t i = 0; i < survey->loans; i++)
		json_array_append_new(loans, json_of_loan(&survey->loan[i]));
	json_t *reply = json_pack("{s:i, s:b, s:b, s:b, s:o, s:i}", "port", (int)survey->port, "usable",
		(int)(why == PORT_USABLE), "taken_by_other", (int)port_space_is_taken(server->space, survey->port),
		"held", (int)(!survey->is_lent && port_space_is_lent(server->space, survey->port)), "loans", loans,
		"pid", (int)getpid());
	if (survey->loan_count > 0) {
		json_object_set_new(reply, "loan_count", json_integer((json_int_t)survey->loan_count));
		json_object_set_new(reply, "loans_since", json_real((double)survey->loans_since_us / 1e6));
	}
	if (why != PORT_USABLE)
		json_object_set_new(reply, "why_not", json_string(port_why_text(why)));
	if (survey->is_lent)
		json_object_set_new(reply, "lent", json_of_loan(&survey->lent));
	control_reply(survey->call, reply);
}

void control_run_port(struct control_call *call, const json_t *request)
{
	const json_t *port = json_object_get(request, "port");
	if (!json_is_integer(port) || json_integer_value(port) < 1 || json_integer_value(port) > 65535) {
		control_reply_error(call, "\"port\" must be a number from 1 to 65535");
		return;
	}
	struct survey *survey = survey_new(call, finish_port);
	survey->port = (uint16_t)json_integer_value(port);
	survey_begin(survey);
}

/* --- all of them --- */

static json_t *away_json(const struct usable *usable)
{
	json_t *away = json_object();
	for (int why = PORT_EXCLUDED; why < PORT_WHYS; why++)
		json_object_set_new(away, port_why_key((enum port_why)why), json_integer(usable->count[why]));
	return away;
}

/* Of how many ports a question's is drawn. */
static unsigned count_among(const struct server *server)
{
	if (server->single != NULL)
		return 1;
	return server->reserve != NULL ? reserve_among(server->reserve) : server->keeper.usable.count[PORT_USABLE];
}

static void finish_ports(struct survey *survey)
{
	const struct server *server = survey->call->server;
	const struct keeper *keeper = &server->keeper;
	json_t *reply = survey_ports_json(survey), *lines = json_array();
	json_t *counters = survey_counters_json(server, "loans"), *lost = survey_counters_json(server, "ports.");
	server_preflight(server->first, &keeper->usable, &keeper->rules.range, json_append_line, lines);
	json_object_update(counters, lost);
	json_decref(lost);
	json_object_set_new(reply, "among", json_integer(count_among(server)));
	json_object_set_new(reply, "away", away_json(&keeper->usable));
	json_object_set_new(reply, "changed", json_boolean(keeper->changed));
	json_object_set_new(reply, "counters", counters);
	if (keeper->is_blind)
		json_object_set_new(reply, "others", json_null());
	else
		json_object_set_new(reply, "others",
			json_pack("{s:i, s:i, s:s}", "held", (int)keeper->survey.held, "top_held",
				(int)keeper->survey.top_held, "top", keeper->top));
	json_object_set_new(reply, "lines", lines);
	control_reply(survey->call, reply);
}

void control_run_ports(struct control_call *call)
{
	survey_begin(survey_new(call, finish_ports));
}

/* --- a change while running --- */

enum { WHY = PORT_LIST_WHY };

/* Ports of `text` go into one set and out of the other. 0, or an error with one line in `why`. */
static int move_ports(struct port_set *to, struct port_set *from, const char *text, char why[static WHY])
{
	struct port_set *named = xzalloc(1, sizeof(*named)); /* 8 KiB */
	int ret = port_list_parse(named, text, why, WHY);
	if (ret == 0) {
		port_set_join(to, named);
		port_set_subtract(from, named);
	}
	free(named);
	return ret;
}

/* A key of the wrong kind must not be taken for one that is not there. */
static bool is_text_or_absent(const json_t *request, const char *key)
{
	const json_t *value = json_object_get(request, key);
	return value == NULL || json_is_string(value);
}

static int check_kinds(const json_t *request, char why[static WHY])
{
	const json_t *dry = json_object_get(request, "dry_run");
	if (is_text_or_absent(request, "range") && is_text_or_absent(request, "exclude") &&
		is_text_or_absent(request, "include") && (dry == NULL || json_is_boolean(dry)))
		return 0;
	snprintf(why, WHY, "\"range\", \"exclude\" and \"include\" must be strings, \"dry_run\" true or false");
	return -1;
}

static int change_rules(struct usable_rules *rules, const json_t *request, char why[static WHY])
{
	const char *range = json_string_value(json_object_get(request, "range"));
	const char *exclude = json_string_value(json_object_get(request, "exclude"));
	const char *include = json_string_value(json_object_get(request, "include"));
	if (range == NULL && exclude == NULL && include == NULL) {
		snprintf(why, WHY, "nothing to change: name \"range\", \"exclude\" or \"include\"");
		return -1;
	}
	if (range != NULL && port_range_parse(&rules->range, range) != 0) {
		snprintf(why, WHY, "\"%.40s\" is not a range of ports; write FIRST-LAST, for example 49152-65535",
			range);
		return -1;
	}
	if (include != NULL && move_ports(&rules->include, &rules->exclude, include, why) != 0)
		return -1;
	/* Last: what is named in both is excluded. */
	return exclude != NULL ? move_ports(&rules->exclude, &rules->include, exclude, why) : 0;
}

static json_t *usable_json(const struct server *server, const struct usable *usable, const struct usable_rules *rules)
{
	unsigned among = server_among(server->first, usable->count[PORT_USABLE]);
	char range[16];
	snprintf(range, sizeof(range), "%u-%u", rules->range.first, rules->range.last);
	return json_pack("{s:s, s:i, s:f, s:o, s:o, s:o}", "range", range, "usable", (int)usable->count[PORT_USABLE],
		"bits", port_bits(among), "away", away_json(usable), "exclude", json_of_ports(&rules->exclude),
		"include", json_of_ports(&rules->include));
}

/* Too few ports for a change to be sane: refused, or berthd could not ask anybody. */
static bool is_too_few(const struct server *server, const struct usable *usable)
{
	/* Of three, a reserve leaves one for questions over TCP. */
	return usable->count[PORT_USABLE] < (server->reserve != NULL ? 3 : 1);
}

static void try_rules(struct control_call *call, const struct usable_rules *rules, bool dry)
{
	struct server *server = call->server;
	struct keeper *keeper = &server->keeper;
	struct usable *then = xalloc(sizeof(*then)); /* 72 KiB */
	keeper_preview(keeper, rules, then);
	if (is_too_few(server, then)) {
		control_reply_error(
			call, "that would leave %u usable ports; nothing was changed", then->count[PORT_USABLE]);
		free(then);
		return;
	}
	json_t *lines = json_array();
	server_preflight(server->first, then, &rules->range, json_append_line, lines);
	json_t *reply = json_pack("{s:b, s:o, s:o, s:o}", "dry_run", (int)dry, "before",
		usable_json(server, &keeper->usable, &keeper->rules), "after", usable_json(server, then, rules),
		"lines", lines);
	free(then);
	if (!dry) {
		keeper_obey(keeper, rules);
		keeper->changed = true;
		log_notice("ports: changed over the control socket: %u usable now, until the next reload",
			keeper->usable.count[PORT_USABLE]);
	}
	control_reply(call, reply);
}

void control_run_ports_change(struct control_call *call, const json_t *request)
{
	struct usable_rules *rules = xalloc(sizeof(*rules)); /* 16 KiB */
	char why[WHY];
	*rules = call->server->keeper.rules;
	if (check_kinds(request, why) != 0 || change_rules(rules, request, why) != 0)
		control_reply_error(call, "%s", why);
	else
		try_rules(call, rules, json_is_true(json_object_get(request, "dry_run")));
	free(rules);
}

/* --- the audit --- */

static uint16_t draw_once(void *arg)
{
	struct port_draw *draw = arg;
	uint16_t port;
	if (port_draw(draw, &port) != 0)
		return 0;
	port_space_release(draw->space, port);
	return port;
}

/* In a space of its own with the same ports: in the real one loans come and go meanwhile, and take part. */
static json_t *draws_json(const struct server *server)
{
	struct port_space *space = port_space_new();
	struct port_draw draw = {.space = space};
	struct audit audit;
	port_space_set_usable(space, &server->keeper.usable.set);
	audit_draws(&audit, draw_once, &draw, &server->keeper.usable.set);
	port_draw_deinit(&draw);
	port_space_free(space);
	return json_pack("{s:i, s:i, s:f, s:i, s:f, s:f}", "count", (int)audit.draws, "ports", (int)audit.kinds,
		"chi_square", audit.chi_square, "degrees", (int)audit.degrees, "p", audit.p, "serial", audit.serial);
}

static void finish_audit(struct survey *survey)
{
	struct server *server = survey->call->server;
	json_t *reply = survey_ports_json(survey);
	json_object_set_new(reply, "among", json_integer(count_among(server)));
	json_object_set_new(reply, "upstream", survey_counters_json(server, "upstream."));
	json_object_set_new(reply, "lost", survey_counters_json(server, "ports."));
	json_object_set_new(reply, "away", away_json(&server->keeper.usable));
	json_object_set_new(reply, "limits",
		json_pack("{s:i, s:i, s:i}", "mismatches", LIMIT_MISMATCHES, "within_s", LIMIT_MISMATCH_S, "tcp_only_s",
			LIMIT_TCP_ONLY_S));
	json_object_set_new(reply, "draws", draws_json(server));
	control_reply(survey->call, reply);
}

void control_run_audit(struct control_call *call)
{
	survey_begin(survey_new(call, finish_audit));
}
