/* berth query: asks berthd for one record set, as a client would be answered. */
#include <stdio.h>
#include <string.h>

#include "tools/print.h"
#include "tools/question.h"

/* What an answer without records says. */
static const char *lack_of(const char *rcode)
{
	if (strcmp(rcode, "NOERROR") == 0)
		return "no record of";
	return strcmp(rcode, "NXDOMAIN") == 0 ? "no such name:" : "no answer for";
}

static void print_answer(const struct tool *tool, const json_t *reply)
{
	(void)tool;
	const json_t *answer = json_object_get(reply, "answer"), *authority = json_object_get(reply, "authority");
	if (json_array_size(answer) == 0)
		printf("%s%s %s %s%s\n", style(STYLE_DIM), lack_of(text_of(reply, "rcode")), text_of(reply, "name"),
			text_of(reply, "type"), style(STYLE_PLAIN));
	print_records(answer, STYLE_PLAIN);
	print_records(authority, STYLE_DIM);
	putchar('\n');
	print_ending(reply);
}

static int run_query(const struct tool *tool, int argc, char **argv)
{
	json_t *request = question_request("query", argc, argv);
	if (request == NULL)
		return question_usage(&verb_query, argc, argv);
	return question_answer(tool, request, print_answer);
}

const struct verb verb_query = {
	"query",
	"NAME [TYPE]",
	"ask berthd for the records of a name",
	"Asks berthd for the records of NAME, of TYPE or else A, as any client of it\n"
	"would be answered, and prints them, then how it ended. It exits with 1 for\n"
	"SERVFAIL, REFUSED and the like; a name that does not exist is an answer. `berth\n"
	"why` tells how the answer came about.\n\n"
	"  berth query www.example.com\n"
	"  berth query example.com MX --json\n",
	run_query,
};
