/* berth status: what berthd is and does now. */
#include <stdio.h>
#include <string.h>

#include "tools/client.h"
#include "tools/print.h"

enum { COLUMN = 14 };

static void print_line(const char *what, const char *text)
{
	print_item(what, COLUMN, text);
}

static void print_ports(const json_t *ports)
{
	char usable[PRINT_NUMBER], pool[PRINT_COUNT], lent[PRINT_NUMBER], moorable[PRINT_NUMBER], text[256];
	snprintf(text, sizeof(text), "%s usable of %.40s; %s of them can be moored by the kernel",
		grouped(count_of(ports, "usable"), usable), text_of(ports, "range"),
		grouped(count_of(ports, "moorable"), moorable));
	print_line("ports", text);
	snprintf(text, sizeof(text), "%s, %s%s lent now%s%s", counted(count_of(ports, "pool"), "socket", pool),
		style(STYLE_PORT), grouped(count_of(ports, "lent"), lent), style(STYLE_PLAIN),
		count_of(ports, "grown") > 0 ? ", more than the pool has" : "");
	print_line("pool", text);
}

static void print_history(const json_t *history)
{
	char loans[PRINT_COUNT], holdings[PRINT_COUNT], lost[PRINT_NUMBER], text[768];
	const char *state = text_of(history, "state"), *file = text_of(history, "file");
	if (strcmp(state, "none") == 0)
		snprintf(text, sizeof(text), "none is kept: %.700s", text_of(history, "why"));
	else if (*file == '\0')
		snprintf(text, sizeof(text), "%.20s", state);
	else
		snprintf(text, sizeof(text), "%.500s%s: %s, %s%s%s, %.1f of %.0f MiB", file,
			strcmp(state, "stopped") == 0 ? ", which has stopped (see the log)" : "",
			counted(count_of(history, "loans"), "loan", loans),
			counted(count_of(history, "holdings"), "holder", holdings),
			count_of(history, "lost") > 0 ? ", lost " : "",
			count_of(history, "lost") > 0 ? grouped(count_of(history, "lost"), lost) : "",
			number_of(history, "bytes") / (1 << 20), number_of(history, "limit_bytes") / (1 << 20));
	if (*state != '\0')
		print_line("history", text);
}

static void print_status(const json_t *reply, const char *socket)
{
	char text[PRINT_NUMBER];
	printf("%sberthd %s%s, process %lld, up for %s\n\n", style(STYLE_BOLD), text_of(reply, "version"),
		style(STYLE_PLAIN), (long long)count_of(reply, "pid"), duration_s(number_of(reply, "uptime_s"), text));
	print_line("listens on", joined(json_object_get(reply, "listen"), ", "));
	snprintf(text, sizeof(text), "%lld", (long long)count_of(reply, "workers"));
	print_line("workers", text);
	print_line("validation", text_of(reply, "validation"));
	print_ports(json_object_get(reply, "ports"));
	print_history(json_object_get(reply, "history"));
	if (json_array_size(json_object_get(reply, "web")) > 0)
		print_line("web page", joined(json_object_get(reply, "web"), ", "));
	print_line("control", safe(socket));
	if (*text_of(reply, "configuration") != '\0')
		print_line("file", safe(text_of(reply, "configuration")));
}

static int run_status(const struct tool *tool, int argc, char **argv)
{
	json_t *reply;
	char why[CLIENT_ERROR];
	if (argc > 0)
		return tool_usage(&verb_status, "\"%s\" is one word too many", argv[0]);
	if (client_ask_once(tool, json_pack("{s:s}", "cmd", "status"), &reply, why) != 0)
		return tool_fail(tool, "%s", why);
	if (tool->json)
		return print_json(reply);
	print_status(reply, tool->socket);
	json_decref(reply);
	return EXIT_GOOD;
}

const struct verb verb_status = {
	"status",
	"",
	"what berthd is and does now",
	"Says which berthd runs, since when, where it listens, and how its pool of ports\n"
	"stands.\n",
	run_status,
};
