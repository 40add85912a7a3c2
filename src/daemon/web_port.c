/* Decides what is said of one port, and to whom.
 *
 * What must not be told: that a port is lent now. A port that berthd may lend is therefore not tried by bind(), which a
 * loan would answer differently; whether it is free is concluded from the holders that may be shown, and those of our
 * own loans may not. Lent or idle, the answer is the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "daemon/control_json.h"
#include "daemon/web_parts.h"
#include "ports/byhand.h"
#include "ports/json.h"
#include "ports/verdict.h"

struct port_look {
	struct look look;
	struct visit *visit;
	const struct server *server;
	uint16_t port;
	bool is_ours; /* berthd may lend it, or holds it */
	struct port_here here;
	json_t *verdict, *holders, *searched; /* made by the looker, given away at home */
	enum verdict kind;
};

/* --- what is true of the number --- */

static json_t *byhand_json(uint16_t port)
{
	char command[BYHAND_COMMAND];
	const struct byhand *row;
	json_t *list = json_array();
	for (size_t i = 0; (row = byhand_row(i)) != NULL; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b}", "system", byhand_system_text(row->system),
						    "command", byhand_command(row, port, command), "says", row->says,
						    "needs_root", (int)row->needs_root));
	return list;
}

static json_t *number_json(uint16_t port)
{
	enum port_class class = port_class(port);
	struct port_range range = port_class_range(class);
	char text[16];
	snprintf(text, sizeof(text), "%u-%u", range.first, range.last);
	return json_pack("{s:i, s:s, s:s, s:s, s:o, s:o, s:o}", "port", (int)port, "class", port_class_text(class),
		"class_range", text, "class_help", port_class_help(class), "services", known_services_json(port),
		"known_uses", known_uses_json(port), "by_hand", byhand_json(port));
}

/* --- the looker --- */

bool web_hides(const struct server *server, const struct diag_socket *socket)
{
	uint16_t port = addr_port(&socket->local);
	if (socket->uid != geteuid() || socket->state == DIAG_LISTENING || socket->state == DIAG_TIME_WAIT)
		return false;
	/* Of the same user, and on a port that is lent, or may be in the next moment. Over TCP a port is marked as lent
	 * for as long as its socket lives. What others hold of the range over UDP the keeper takes out of it. */
	return port_space_is_lent(server->space, port) ||
	       (socket->transport == PORT_UDP && port_space_is_usable(server->space, port));
}

/* Of another process, as far as one was found. */
static bool is_others(const struct holder *holder)
{
	for (size_t i = 0; i < holder->owner_count; i++)
		if (holder->owners[i]->pid != getpid())
			return true;
	return false;
}

/* Keeps the holders that may be shown; how many. */
static size_t keep_shown(const struct server *server, struct holder *to, const struct holder *from, size_t count)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++)
		if (!from[i].ns->is_ours || is_others(&from[i]) || !web_hides(server, &from[i].socket))
			to[kept++] = from[i];
	return kept;
}

/* As if bind() had been tried, and had met nobody but those that are shown. */
static void conclude_probes(struct port_here *here, const struct holder *holders, size_t count)
{
	for (int t = 0; t < PORT_TRANSPORTS; t++)
		for (int f = 0; f < HERE_FAMILIES; f++)
			here->probe[t][f] = PROBE_FREE;
	for (size_t i = 0; i < count; i++)
		if (holders[i].ns->is_ours)
			here->probe[holders[i].socket.transport][addr_is_v6(&holders[i].socket.local)] = PROBE_HELD;
}

static void look_at_kernel(struct port_look *look)
{
	struct port_machine *machine = port_machine_new();
	if (!look->is_ours) {
		port_here_look(&look->here, look->port, machine);
	} else {
		look->here = (struct port_here){.port = look->port, .local = machine->local};
		look->here.in_local = look->port >= machine->local.first && look->port <= machine->local.last;
		look->here.reserved = !port_set_has(&machine->free, look->port);
	}
	free(machine);
}

static void tell_verdict(struct port_look *look, const struct holder *holders, size_t count)
{
	char *words = xalloc(VERDICT_WORDS);
	struct verdict_facts facts = {
		.port = look->port, .is_reserved = look->here.reserved, .holders = holders, .count = count};
	memcpy(facts.probe, look->here.probe, sizeof(facts.probe));
	const struct holder *lead = verdict_lead(&facts);
	if (verdict_wants_share(lead))
		facts.share = inspect_share(lead, port_class_range(PORT_DYNAMIC));
	look->kind = verdict_of(&facts, words);
	look->verdict = json_pack("{s:s, s:s}", "key", verdict_key(look->kind), "text", words);
	free(words);
}

static void run(struct look *job)
{
	struct port_look *look = container_of(job, struct port_look, look);
	struct inspect_ask ask = {.ports = {look->port, look->port}, .reach = INSPECT_NEAR};
	struct inspection *seen = NULL;
	size_t count = 0;
	look->is_ours = port_space_is_usable(look->server->space, look->port) ||
			port_space_is_lent(look->server->space, look->port);
	if (look->is_ours)
		ask.reach = INSPECT_OURS;
	look_at_kernel(look);
	const struct holder *all = inspect(&seen, &ask) == 0 ? inspect_of_port(seen, look->port, &count) : NULL;
	struct holder *shown = xzalloc(count + 1, sizeof(*shown));
	size_t kept = keep_shown(look->server, shown, all, count);
	if (look->is_ours)
		conclude_probes(&look->here, shown, kept);
	tell_verdict(look, shown, kept);
	look->holders = holders_json(shown, kept);
	/* How far the search went depends on whether it found somebody: of a port of ours that tells whether it is lent. */
	look->searched = seen != NULL && !look->is_ours ? holder_search_json(seen) : json_null();
	free(shown);
	inspect_free(seen);
}

/* --- at home --- */

static json_t *pool_json(const struct port_look *look)
{
	const struct server *server = look->server;
	enum port_why why = (enum port_why)server->keeper.usable.why[look->port];
	return json_pack("{s:b, s:o, s:s}", "usable", (int)(why == PORT_USABLE), "why_not",
		why == PORT_USABLE ? json_null() : json_string(port_why_text(why)), "lend",
		server->first->ports.reserved ? "reserved" : "fresh");
}

static void finish(struct web_tour *tour)
{
	struct port_look *look = tour->arg;
	json_t *reply = number_json(look->port), *here = port_here_json(&look->here), *loans = json_array();
	for (size_t i = 0; i < tour->loans; i++)
		json_array_append_new(loans, json_of_loan(&tour->loan[i]));
	json_object_set(reply, "service", json_object_get(here, "service"));
	json_object_set(reply, "here", json_object_get(here, "here"));
	json_object_set(reply, "kernel", json_object_get(here, "kernel"));
	json_decref(here);
	json_object_set_new(reply, "verdict", look->verdict);
	json_object_set_new(reply, "holders", look->holders);
	json_object_set_new(reply, "searched", look->searched);
	json_object_set_new(reply, "pool", pool_json(look));
	json_object_set_new(reply, "loans", loans);
	json_object_set_new(reply, "now", json_real((double)clock_wall_us() / 1e6));
	web_reply_json(look->visit, MHD_HTTP_OK, reply);
	free(look);
}

static void give_up(struct port_look *look)
{
	json_decref(look->verdict);
	json_decref(look->holders);
	json_decref(look->searched);
	web_reply_error(
		look->visit, MHD_HTTP_SERVICE_UNAVAILABLE, "too much is being looked at; try again in a moment");
	free(look);
}

static void done(struct look *job)
{
	struct port_look *look = container_of(job, struct port_look, look);
	if (job->is_late) {
		give_up(look);
		return;
	}
	struct web_tour *tour = tour_new(look->visit->web, finish);
	tour->arg = look;
	tour->port = look->port;
	if (tours_begin(look->visit->web->tours, tour) != 0)
		give_up(look);
}

void port_run(struct visit *visit, uint16_t port)
{
	if (visit->viewer == VIEWER_STRANGER || port == 0) {
		web_reply_json(visit, MHD_HTTP_OK, number_json(port));
		return;
	}
	struct port_look *look = xzalloc(1, sizeof(*look));
	look->look = (struct look){.run = run, .done = done};
	look->visit = visit;
	look->server = visit->web->server;
	look->port = port;
	if (looker_begin(visit->web->looker, &look->look) == 0)
		web_wait(visit);
	else
		give_up(look);
}
