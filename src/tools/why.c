/* berth why: the story of one resolution, a line for each step. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "tools/print.h"
#include "tools/question.h"

enum { WORD_WIDTH = 9, TEXT_COLUMN = 22, GAP = 3, DETAIL_COLUMN_MAX = 56, DEPTH_MAX = 16, DETAIL = 256 };

static enum style style_of_event(const char *word)
{
	static const struct {
		const char *word;
		enum style style;
	} styles[] = {{"ask", STYLE_BOLD}, {"answer", STYLE_GOOD}, {"timeout", STYLE_NOTE}, {"tcp", STYLE_NOTE},
		{"mismatch", STYLE_BAD}, {"error", STYLE_BAD}, {"budget", STYLE_BAD}};
	for (size_t i = 0; i < sizeof(styles) / sizeof(styles[0]); i++)
		if (strcmp(word, styles[i].word) == 0)
			return styles[i].style;
	return STYLE_PLAIN;
}

static int indent_of(const json_t *event)
{
	int64_t depth = count_of(event, "depth");
	return depth < 0 ? 0 : 2 * (int)(depth < DEPTH_MAX ? depth : DEPTH_MAX);
}

/* What an event adds to its text when the text does not say it already: the question, or the kind of the reply. */
static const char *lead_of(const json_t *event)
{
	const char *text = text_of(event, "text"), *lead = "";
	if (strcmp(text_of(event, "event"), "ask") == 0)
		lead = text_of(event, "question");
	else if (strcmp(text_of(event, "event"), "reply") == 0)
		lead = text_of(event, "kind");
	return strstr(text, lead) == NULL ? lead : "";
}

static int width_of_words(const json_t *event)
{
	const char *lead = lead_of(event), *text = text_of(event, "text");
	return width_of(lead) + (*lead && *text ? 2 : 0) + width_of(text);
}

/* Which way the datagram went between port and server, or that none came. */
static const char *mark_of(const char *word)
{
	if (strcmp(word, "ask") == 0)
		return arrow_to();
	return strcmp(word, "timeout") == 0 || strcmp(word, "error") == 0 ? arrow_cut() : arrow_from();
}

/* "port 60054 -> 192.0.2.1@53", "port 60054 <- 192.0.2.1@53 tcp after 14.1 ms"; "" for what was no exchange. */
static const char *exchange_words(const json_t *event, char out[static DETAIL])
{
	char port[64] = "", after[96] = "", time[PRINT_NUMBER];
	const char *server = text_of(event, "server"), *transport = text_of(event, "transport");
	bool is_udp = *transport == '\0' || strcmp(transport, "udp") == 0;
	out[0] = '\0';
	if (*server == '\0')
		return out;
	if (count_of(event, "port") > 0)
		snprintf(port, sizeof(port), "%sport %5lld%s ", style(STYLE_PORT), (long long)count_of(event, "port"),
			style(STYLE_PLAIN));
	if (json_is_number(json_object_get(event, "rtt_us")))
		snprintf(after, sizeof(after), "  %safter %s%s", style(STYLE_DIM),
			duration(count_of(event, "rtt_us"), time), style(STYLE_PLAIN));
	snprintf(out, DETAIL, "%s%s %.60s%s%.10s%s", port, mark_of(text_of(event, "event")), server, is_udp ? "" : " ",
		is_udp ? "" : transport, after);
	return out;
}

/* The column in which port and server stand, one below the other; on a terminal as far left as their width asks. */
static int detail_column(const json_t *story)
{
	int column = 0, most = DETAIL_COLUMN_MAX, columns = print_columns();
	char words[DETAIL];
	size_t i;
	json_t *event;
	json_array_foreach(story, i, event)
	{
		int left = columns - TEXT_COLUMN - GAP - width_of(exchange_words(event, words));
		if (columns > 0 && *words != '\0' && left < most)
			most = left;
	}
	json_array_foreach(story, i, event)
	{
		int end = indent_of(event) + width_of_words(event);
		if (*text_of(event, "server") != '\0' && end > column && end <= most)
			column = end;
	}
	return column;
}

/* Beside the text where it fits, else below it. */
static void print_words(const json_t *event, int column)
{
	char exchange[DETAIL];
	const char *lead = lead_of(event), *text = text_of(event, "text");
	int from = TEXT_COLUMN + indent_of(event), at = from + width_of_words(event), columns = print_columns();
	int pad = TEXT_COLUMN + column > at ? TEXT_COLUMN + column - at : 0;
	bool has_exchange = *exchange_words(event, exchange) != '\0';
	if (columns == 0 || at + (has_exchange ? pad + GAP + width_of(exchange) : 0) <= columns) {
		printf("%s%s%s", lead, *lead && *text ? ": " : "", text);
		printf("%*s%s\n", has_exchange ? pad + GAP : 0, "", exchange);
		return;
	}
	size_t size = strlen(lead) + strlen(text) + 3;
	char *words = xalloc(size);
	snprintf(words, size, "%s%s%s", lead, *lead && *text ? ": " : "", text);
	print_wrapped(words, from);
	free(words);
	if (has_exchange) {
		printf("%*s", from, "");
		print_wrapped(exchange, from);
	}
}

static void print_event(const json_t *event, int column)
{
	const char *word = text_of(event, "event");
	enum style look = style_of_event(word);
	printf("%s%8.1f ms%s  %*s%s", style(STYLE_DIM), (double)count_of(event, "after_us") / 1e3, style(STYLE_PLAIN),
		indent_of(event), "", style(look));
	print_padded(word, WORD_WIDTH);
	printf("%s", look != STYLE_PLAIN ? style(STYLE_PLAIN) : "");
	print_words(event, column);
}

static size_t count_distinct(const json_t *story, const char *key)
{
	json_t *seen = json_object(), *event;
	size_t i;
	json_array_foreach(story, i, event)
	{
		char number[PRINT_NUMBER];
		const json_t *value = json_object_get(event, key);
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
		if (value != NULL && strcmp(text_of(event, "event"), "ask") == 0)
			json_object_set_new(
				seen, json_is_string(value) ? json_string_value(value) : number, json_true());
	}
	size_t count = json_object_size(seen);
	json_decref(seen);
	return count;
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

static void print_summary(const json_t *reply, const json_t *story)
{
	size_t asked = 0, i, servers = count_distinct(story, "server"), ports = count_distinct(story, "port");
	json_t *event;
	json_array_foreach(story, i, event) asked += strcmp(text_of(event, "event"), "ask") == 0;
	long long left_out = (long long)count_of(reply, "story_left_out");
	if (left_out > 0)
		printf("            %sand %lld more step%s that were not kept%s\n", style(STYLE_DIM), left_out,
			plural((size_t)left_out), style(STYLE_PLAIN));
	printf("\n%s", style(STYLE_DIM));
	char text[DETAIL] = "No server was asked.";
	if (asked != 0)
		snprintf(text, sizeof(text), "%zu question%s to %zu server%s, from %zu borrowed port%s.", asked,
			plural(asked), servers, plural(servers), ports, plural(ports));
	print_wrapped(text, 0);
	printf("%s\n", style(STYLE_PLAIN));
}

static void print_story(const struct tool *tool, const json_t *reply)
{
	const json_t *story = json_object_get(reply, "story");
	int column = detail_column(story);
	size_t i;
	json_t *event;
	printf("%s%s %s%s%s\n\n", style(STYLE_BOLD), text_of(reply, "name"), text_of(reply, "type"), style(STYLE_PLAIN),
		tool->fresh ? ", asked afresh" : "");
	json_array_foreach(story, i, event) print_event(event, column);
	print_summary(reply, story);
	print_records(json_object_get(reply, "answer"), STYLE_PLAIN);
	print_records(json_object_get(reply, "authority"), STYLE_DIM);
	print_ending(reply);
}

static int run_why(const struct tool *tool, int argc, char **argv)
{
	json_t *request = question_request("why", argc, argv);
	if (request == NULL)
		return question_usage(&verb_why, argc, argv);
	json_object_set_new(request, "fresh", json_boolean(tool->fresh));
	return question_answer(tool, request, print_story);
}

const struct verb verb_why = {
	"why",
	"[--fresh] NAME [TYPE]",
	"tell how the answer for a name comes about",
	"Has berthd resolve NAME, of TYPE or else A, and tells the story: when each\n"
	"server was asked, from which borrowed port, what it replied and how long that\n"
	"took, and what followed from it.\n\n"
	"  --fresh  do not use what is in the cache\n\n"
	"  berth why www.example.com\n"
	"  berth why --fresh example.com MX\n",
	run_why,
};
