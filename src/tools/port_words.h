/* The ports that the words of a command name: "443", "60050-60059", ":domain", "domain".
 *
 *	struct port_words words;
 *	if (port_words_read(&words, argc, argv) != EXIT_GOOD)
 *		return EXIT_USAGE;
 *	for (int i = 0; i < words.count; i++) use(words.ranges[i]);
 *	port_words_free(&words);
 *
 * A name is one of IANA's registry or of /etc/services, an alias too, and stands for all of its ports. Thread: one. */
#pragma once

#include "ports/set.h"

struct port_words {
	struct port_range *ranges; /* in the order of the words */
	int count, room;
};

/* EXIT_GOOD, or EXIT_USAGE after saying which word is none. */
int port_words_read(struct port_words *out, int argc, char **argv) __attribute__((nonnull(1)));
void port_words_free(struct port_words *words) __attribute__((nonnull));
