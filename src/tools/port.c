/* berth port: what a port is, who holds it, whether it is free, and what berthd does with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "ports/byhand.h"
#include "ports/here.h"
#include "ports/json.h"
#include "ports/usable.h"
#include "tools/client.h"
#include "tools/known.h"
#include "tools/loans.h"
#include "tools/past.h"
#include "tools/port_holders.h"
#include "tools/port_words.h"
#include "tools/print.h"

enum { COLUMN = 11, HOLDER = 22, ROW = 46 + HOLDER + 2, WORDS = 256 };

/* berthd, as far as it can be asked. */
struct daemon {
	struct client *client; /* NULL: cannot be asked, because of `why` */
	bool is_there;         /* false: no berthd at that socket */
	char why[CLIENT_ERROR];
	int code;
};

struct look {
	const struct tool *tool;
	struct port_machine *machine;
	struct daemon daemon;
	json_t *list;            /* with --json */
	bool many;               /* a line for each instead of a page */
	struct inspection *seen; /* the holders of the one port, or of all; NULL: the kernel could not be asked */
};

/* --- berthd --- */

static void open_daemon(struct daemon *daemon, const struct tool *tool)
{
	int ret = client_open(&daemon->client, tool->socket, tool->timeout_ms, daemon->why);
	daemon->is_there = ret != E_NOENT && ret != E_REFUSED;
	daemon->code = EXIT_GOOD; /* what this machine says is worth having without berthd */
}

/* berthd's words on the port, or NULL. A berthd that fails once is not asked again. */
static json_t *ask_daemon(struct daemon *daemon, uint16_t port)
{
	json_t *reply = NULL;
	if (daemon->client == NULL)
		return NULL;
	json_t *request = json_pack("{s:s, s:i}", "cmd", "port", "port", port);
	if (client_ask(daemon->client, request, &reply, daemon->why) == 0)
		return reply;
	client_close(daemon->client);
	daemon->client = NULL;
	daemon->code = EXIT_FAILED;
	return NULL;
}

/* --- one port, in words --- */

static void print_here(const struct port_here *here)
{
	static char services[KNOWN_WORDS];
	char text[HERE_WORDS + 128];
	enum port_class class = port_class(here->port);
	struct port_range range = port_class_range(class);
	snprintf(text, sizeof(text), "%s, %u-%u (RFC 6335): %s", port_class_text(class), range.first, range.last,
		port_class_help(class));
	print_item("class", COLUMN, text);
	known_services_words(here->port, services);
	port_service_words(here, text);
	print_item("service", COLUMN, *services != '\0' ? services : *text != '\0' ? text : "none is registered");
	if (*services != '\0' && *text != '\0')
		print_item("locally", COLUMN, text);
	if (*known_description(here->port) != '\0')
		print_item("about", COLUMN, known_description(here->port));
	print_item("here", COLUMN, port_here_words(here, text));
	snprintf(text, sizeof(text), "%s ip_local_port_range, %u-%u; %s ip_local_reserved_ports",
		here->in_local ? "inside" : "outside", here->local.first, here->local.last,
		here->reserved ? "in" : "not in");
	print_item("kernel", COLUMN, text);
}

/* "lent now: it asks 192.0.2.1@53 for www.example. A over udp, since ..." */
static const char *lent_words(const json_t *lent, char *out, size_t size)
{
	char when[PRINT_TIME];
	snprintf(out, size, "%slent now%s: it asks %.100s for %.300s over %.10s, since %s", style(STYLE_PORT),
		style(STYLE_PLAIN), text_of(lent, "server"), text_of(lent, "question"), text_of(lent, "transport"),
		moment(json_number_value(json_object_get(lent, "at")), when));
	return out;
}

static bool is_held_on_udp(const struct port_here *here)
{
	return here->probe[PORT_UDP][0] == PROBE_HELD || here->probe[PORT_UDP][1] == PROBE_HELD;
}

/* berthd looks at what others hold and at the kernel's list every few seconds; we looked now. */
static const char *news_for(const struct port_here *here, const json_t *reply, char out[static WORDS])
{
	bool usable = !json_is_false(json_object_get(reply, "usable"));
	const char *what = NULL;
	if (usable && here->reserved)
		what = "it is in ip_local_reserved_ports";
	else if (usable && is_held_on_udp(here))
		what = "another program holds it";
	else if (!here->reserved && strcmp(text_of(reply, "why_not"), port_why_text(PORT_RESERVED)) == 0)
		what = "it is not in that list any more";
	else if (!is_held_on_udp(here) && strcmp(text_of(reply, "why_not"), port_why_text(PORT_HELD)) == 0)
		what = "it is free now";
	out[0] = '\0';
	if (what != NULL)
		snprintf(out, WORDS, "; %s, and berthd finds out within %d s", what, LIMIT_LOOK_S);
	return out;
}

static const char *standing_of(const struct port_here *here, const json_t *reply, char *out, size_t size)
{
	char news[WORDS];
	const char *why_not = text_of(reply, "why_not");
	bool usable = !json_is_false(json_object_get(reply, "usable"));
	if (json_is_true(json_object_get(reply, "held")))
		snprintf(out, size, "held by berthd's pool, idle now%s%s%s", usable ? "" : "; to be let go",
			*why_not ? ": " : "", why_not);
	else if (!usable)
		snprintf(out, size, "does not lend it%s%s%s", *why_not ? ": " : "", why_not,
			news_for(here, reply, news));
	else
		snprintf(out, size, "may lend it; not lent now%s%s%s",
			json_array_size(json_object_get(reply, "loans")) == 0 ? ", and no loan of it is remembered"
									      : "",
			json_is_true(json_object_get(reply, "taken_by_other"))
				? "; when last drawn, another program held it"
				: "",
			news_for(here, reply, news));
	return out;
}

static const char *daemon_words(
	const struct look *look, const struct port_here *here, const json_t *reply, char out[static CLIENT_ERROR])
{
	const struct daemon *daemon = &look->daemon;
	const json_t *lent = json_object_get(reply, "lent");
	if (reply == NULL && daemon->is_there)
		snprintf(out, CLIENT_ERROR, "cannot be asked: %.700s", daemon->why);
	else if (reply == NULL)
		snprintf(out, CLIENT_ERROR, "not running: nobody answers at %.200s", safe(look->tool->socket));
	else if (json_is_object(lent))
		lent_words(lent, out, CLIENT_ERROR);
	else
		standing_of(here, reply, out, CLIENT_ERROR);
	return out;
}

static void print_by_hand(uint16_t port)
{
	const struct byhand *row;
	char command[BYHAND_COMMAND];
	enum byhand_system before = BYHAND_SYSTEMS;
	for (size_t i = 0; (row = byhand_row(i)) != NULL; i++) {
		if (row->system != before)
			printf("\n  %sby hand on %s%s\n", style(STYLE_DIM), byhand_system_text(row->system),
				style(STYLE_PLAIN));
		before = row->system;
		printf("  %s\n      ", byhand_command(row, port, command));
		printf("%s", style(STYLE_DIM));
		print_wrapped(row->says, 6);
		printf("%s", style(STYLE_PLAIN));
	}
}

static json_t *by_hand_json(uint16_t port)
{
	const struct byhand *row;
	char command[BYHAND_COMMAND];
	json_t *list = json_array();
	for (size_t i = 0; (row = byhand_row(i)) != NULL; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b}", "system", byhand_system_text(row->system),
						    "command", byhand_command(row, port, command), "says", row->says,
						    "needs_root", (int)row->needs_root));
	return list;
}

static void print_page(const struct look *look, const struct port_here *here, const json_t *reply)
{
	static char text[CLIENT_ERROR];
	const json_t *loans = json_object_get(reply, "loans");
	printf("%sPort %u%s\n\n", style(STYLE_BOLD), here->port, style(STYLE_PLAIN));
	port_holders_print(look->seen, here, reply, COLUMN);
	print_here(here);
	print_item("berthd", COLUMN, daemon_words(look, here, reply, text));
	known_print_uses(here->port);
	if (json_array_size(loans) > 0)
		loans_print(loans, false);
	if (look->tool->by_hand)
		print_by_hand(here->port);
}

/* --- many ports, a line for each --- */

static void print_head(void)
{
	printf("%s%5s  %-7s  %-16s  %-10s  %-*s  %s%s\n", style(STYLE_DIM), "port", "class", "service", "here", HOLDER,
		"holder", "berthd", style(STYLE_PLAIN));
}

static const char *short_here(const struct port_here *here)
{
	enum port_probe probe;
	bool even = port_here_is_even(here, &probe), held = false, denied = false;
	for (int t = 0; t < PORT_TRANSPORTS; t++)
		for (int f = 0; f < HERE_FAMILIES; f++) {
			held |= here->probe[t][f] == PROBE_HELD;
			denied |= here->probe[t][f] == PROBE_DENIED;
		}
	return held ? (even ? "held" : "held partly") : denied ? "needs root" : port_probe_text(PROBE_FREE);
}

static const char *short_daemon(
	const struct daemon *daemon, const struct port_here *here, const json_t *reply, char out[static CLIENT_ERROR])
{
	const json_t *lent = json_object_get(reply, "lent");
	size_t loans = json_array_size(json_object_get(reply, "loans"));
	if (reply == NULL)
		return daemon->is_there ? "cannot be asked" : "not running";
	if (json_is_object(lent))
		snprintf(out, CLIENT_ERROR, "lent: %.100s for %.300s", text_of(lent, "server"),
			text_of(lent, "question"));
	else if (loans > 0 && !json_is_true(json_object_get(reply, "held")))
		snprintf(out, CLIENT_ERROR, "not lent now; %zu loan%s remembered", loans, loans == 1 ? "" : "s");
	else
		standing_of(here, reply, out, CLIENT_ERROR);
	return out;
}

static void print_row(const struct look *look, const struct port_here *here, const json_t *reply)
{
	const char *local = *here->service[PORT_UDP] ? here->service[PORT_UDP] : here->service[PORT_TCP];
	static char service[KNOWN_WORDS];
	static char text[CLIENT_ERROR];
	if (*known_short(here->port, service) == '\0')
		snprintf(service, sizeof(service), "%s", *local != '\0' ? local : "-");
	printf("%s%5u%s  %-7s  %-16.16s  %-10s  ", style(STYLE_PORT), here->port, style(STYLE_PLAIN),
		port_class_text(port_class(here->port)), service, short_here(here));
	print_padded(port_holders_short(look->seen, here), HOLDER);
	printf("  ");
	print_wrapped(short_daemon(&look->daemon, here, reply, text), ROW);
}

/* --- the verb --- */

static void look_at(struct look *look, uint16_t port)
{
	struct port_here here;
	port_here_look(&here, port, look->machine);
	json_t *reply = ask_daemon(&look->daemon, port);
	if (!look->many)
		look->seen = port_holders_of(&here, look->tool->everywhere);
	if (look->list != NULL) {
		json_t *entry = port_here_json(&here);
		port_holders_add_json(entry, look->seen, &here, reply);
		json_object_set_new(entry, "berthd", reply != NULL ? json_incref(reply) : json_null());
		if (look->tool->by_hand)
			json_object_set_new(entry, "by_hand", by_hand_json(port));
		json_array_append_new(look->list, entry);
	} else if (look->many) {
		print_row(look, &here, reply);
	} else {
		print_page(look, &here, reply);
	}
	json_decref(reply);
}

static int finish(struct look *look)
{
	const struct daemon *daemon = &look->daemon;
	if (look->list != NULL)
		print_json(json_pack("{s:o, s:{s:b, s:s, s:o}}", "ports", look->list, "berthd", "running",
			daemon->is_there, "socket", safe(look->tool->socket), "error",
			daemon->client == NULL ? json_string(daemon->why) : json_null()));
	else if (look->many && daemon->client == NULL) {
		putchar('\n');
		print_wrapped(daemon->why, 0);
	}
	client_close(look->daemon.client);
	inspect_free(look->seen);
	free(look->machine);
	return daemon->code;
}

static void look_at_all(struct look *look, const struct port_range *ranges, int count)
{
	struct port_range hull = ranges[0];
	for (int i = 1; i < count; i++) {
		hull.first = ranges[i].first < hull.first ? ranges[i].first : hull.first;
		hull.last = ranges[i].last > hull.last ? ranges[i].last : hull.last;
	}
	if (look->many)
		look->seen = port_holders_of_range(hull, look->tool->everywhere);
	for (int i = 0; i < count; i++)
		for (unsigned port = ranges[i].first; port <= ranges[i].last; port++)
			look_at(look, (uint16_t)port);
}

static int show_now(const struct tool *tool, const struct port_words *words)
{
	static struct look look;
	const struct port_range *first = &words->ranges[0];
	look.tool = tool;
	look.machine = port_machine_new();
	look.list = tool->json ? json_array() : NULL;
	look.many = words->count > 1 || first->first != first->last;
	open_daemon(&look.daemon, tool);
	if (look.many && !tool->json)
		print_head();
	look_at_all(&look, words->ranges, words->count);
	return finish(&look);
}

static int run_port(const struct tool *tool, int argc, char **argv)
{
	struct port_words words;
	struct when span;
	bool looks_back = tool->at != NULL || tool->since != NULL;
	if (looks_back && past_span(tool, &span) != EXIT_GOOD)
		return EXIT_USAGE;
	if (port_words_read(&words, argc, argv) != EXIT_GOOD)
		return EXIT_USAGE;
	int code = looks_back ? past_show(tool, words.ranges, words.count, &span) : show_now(tool, &words);
	port_words_free(&words);
	return code;
}

const struct verb verb_port = {
	"port",
	"N | A-B | NAME ...",
	"say what a port is, who holds it, whether it is free",
	"Says in a sentence what to think of port N; who holds it: process, user, unit\n"
	"or container, since when, with which peer, in which network namespace, and how\n"
	"that was found; what it is: its class (RFC 6335), the services registered for\n"
	"it, what else is known to use it; whether it is free on this machine now,\n"
	"which is tried; what the kernel does with it; and what berthd does: the\n"
	"question it is lent for now, and the loans it had. With several ports, or a\n"
	"range, it prints a line for each. berthd need not run. Root sees other users'\n"
	"processes and other network namespaces.\n\n"
	"  --everywhere  asks every process for its network namespace, also when\n"
	"                somebody holds the port in this one\n"
	"  --by-hand     adds the commands to look at the port without berth, on\n"
	"                Linux, macOS and Windows\n"
	"  --at TIME     what it did then, out of berthd's history: 14:02,\n"
	"                2026-11-26T14:02:30, or 90s, 30m, 1h, 2d ago\n"
	"  --since TIME  what it did since then\n\n"
	"  berth port 60054\n"
	"  berth port 53 853 5353\n"
	"  berth port 60050-60059 --json\n"
	"  berth port :domain mdns\n"
	"  berth port 60054 --since 1h\n",
	run_port,
};
