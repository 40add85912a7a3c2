/* berth map: all ports at once, as a picture. Decides what each port counts as. */
#include "tools/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "ports/diag.h"
#include "ports/kernel.h"
#include "ports/origin.h"
#include "tools/client.h"
#include "tools/print.h"
#include "tools/screen.h"

enum { AROUND = 6, USUAL_MS = 1000 };

/* --- what a port is --- */

struct map *map_new(struct port_range range)
{
	struct map *map = xzalloc(1, sizeof(*map));
	map->range = range;
	return map;
}

static void raise_to(struct map *map, uint16_t port, enum map_state state)
{
	if (map->state[port] < state)
		map->state[port] = (uint8_t)state;
}

struct gaze {
	struct map *map;
	struct port_range local;
};

/* A connection that was accepted has its listener's port, which is found by itself. */
static void on_socket(void *arg, const struct diag_socket *socket)
{
	const struct gaze *gaze = arg;
	struct origin origin = origin_of(socket, gaze->local, false);
	enum map_state state = MAP_HELD;
	if (socket->state == DIAG_LISTENING)
		state = MAP_LISTENING;
	else if (origin.who == ORIGIN_KERNEL)
		state = MAP_EPHEMERAL;
	else if (socket->state == DIAG_UNCONNECTED)
		state = MAP_LISTENING;
	raise_to(gaze->map, addr_port(&socket->local), state);
}

static int look_over(struct map *map, struct diag *diag, enum port_transport transport)
{
	struct gaze gaze = {.map = map};
	kernel_local_range(&gaze.local);
	struct diag_ask ask = {transport, AF_INET, map->range, DIAG_ALL};
	int ret = diag_dump(diag, &ask, on_socket, &gaze);
	ask.family = AF_INET6;
	return ret == 0 ? diag_dump(diag, &ask, on_socket, &gaze) : ret;
}

int map_look(struct map *map, bool udp, bool tcp)
{
	struct diag *diag;
	int ret = diag_open(&diag);
	if (ret == 0 && udp)
		ret = look_over(map, diag, PORT_UDP);
	if (ret == 0 && tcp)
		ret = look_over(map, diag, PORT_TCP);
	diag_close(diag);
	return ret;
}

/* berthd knows better what its own sockets are; a port that was lent a moment ago may be somebody else's now. */
static void mark(struct map *map, const json_t *list, enum map_state state, bool always)
{
	size_t i;
	json_t *entry;
	json_array_foreach(list, i, entry)
	{
		struct port_range range;
		const char *text = json_string_value(entry);
		if (text == NULL || port_range_parse(&range, text) != 0)
			continue;
		for (unsigned port = range.first; port <= range.last; port++) {
			if (always)
				map->state[port] = (uint8_t)state;
			else
				raise_to(map, (uint16_t)port, state);
		}
	}
}

void map_add_daemon(struct map *map, const json_t *reply)
{
	if (reply == NULL)
		return;
	map->recent_s = number_of(reply, "recent_s");
	mark(map, json_object_get(reply, "recent"), MAP_RECENT, false);
	mark(map, json_object_get(reply, "pool"), MAP_POOL, true);
	mark(map, json_object_get(reply, "lent"), MAP_LENT, true);
}

void map_count(struct map *map)
{
	memset(map->count, 0, sizeof(map->count));
	for (unsigned port = map->range.first; port <= map->range.last; port++)
		map->count[map->state[port]]++;
}

const char *map_state_text(enum map_state state)
{
	static const char *const texts[MAP_STATES] = {
		"free", "lent recently", "berthd's pool", "ephemeral", "held", "listening", "lent now"};
	return state < MAP_STATES ? texts[state] : "?";
}

/* --- one look --- */

struct view {
	const struct tool *tool;
	struct port_range range;
	struct map *map;
	struct client *client; /* NULL: no berthd */
	char why[CLIENT_ERROR];
};

/* Without berthd the picture has the machine's ports alone. */
static json_t *ask_daemon(struct view *view)
{
	json_t *reply = NULL;
	if (view->client == NULL &&
		client_open(&view->client, view->tool->socket, view->tool->timeout_ms, view->why) != 0)
		return NULL;
	if (client_ask(view->client, json_pack("{s:s}", "cmd", "map"), &reply, view->why) == 0)
		return reply;
	client_close(view->client);
	view->client = NULL;
	return NULL;
}

static int look(struct view *view)
{
	bool udp = view->tool->udp || !view->tool->tcp, tcp = view->tool->tcp || !view->tool->udp;
	free(view->map);
	view->map = map_new(view->range);
	print_forget();
	json_t *reply = ask_daemon(view);
	map_add_daemon(view->map, reply);
	json_decref(reply);
	struct map *sockets = map_new(view->range);
	int ret = map_look(sockets, udp, tcp);
	/* berthd's own sockets are in the kernel's tables too: what berthd says of them stands. */
	for (unsigned port = 0; port < PORTS_ALL; port++)
		if (view->map->state[port] != MAP_LENT && view->map->state[port] != MAP_POOL)
			raise_to(view->map, (uint16_t)port, (enum map_state)sockets->state[port]);
	free(sockets);
	map_count(view->map);
	return ret;
}

/* --- for people --- */

static bool next_line(void)
{
	static bool is_later;
	if (is_later)
		putchar('\n');
	is_later = true;
	return true;
}

static void draw_all(const struct view *view, bool (*line)(void), unsigned interval_ms)
{
	const struct tool *tool = view->tool;
	struct map_form form = map_form_of(
		view->range, print_columns(), print_rows() - AROUND, print_has_colours() && print_has_unicode());
	char each[PRINT_COUNT];
	if (line()) {
		printf("%sPorts %u-%u%s%s  %sa cell is %s", style(STYLE_BOLD), view->range.first, view->range.last,
			tool->udp == tool->tcp ? ""
			: tool->udp            ? " of UDP"
					       : " of TCP",
			style(STYLE_PLAIN), style(STYLE_DIM), counted(form.each, "port", each));
		if (interval_ms > 0)
			printf("; every %g s; q or Ctrl-C ends", interval_ms / 1e3);
		if (view->client == NULL)
			printf("; no berthd");
		printf("%s", style(STYLE_PLAIN));
	}
	(void)line();
	map_draw(view->map, &form, line);
	(void)line();
	map_draw_legend(view->map, &form, line);
}

/* --- for programs --- */

static json_t *map_json(const struct view *view)
{
	json_t *states = json_object(), *counts = json_object();
	for (int s = MAP_FREE + 1; s < MAP_STATES; s++) {
		json_t *list = json_array();
		for (unsigned first = view->range.first, last; first <= view->range.last; first = last + 1) {
			char text[16];
			last = first;
			if (view->map->state[first] != s)
				continue;
			while (last < view->range.last && view->map->state[last + 1] == s)
				last++;
			snprintf(text, sizeof(text), first == last ? "%u" : "%u-%u", first, last);
			json_array_append_new(list, json_string(text));
		}
		json_object_set_new(states, map_state_text((enum map_state)s), list);
	}
	for (int s = 0; s < MAP_STATES; s++)
		json_object_set_new(counts, map_state_text((enum map_state)s), json_integer(view->map->count[s]));
	return json_pack("{s:i, s:i, s:b, s:o, s:o}", "first", (int)view->range.first, "last", (int)view->range.last,
		"berthd", view->client != NULL, "counts", counts, "ports", states);
}

/* --- live --- */

static int watch_on_screen(struct view *view, unsigned interval_ms)
{
	enum screen_event event = SCREEN_DUE;
	uint64_t next_us = 0;
	screen_enter();
	while (event != SCREEN_QUIT) {
		if (event == SCREEN_DUE) {
			(void)look(view); /* the first one was good */
			next_us = clock_mono_us() + interval_ms * UINT64_C(1000);
		}
		screen_begin();
		draw_all(view, screen_line, interval_ms);
		screen_end();
		event = screen_wait(next_us);
	}
	screen_leave();
	return EXIT_GOOD;
}

static int watch_in_lines(struct view *view, unsigned interval_ms)
{
	struct timespec left = {interval_ms / 1000, (long)(interval_ms % 1000) * 1000000};
	for (;;) {
		json_t *line = map_json(view);
		json_dumpf(line, stdout, JSON_COMPACT | PRINT_JSON);
		putchar('\n');
		json_decref(line);
		if (fflush(stdout) != 0)
			return EXIT_FAILED; /* main says why */
		nanosleep(&left, NULL);
		(void)look(view);
	}
}

/* --- the verb --- */

/* Nobody can hold port 0, but the System ports begin with it. */
static int parse_range(struct port_range *range, const char *text)
{
	if (strncmp(text, "0-", 2) != 0)
		return port_range_parse(range, text);
	char from_one[16];
	snprintf(from_one, sizeof(from_one), "1%s", text + 1);
	int ret = strlen(text) < sizeof(from_one) ? port_range_parse(range, from_one) : E_INVAL;
	range->first = 0;
	return ret;
}

/* "RANGE", and with --watch the seconds as a word of their own: those are a number without a dash. */
static int read_words(struct view *view, int argc, char **argv, unsigned *interval_ms)
{
	const char *seconds = view->tool->watch != NULL && *view->tool->watch != '\0' ? view->tool->watch : NULL;
	int ranges = 0;
	for (int i = 0; i < argc; i++) {
		if (view->tool->watch != NULL && seconds == NULL && strchr(argv[i], '-') == NULL)
			seconds = argv[i];
		else if (ranges++ > 0)
			return tool_usage(&verb_map, "\"%s\" is one word too many", argv[i]);
		else if (parse_range(&view->range, argv[i]) != 0 || view->range.first == view->range.last)
			return tool_usage(
				&verb_map, "\"%s\" is not a range of ports; write for example 49152-65535", argv[i]);
	}
	if (view->tool->watch == NULL)
		return EXIT_GOOD;
	return seconds != NULL ? tool_interval(&verb_map, seconds, interval_ms) : EXIT_GOOD;
}

static int run_map(const struct tool *tool, int argc, char **argv)
{
	static struct view view;
	unsigned interval_ms = USUAL_MS;
	view.tool = tool;
	view.range = (struct port_range){0, PORTS_ALL - 1}; /* rows begin with round numbers */
	int code = read_words(&view, argc, argv, &interval_ms);
	if (code != EXIT_GOOD)
		return code;
	int ret = look(&view);
	if (ret != 0)
		return tool_fail(
			tool, "the kernel's socket tables (sock_diag) could not be asked: %s", error_text(ret));
	if (tool->watch != NULL)
		return !tool->json && screen_can() ? watch_on_screen(&view, interval_ms)
						   : watch_in_lines(&view, interval_ms);
	if (tool->json)
		return print_json(map_json(&view));
	draw_all(&view, next_line, 0);
	putchar('\n');
	return EXIT_GOOD;
}

const struct verb verb_map = {
	"map",
	"[FIRST-LAST]",
	"all ports of this machine as a picture",
	"Draws the ports of this machine, or those of a range: free, held, listening,\n"
	"ephemeral, and those of berthd's pool, lent now and lent a moment ago. A cell has\n"
	"as many ports as the terminal makes it have, and shows the one that matters\n"
	"most; of a range that is small enough each port has its own. The number at the\n"
	"left is the first port of the line. Without colours each state has a sign.\n\n"
	"  --watch [SECONDS]  shows it live until Ctrl-C or q; a line of JSON each time\n"
	"                     where standard output is no terminal\n"
	"  --udp, --tcp       of one transport alone\n\n"
	"  berth map 49152-65535 --watch\n"
	"  berth map 60000-60255\n",
	run_map,
};
