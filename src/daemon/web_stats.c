/* Decides which numbers the dashboard and Prometheus are given, and their form. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "daemon/web_parts.h"
#include "ports/audit.h"

#ifndef BERTH_VERSION
#define BERTH_VERSION "unknown"
#endif

/* --- what there is --- */

struct numbers {
	uint64_t counter[COUNTERS];
	struct timing_sum timing[TIMINGS];
	uint64_t ede[COUNTED_EDES];
	struct rrcache_state cache;
	unsigned usable, among;
};

static void read_numbers(struct numbers *n, const struct server *server)
{
	struct counters **blocks = xzalloc(server->workers, sizeof(struct counters *));
	for (unsigned i = 0; i < server->workers; i++)
		blocks[i] = &server->worker[i].counters;
	counters_sum(blocks, server->workers, n->counter);
	for (int i = 0; i < TIMINGS; i++)
		counters_sum_timing(blocks, server->workers, (enum timing)i, &n->timing[i]);
	counters_sum_ede(blocks, server->workers, n->ede);
	free(blocks);
	rrcache_state(server->rrcache, &n->cache);
	n->usable = server->keeper.usable.count[PORT_USABLE];
	n->among = server_among(server->first, n->usable);
}

static double uptime_s(const struct server *server)
{
	return (double)(clock_mono_us() - server->started_us) / 1e6;
}

/* --- JSON --- */

static json_t *counters_json(const struct numbers *n)
{
	json_t *object = json_object();
	for (int i = 0; i < COUNTERS; i++)
		json_object_set_new(object, counter_key((enum counter)i), json_integer((json_int_t)n->counter[i]));
	return object;
}

static json_t *timings_json(const struct numbers *n)
{
	json_t *object = json_object();
	for (int i = 0; i < TIMINGS; i++) {
		json_t *buckets = json_array();
		for (unsigned b = 0; b < TIMING_BUCKETS; b++)
			json_array_append_new(buckets, json_integer((json_int_t)n->timing[i].bucket[b]));
		json_object_set_new(object, timing_key((enum timing)i),
			json_pack("{s:o, s:I}", "buckets", buckets, "us", (json_int_t)n->timing[i].us));
	}
	return object;
}

static json_t *ede_json(const struct numbers *n)
{
	char code[16];
	json_t *object = json_object();
	for (unsigned i = 0; i < COUNTED_EDES; i++) {
		snprintf(code, sizeof(code), "%u", i);
		if (n->ede[i] > 0)
			json_object_set_new(object, code, json_integer((json_int_t)n->ede[i]));
	}
	return object;
}

json_t *stats_json(const struct web_tour *tour)
{
	const struct server *server = tour->web->server;
	struct numbers n;
	read_numbers(&n, server);
	return json_pack("{s:f, s:s, s:i, s:o, s:o, s:o, s:{s:s, s:i, s:i, s:f, s:i, s:i}, s:{s:I, s:I, s:I}, s:i}",
		"uptime_s", uptime_s(server), "version", BERTH_VERSION, "workers", (int)server->workers, "counters",
		counters_json(&n), "timings", timings_json(&n), "ede", ede_json(&n), "pool", "lend",
		server->first->ports.reserved ? "reserved" : "fresh", "usable", (int)n.usable, "lent",
		(int)tour->pool.lent, "bits", port_bits(n.among), "waiting", (int)tour->waiting, "running",
		(int)tour->running, "cache", "entries", (json_int_t)n.cache.entries, "bytes", (json_int_t)n.cache.bytes,
		"limit", (json_int_t)n.cache.limit, "viewers", (int)events_viewers(tour->web->events));
}

/* --- Prometheus' text format, version 0.0.4 --- */

static void write_name(FILE *out, const char *key, const char *unit)
{
	fputs("berth_", out);
	for (; *key != '\0'; key++)
		fputc(*key == '.' || *key == '-' ? '_' : *key, out);
	fputs(unit, out);
}

static void write_head(FILE *out, const char *key, const char *unit, const char *help, const char *type)
{
	fputs("# HELP ", out);
	write_name(out, key, unit);
	fprintf(out, " %s\n# TYPE ", help);
	write_name(out, key, unit);
	fprintf(out, " %s\n", type);
}

static void write_one(FILE *out, const char *key, const char *unit, const char *help, const char *type, double value)
{
	write_head(out, key, unit, help, type);
	write_name(out, key, unit);
	fprintf(out, " %.17g\n", value);
}

static void write_timing(FILE *out, enum timing which, const struct timing_sum *sum)
{
	const char *key = timing_key(which);
	uint64_t below = 0;
	write_head(out, key, "_seconds", timing_help(which), "histogram");
	for (unsigned b = 0; b < TIMING_BUCKETS; b++) {
		uint64_t limit_us = timing_limit_us(b);
		below += sum->bucket[b];
		write_name(out, key, "_seconds_bucket");
		if (limit_us != 0)
			fprintf(out, "{le=\"%g\"} %llu\n", (double)limit_us / 1e6, (unsigned long long)below);
		else
			fprintf(out, "{le=\"+Inf\"} %llu\n", (unsigned long long)below);
	}
	write_name(out, key, "_seconds_sum");
	fprintf(out, " %.6f\n", (double)sum->us / 1e6);
	write_name(out, key, "_seconds_count");
	fprintf(out, " %llu\n", (unsigned long long)below);
}

static void write_gauges(FILE *out, const struct web_tour *tour, const struct numbers *n)
{
	const struct {
		const char *key, *help;
		double value;
	} gauges[] = {
		{"uptime_seconds", "since the start", uptime_s(tour->web->server)},
		{"workers", "threads that answer queries", tour->web->server->workers},
		{"lookups_running", "lookups that run now", (double)tour->running},
		{"ports_usable", "ports that may be lent", n->usable},
		{"ports_bits", "what guessing a port is worth, in bits", port_bits(n->among)},
		{"pool_sockets", "sockets of the pool", tour->pool.size},
		{"pool_lent", "loans out now, those that wait for a late reply among them", tour->pool.lent},
		{"pool_max", "loans at once that are allowed", tour->pool.max},
		{"pool_waiting", "questions that wait for a port", (double)tour->waiting},
		{"cache_entries", "rrsets in the cache", (double)n->cache.entries},
		{"cache_bytes", "memory of the cache", (double)n->cache.bytes},
		{"cache_limit_bytes", "memory that the cache may take", (double)n->cache.limit},
		{"web_viewers", "viewers of the page that are told of every change", events_viewers(tour->web->events)},
	};
	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
		write_one(out, gauges[i].key, "", gauges[i].help, "gauge", gauges[i].value);
}

size_t metrics_text(const struct web_tour *tour, char **text)
{
	struct numbers n;
	size_t len = 0;
	FILE *out = open_memstream(text, &len);
	if (out == NULL)
		return 0;
	read_numbers(&n, tour->web->server);
	write_head(out, "build_info", "", "the version that runs", "gauge");
	fputs("berth_build_info{version=\"" BERTH_VERSION "\"} 1\n", out);
	write_gauges(out, tour, &n);
	for (int i = 0; i < COUNTERS; i++) {
		bool is_peak = i == COUNT_FIBERS_PEAK_STACK;
		write_one(out, counter_key((enum counter)i), is_peak ? "_bytes" : "_total",
			counter_help((enum counter)i), is_peak ? "gauge" : "counter", (double)n.counter[i]);
	}
	for (int i = 0; i < TIMINGS; i++)
		write_timing(out, (enum timing)i, &n.timing[i]);
	write_head(out, "answers_ede", "_total", "answers with an extended error, by its code (RFC 8914)", "counter");
	for (unsigned i = 0; i < COUNTED_EDES; i++)
		if (n.ede[i] > 0)
			fprintf(out, "berth_answers_ede_total{code=\"%u\"} %llu\n", i, (unsigned long long)n.ede[i]);
	fclose(out);
	return len;
}

/* --- visits --- */

static void finish_stats(struct web_tour *tour)
{
	web_reply_json(tour->visit, MHD_HTTP_OK, stats_json(tour));
}

static void finish_metrics(struct web_tour *tour)
{
	char *text = NULL;
	size_t len = metrics_text(tour, &text);
	web_reply_text(tour->visit, len > 0 ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
		"text/plain; version=0.0.4; charset=utf-8", text != NULL ? text : "", len);
	free(text);
}

static void ask(struct visit *visit, void (*finish)(struct web_tour *tour))
{
	struct web_tour *tour = tour_new(visit->web, finish);
	tour->visit = visit;
	/* The tour comes home by mail: never before the visit waits. */
	if (tours_begin(visit->web->tours, tour) == 0)
		web_wait(visit);
	else
		web_reply_error(visit, MHD_HTTP_SERVICE_UNAVAILABLE, "too many are asking; try again in a moment");
}

void stats_run(struct visit *visit)
{
	ask(visit, finish_stats);
}

void metrics_run(struct visit *visit)
{
	ask(visit, finish_metrics);
}
