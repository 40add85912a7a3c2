/* berth holders: which processes of this machine hold which ports. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "ports/inspect.h"
#include "ports/json.h"
#include "ports/model.h"
#include "tools/holder.h"
#include "tools/print.h"
#include "tools/screen.h"
#include "tools/tool.h"

enum { WHERE = 48, PORTS_LEAST = 16, PORTS_USUAL = 44, PORTS_TEXT = 128, OTHERS = 76, NAME_WIDTH = 20 };

/* What one process holds in one namespace; without a process: what the kernel does, or a user whom we may not see. */
struct row {
	const struct process *process; /* NULL */
	const struct netns *ns;
	enum owner_how how; /* where there is no process */
	uid_t uid;
	unsigned udp, listening, tcp, ports; /* sockets; different port numbers */
	struct port_range *ranges;           /* of them, rising */
	unsigned range_count, range_room;
};

struct table {
	const struct tool *tool;
	struct row *rows;
	size_t count, room, last; /* last: whom the socket before belonged to */
};

/* --- the rows --- */

static bool is_of(const struct row *row, const struct holder *holder, const struct process *process)
{
	if (row->ns != holder->ns || row->process != process)
		return false;
	return process != NULL || (row->how == holder->how && row->uid == holder->socket.uid);
}

/* Sockets of one process mostly come one after another. */
static struct row *row_of(struct table *table, const struct holder *holder, const struct process *process)
{
	if (table->last < table->count && is_of(&table->rows[table->last], holder, process))
		return &table->rows[table->last];
	for (table->last = 0; table->last < table->count; table->last++)
		if (is_of(&table->rows[table->last], holder, process))
			return &table->rows[table->last];
	if (table->count == table->room) {
		table->room = table->room == 0 ? 64 : table->room * 2;
		table->rows = xrealloc(table->rows, table->room * sizeof(*table->rows));
	}
	struct row *row = &table->rows[table->count++];
	*row = (struct row){.process = process, .ns = holder->ns, .how = holder->how, .uid = holder->socket.uid};
	return row;
}

/* Holders come by rising ports. */
static void add_port(struct row *row, uint16_t port)
{
	struct port_range *last = row->range_count > 0 ? &row->ranges[row->range_count - 1] : NULL;
	if (last != NULL && last->last == port)
		return;
	row->ports++;
	if (last != NULL && last->last + 1 == port) {
		last->last = port;
		return;
	}
	if (row->range_count == row->range_room) {
		row->range_room = row->range_room == 0 ? 8 : row->range_room * 2;
		row->ranges = xrealloc(row->ranges, row->range_room * sizeof(*row->ranges));
	}
	row->ranges[row->range_count++] = (struct port_range){port, port};
}

static void add(struct table *table, const struct holder *holder, const struct process *process)
{
	struct row *row = row_of(table, holder, process);
	if (holder->socket.transport == PORT_UDP)
		row->udp++;
	else if (holder->socket.state == DIAG_LISTENING)
		row->listening++;
	else
		row->tcp++;
	add_port(row, addr_port(&holder->socket.local));
}

/* --- which are wanted --- */

static bool is_wanted(const struct tool *tool, const struct holder *holder)
{
	const struct diag_socket *socket = &holder->socket;
	if (tool->dynamic && port_class(addr_port(&socket->local)) != PORT_DYNAMIC)
		return false;
	if (tool->udp && socket->transport != PORT_UDP)
		return false;
	return !tool->listening || socket->state == DIAG_LISTENING || socket->state == DIAG_UNCONNECTED;
}

/* By a part of its name, whatever the case, or by its pid. */
static bool is_named(const struct tool *tool, const struct process *process)
{
	char pid[16];
	if (tool->process == NULL)
		return true;
	if (process == NULL)
		return false;
	snprintf(pid, sizeof(pid), "%d", (int)process->pid);
	return strcmp(tool->process, pid) == 0 || strcasestr(process->name, tool->process) != NULL;
}

static void fill(struct table *table, const struct inspection *seen)
{
	for (size_t i = 0; i < seen->count; i++) {
		const struct holder *holder = &seen->holders[i];
		if (!is_wanted(table->tool, holder))
			continue;
		if (holder->owner_count == 0 && is_named(table->tool, NULL))
			add(table, holder, NULL);
		for (size_t k = 0; k < holder->owner_count; k++)
			if (is_named(table->tool, holder->owners[k]))
				add(table, holder, holder->owners[k]);
	}
}

static const char *name_of(const struct row *row)
{
	if (row->process != NULL)
		return row->process->name;
	return row->how == OWNER_DENIED ? "(not permitted)" : "(the kernel)";
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	if (x->ports != y->ports)
		return x->ports > y->ports ? -1 : 1;
	int rank = strcmp(name_of(x), name_of(y));
	if (rank != 0)
		return rank;
	pid_t p = x->process != NULL ? x->process->pid : 0, q = y->process != NULL ? y->process->pid : 0;
	return (p > q) - (p < q);
}

/* --- for people --- */

/* "53, 853, 60000-60099, ..." */
static void ports_words(const struct row *row, size_t width, char out[static PORTS_TEXT])
{
	size_t len = 0;
	for (unsigned i = 0; i < row->range_count; i++) {
		char text[16];
		struct port_range range = row->ranges[i];
		snprintf(text, sizeof(text), range.first == range.last ? "%u" : "%u-%u", range.first, range.last);
		if (len + strlen(text) + 2 > width - 5) {
			snprintf(out + len, PORTS_TEXT - len, ", ...");
			return;
		}
		len += (size_t)snprintf(out + len, PORTS_TEXT - len, "%s%s", i > 0 ? ", " : "", text);
	}
}

static const char *where_words(const struct row *row, char out[static WHERE])
{
	const char *place = row->process != NULL ? holder_place_words(row->process) : "";
	if (row->ns->is_ours)
		snprintf(out, WHERE, "%s", *place ? place : "-");
	else if (*row->ns->name != '\0')
		snprintf(out, WHERE, "netns %.20s%s%s", row->ns->name, *place ? ", " : "", place);
	else
		snprintf(out, WHERE, "netns %llu%s%s", (unsigned long long)row->ns->id, *place ? ", " : "", place);
	return out;
}

/* As many as fit the line of a terminal. */
static size_t ports_width(int where_width)
{
	int columns = print_columns(), left = columns > 0 ? columns - where_width - OTHERS : PORTS_USUAL;
	return left < PORTS_LEAST ? PORTS_LEAST : left > PORTS_TEXT - 8 ? PORTS_TEXT - 8 : (size_t)left;
}

static void print_row(const struct row *row, int where_width)
{
	char user[PROCESS_USER], where[WHERE], ports[PORTS_TEXT] = "", pid[16] = "-";
	uid_t uid = row->process != NULL && row->process->uid != (uid_t)-1 ? row->process->uid : row->uid;
	bool is_kernel = row->process == NULL && row->how != OWNER_DENIED;
	if (row->process != NULL)
		snprintf(pid, sizeof(pid), "%d", (int)row->process->pid);
	ports_words(row, ports_width(where_width), ports);
	print_padded(name_of(row), NAME_WIDTH);
	printf(" %7s  %-12.12s  ", pid, is_kernel ? "-" : process_user_text(uid, user));
	print_padded(where_words(row, where), where_width);
	printf("  %6u %6u %6u %6u  %s%s%s", row->udp, row->listening, row->tcp, row->ports, style(STYLE_PORT), ports,
		style(STYLE_PLAIN));
}

static int where_column(const struct table *table)
{
	int width = 5;
	char where[WHERE];
	for (size_t i = 0; i < table->count; i++) {
		int w = width_of(where_words(&table->rows[i], where));
		width = w > width ? w : width;
	}
	return width;
}

static void print_head(int width)
{
	printf("%s%-*s %7s  %-12s  %-*s  %6s %6s %6s %6s  %s%s", style(STYLE_DIM), NAME_WIDTH, "process", "pid", "user",
		width, "where", "udp", "listen", "tcp", "ports", "which", style(STYLE_PLAIN));
}

static int print_table(const struct table *table, const struct inspection *seen)
{
	int width = where_column(table);
	if (table->count == 0)
		printf("Nobody holds such a port.");
	else
		print_head(width);
	for (size_t i = 0; i < table->count; i++) {
		putchar('\n');
		print_row(&table->rows[i], width);
	}
	putchar('\n');
	if (seen->is_owner_denied || seen->is_namespace_denied || seen->is_socket_denied) {
		putchar('\n');
		if (seen->is_owner_denied)
			print_item(
				"unseen", 11, "processes that may not be looked at from here; their users are named");
		holder_print_limits(seen, 11);
	}
	return EXIT_GOOD;
}

/* --- for programs --- */

static json_t *row_json(const struct row *row)
{
	char user[PROCESS_USER];
	json_t *ports = json_array();
	for (unsigned i = 0; i < row->range_count; i++) {
		char text[16];
		struct port_range range = row->ranges[i];
		snprintf(text, sizeof(text), range.first == range.last ? "%u" : "%u-%u", range.first, range.last);
		json_array_append_new(ports, json_string(text));
	}
	return json_pack("{s:o, s:I, s:s, s:s, s:o, s:i, s:i, s:i, s:i, s:o}", "process",
		row->process != NULL ? holder_process_json(row->process) : json_null(), "uid", (json_int_t)row->uid,
		"user", process_user_text(row->uid, user), "found", owner_how_text(row->how), "namespace",
		holder_namespace_json(row->ns), "udp", (int)row->udp, "listening", (int)row->listening, "tcp",
		(int)row->tcp, "port_count", (int)row->ports, "ports", ports);
}

static json_t *table_json(const struct table *table, const struct inspection *seen)
{
	json_t *rows = json_array();
	for (size_t i = 0; i < table->count; i++)
		json_array_append_new(rows, row_json(&table->rows[i]));
	return json_pack("{s:o, s:o}", "holders", rows, "searched", holder_search_json(seen));
}

/* --- one look --- */

/* 0, or E_*. */
static int look(struct table *table, struct inspection **seen)
{
	struct inspect_ask ask = {.ports = {1, PORTS_ALL - 1}, .reach = INSPECT_ALL};
	if (table->tool->dynamic)
		ask.ports = port_class_range(PORT_DYNAMIC);
	int ret = inspect(seen, &ask);
	if (ret != 0)
		return ret;
	fill(table, *seen);
	if (table->count > 0)
		qsort(table->rows, table->count, sizeof(*table->rows), compare_rows);
	return 0;
}

static void forget(struct table *table, struct inspection *seen)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->rows[i].ranges);
	free(table->rows);
	inspect_free(seen);
	*table = (struct table){.tool = table->tool};
}

/* --- live --- */

static void draw(const struct table *table, unsigned interval_ms)
{
	char holders[PRINT_COUNT];
	unsigned ports = 0;
	for (size_t i = 0; i < table->count; i++)
		ports += table->rows[i].ports;
	screen_begin();
	if (screen_line())
		printf("%sWho holds ports%s  %s%s, %u ports; every %g s; q or Ctrl-C ends%s", style(STYLE_BOLD),
			style(STYLE_PLAIN), style(STYLE_DIM), counted((int64_t)table->count, "holder", holders), ports,
			interval_ms / 1e3, style(STYLE_PLAIN));
	(void)screen_line();
	int width = where_column(table);
	if (screen_line())
		print_head(width);
	for (size_t i = 0; i < table->count && screen_line(); i++)
		print_row(&table->rows[i], width);
	screen_end();
}

static int watch_on_screen(struct table *table, unsigned interval_ms)
{
	struct inspection *seen = NULL;
	enum screen_event event = SCREEN_DUE;
	uint64_t next_us = 0;
	screen_enter();
	while (event != SCREEN_QUIT) {
		if (event == SCREEN_DUE) {
			forget(table, seen);
			seen = NULL;
			print_forget();
			(void)look(table, &seen);
			next_us = clock_mono_us() + interval_ms * UINT64_C(1000);
		}
		draw(table, interval_ms);
		event = screen_wait(next_us);
	}
	screen_leave();
	forget(table, seen);
	return EXIT_GOOD;
}

static int watch_in_lines(struct table *table, unsigned interval_ms)
{
	struct timespec left = {interval_ms / 1000, (long)(interval_ms % 1000) * 1000000};
	for (;;) {
		struct inspection *seen;
		if (look(table, &seen) != 0)
			return tool_fail(table->tool, "the kernel's socket tables (sock_diag) could not be asked");
		json_t *line = table_json(table, seen);
		json_dumpf(line, stdout, JSON_COMPACT | PRINT_JSON);
		putchar('\n');
		json_decref(line);
		forget(table, seen);
		print_forget();
		if (fflush(stdout) != 0)
			return EXIT_FAILED; /* main says why */
		nanosleep(&left, NULL);
	}
}

static int watch(const struct tool *tool, int argc, char **argv)
{
	static struct table table;
	unsigned interval_ms;
	const char *text = *tool->watch != '\0' ? tool->watch : argc > 0 ? argv[0] : "2";
	table.tool = tool;
	if (argc > (*tool->watch == '\0'))
		return tool_usage(&verb_holders, "\"%s\" is one word too many beside --watch", argv[argc - 1]);
	int code = tool_interval(&verb_holders, text, &interval_ms);
	if (code != EXIT_GOOD)
		return code;
	return !tool->json && screen_can() ? watch_on_screen(&table, interval_ms) : watch_in_lines(&table, interval_ms);
}

/* --- the verb --- */

static int run_holders(const struct tool *tool, int argc, char **argv)
{
	struct table table = {.tool = tool};
	struct inspection *seen;
	if (tool->watch != NULL)
		return watch(tool, argc, argv);
	if (argc > 0)
		return tool_usage(&verb_holders,
			"\"%s\" is one word too many; a program's ports: berth holders --process %s, a port's holders: "
			"berth port %s",
			argv[0], argv[0], argv[0]);
	int ret = look(&table, &seen);
	if (ret != 0)
		return tool_fail(tool,
			"the kernel's socket tables (sock_diag) could not be asked: %s; are the modules "
			"inet_diag, tcp_diag and udp_diag there?",
			error_text(ret));
	int code = tool->json ? print_json(table_json(&table, seen)) : print_table(&table, seen);
	forget(&table, seen);
	return code;
}

const struct verb verb_holders = {
	"holders",
	"[FILTER...]",
	"who on this machine holds which ports, by process",
	"Lists the processes that hold ports, those with most ports first: user, systemd unit or container or network\n"
	"namespace, how many sockets of UDP, TCP listeners and other TCP sockets, and which ports. What the kernel "
	"holds\n"
	"for connections that ended has a line too. berthd need not run. Root sees other users' processes and other\n"
	"network namespaces.\n\n"
	"  --dynamic        ports from 49152 on\n"
	"  --listening      TCP listeners, and UDP sockets that hear everybody\n"
	"  --udp            UDP alone\n"
	"  --process NAME   processes with NAME in their name, or with that pid\n"
	"  --watch [SECONDS]  shows it live until Ctrl-C or q; a line of JSON each time\n"
	"                   where standard output is no terminal\n\n"
	"  berth holders --dynamic --udp\n"
	"  berth holders --listening --process nginx\n",
	run_holders,
};
