/* Decides when loans are collected. A history that cannot be had is said
 * once and keeps nothing else from working. */
#include "daemon/chronicle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/server.h"
#include "ports/history.h"
#include "ports/scout.h"

enum { PERIOD_US = 1000000, COPY = 256, WHY = 700 };

struct chronicle {
	struct server *server;
	struct history *history; /* NULL: none */
	struct timer timer;
	struct tour tour;
	bool is_touring;
	uint64_t *seen; /* of each worker's ledger */
	struct ledger_entry copy[COPY];
	char why[WHY]; /* there is none; "" when none is wanted */
};

static struct scout *scout; /* from chronicle_prepare to open_history: it has to be older than the threads */

/* --- before privileges are dropped --- */

static bool is_wanted(const struct config *config)
{
	return config->history.loans || config->history.watch;
}

void chronicle_prepare(const struct config *config)
{
	if (!is_wanted(config) || config->history.file == NULL)
		return;
	if (config->history.watch && scout_start(&scout, config->user) != 0)
		log_notice("history.watch: no process can be started to find the owners of sockets; users are recorded "
			   "alone");
}

/* --- collecting --- */

static void collect(struct chronicle *chronicle, const struct worker *worker)
{
	uint64_t lost = 0, *seen = &chronicle->seen[worker->index];
	size_t count;
	do {
		count = ledger_since(worker->ledger, seen, chronicle->copy, COPY, &lost);
		if (count > 0 || lost > 0)
			history_add_loans(chronicle->history, chronicle->copy, count, lost);
		lost = 0;
	} while (count == COPY);
}

static void visit(struct tour *tour, struct worker *worker)
{
	collect(container_of(tour, struct chronicle, tour), worker);
}

static void on_done(struct tour *tour)
{
	container_of(tour, struct chronicle, tour)->is_touring = false;
}

/* A tour that is late is not overtaken: the ledgers hold what it does not see. */
static void on_timer(struct timer *timer)
{
	struct chronicle *chronicle = container_of(timer, struct chronicle, timer);
	if (!chronicle->is_touring) {
		chronicle->is_touring = true;
		tour_begin(&chronicle->tour, chronicle->server);
	}
	loop_timer_set(&chronicle->server->loop, timer, clock_mono_us() + PERIOD_US);
}

/* --- begin, end --- */

static bool is_own(void *arg, uint16_t port)
{
	return port_space_is_lent(arg, port);
}

static void open_history(struct chronicle *chronicle)
{
	const struct config *config = chronicle->server->first;
	struct history_conf conf = {
		.path = config->history.file,
		.bytes = config->history.bytes,
		.age_s = config->history.age_s,
		.watch = config->history.watch,
		.tag_text = loan_tag_text,
		.is_own = is_own,
		.arg = chronicle->server->space,
		.scout = scout,
	};
	if (conf.path == NULL)
		snprintf(chronicle->why, WHY, "no folder to keep it in; name one with history.file, or set HOME");
	else if (history_new(&chronicle->history, &conf, chronicle->why, WHY) == 0)
		return;
	scout_end(scout);
	if (config->history.is_named)
		log_warning("no history is kept: %s", chronicle->why);
	else
		log_notice("no history is kept: %s", chronicle->why);
}

struct chronicle *chronicle_new(struct server *server)
{
	struct chronicle *chronicle = xzalloc(1, sizeof(*chronicle));
	chronicle->server = server;
	chronicle->seen = xzalloc(server->workers, sizeof(*chronicle->seen));
	chronicle->timer.on_timer = on_timer;
	chronicle->tour.visit = visit;
	chronicle->tour.done = on_done;
	if (is_wanted(server->first))
		open_history(chronicle);
	return chronicle;
}

static bool collects(const struct chronicle *chronicle)
{
	return chronicle->history != NULL && chronicle->server->first->history.loans;
}

void chronicle_start(struct chronicle *chronicle)
{
	if (collects(chronicle))
		loop_timer_set(&chronicle->server->loop, &chronicle->timer, clock_mono_us() + PERIOD_US);
}

void chronicle_stop(struct chronicle *chronicle)
{
	if (chronicle == NULL)
		return;
	loop_timer_cancel(&chronicle->server->loop, &chronicle->timer);
	for (unsigned i = 0; i < chronicle->server->workers && collects(chronicle); i++)
		if (chronicle->server->worker[i].ledger != NULL)
			collect(chronicle, &chronicle->server->worker[i]);
	history_free(chronicle->history);
	free(chronicle->seen);
	free(chronicle);
}

/* --- in words --- */

static json_t *standing_json(const struct chronicle *chronicle)
{
	const struct config *config = chronicle->server->first;
	struct history_state state;
	history_state(chronicle->history, &state);
	return json_pack("{s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:i, s:f}", "state",
		state.is_broken ? "stopped" : "on", "file", config->history.file, "of_loans",
		(int)config->history.loans, "watch", (int)config->history.watch, "loans", (json_int_t)state.loans,
		"holdings", (json_int_t)state.holdings, "lost", (json_int_t)state.lost, "bytes",
		(json_int_t)state.bytes, "limit_bytes", (json_int_t)config->history.bytes, "age_s",
		(int)config->history.age_s, "oldest", (double)state.oldest_us / 1e6);
}

json_t *chronicle_json(const struct chronicle *chronicle)
{
	if (chronicle == NULL || (chronicle->history == NULL && chronicle->why[0] == '\0'))
		return json_pack("{s:s}", "state", "off");
	if (chronicle->history == NULL)
		return json_pack("{s:s, s:s}", "state", "none", "why", chronicle->why);
	return standing_json(chronicle);
}
