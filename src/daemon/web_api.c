/* Decides which path of the API is what, and the answers that need nobody's help. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "daemon/web_parse.h"
#include "daemon/web_parts.h"
#include "ports/json.h"
#include "ports/model.h"

#ifndef BERTH_VERSION
#define BERTH_VERSION "unknown"
#endif

enum { SERVICES_SHOWN = 50 };

/* --- who am I --- */

static void run_me(struct visit *visit)
{
	static const char *const words[] = {"stranger", "local", "session"};
	const struct web *web = visit->web;
	web_reply_json(visit, MHD_HTTP_OK,
		json_pack("{s:s, s:b, s:b, s:b, s:s, s:b}", "viewer", words[visit->viewer], "other_user",
			(int)visit->is_other_user, "login", (int)login_is_possible(web->login), "votes",
			(int)(web->votes != NULL), "version", BERTH_VERSION, "reserved",
			(int)web->server->first->ports.reserved));
}

/* --- services --- */

static void add_service(json_t *list, const struct service *service)
{
	if (json_array_size(list) < SERVICES_SHOWN)
		json_array_append_new(list, known_service_json(service));
}

static void run_service(struct visit *visit)
{
	const char *q = web_argument(visit, "q");
	const struct service *service;
	const struct known_use *use;
	if (q == NULL || *q == '\0' || strlen(q) > 64) {
		web_reply_error(visit, MHD_HTTP_BAD_REQUEST, "name a service: ?q=https, of at most 64 characters");
		return;
	}
	json_t *services = json_array(), *uses = json_array();
	int port = web_path_port(q, "");
	for (size_t i = 0; port > 0 && (service = registry_of_port((uint16_t)port, i)) != NULL; i++)
		add_service(services, service);
	for (size_t i = 0; (service = registry_of_name(q, i)) != NULL; i++)
		add_service(services, service);
	for (size_t i = 0; (use = clash_of_name(q, i)) != NULL; i++)
		json_array_append_new(uses, known_use_json(use));
	const char *near = json_array_size(services) + json_array_size(uses) == 0 ? registry_nearest(q) : NULL;
	web_reply_json(visit, MHD_HTTP_OK,
		json_pack("{s:o, s:o, s:o}", "services", services, "known_uses", uses, "near",
			near != NULL ? json_string(near) : json_null()));
}

/* --- POST --- */

static bool is_json(const struct visit *visit)
{
	static const char type[] = "application/json";
	const char *have = web_header(visit, "Content-Type");
	return have != NULL && strncmp(have, type, sizeof(type) - 1) == 0 &&
	       (have[sizeof(type) - 1] == '\0' || have[sizeof(type) - 1] == ';');
}

static void run_post(struct visit *visit)
{
	json_error_t error;
	json_t *request = NULL;
	if (!is_json(visit))
		web_reply_error(
			visit, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "a POST has to be Content-Type: application/json");
	else if ((request = json_loadb(visit->body, visit->body_len, JSON_REJECT_DUPLICATES, &error)) == NULL ||
		 !json_is_object(request))
		web_reply_error(visit, MHD_HTTP_BAD_REQUEST, "not a JSON object");
	else if (strcmp(visit->path, "/api/v1/vote") == 0)
		votes_cast(visit, request);
	else if (strcmp(visit->path, "/api/v1/login") == 0)
		login_run(visit, request);
	else if (strcmp(visit->path, "/api/v1/logout") == 0)
		login_end(visit);
	else
		web_reply_error(visit, MHD_HTTP_NOT_FOUND, "there is no such place for a POST; see doc/web.md");
	json_decref(request);
}

/* --- which is which --- */

static bool run_of_port(struct visit *visit)
{
	int port;
	if ((port = web_path_port(visit->path, "/api/v1/port/")) >= 0)
		port_run(visit, (uint16_t)port);
	else if ((port = web_path_port(visit->path, "/api/v1/history/")) >= 0 && !web_must_see_machine(visit))
		return true;
	else if (port >= 0)
		history_run(visit, (uint16_t)port);
	else if ((port = web_path_port(visit->path, "/api/v1/votes/")) >= 0)
		votes_tell(visit, (uint16_t)port);
	else
		return false;
	return true;
}

void api_run(struct visit *visit)
{
	static const struct {
		const char *path;
		void (*run)(struct visit *visit);
		bool of_machine;
	} places[] = {
		{"/api/v1/me", run_me, false},
		{"/api/v1/service", run_service, false},
		{"/api/v1/ports", map_run, true},
		{"/api/v1/events", events_run, true},
		{"/api/v1/stats", stats_run, true},
		{"/metrics", metrics_run, true},
	};
	if (visit->method == METHOD_POST) {
		run_post(visit);
		return;
	}
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (strcmp(visit->path, places[i].path) != 0)
			continue;
		if (!places[i].of_machine || web_must_see_machine(visit))
			places[i].run(visit);
		return;
	}
	if (!run_of_port(visit))
		web_reply_error(visit, MHD_HTTP_NOT_FOUND, "there is no such place; see doc/web.md");
}
