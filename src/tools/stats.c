/* berth stats: what berthd has counted. */
#include <stdio.h>
#include <string.h>

#include "tools/client.h"
#include "tools/print.h"

enum { LIMIT_COUNTERS = 4096, KEY = 22, NUMBER = 14 };

static void print_count(const char *key, int64_t value, const char *help)
{
	char number[PRINT_NUMBER];
	printf("  ");
	print_padded(key, KEY);
	printf(" %s%*s%s%s", value == 0 ? style(STYLE_DIM) : style(STYLE_PLAIN), NUMBER, grouped(value, number),
		style(STYLE_PLAIN), *help != '\0' ? "  " : "");
	int over = width_of(key) > KEY ? width_of(key) - KEY : 0, column = 2 + KEY + 1 + NUMBER + 2;
	printf("%s", style(STYLE_DIM));
	print_rest(help, column + over, column);
	printf("%s", style(STYLE_PLAIN));
}

static size_t group_len(const char *key)
{
	return strcspn(key, ".");
}

static void print_counters(const json_t *counters, const json_t *help)
{
	const char *key, *group = "";
	json_t *value;
	size_t shown = 0;
	json_object_foreach((json_t *)counters, key, value)
	{
		if (++shown > LIMIT_COUNTERS)
			break;
		size_t len = group_len(key);
		if (group_len(group) != len || strncmp(group, key, len) != 0)
			printf("%s%s%.*s%s\n", *group ? "\n" : "", style(STYLE_BOLD), (int)len, safe(key),
				style(STYLE_PLAIN));
		group = key;
		print_count(safe(key), count_of(counters, key), text_of(help, key));
	}
}

/* The numbers of an object that says how things stand, each under its own name. */
static void print_standing(const char *title, const json_t *object)
{
	const char *key;
	json_t *value;
	if (!json_is_object(object))
		return;
	printf("\n%s%s%s %snow%s\n", style(STYLE_BOLD), title, style(STYLE_PLAIN), style(STYLE_DIM),
		style(STYLE_PLAIN));
	json_object_foreach((json_t *)object, key, value)
	{
		if (json_is_number(value))
			print_count(safe(key), count_of(object, key), "");
		else if (json_is_string(value))
			printf("  %-22s %14s\n", safe(key), text_of(object, key));
	}
}

static int run_stats(const struct tool *tool, int argc, char **argv)
{
	json_t *reply;
	char why[CLIENT_ERROR], time[PRINT_NUMBER];
	if (argc > 0)
		return tool_usage(&verb_stats, "\"%s\" is one word too many", argv[0]);
	if (client_ask_once(tool, json_pack("{s:s}", "cmd", "stats"), &reply, why) != 0)
		return tool_fail(tool, "%s", why);
	if (tool->json)
		return print_json(reply);
	print_counters(json_object_get(reply, "counters"), json_object_get(reply, "help"));
	print_standing("pool", json_object_get(reply, "ports"));
	print_standing("cache", json_object_get(reply, "cache"));
	printf("\n%scounted for %s%s\n", style(STYLE_DIM), duration_s(number_of(reply, "uptime_s"), time),
		style(STYLE_PLAIN));
	json_decref(reply);
	return EXIT_GOOD;
}

const struct verb verb_stats = {
	"stats",
	"",
	"what berthd has counted",
	"Prints all counters of berthd since its start, and how its pool of ports and\n"
	"its cache stand now.\n",
	run_stats,
};
