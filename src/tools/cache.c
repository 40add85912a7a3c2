/* berth cache save: has berthd write its cache to the disk. */
#include <stdio.h>
#include <string.h>

#include "tools/client.h"
#include "tools/print.h"

static int run_cache(const struct tool *tool, int argc, char **argv)
{
	json_t *reply;
	char why[CLIENT_ERROR], records[PRINT_COUNT];
	if (argc != 1 || strcmp(argv[0], "save") != 0)
		return tool_usage(&verb_cache, "what is to be done is missing, or not known; it can save");
	if (client_ask_once(tool, json_pack("{s:s}", "cmd", "cache-save"), &reply, why) != 0)
		return tool_fail(tool, "%s", why);
	if (tool->json)
		return print_json(reply);
	printf("%s, %.1f MiB, written to %s\n", counted(count_of(reply, "records"), "record", records),
		number_of(reply, "bytes") / (1 << 20), text_of(reply, "file"));
	json_decref(reply);
	return EXIT_GOOD;
}

const struct verb verb_cache = {
	"cache",
	"save",
	"have berthd write its cache to the file that cache.snapshot names",
	"Has berthd write its cache to the disk, as it does when it ends: the next start\n"
	"reads it. The file is the one that cache.snapshot of the configuration names.\n",
	run_cache,
};
