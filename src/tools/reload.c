/* berth reload: has berthd read its configuration again. */
#include <stdio.h>

#include "base/escape.h"
#include "tools/client.h"
#include "tools/print.h"

static int run_reload(const struct tool *tool, int argc, char **argv)
{
	json_t *reply;
	char why[CLIENT_ERROR];
	if (argc > 0)
		return tool_usage(&verb_reload, "\"%s\" is one word too many", argv[0]);
	if (client_ask_once(tool, json_pack("{s:s}", "cmd", "reload"), &reply, why) != 0)
		return tool_fail(tool, "%s", why);
	if (tool->json)
		return print_json(reply);
	printf("berthd has read its configuration again\n");
	size_t i;
	json_t *warning;
	json_array_foreach(json_object_get(reply, "warnings"), i, warning)
	{
		char clean[512];
		if (json_is_string(warning))
			printf("but %s\n", escape_text(clean, sizeof(clean), json_string_value(warning)));
	}
	json_decref(reply);
	return EXIT_GOOD;
}

const struct verb verb_reload = {
	"reload",
	"",
	"have berthd read its configuration again",
	"Has berthd read its configuration again, without losing a query or the cache. A\n"
	"configuration with a mistake changes nothing: the mistake is named, with its\n"
	"line, and berthd goes on as it was.\n",
	run_reload,
};
