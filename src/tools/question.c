/* Decides how a question is written on the command line. */
#include "tools/question.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tools/client.h"
#include "tools/print.h"

enum { LIMIT_NAME = 1016, LIMIT_TYPE = 32 }; /* 255 bytes of name, each written \DDD */

/* "example.com" means "example.com."; "example\." has no dot at its end. */
static bool is_absolute(const char *name, size_t len)
{
	size_t slashes = 0;
	if (name[len - 1] != '.')
		return false;
	while (slashes + 1 < len && name[len - 2 - slashes] == '\\')
		slashes++;
	return slashes % 2 == 0;
}

json_t *question_request(const char *cmd, int argc, char **argv)
{
	char name[LIMIT_NAME + 2], type[LIMIT_TYPE + 1] = "A";
	if (argc < 1 || argc > 2 || argv[0][0] == '\0' || strlen(argv[0]) > LIMIT_NAME)
		return NULL;
	if (argc == 2 && (argv[1][0] == '\0' || strlen(argv[1]) > LIMIT_TYPE))
		return NULL;
	snprintf(name, sizeof(name), "%s%s", argv[0], is_absolute(argv[0], strlen(argv[0])) ? "" : ".");
	for (size_t i = 0; argc == 2 && i <= strlen(argv[1]); i++)
		type[i] = (char)toupper((unsigned char)argv[1][i]);
	return json_pack("{s:s, s:s, s:s}", "cmd", cmd, "name", name, "type", type);
}

int question_usage(const struct verb *verb, int argc, char **argv)
{
	if (argc < 1)
		return tool_usage(verb, "no name to ask for");
	if (argc > 2)
		return tool_usage(verb, "\"%s\" is one word too many", argv[2]);
	if (argv[0][0] == '\0' || strlen(argv[0]) > LIMIT_NAME)
		return tool_usage(verb, "the name is %s", argv[0][0] ? "longer than any" : "empty; the root is \".\"");
	return tool_usage(
		verb, "the name and the type have to be text in UTF-8, the type of at most %d letters", LIMIT_TYPE);
}

int question_answer(
	const struct tool *tool, json_t *request, void (*print)(const struct tool *tool, const json_t *reply))
{
	json_t *reply;
	char why[CLIENT_ERROR];
	if (client_ask_once(tool, request, &reply, why) != 0)
		return tool_fail(tool, "%s", why);
	int code = exit_of_reply(reply);
	if (tool->json) {
		print_json(reply);
		return code;
	}
	print(tool, reply);
	json_decref(reply);
	return code;
}
