/* berth ports: the pool on one screen, and the way to its changes and its live view. */
#include "tools/ports.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ports/preflight.h"
#include "tools/client.h"
#include "tools/print.h"

enum { COLUMN = 14, TEXT = 400 };

/* --- how it stands --- */

static const char *lending_words(const json_t *reply, char out[static TEXT])
{
	char number[PRINT_NUMBER];
	if (strcmp(text_of(reply, "lend"), "reserved") != 0)
		return "fresh: a port is drawn for each question and let go after it; an idle socket holds none";
	if (count_of(reply, "among") == 1)
		return "reserved: one port is held, and shared by all questions";
	snprintf(out, TEXT, "reserved: %s ports are held, and one of them is drawn for each question",
		grouped(count_of(reply, "among"), number));
	return out;
}

/* Each reason that took ports away, a line each. */
static void print_away(const json_t *away)
{
	char text[TEXT], number[PRINT_NUMBER];
	const char *label = "taken away";
	for (int why = PORT_EXCLUDED; why < PORT_WHYS; why++) {
		int64_t count = count_of(away, port_why_key((enum port_why)why));
		if (count == 0)
			continue;
		snprintf(text, sizeof(text), "%s %s", grouped(count, number), port_why_text((enum port_why)why));
		print_item(label, COLUMN, text);
		label = "";
	}
	if (*label != '\0')
		print_item(label, COLUMN, "none");
}

static void print_set(const json_t *reply)
{
	char text[TEXT], number[PRINT_COUNT], drawn[PRINT_NUMBER];
	print_item("lending", COLUMN, lending_words(reply, text));
	snprintf(text, sizeof(text), "%.40s%s", text_of(reply, "range"),
		json_is_true(json_object_get(reply, "changed")) ? "; changed while running: this and what is excluded "
								  "or included lasts until the next reload or restart"
								: "");
	print_item("range", COLUMN, text);
	int64_t among = count_of(reply, "among");
	snprintf(text, sizeof(text), "%s; a question's is one of %s, %.1f bits to guess",
		counted(count_of(reply, "usable"), "port", number), grouped(among, drawn),
		log2(fmax(1, (double)among)));
	print_item("usable", COLUMN, text);
	print_away(json_object_get(reply, "away"));
}

static void print_now(const json_t *reply)
{
	char text[TEXT], a[PRINT_COUNT], b[PRINT_NUMBER], c[PRINT_COUNT], d[PRINT_COUNT];
	snprintf(text, sizeof(text), "%s, %s of them idle; %s held ahead; at most %s at once",
		counted(count_of(reply, "pool"), "socket", a), grouped(count_of(reply, "idle"), b),
		counted(count_of(reply, "held"), "port", c), counted(count_of(reply, "max"), "loan", d));
	print_item("pool", COLUMN, text);
	snprintf(text, sizeof(text),
		"%s lent, %s more wait for a late reply, %s beyond the pool; %s waiting for a port",
		grouped(count_of(reply, "lent"), a), grouped(count_of(reply, "lingering"), b),
		grouped(count_of(reply, "grown"), c), grouped(count_of(reply, "waiting"), d));
	print_item("now", COLUMN, text);
}

static void print_others(const json_t *others)
{
	char text[TEXT], held[PRINT_NUMBER], most[PRINT_NUMBER];
	int64_t count = count_of(others, "held");
	if (!json_is_object(others))
		snprintf(text, sizeof(text), "not known: the kernel's table of sockets cannot be read");
	else if (count == 0)
		snprintf(text, sizeof(text), "no other program holds a UDP port");
	else
		snprintf(text, sizeof(text), "%s UDP port%s held by other programs, most (%s) by %.40s",
			grouped(count, held), count == 1 ? " is" : "s are", grouped(count_of(others, "top_held"), most),
			text_of(others, "top"));
	print_item("others", COLUMN, text);
}

/* --- what happened --- */

/* A counter of berthd, what it is called, and what one of it is. */
struct tally {
	const char *key, *name, *text;
	enum style alarm;
};

static const struct tally loan_tallies[] = {
	{"loans.grown", "grown", "beyond the pool", STYLE_PLAIN},
	{"loans.late", "late", "the reply came when its question had been given up", STYLE_PLAIN},
	{"loans.queued", "queued", "had to wait for a port, ports.max being lent", STYLE_NOTE},
	{"loans.shed", "shed", "given up, because no port came free in time", STYLE_BAD},
	{"loans.crowded", "crowded", "not sent, a server or zone having its share of the loans", STYLE_NOTE},
	{"loans.failed", "failed", "no port was to be had", STYLE_BAD},
	{NULL, NULL, NULL, STYLE_PLAIN},
};

static const struct tally draw_tallies[] = {
	{"ports.taken", "taken", "the port was another program's (EADDRINUSE)", STYLE_NOTE},
	{"ports.denied", "denied", "the system did not permit it (EACCES)", STYLE_BAD},
	{"ports.nofiles", "nofiles", "descriptors ran out (EMFILE)", STYLE_BAD},
	{"ports.nobufs", "nobufs", "the kernel had no memory (ENOBUFS)", STYLE_BAD},
	{NULL, NULL, NULL, STYLE_PLAIN},
};

/* A line for each that is not zero, and one for all that are. */
static void print_tallies(const char *label, const json_t *counters, const struct tally *tally)
{
	char text[TEXT], number[PRINT_NUMBER], none[TEXT] = "";
	size_t len = 0;
	for (; tally->key != NULL; tally++) {
		int64_t count = count_of(counters, tally->key);
		if (count == 0) {
			len += (size_t)snprintf(
				none + len, sizeof(none) - len, "%s%s", len > 0 ? ", " : "none ", tally->name);
			continue;
		}
		snprintf(text, sizeof(text), "%s %s: %s", grouped(count, number), tally->name, tally->text);
		print_label(label, COLUMN);
		printf("%s", style(tally->alarm));
		print_wrapped(text, COLUMN);
		printf("%s", style(STYLE_PLAIN));
		label = "";
	}
	if (len > 0)
		print_item(label, COLUMN, none);
}

static void print_loans(const json_t *counters)
{
	char text[TEXT], all[PRINT_NUMBER], moored[PRINT_NUMBER], fresh[PRINT_NUMBER], held[PRINT_NUMBER];
	snprintf(text, sizeof(text), "%s: %s on re-moored sockets, %s on fresh ones, %s held ahead",
		grouped(count_of(counters, "loans"), all), grouped(count_of(counters, "loans.moored"), moored),
		grouped(count_of(counters, "loans.fresh"), fresh), grouped(count_of(counters, "loans.reserved"), held));
	print_item("lent so far", COLUMN, text);
	print_tallies("", counters, loan_tallies);
	print_tallies("draws lost", counters, draw_tallies);
}

/* --- the preflight --- */

static enum style style_of_level(const char *level)
{
	if (strcmp(level, preflight_level_text(PREFLIGHT_GOOD)) == 0)
		return STYLE_GOOD;
	return strcmp(level, preflight_level_text(PREFLIGHT_NOTE)) == 0 ? STYLE_NOTE : STYLE_BAD;
}

static void print_lines(const json_t *lines)
{
	size_t i;
	json_t *line;
	putchar('\n');
	json_array_foreach(lines, i, line)
	{
		const char *level = text_of(line, "level");
		printf("  %s", style(style_of_level(level)));
		print_padded(level, COLUMN - 2);
		printf("%s", style(STYLE_PLAIN));
		print_wrapped(text_of(line, "text"), COLUMN);
	}
}

static int show(const struct tool *tool)
{
	json_t *reply;
	char why[CLIENT_ERROR];
	if (client_ask_once(tool, json_pack("{s:s}", "cmd", "ports"), &reply, why) != 0)
		return tool_fail(tool, "%s", why);
	if (tool->json)
		return print_json(reply);
	printf("%sThe ports of berthd%s\n\n", style(STYLE_BOLD), style(STYLE_PLAIN));
	print_set(reply);
	print_now(reply);
	print_others(json_object_get(reply, "others"));
	print_loans(json_object_get(reply, "counters"));
	print_lines(json_object_get(reply, "lines"));
	json_decref(reply);
	return EXIT_GOOD;
}

/* --- the verb --- */

/* `--watch 2` as well as `--watch=2`: the number may stand as a word. */
static int watch(const struct tool *tool, int argc, char **argv)
{
	unsigned interval_ms = 1000;
	const char *text = *tool->watch != '\0' ? tool->watch : argc > 0 ? argv[0] : "1";
	if (argc > (*tool->watch == '\0'))
		return tool_usage(&verb_ports, "\"%s\" is one word too many beside --watch", argv[argc - 1]);
	int code = tool_interval(&verb_ports, text, &interval_ms);
	return code == EXIT_GOOD ? ports_watch(tool, interval_ms) : code;
}

static int run_ports(const struct tool *tool, int argc, char **argv)
{
	if (tool->watch != NULL && tool->dry_run)
		return tool_usage(&verb_ports, "--watch changes nothing, so --dry-run says nothing beside it");
	if (tool->watch != NULL)
		return watch(tool, argc, argv);
	if (argc > 0 &&
		(strcmp(argv[0], "exclude") == 0 || strcmp(argv[0], "include") == 0 || strcmp(argv[0], "range") == 0))
		return ports_change(tool, argv[0], argc - 1, argv + 1);
	if (argc > 0)
		return tool_usage(&verb_ports, "\"%s\" is none of exclude, include and range", argv[0]);
	if (tool->dry_run)
		return tool_usage(&verb_ports, "--dry-run goes with exclude, include and range");
	return show(tool);
}

const struct verb verb_ports = {
	"ports",
	"[exclude LIST | ...]",
	"how the pool of ports stands; change it",
	"Says how berthd lends ports: which are usable and what took others away, how\n"
	"many are lent now, what was lost and by what cause, who else holds ports here,\n"
	"and what on this machine could be better.\n\n"
	"  --watch [SECONDS]  shows it live until Ctrl-C or q; a line each time where\n"
	"                     standard output is no terminal\n\n"
	"  berth ports exclude LIST       lend these ports no more\n"
	"  berth ports include LIST       lend them again, or although they are\n"
	"                                 registered or known to clash\n"
	"  berth ports range FIRST-LAST   lend ports of this range\n"
	"  --dry-run                      only says what would change\n\n"
	"A LIST has ports, ranges and names of IANA's registry. What is lent finishes its\n"
	"loan. A change lasts until the next reload or restart of berthd; the lines that\n"
	"would keep it are printed.\n\n"
	"  berth ports exclude 60100-60199 mdns --dry-run\n"
	"  berth ports --watch 2\n",
	run_ports,
};
