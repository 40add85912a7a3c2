/* Decides which history is read, and how loans and holders of the past are told. The file is read here: whoever may read
 * it needs no berthd for that. */
#include "tools/past.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/paths.h"
#include "ports/history.h"
#include "ports/process.h"
#include "tools/client.h"
#include "tools/loans.h"
#include "tools/print.h"

enum { LOANS_SHOWN = 1000, HOLDINGS_SHOWN = 1000, FILE_NAME = 600, WHY = 700, COLUMN = 11 };

static const char system_file[] = "/var/lib/berth/history.db";

/* --- the span --- */

int past_span(const struct tool *tool, struct when *out)
{
	uint64_t now_us = clock_wall_us();
	const char *text = tool->at != NULL ? tool->at : tool->since;
	if (tool->at != NULL && tool->since != NULL)
		return tool_usage(&verb_port, "--at and --since are two spans; name one");
	if (when_parse(out, text, now_us) != 0)
		return tool_usage(&verb_port,
			"\"%s\" is not a moment of the past; write 14:02, 2026-11-26T14:02, or 30m, 1h, 2d for so long "
			"ago",
			text);
	if (tool->since != NULL || out->until_us > now_us)
		out->until_us = now_us;
	return EXIT_GOOD;
}

/* --- which file --- */

/* berthd knows; else where it would be: of an ordinary user's own one, or the system's. */
static void find_file(const struct tool *tool, char out[static FILE_NAME])
{
	json_t *reply = NULL;
	char why[CLIENT_ERROR];
	out[0] = '\0';
	if (client_ask_once(tool, json_pack("{s:s}", "cmd", "status"), &reply, why) == 0) {
		const char *file = json_string_value(json_object_get(json_object_get(reply, "history"), "file"));
		if (file != NULL && strlen(file) < FILE_NAME)
			strcpy(out, file);
		json_decref(reply);
	}
	if (out[0] != '\0')
		return;
	if (path_state_dir(out, FILE_NAME - 16) == 0)
		strcat(out, "/history.db");
	if (access(out, F_OK) != 0 && access(system_file, F_OK) == 0)
		strcpy(out, system_file);
}

/* --- gathering --- */

static json_t *string_of(const char *text)
{
	json_t *value = json_string(text);
	return value != NULL ? value : json_string("?"); /* not UTF-8 */
}

static bool on_loan(void *arg, const struct history_loan *loan)
{
	json_t *object = json_pack("{s:i, s:o, s:s, s:f, s:s, s:o, s:I}", "port", (int)loan->port, "server",
		string_of(loan->server), "transport", transport_text(loan->transport), "at",
		(double)loan->begin_us / 1e6, "outcome", loan_outcome_text(loan->outcome), "question",
		string_of(loan->question), "took_us", (json_int_t)loan->took_us);
	json_array_append_new(arg, object);
	return true;
}

static const char *end_of(const struct history_holding *holding)
{
	if (holding->until_us == 0)
		return "held still";
	return holding->is_cut ? "watch ended" : holding->until_is_late ? "by then" : "ended";
}

static bool on_holding(void *arg, const struct history_holding *holding)
{
	char user[PROCESS_USER] = "";
	if (holding->uid != HISTORY_NO_USER)
		process_user_text(holding->uid, user);
	json_t *object = json_pack("{s:i, s:s, s:f, s:b, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "port",
		(int)holding->port, "transport", port_transport_text(holding->transport), "from",
		(double)holding->from_us / 1e6, "since_before", (int)holding->from_is_early, "until",
		holding->until_us != 0 ? json_real((double)holding->until_us / 1e6) : json_null(), "end",
		end_of(holding), "who", string_of(holding->who), "pid",
		holding->pid > 0 ? json_integer(holding->pid) : json_null(), "user",
		*user != '\0' ? string_of(user) : json_null(), "local", string_of(holding->local), "peer",
		string_of(holding->peer), "state", string_of(holding->state));
	json_array_append_new(arg, object);
	return true;
}

struct timed {
	json_t *one;
	double at;
	size_t place; /* of equal times the order stays */
};

static int compare_timed(const void *a, const void *b)
{
	const struct timed *x = a, *y = b;
	int rank = (x->at < y->at) - (x->at > y->at);
	return rank != 0 ? rank : (x->place > y->place) - (x->place < y->place);
}

/* Of several ranges the newest are not together. */
static void sort_newest_first(json_t *list, const char *key)
{
	size_t count = json_array_size(list);
	struct timed *rows = xzalloc(count + 1, sizeof(*rows));
	for (size_t i = 0; i < count; i++) {
		json_t *one = json_array_get(list, i);
		rows[i] = (struct timed){json_incref(one), number_of(one, key), i};
	}
	qsort(rows, count, sizeof(*rows), compare_timed);
	json_array_clear(list);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, rows[i].one);
	free(rows);
}

struct past {
	json_t *loans, *holdings;
	uint64_t loans_in_all;
};

static int gather(struct history_reader *reader, const struct port_range *ranges, int count, const struct when *span,
	struct past *past)
{
	int ret = 0;
	for (int i = 0; i < count && ret == 0; i++) {
		uint64_t in_all = 0;
		struct history_ask ask = {.ports = ranges[i],
			.since_us = span->from_us,
			.until_us = span->until_us,
			.limit = LOANS_SHOWN};
		ret = history_read_loans(reader, &ask, on_loan, past->loans);
		if (ret == 0)
			ret = history_read_holdings(reader, &ask, on_holding, past->holdings);
		if (ret == 0)
			ret = history_count_loans(reader, &ask, &in_all);
		past->loans_in_all += in_all;
	}
	if (count > 1) {
		sort_newest_first(past->loans, "at");
		sort_newest_first(past->holdings, "from");
	}
	return ret;
}

/* --- telling --- */

static const char *until_words(const json_t *holding, char out[static PRINT_TIME + 16])
{
	char when[PRINT_TIME];
	const char *end = text_of(holding, "end");
	if (json_is_null(json_object_get(holding, "until")))
		snprintf(out, PRINT_TIME + 16, "held still");
	else
		snprintf(out, PRINT_TIME + 16, "%s%s",
			strcmp(end, "ended") == 0     ? ""
			: strcmp(end, "by then") == 0 ? "before "
						      : "at least ",
			moment(number_of(holding, "until"), when));
	return out;
}

static void print_holding(const json_t *holding, bool with_port)
{
	char from[PRINT_TIME], until[PRINT_TIME + 16];
	static char text[768];
	const char *who = text_of(holding, "who"), *user = text_of(holding, "user"), *peer = text_of(holding, "peer");
	long long pid = (long long)count_of(holding, "pid");
	char pid_words[32] = "";
	if (pid > 0)
		snprintf(pid_words, sizeof(pid_words), ", pid %lld", pid);
	snprintf(text, sizeof(text), "%suntil %s: %.300s%s%s%s, %s %s at %.64s%s%.64s",
		json_is_true(json_object_get(holding, "since_before")) ? "or before, " : "",
		until_words(holding, until),
		*who    ? who
		: *user ? "a process"
			: "somebody",
		*user ? " of user " : "", user, pid_words, text_of(holding, "transport"), text_of(holding, "state"),
		text_of(holding, "local"), *peer ? ", with " : "", peer);
	printf("  ");
	if (with_port)
		printf("%s%-5lld%s  ", style(STYLE_PORT), (long long)count_of(holding, "port"), style(STYLE_PLAIN));
	printf("%s  ", moment(number_of(holding, "from"), from));
	print_wrapped(text, 2 + (with_port ? 7 : 0) + width_of(from) + 2);
}

static void print_head(const char *file, const struct port_range *ranges, int count, const struct when *span)
{
	char from[PRINT_TIME], until[PRINT_TIME], text[2 * PRINT_TIME + 8];
	if (count == 1 && ranges[0].first == ranges[0].last)
		printf("%sPort %u%s\n\n", style(STYLE_BOLD), ranges[0].first, style(STYLE_PLAIN));
	else if (count == 1)
		printf("%sPorts %u-%u%s\n\n", style(STYLE_BOLD), ranges[0].first, ranges[0].last, style(STYLE_PLAIN));
	else
		printf("%sPorts%s\n\n", style(STYLE_BOLD), style(STYLE_PLAIN));
	snprintf(text, sizeof(text), "%s %s %s", moment((double)span->from_us / 1e6, from), arrow_to(),
		moment((double)span->until_us / 1e6, until));
	print_item("span", COLUMN, text);
	print_item("history", COLUMN, safe(file));
}

static void print_past(const struct past *past, bool with_port)
{
	char text[256], a[PRINT_COUNT], b[PRINT_COUNT], shown[PRINT_NUMBER];
	size_t loans = json_array_size(past->loans), holdings = json_array_size(past->holdings), i;
	snprintf(text, sizeof(text), "%s begun%s%s; %s", counted((int64_t)past->loans_in_all, "loan", a),
		past->loans_in_all > loans ? ", the newest shown: " : "",
		past->loans_in_all > loans ? grouped((int64_t)loans, shown) : "",
		counted((int64_t)holdings, "holder", b));
	print_item("found", COLUMN, text);
	if (holdings > 0)
		printf("\n  %sheld from%s\n", style(STYLE_DIM), style(STYLE_PLAIN));
	for (i = 0; i < holdings; i++)
		print_holding(json_array_get(past->holdings, i), with_port);
	if (loans > 0)
		loans_print(past->loans, with_port);
}

int past_show(const struct tool *tool, const struct port_range *ranges, int count, const struct when *span)
{
	static char file[FILE_NAME], why[WHY];
	struct history_reader *reader;
	struct past past = {json_array(), json_array(), 0};
	find_file(tool, file);
	if (history_reader_open(&reader, file, why, sizeof(why)) != 0)
		return tool_fail(tool, "%s", safe(why));
	int ret = gather(reader, ranges, count, span, &past);
	history_reader_close(reader);
	if (ret != 0)
		return tool_fail(
			tool, "%s: cannot be read to its end; it is broken, or too much for one question", safe(file));
	if (tool->json)
		return print_json(json_pack("{s:s, s:f, s:f, s:I, s:o, s:o}", "file", safe(file), "since",
			(double)span->from_us / 1e6, "until", (double)span->until_us / 1e6, "loans_in_all",
			(json_int_t)past.loans_in_all, "loans", past.loans, "holdings", past.holdings));
	print_head(file, ranges, count, span);
	print_past(&past, count > 1 || ranges[0].first != ranges[0].last);
	json_decref(past.loans);
	json_decref(past.holdings);
	return EXIT_GOOD;
}
