/* What the verbs of `berth` get and give.
 *
 *	static int run_status(const struct tool *tool, int argc, char **argv) ...
 *	const struct verb verb_status = {"status", "", "what berthd is and does now", "...", run_status};
 *
 * A verb returns the program's exit code. One thread, one verb, one process: nothing is freed before the end that is
 * not large. */
#pragma once

#include <stdbool.h>

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* The options, which are the same for all verbs. */
struct tool {
	const char *socket;
	unsigned timeout_ms;
	bool json;
	/* each of one verb alone */
	bool fresh;              /* why */
	bool everywhere;         /* port */
	bool dynamic, listening; /* holders */
	bool udp, tcp;           /* map; udp: holders too */
	const char *at, *since;  /* port: NULL, or as they were written */
	bool by_hand;            /* port */
	const char *process;     /* holders: NULL: all */
	bool dry_run;            /* ports */
	const char *watch;     /* ports, holders, map: NULL, or the seconds as they were written, "" where none were */
	const char *reflector; /* audit; NULL: none */
	unsigned count;        /* audit: questions to the reflector; 0: as many as usual */
};

struct verb {
	const char *name, *args, *summary;
	const char *help;                                           /* some lines, each ends in a newline */
	int (*run)(const struct tool *tool, int argc, char **argv); /* argv[0] is the first argument after the verb */
};

extern const struct verb verb_port, verb_holders, verb_map, verb_ports, verb_audit, verb_service, verb_registry,
	verb_query, verb_why, verb_stats, verb_status, verb_anchors, verb_cache, verb_reload, verb_check, verb_help;
/* Ends with NULL, in the order of `berth help`. */
extern const struct verb *const verbs[];

const struct verb *verb_find(const char *name);
/* "berth: ..." on standard error, or {"error": ...} on standard output with --json. Returns EXIT_FAILED. */
int tool_fail(const struct tool *tool, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A mistake in the words of the command: says so, names the verb's form, returns EXIT_USAGE. */
int tool_usage(const struct verb *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A number of seconds, 0.001 to 3,600, which may have a fraction; false when the text is none. */
bool tool_seconds(const char *text, unsigned *out_ms);
/* The seconds between two looks of --watch, 0.1 to 3,600. EXIT_GOOD, or EXIT_USAGE after saying why. */
int tool_interval(const struct verb *verb, const char *text, unsigned *out_ms);
