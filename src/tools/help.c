/* berth help: the verbs and their words. */
#include <stdio.h>
#include <string.h>

#include "tools/print.h"
#include "tools/tool.h"

enum { SUMMARY = 38 };

static const char options_help[] = "  --socket PATH      berthd's control socket (else $BERTH_SOCKET, or the usual)\n"
				   "  --json             one JSON document instead of text\n"
				   "  --timeout SECONDS  how long to wait for berthd (10)\n"
				   "  --help, --version\n";

static int print_verb(const struct verb *verb)
{
	printf("%sberth %s%s%s%s\n\n%s", style(STYLE_BOLD), verb->name, *verb->args ? " " : "", verb->args,
		style(STYLE_PLAIN), verb->help);
	return EXIT_GOOD;
}

static json_t *verb_as_json(const struct verb *verb)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "verb", verb->name, "arguments", verb->args, "summary", verb->summary,
		"help", verb->help);
}

static int print_all(const struct tool *tool)
{
	json_t *list = json_array();
	if (!tool->json) {
		printf("%sberth%s ", style(STYLE_BOLD), style(STYLE_PLAIN));
		print_rest(
			"says what a port is and did, and talks to berthd, the resolver that borrows its ports.", 6, 0);
		putchar('\n');
	}
	for (const struct verb *const *v = verbs; *v != NULL; v++) {
		char form[64];
		snprintf(form, sizeof(form), "%s %s", (*v)->name, (*v)->args);
		json_array_append_new(list, verb_as_json(*v));
		if (!tool->json) {
			printf("  berth %s%-29s%s ", style(STYLE_BOLD), form, style(STYLE_PLAIN));
			print_wrapped((*v)->summary, SUMMARY);
		}
	}
	if (tool->json)
		return print_json(json_pack("{s:o}", "verbs", list));
	json_decref(list);
	printf("\n%s\n", options_help);
	print_wrapped(
		"It exits with 0 when all went well, 1 when something failed, 2 when the command was not understood.",
		0);
	return EXIT_GOOD;
}

static int run_help(const struct tool *tool, int argc, char **argv)
{
	if (argc == 0)
		return print_all(tool);
	if (argc > 1 && strcmp(argv[0], "help") == 0)
		argv++;
	const struct verb *verb = verb_find(argv[0]);
	if (verb == NULL)
		return tool_usage(NULL, "there is no verb \"%s\"", argv[0]);
	return tool->json ? print_json(verb_as_json(verb)) : print_verb(verb);
}

const struct verb verb_help = {
	"help",
	"[VERB]",
	"this list, or more of one verb",
	"Lists the verbs and options, or says more of one verb.\n",
	run_help,
};
