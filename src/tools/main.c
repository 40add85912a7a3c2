/* berth: decides what the options mean and which verb runs. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/paths.h"
#include "tools/print.h"
#include "tools/registry.h"
#include "tools/tool.h"

#ifndef BERTH_VERSION
#define BERTH_VERSION "unreleased"
#endif

enum { TIMEOUT_MS = 10000, SECONDS_MAX = 3600, INTERVAL_LEAST_MS = 100, COUNT_LEAST = 16, COUNT_MOST = 10000 };

const struct verb *const verbs[] = {&verb_port, &verb_holders, &verb_map, &verb_ports, &verb_audit, &verb_service,
	&verb_registry, &verb_query, &verb_why, &verb_stats, &verb_status, &verb_anchors, &verb_cache, &verb_reload,
	&verb_check, &verb_help, NULL};

const struct verb *verb_find(const char *name)
{
	for (const struct verb *const *v = verbs; *v != NULL; v++)
		if (strcmp((*v)->name, name) == 0)
			return *v;
	return NULL;
}

int tool_fail(const struct tool *tool, const char *format, ...)
{
	char words[768];
	va_list args;
	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	if (tool->json)
		print_json(json_pack("{s:s}", "error", words));
	else
		fprintf(stderr, "berth: %s\n", words);
	return EXIT_FAILED;
}

int tool_usage(const struct verb *verb, const char *format, ...)
{
	char words[1024], clean[768];
	va_list args;
	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	fprintf(stderr, "berth: %s\n", escape_text(clean, sizeof(clean), words));
	if (verb != NULL)
		fprintf(stderr, "usage: berth %s%s%s\n", verb->name, *verb->args ? " " : "", verb->args);
	else
		fprintf(stderr, "usage: berth [OPTION...] VERB [ARGUMENT...]; see: berth help\n");
	return EXIT_USAGE;
}

/* The system's berthd is what an ordinary user wants when none of their own is there. */
static const char *default_socket(void)
{
	static char path[PATH_SOCKET];
	static const char system_path[] = "/run/berth/control";
	const char *named = getenv("BERTH_SOCKET");
	if (named != NULL && *named != '\0')
		return named;
	if (path_control_socket(path, sizeof(path)) != 0)
		return system_path;
	return access(path, F_OK) != 0 && access(system_path, F_OK) == 0 ? system_path : path;
}

bool tool_seconds(const char *text, unsigned *out_ms)
{
	char *end;
	errno = 0;
	double seconds = strtod(text, &end);
	if (errno != 0 || end == text || *end != '\0' || !(seconds >= 0.001 && seconds <= SECONDS_MAX))
		return false;
	*out_ms = (unsigned)(seconds * 1000);
	return true;
}

int tool_interval(const struct verb *verb, const char *text, unsigned *out_ms)
{
	if (tool_seconds(text, out_ms) && *out_ms >= INTERVAL_LEAST_MS)
		return EXIT_GOOD;
	return tool_usage(verb, "\"%s\" is not a time between two looks; write seconds, 0.1 to 3600", text);
}

static bool parse_count(const char *text, unsigned *out)
{
	char *end;
	unsigned long count = strtoul(text, &end, 10);
	*out = (unsigned)count;
	return end != text && *end == '\0' && count >= COUNT_LEAST && count <= COUNT_MOST;
}

enum {
	OPTION_SOCKET = 256,
	OPTION_JSON,
	OPTION_TIMEOUT,
	OPTION_HELP,
	OPTION_VERSION,
	/* those of one verb */
	OPTION_FRESH,
	OPTION_EVERYWHERE,
	OPTION_DYNAMIC,
	OPTION_LISTENING,
	OPTION_UDP,
	OPTION_PROCESS,
	OPTION_DRY_RUN,
	OPTION_WATCH,
	OPTION_REFLECTOR,
	OPTION_COUNT,
	OPTION_AT,
	OPTION_SINCE,
	OPTION_BY_HAND,
	OPTION_TCP,
	OPTIONS_END,
};

static const struct option options[] = {
	{"socket", required_argument, NULL, OPTION_SOCKET},
	{"json", no_argument, NULL, OPTION_JSON},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"fresh", no_argument, NULL, OPTION_FRESH},
	{"everywhere", no_argument, NULL, OPTION_EVERYWHERE},
	{"dynamic", no_argument, NULL, OPTION_DYNAMIC},
	{"listening", no_argument, NULL, OPTION_LISTENING},
	{"udp", no_argument, NULL, OPTION_UDP},
	{"process", required_argument, NULL, OPTION_PROCESS},
	{"dry-run", no_argument, NULL, OPTION_DRY_RUN},
	{"watch", optional_argument, NULL, OPTION_WATCH},
	{"reflector", required_argument, NULL, OPTION_REFLECTOR},
	{"count", required_argument, NULL, OPTION_COUNT},
	{"at", required_argument, NULL, OPTION_AT},
	{"since", required_argument, NULL, OPTION_SINCE},
	{"by-hand", no_argument, NULL, OPTION_BY_HAND},
	{"tcp", no_argument, NULL, OPTION_TCP},
	{NULL, 0, NULL, 0},
};

/* The verbs that an option belongs to. */
static const struct {
	int option;
	const char *name;
	const struct verb *verbs[3];
} owners[] = {{OPTION_FRESH, "fresh", {&verb_why}}, {OPTION_EVERYWHERE, "everywhere", {&verb_port}},
	{OPTION_DYNAMIC, "dynamic", {&verb_holders}}, {OPTION_LISTENING, "listening", {&verb_holders}},
	{OPTION_UDP, "udp", {&verb_holders, &verb_map}}, {OPTION_TCP, "tcp", {&verb_map}},
	{OPTION_PROCESS, "process", {&verb_holders}}, {OPTION_DRY_RUN, "dry-run", {&verb_ports}},
	{OPTION_WATCH, "watch", {&verb_ports, &verb_holders, &verb_map}},
	{OPTION_REFLECTOR, "reflector", {&verb_audit}}, {OPTION_COUNT, "count", {&verb_audit}},
	{OPTION_AT, "at", {&verb_port}}, {OPTION_SINCE, "since", {&verb_port}},
	{OPTION_BY_HAND, "by-hand", {&verb_port}}};

struct wish {
	struct tool tool;
	bool help, version;
	bool given[OPTIONS_END - OPTION_FRESH]; /* of those of one verb */
};

static int read_own_option(struct wish *wish, int c)
{
	wish->given[c - OPTION_FRESH] = true;
	switch (c) {
	case OPTION_FRESH: wish->tool.fresh = true; break;
	case OPTION_EVERYWHERE: wish->tool.everywhere = true; break;
	case OPTION_DYNAMIC: wish->tool.dynamic = true; break;
	case OPTION_LISTENING: wish->tool.listening = true; break;
	case OPTION_UDP: wish->tool.udp = true; break;
	case OPTION_PROCESS: wish->tool.process = optarg; break;
	case OPTION_DRY_RUN: wish->tool.dry_run = true; break;
	case OPTION_WATCH: wish->tool.watch = optarg != NULL ? optarg : ""; break;
	case OPTION_REFLECTOR: wish->tool.reflector = optarg; break;
	case OPTION_AT: wish->tool.at = optarg; break;
	case OPTION_SINCE: wish->tool.since = optarg; break;
	case OPTION_BY_HAND: wish->tool.by_hand = true; break;
	case OPTION_TCP: wish->tool.tcp = true; break;
	default:
		if (!parse_count(optarg, &wish->tool.count))
			return tool_usage(&verb_audit, "\"%s\" is not a number of questions; write %d to %d", optarg,
				COUNT_LEAST, COUNT_MOST);
	}
	return EXIT_GOOD;
}

/* EXIT_GOOD, or EXIT_USAGE after saying why. */
static int read_options(struct wish *wish, int argc, char **argv)
{
	opterr = 0;
	for (int c; (c = getopt_long(argc, argv, ":hV", options, NULL)) != -1;) {
		switch (c) {
		case OPTION_SOCKET: wish->tool.socket = optarg; break;
		case OPTION_JSON: wish->tool.json = true; break;
		case OPTION_TIMEOUT:
			if (!tool_seconds(optarg, &wish->tool.timeout_ms))
				return tool_usage(NULL, "\"%s\" is not a time to wait; write seconds, 0.001 to %d",
					optarg, SECONDS_MAX);
			break;
		case 'h':
		case OPTION_HELP: wish->help = true; break;
		case 'V':
		case OPTION_VERSION: wish->version = true; break;
		case ':': return tool_usage(NULL, "%s needs a value", argv[optind - 1]);
		case '?': return tool_usage(NULL, "there is no option %s", argv[optind - 1]);
		default:
			if (read_own_option(wish, c) != EXIT_GOOD)
				return EXIT_USAGE;
		}
	}
	return EXIT_GOOD;
}

static bool is_owner(size_t index, const struct verb *verb)
{
	for (size_t i = 0; i < sizeof(owners[0].verbs) / sizeof(owners[0].verbs[0]); i++)
		if (owners[index].verbs[i] == verb)
			return true;
	return false;
}

static int run(struct wish *wish, int argc, char **argv)
{
	if (wish->version) {
		if (wish->tool.json)
			return print_json(json_pack("{s:s}", "version", BERTH_VERSION));
		printf("berth %s\n", BERTH_VERSION);
		return EXIT_GOOD;
	}
	if (wish->help)
		return verb_help.run(&wish->tool, argc, argv);
	if (argc == 0)
		return tool_usage(NULL, "say what to do");
	const struct verb *verb = verb_find(argv[0]);
	if (verb == NULL)
		return tool_usage(NULL, "there is no verb \"%s\"", argv[0]);
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++)
		if (wish->given[owners[i].option - OPTION_FRESH] && !is_owner(i, verb))
			return tool_usage(verb, "--%s belongs to berth %s", owners[i].name, owners[i].verbs[0]->name);
	if (verb == &verb_port || verb == &verb_service || verb == &verb_registry)
		registry_choose();
	return verb->run(&wish->tool, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	struct wish wish = {.tool = {.socket = default_socket(), .timeout_ms = TIMEOUT_MS}};
	print_init();
	int code = read_options(&wish, argc, argv);
	if (code == EXIT_GOOD)
		code = run(&wish, argc - optind, argv + optind);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "berth: the output could not be written: %s; is the disk full?\n", strerror(errno));
		return EXIT_FAILED;
	}
	return code;
}
