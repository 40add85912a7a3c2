/* NAME [TYPE], as `berth query` and `berth why` take them.
 *
 *	json_t *request = question_request("query", argc, argv);
 *	if (request == NULL)
 *		return question_usage(&verb_query, argc, argv);
 *
 * What a name or a type is, berthd decides. */
#pragma once

#include <jansson.h>

#include "tools/tool.h"

/* {"cmd", "name", "type"}; NULL when the arguments are none of that form. */
json_t *question_request(const char *cmd, int argc, char **argv);
/* Says what is wrong with the arguments; EXIT_USAGE. */
int question_usage(const struct verb *verb, int argc, char **argv);
/* Sends the request, which it takes over, and prints the reply: by `print`, or as JSON. The exit status. */
int question_answer(
	const struct tool *tool, json_t *request, void (*print)(const struct tool *tool, const json_t *reply));
