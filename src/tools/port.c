/* berth port: what a port is, whether it is free, who holds it, and what berthd does with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "ports/inspect.h"
#include "ports/verdict.h"
#include "tools/client.h"
#include "tools/holder.h"
#include "tools/known.h"
#include "tools/port_here.h"
#include "tools/print.h"

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
	json_t *list; /* with --json */
	bool many;    /* a line for each instead of a page */
	/* of all ports, when there are many; else of the one: NULL, the kernel could not be asked, because of `error` */
	struct inspection *seen;
	int error;
};

enum { COLUMN = 11 };

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

/* --- who holds it --- */

static void inspect_range(struct look *look, struct port_range range, const struct port_here *here)
{
	struct inspect_ask ask = {.ports = range, .reach = look->tool->everywhere ? INSPECT_ALL : INSPECT_NEAR};
	for (int t = 0; t < PORT_TRANSPORTS; t++) {
		ask.is_free[t] = here != NULL;
		for (int f = 0; f < HERE_FAMILIES && here != NULL; f++)
			ask.is_free[t] &= here->probe[t][f] == PROBE_FREE || here->probe[t][f] == PROBE_ABSENT;
	}
	look->error = inspect(&look->seen, &ask);
}

/* A process with few descriptors holds no good part of a range: that is cheaper to know than the share is. */
static unsigned share_of(const struct holder *lead)
{
	enum { MANY = 256 };
	bool is_few = lead != NULL && lead->owner_count > 0 && lead->owners[0]->descriptors > 0 &&
		      lead->owners[0]->descriptors < MANY;
	if (lead == NULL || is_few || lead->socket.state != DIAG_UNCONNECTED ||
		port_class(addr_port(&lead->socket.local)) != PORT_DYNAMIC)
		return 0;
	return inspect_share(lead, port_class_range(PORT_DYNAMIC));
}

static struct verdict_facts facts_of(const struct look *look, const struct port_here *here, const json_t *reply)
{
	const json_t *lent = json_object_get(reply, "lent");
	struct verdict_facts facts = {.port = here->port, .is_reserved = here->reserved};
	memcpy(facts.probe, here->probe, sizeof(facts.probe));
	if (look->seen != NULL)
		facts.holders = inspect_of_port(look->seen, here->port, &facts.count);
	facts.daemon.is_held = json_is_true(json_object_get(reply, "held"));
	if (json_is_object(lent)) {
		facts.daemon.question = text_of(lent, "question");
		facts.daemon.server = text_of(lent, "server");
	}
	if (!look->many && !facts.daemon.is_held)
		facts.share = share_of(verdict_lead(&facts));
	return facts;
}

static void add_holders_json(const struct look *look, const struct verdict_facts *facts, json_t *entry)
{
	static char words[VERDICT_WORDS];
	enum verdict verdict = verdict_of(facts, words);
	json_object_set_new(entry, "verdict", json_pack("{s:s, s:s}", "key", verdict_key(verdict), "text", words));
	json_object_set_new(entry, "holders", holders_json(facts->holders, facts->count));
	json_object_set_new(entry, "searched", look->seen != NULL ? holder_search_json(look->seen) : json_null());
}

/* --- one port, in words --- */

static void print_line(const char *what, const char *text)
{
	printf("  %s%-8s%s %s\n", style(STYLE_DIM), what, style(STYLE_PLAIN), text);
}

static void print_here(const struct port_here *here)
{
	static char services[KNOWN_WORDS];
	char text[HERE_WORDS + 128];
	enum port_class class = port_class(here->port);
	struct port_range range = port_class_range(class);
	snprintf(text, sizeof(text), "%s, %u-%u (RFC 6335): %s", port_class_text(class), range.first, range.last,
		port_class_help(class));
	print_line("class", text);
	known_services_words(here->port, services);
	port_service_words(here, text);
	print_line("service", *services != '\0' ? services : *text != '\0' ? text : "none is registered");
	print_line("here", port_here_words(here, text));
	snprintf(text, sizeof(text), "%s ip_local_port_range, %u-%u; %s ip_local_reserved_ports",
		here->in_local ? "inside" : "outside", here->local.first, here->local.last,
		here->reserved ? "in" : "not in");
	print_line("kernel", text);
	known_print_uses(here->port);
}

static void print_loans(const json_t *loans)
{
	int question = 8, server = 6;
	size_t i;
	json_t *loan;
	json_array_foreach(loans, i, loan)
	{
		int q = width_of(text_of(loan, "question")), s = width_of(text_of(loan, "server"));
		question = q > question ? q : question;
		server = s > server ? s : server;
	}
	question = question > 60 ? 60 : question;
	printf("\n  %s%-23s  %-*s  %-*s  %9s  %s%s\n", style(STYLE_DIM), "lent at", question, "question", server,
		"server", "took", "outcome", style(STYLE_PLAIN));
	json_array_foreach(loans, i, loan)
	{
		char when[PRINT_TIME], took[PRINT_NUMBER] = "";
		if (json_object_get(loan, "took_us") != NULL)
			duration(count_of(loan, "took_us"), took);
		printf("  %s  ", moment(json_number_value(json_object_get(loan, "at")), when));
		print_padded(text_of(loan, "question"), question);
		printf("  ");
		print_padded(text_of(loan, "server"), server);
		printf("  %9s  %s%s\n", took, text_of(loan, "outcome"),
			strcmp(text_of(loan, "transport"), "tcp") == 0 ? ", tcp" : "");
	}
}

/* "lent now, to ask 192.0.2.1@53 for www.example. A over udp, since ..." */
static void print_lent(const json_t *lent)
{
	char when[PRINT_TIME];
	printf("  %s%-8s %slent now%s: it asks %s for %s over %s, since %s\n", style(STYLE_DIM), "berthd",
		style(STYLE_PORT), style(STYLE_PLAIN), text_of(lent, "server"), text_of(lent, "question"),
		text_of(lent, "transport"), moment(json_number_value(json_object_get(lent, "at")), when));
}

static const char *standing_of(const json_t *reply, char *out, size_t size)
{
	const json_t *loans = json_object_get(reply, "loans");
	const char *why_not = text_of(reply, "why_not");
	if (json_is_false(json_object_get(reply, "usable")))
		snprintf(out, size, "does not lend it%s%s", *why_not ? ": " : "", why_not);
	else
		snprintf(out, size, "may lend it; not lent now%s%s",
			json_array_size(loans) == 0 ? ", and no loan of it is remembered" : "",
			json_is_true(json_object_get(reply, "taken_by_other"))
				? "; when last drawn, another program held it"
				: "");
	return out;
}

static void print_daemon(const struct daemon *daemon, const json_t *reply, const char *socket)
{
	char text[CLIENT_ERROR + 64];
	const json_t *lent = json_object_get(reply, "lent"), *loans = json_object_get(reply, "loans");
	if (reply == NULL) {
		if (daemon->is_there)
			snprintf(text, sizeof(text), "cannot be asked: %s", daemon->why);
		else
			snprintf(text, sizeof(text), "not running: nobody answers at %.200s", safe(socket));
		print_line("berthd", text);
		return;
	}
	if (json_is_object(lent))
		print_lent(lent);
	else
		print_line("berthd", standing_of(reply, text, sizeof(text)));
	if (json_array_size(loans) > 0)
		print_loans(loans);
}

static enum style style_of_verdict(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_FREE: return STYLE_GOOD;
	case VERDICT_SQUAT:
	case VERDICT_UNLISTED: return STYLE_NOTE;
	default: return STYLE_BOLD;
	}
}

static void print_holders(const struct look *look, const struct verdict_facts *facts)
{
	holder_print(facts->holders, facts->count, COLUMN);
	if (look->seen != NULL)
		holder_print_limits(look->seen, COLUMN);
	else
		print_item("holder", COLUMN, "not known: the kernel's socket tables (sock_diag) could not be asked");
}

static void print_page(const struct look *look, const struct port_here *here, const json_t *reply)
{
	struct verdict_facts facts = facts_of(look, here, reply);
	static char words[VERDICT_WORDS];
	enum verdict verdict = verdict_of(&facts, words);
	printf("%sPort %u%s\n\n", style(STYLE_BOLD), here->port, style(STYLE_PLAIN));
	print_label("verdict", COLUMN);
	printf("%s", style(style_of_verdict(verdict)));
	print_wrapped(words, COLUMN);
	printf("%s", style(STYLE_PLAIN));
	print_holders(look, &facts);
	print_here(here);
	print_daemon(&look->daemon, reply, look->tool->socket);
}

/* --- many ports, a line for each --- */

static void print_head(void)
{
	printf("%s%5s  %-7s  %-16s  %-10s  %-22s  %s%s\n", style(STYLE_DIM), "port", "class", "service", "here",
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

/* "firefox 812", "the kernel", "user ann" */
static const char *short_holder(const struct verdict_facts *facts, char out[static VERDICT_WHO])
{
	const struct holder *lead = verdict_lead(facts);
	char user[PROCESS_USER];
	if (lead == NULL)
		return "-";
	if (lead->owner_count > 0)
		snprintf(out, VERDICT_WHO, "%s %d%s", lead->owners[0]->name, (int)lead->owners[0]->pid,
			lead->ns->is_ours ? "" : " (other netns)");
	else if (lead->how == OWNER_DENIED)
		snprintf(out, VERDICT_WHO, "user %s", process_user_text(lead->socket.uid, user));
	else
		snprintf(out, VERDICT_WHO, "the kernel");
	return out;
}

static void print_row(const struct look *look, const struct port_here *here, const json_t *reply)
{
	const struct daemon *daemon = &look->daemon;
	struct verdict_facts facts = facts_of(look, here, reply);
	static char holder[VERDICT_WHO];
	const json_t *lent = json_object_get(reply, "lent");
	const char *local = *here->service[PORT_UDP] ? here->service[PORT_UDP] : here->service[PORT_TCP];
	static char service[KNOWN_WORDS];
	char text[256];
	if (*known_short(here->port, service) == '\0')
		snprintf(service, sizeof(service), "%s", *local != '\0' ? local : "-");
	printf("%s%5u%s  %-7s  %-16.16s  %-10s  ", style(STYLE_PORT), here->port, style(STYLE_PLAIN),
		port_class_text(port_class(here->port)), service, short_here(here));
	print_padded(short_holder(&facts, holder), 22);
	printf("  ");
	if (reply == NULL)
		printf("%s\n", daemon->is_there ? "cannot be asked" : "not running");
	else if (json_is_object(lent))
		printf("lent: %s for %s\n", text_of(lent, "server"), text_of(lent, "question"));
	else if (json_array_size(json_object_get(reply, "loans")) > 0)
		printf("not lent now; %zu loans remembered\n", json_array_size(json_object_get(reply, "loans")));
	else
		printf("%s\n", standing_of(reply, text, sizeof(text)));
}

/* --- the verb --- */

static void look_at(struct look *look, uint16_t port)
{
	struct port_here here;
	port_here_look(&here, port, look->machine);
	json_t *reply = ask_daemon(&look->daemon, port);
	if (!look->many)
		inspect_range(look, (struct port_range){port, port}, &here);
	if (look->list != NULL) {
		struct verdict_facts facts = facts_of(look, &here, reply);
		json_t *entry = port_here_json(&here);
		add_holders_json(look, &facts, entry);
		json_object_set_new(entry, "berthd", reply != NULL ? json_incref(reply) : json_null());
		json_array_append_new(look->list, entry);
	} else if (look->many) {
		print_row(look, &here, reply);
	} else {
		print_page(look, &here, reply);
	}
	json_decref(reply);
}

static int parse_ranges(struct port_range *ranges, int argc, char **argv)
{
	if (argc == 0)
		return tool_usage(&verb_port, "no port to look at");
	for (int i = 0; i < argc; i++)
		if (port_range_parse(&ranges[i], argv[i]) != 0)
			return tool_usage(&verb_port,
				"\"%s\" is not a port; write a number of 1 to 65535, or a range such as 60050-60059",
				argv[i]);
	return EXIT_GOOD;
}

static int finish(struct look *look)
{
	const struct daemon *daemon = &look->daemon;
	if (look->list != NULL)
		print_json(json_pack("{s:o, s:{s:b, s:s, s:o}}", "ports", look->list, "berthd", "running",
			daemon->is_there, "socket", safe(look->tool->socket), "error",
			daemon->client == NULL ? json_string(daemon->why) : json_null()));
	else if (look->many && daemon->client == NULL)
		printf("\n%s\n", daemon->why);
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
		inspect_range(look, hull, NULL);
	for (int i = 0; i < count; i++)
		for (unsigned port = ranges[i].first; port <= ranges[i].last; port++)
			look_at(look, (uint16_t)port);
}

static int run_port(const struct tool *tool, int argc, char **argv)
{
	struct port_range *ranges = calloc((size_t)argc + 1, sizeof(*ranges));
	static struct look look;
	look.tool = tool;
	if (ranges == NULL)
		return tool_fail(tool, "no memory left; free some");
	int code = parse_ranges(ranges, argc, argv);
	if (code == EXIT_GOOD) {
		look.machine = port_machine_new();
		look.list = tool->json ? json_array() : NULL;
		look.many = argc > 1 || ranges[0].first != ranges[0].last;
		open_daemon(&look.daemon, tool);
		if (look.many && !tool->json)
			print_head();
		look_at_all(&look, ranges, argc);
		code = finish(&look);
	}
	free(ranges);
	return code;
}

const struct verb verb_port = {
	"port",
	"N [N...] | A-B",
	"say what a port is, whether it is free, who holds it",
	"Says in a sentence what to think of port N; who holds it: process, user, unit or container, since when, with\n"
	"which peer, in which network namespace, and how that was found; what it is: its class (RFC 6335), the\n"
	"services registered for it, what else is known to use it; whether it is free now, which is tried; what the\n"
	"kernel does with it; and what berthd does: the question it is lent for now, and the loans it had. With\n"
	"several ports, or a range, it prints a line for each. berthd need not run. Root sees other users' processes\n"
	"and other network namespaces.\n\n"
	"  --everywhere  also looks into network namespaces without a name, when somebody holds the port in ours\n\n"
	"  berth port 60054\n"
	"  berth port 53 853 5353\n"
	"  berth port 60050-60059 --json\n",
	run_port,
};
