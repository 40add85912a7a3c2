/* Decides what the live view of the pool shows, and how it looks where there is no terminal. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "tools/client.h"
#include "tools/ports.h"
#include "tools/print.h"
#include "tools/screen.h"

enum { HISTORY = 512, LABEL = 14, NUMBER = 9, PEAK = 16, BAR = 40, TEXT = 256 };

enum series { LOANS, LENT, WAITING, MISMATCHES, SERIES };

static const char *const names[SERIES] = {"loans/s", "lent now", "queued now", "mismatches/s"};
static const char *const keys[SERIES] = {"loans_per_s", "lent", "waiting", "mismatches_per_s"};

/* The counters of one look, to be taken from those of the next. */
struct look {
	uint64_t at_us;
	int64_t loans, mismatches;
};

struct watch {
	const struct tool *tool;
	unsigned interval_ms;
	struct client *client;
	json_t *reply; /* the last one; NULL: none, because of `why` */
	char why[CLIENT_ERROR];
	struct look last;
	bool has_last, has_rates;
	double now[SERIES];
	double history[SERIES][HISTORY]; /* a ring */
	unsigned count;                  /* values ever put into it */
};

/* --- looking --- */

/* 0, or the client's error. A connection that failed is not used again. */
static int ask(struct watch *watch)
{
	json_decref(watch->reply);
	watch->reply = NULL;
	print_forget();
	int ret = 0;
	if (watch->client == NULL)
		ret = client_open(&watch->client, watch->tool->socket, watch->tool->timeout_ms, watch->why);
	if (ret == 0)
		ret = client_ask(watch->client, json_pack("{s:s}", "cmd", "stats"), &watch->reply, watch->why);
	if (ret != 0) {
		client_close(watch->client);
		watch->client = NULL;
		watch->has_last = false;
	}
	return ret;
}

static void remember(struct watch *watch)
{
	for (int s = 0; s < SERIES; s++)
		watch->history[s][watch->count % HISTORY] = watch->now[s];
	watch->count++;
}

/* Rates need two looks at the same berthd: one that was started anew counts from zero. */
static void reckon(struct watch *watch)
{
	const json_t *counters = json_object_get(watch->reply, "counters"),
		     *ports = json_object_get(watch->reply, "ports");
	struct look look = {clock_mono_us(), count_of(counters, "loans"), count_of(counters, "upstream.mismatched")};
	double took_s = (double)(look.at_us - watch->last.at_us) / 1e6;
	watch->has_rates = watch->has_last && took_s > 0 && look.loans >= watch->last.loans &&
			   look.mismatches >= watch->last.mismatches;
	watch->now[LOANS] = watch->has_rates ? (double)(look.loans - watch->last.loans) / took_s : 0;
	watch->now[MISMATCHES] = watch->has_rates ? (double)(look.mismatches - watch->last.mismatches) / took_s : 0;
	watch->now[LENT] = (double)count_of(ports, "lent");
	watch->now[WAITING] = (double)count_of(ports, "waiting");
	watch->last = look;
	watch->has_last = true;
	if (watch->has_rates)
		remember(watch);
}

/* --- the view --- */

static const char *amount(double value, char out[static PRINT_NUMBER])
{
	if (value > 0 && value < 9.95)
		snprintf(out, PRINT_NUMBER, value == floor(value) ? "%.0f" : "%.1f", value);
	else
		grouped(llround(value), out);
	return out;
}

static double peak_of(const struct watch *watch, enum series s, unsigned shown)
{
	double peak = 0;
	for (unsigned back = 1; back <= shown; back++)
		peak = fmax(peak, watch->history[s][(watch->count - back) % HISTORY]);
	return peak;
}

/* One column for each look, the newest at the right. Zero is the lowest bar, all else is higher. */
static void print_spark(const struct watch *watch, enum series s, unsigned width)
{
	unsigned kept = watch->count < HISTORY ? watch->count : HISTORY, shown = kept < width ? kept : width;
	double peak = peak_of(watch, s, shown);
	char number[PRINT_NUMBER];
	printf("%*s%s", (int)(width - shown), "",
		style(peak <= 0                   ? STYLE_DIM
			: s == LOANS || s == LENT ? STYLE_PORT
						  : STYLE_BAD));
	for (unsigned back = shown; back > 0; back--) {
		double value = watch->history[s][(watch->count - back) % HISTORY];
		printf("%s", bar_of(value <= 0 ? 0 : 1 + (unsigned)(value / peak * 6)));
	}
	printf("%s  %speak %s%s", style(STYLE_PLAIN), style(STYLE_DIM), amount(peak, number), style(STYLE_PLAIN));
}

static void draw_series(const struct watch *watch, enum series s, int columns)
{
	char number[PRINT_NUMBER];
	bool is_rate = s == LOANS || s == MISMATCHES;
	int width = columns - 2 - LABEL - NUMBER - 2 - PEAK;
	if (!screen_line())
		return;
	print_label(names[s], LABEL + 2);
	bool alarms = s != LOANS && s != LENT && watch->now[s] > 0;
	printf("%s%*s%s  ", style(alarms ? STYLE_BAD : STYLE_BOLD), NUMBER,
		is_rate && !watch->has_rates ? "-" : amount(watch->now[s], number), style(STYLE_PLAIN));
	if (width >= 8)
		print_spark(watch, s, width < HISTORY ? (unsigned)width : HISTORY);
}

static void draw_text(const char *label, const char *text)
{
	if (!screen_line())
		return;
	print_label(label, LABEL + 2);
	printf("%s", text);
}

/* How much of what may be lent at once is out: ports that wait for a late reply are. */
static void draw_bar(const json_t *ports, int columns)
{
	char out[PRINT_NUMBER], max[PRINT_COUNT];
	int64_t loans = count_of(ports, "lent") + count_of(ports, "lingering");
	double share = fmin(1, (double)loans / fmax(1, (double)count_of(ports, "max")));
	int width = columns - 2 - LABEL - 32;
	width = width > BAR ? BAR : width;
	int full = (int)ceil(share * width);
	if (!screen_line())
		return;
	print_label("in use", LABEL + 2);
	printf("%s", style(share < 0.5 ? STYLE_GOOD : share < 0.9 ? STYLE_NOTE : STYLE_BAD));
	for (int i = 0; i < width; i++)
		printf("%s%s", i == full ? style(STYLE_DIM) : "", bar_of(i < full ? 7 : 0));
	printf("%s  %s of %s", style(STYLE_PLAIN), grouped(loans, out), counted(count_of(ports, "max"), "loan", max));
}

static void draw_standing(const json_t *ports)
{
	char text[TEXT], a[PRINT_COUNT], b[PRINT_NUMBER], c[PRINT_COUNT];
	snprintf(text, sizeof(text), "%s usable of %.16s, lent %.10s", grouped(count_of(ports, "usable"), a),
		text_of(ports, "range"), text_of(ports, "lend"));
	draw_text("ports", text);
	snprintf(text, sizeof(text), "%s: %s idle, %s held ahead", counted(count_of(ports, "pool"), "socket", a),
		grouped(count_of(ports, "idle"), b), counted(count_of(ports, "held"), "port", c));
	draw_text("pool", text);
	snprintf(text, sizeof(text), "%s wait for a late reply, %s beyond the pool",
		grouped(count_of(ports, "lingering"), a), grouped(count_of(ports, "grown"), b));
	draw_text("besides", text);
}

static void draw_totals(const json_t *counters)
{
	char text[TEXT], a[PRINT_NUMBER], b[PRINT_NUMBER], c[PRINT_NUMBER], d[PRINT_NUMBER], e[PRINT_NUMBER];
	snprintf(text, sizeof(text), "%s lent, %s queued, %s shed, %s failed, %s crowded out",
		grouped(count_of(counters, "loans"), a), grouped(count_of(counters, "loans.queued"), b),
		grouped(count_of(counters, "loans.shed"), c), grouped(count_of(counters, "loans.failed"), d),
		grouped(count_of(counters, "loans.crowded"), e));
	draw_text("in all", text);
	snprintf(text, sizeof(text), "%s taken, %s denied, %s no descriptor, %s no memory",
		grouped(count_of(counters, "ports.taken"), a), grouped(count_of(counters, "ports.denied"), b),
		grouped(count_of(counters, "ports.nofiles"), c), grouped(count_of(counters, "ports.nobufs"), d));
	draw_text("draws lost", text);
}

static void draw_blank(void)
{
	(void)screen_line();
}

static void draw(const struct watch *watch)
{
	int columns = print_columns();
	const json_t *ports = json_object_get(watch->reply, "ports");
	char up[PRINT_NUMBER];
	screen_begin();
	if (screen_line())
		printf("%sThe ports of berthd%s  %severy %g s; up %s; q or Ctrl-C ends%s", style(STYLE_BOLD),
			style(STYLE_PLAIN), style(STYLE_DIM), watch->interval_ms / 1e3,
			duration_s(number_of(watch->reply, "uptime_s"), up), style(STYLE_PLAIN));
	draw_blank();
	for (int s = 0; s < SERIES; s++)
		draw_series(watch, (enum series)s, columns);
	draw_blank();
	if (watch->reply != NULL) {
		draw_bar(ports, columns);
		draw_standing(ports);
		draw_totals(json_object_get(watch->reply, "counters"));
	} else if (screen_line()) {
		printf("  %s%s%s", style(STYLE_BAD), watch->why, style(STYLE_PLAIN));
	}
	screen_end();
}

/* Who looks wants to see berthd come back: only at the start is its absence a failure. */
static int watch_on_screen(struct watch *watch)
{
	enum screen_event event = SCREEN_DUE;
	uint64_t next_us = 0;
	screen_enter();
	while (event != SCREEN_QUIT) {
		if (event == SCREEN_DUE) {
			if (ask(watch) == 0)
				reckon(watch);
			next_us = clock_mono_us() + watch->interval_ms * UINT64_C(1000);
		}
		draw(watch);
		event = screen_wait(next_us);
	}
	screen_leave();
	return EXIT_GOOD;
}

/* --- a line each time --- */

static void print_as_line(const struct watch *watch)
{
	const json_t *ports = json_object_get(watch->reply, "ports"),
		     *counters = json_object_get(watch->reply, "counters");
	char when[PRINT_TIME];
	printf("%s", moment((double)clock_wall_us() / 1e6, when));
	for (int s = 0; s < SERIES; s++)
		printf("  %s %.*f", keys[s], s == LOANS || s == MISMATCHES ? 1 : 0, watch->now[s]);
	printf("  failed %lld  lingering %lld  usable %lld\n", (long long)count_of(counters, "loans.failed"),
		(long long)count_of(ports, "lingering"), (long long)count_of(ports, "usable"));
}

static void print_as_json(const struct watch *watch)
{
	json_t *line = json_pack("{s:f}", "at", (double)clock_wall_us() / 1e6);
	for (int s = 0; s < SERIES; s++)
		json_object_set_new(line, keys[s], json_real(watch->now[s]));
	json_object_set_new(
		line, "failed", json_integer(count_of(json_object_get(watch->reply, "counters"), "loans.failed")));
	json_object_set(line, "ports", json_object_get(watch->reply, "ports"));
	json_dumpf(line, stdout, JSON_COMPACT | PRINT_JSON);
	putchar('\n');
	json_decref(line);
}

static void pause_ms(unsigned ms)
{
	struct timespec left = {ms / 1000, (long)(ms % 1000) * 1000000};
	nanosleep(&left, NULL);
}

static int watch_in_lines(struct watch *watch)
{
	for (;;) {
		if (ask(watch) != 0)
			return tool_fail(watch->tool, "%s", watch->why);
		reckon(watch);
		if (watch->has_rates && watch->tool->json)
			print_as_json(watch);
		else if (watch->has_rates)
			print_as_line(watch);
		if (fflush(stdout) != 0)
			return EXIT_FAILED; /* main says why */
		pause_ms(watch->interval_ms);
	}
}

int ports_watch(const struct tool *tool, unsigned interval_ms)
{
	static struct watch watch; /* 17 KiB */
	watch.tool = tool;
	watch.interval_ms = interval_ms;
	if (tool->json || !screen_can())
		return watch_in_lines(&watch);
	if (ask(&watch) != 0)
		return tool_fail(tool, "%s", watch.why);
	return watch_on_screen(&watch);
}
