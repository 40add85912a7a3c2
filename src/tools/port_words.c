/* Decides which ports a word of the command line names. */
#include "tools/port_words.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "ports/clash.h"
#include "ports/registry.h"
#include "tools/tool.h"

static void add(struct port_words *words, struct port_range range)
{
	if (words->count == words->room) {
		words->room = words->room == 0 ? 16 : words->room * 2;
		words->ranges = xrealloc(words->ranges, (size_t)words->room * sizeof(words->ranges[0]));
	}
	words->ranges[words->count++] = range;
}

/* The rows of a name come by rising ports; neighbours, as x11's, are one range. */
static void add_port(struct port_words *words, int first, uint16_t port)
{
	struct port_range *last = words->count > first ? &words->ranges[words->count - 1] : NULL;
	if (last != NULL && port >= last->first && port <= last->last)
		return;
	if (last != NULL && port == last->last + 1u)
		last->last = port;
	else
		add(words, (struct port_range){port, port});
}

static void add_name(struct port_words *words, const char *name)
{
	static const char *const transports[] = {"udp", "tcp"};
	const struct service *service;
	int first = words->count;
	for (size_t i = 0; (service = registry_of_name(name, i)) != NULL; i++)
		if (service->port != 0)
			add_port(words, first, service->port);
	for (size_t t = 0; t < 2 && words->count == first; t++) {
		const struct servent *found = getservbyname(name, transports[t]);
		if (found != NULL)
			add_port(words, first, ntohs((uint16_t)found->s_port));
	}
}

static int complain(const char *word, bool is_name)
{
	const char *near = is_name ? registry_nearest(word) : NULL;
	const struct known_use *known = is_name ? clash_of_name(word, 0) : NULL;
	if (known != NULL)
		return tool_usage(
			&verb_port, "\"%s\" is no registered service; it is known to use %u", word, known->ports.first);
	if (is_name && near != NULL)
		return tool_usage(&verb_port, "\"%s\" is no service with a port; did you mean %s?", word, near);
	return tool_usage(&verb_port,
		"\"%s\" is not a port; write a number of 1 to 65535, a range such as 60050-60059, or a service such as "
		":domain",
		word);
}

/* A number is a number even behind a colon, as in netstat's words. */
static int read_word(struct port_words *words, const char *word)
{
	struct port_range range;
	const char *text = *word == ':' ? word + 1 : word;
	int before = words->count;
	bool is_name = text[strspn(text, "0123456789-")] != '\0';
	if (port_range_parse(&range, text) == 0)
		add(words, range);
	else if (is_name)
		add_name(words, text);
	return words->count > before ? EXIT_GOOD : complain(*word == ':' && is_name ? text : word, is_name);
}

int port_words_read(struct port_words *out, int argc, char **argv)
{
	*out = (struct port_words){0};
	if (argc == 0)
		return tool_usage(&verb_port, "no port to look at");
	for (int i = 0; i < argc; i++) {
		if (read_word(out, argv[i]) == EXIT_GOOD)
			continue;
		port_words_free(out);
		return EXIT_USAGE;
	}
	return EXIT_GOOD;
}

void port_words_free(struct port_words *words)
{
	free(words->ranges);
	*words = (struct port_words){0};
}
