/* Decides what each worker is asked when the control socket wants to know how things stand. */
#include "daemon/control_survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "ports/reserve.h"

static int compare_loans(const void *left, const void *right)
{
	const struct ledger_entry *a = left, *b = right;
	return a->begin_us < b->begin_us ? 1 : a->begin_us > b->begin_us ? -1 : 0;
}

/* The newest of this worker's loans and of those found before. */
static void look_at_port(struct survey *survey, const struct worker *worker)
{
	survey->loans += ledger_find(worker->ledger, survey->port, survey->loan + survey->loans, LOANS_SHOWN);
	qsort(survey->loan, survey->loans, sizeof(survey->loan[0]), compare_loans);
	if (survey->loans > LOANS_SHOWN)
		survey->loans = LOANS_SHOWN;
	uint64_t oldest_us;
	size_t count = ledger_count(worker->ledger, survey->port, &oldest_us);
	if (count > 0 && (survey->loan_count == 0 || oldest_us < survey->loans_since_us))
		survey->loans_since_us = oldest_us;
	survey->loan_count += count;
	if (pool_find_lent(worker->pool, survey->port, &survey->lent))
		survey->is_lent = true;
}

static void visit(struct tour *tour, struct worker *worker)
{
	struct survey *survey = container_of(tour, struct survey, tour);
	struct pool_state state;
	pool_state(worker->pool, &state);
	survey->pool.size += state.size;
	survey->pool.max += state.max;
	survey->pool.idle += state.idle;
	survey->pool.lent += state.lent;
	survey->pool.grown += state.grown;
	survey->moorable = pool_moorable(worker->pool);
	if (worker->resolver != NULL) {
		survey->running += resolver_running(worker->resolver);
		survey->lingering += resolver_lingering(worker->resolver);
		survey->waiting += resolver_waiting(worker->resolver);
	}
	if (survey->port != 0)
		look_at_port(survey, worker);
}

static void on_done(struct tour *tour)
{
	struct survey *survey = container_of(tour, struct survey, tour);
	survey->finish(survey);
	free(survey);
}

struct survey *survey_new(struct control_call *call, void (*finish)(struct survey *survey))
{
	struct survey *survey = xzalloc(1, sizeof(*survey));
	survey->call = call;
	survey->finish = finish;
	survey->tour.visit = visit;
	survey->tour.done = on_done;
	return survey;
}

void survey_begin(struct survey *survey)
{
	tour_begin(&survey->tour, survey->call->server);
}

json_t *survey_ports_json(const struct survey *survey)
{
	const struct server *server = survey->call->server;
	const struct port_range *rules = &server->keeper.rules.range;
	unsigned held = server->reserve != NULL ? reserve_held(server->reserve) : server->single != NULL;
	char range[16];
	snprintf(range, sizeof(range), "%u-%u", rules->first, rules->last);
	return json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "lend",
		server->first->ports.reserved ? "reserved" : "fresh", "range", range, "usable",
		(int)server->keeper.usable.count[PORT_USABLE], "pool", (int)survey->pool.size, "max",
		(int)survey->pool.max, "idle", (int)survey->pool.idle, "held", (int)held, "lent",
		(int)(survey->pool.lent - survey->lingering), "lingering", (int)survey->lingering, "waiting",
		(int)survey->waiting, "grown", (int)survey->pool.grown, "moorable",
		(int)port_space_usable(server->space, survey->moorable.first, survey->moorable.last));
}

json_t *survey_counters_json(const struct server *server, const char *begin)
{
	struct counters **blocks = xzalloc(server->workers, sizeof(struct counters *));
	for (unsigned i = 0; i < server->workers; i++)
		blocks[i] = &server->worker[i].counters;
	uint64_t total[COUNTERS];
	counters_sum(blocks, server->workers, total);
	free(blocks);
	json_t *numbers = json_object();
	for (int i = 0; i < COUNTERS; i++)
		if (strncmp(counter_key((enum counter)i), begin, strlen(begin)) == 0)
			json_object_set_new(numbers, counter_key((enum counter)i), json_integer((json_int_t)total[i]));
	return numbers;
}
