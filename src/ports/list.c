/* Decides what the words of a list of ports mean, and what to say of one that means nothing. */
#include "ports/list.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/escape.h"
#include "ports/clash.h"
#include "ports/registry.h"

enum { WORD = 72 }; /* one that is longer is neither a range nor a name; the rest of it is of no use to anybody */

static const char blanks[] = " \t\n";

/* Where complaints go. */
struct report {
	char *why;
	size_t size;
	char quote[WORD];
};

static int complain(const struct report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int complain(const struct report *report, const char *format, ...)
{
	int len = snprintf(report->why, report->size, "\"%s\" ", report->quote);
	va_list args;
	va_start(args, format);
	if (len >= 0 && (size_t)len < report->size)
		vsnprintf(report->why + len, report->size - (size_t)len, format, args);
	va_end(args);
	return E_INVAL;
}

static int complain_name(const struct report *report, const char *word)
{
	const struct known_use *known = clash_of_name(word, 0);
	const char *near = registry_nearest(word);
	if (known != NULL && known->is_clash)
		return complain(report, "is no registered service; write its port, %u as a rule", known->ports.first);
	if (near != NULL)
		return complain(report, "is no registered service; did you mean %s?", near);
	return complain(report,
		"is no registered service; write ports, ranges and names of IANA's registry, for example "
		"51820, 60100-60199, mdns");
}

static int add_name(struct port_set *set, const char *word, const struct report *report)
{
	const struct service *service;
	size_t added = 0;
	for (size_t i = 0; (service = registry_of_name(word, i)) != NULL; i++) {
		if (service->port != 0) {
			port_set_add(set, service->port);
			added++;
		} else if (registry_of_name(word, i + 1) == NULL && added == 0) {
			return complain(report, "is registered without a port; write the number of the port");
		}
	}
	return added > 0 ? 0 : complain_name(report, word);
}

static int add_word(struct port_set *set, const char *word, const struct report *report)
{
	struct port_range range;
	if (port_range_parse(&range, word) == 0) {
		port_set_add_range(set, range);
		return 0;
	}
	if (*word == '\0')
		return complain(report, "is no port; take a comma away, or write for example 51820 or 60100-60199");
	if (strpbrk(word, blanks) != NULL)
		return complain(report, "is more than one word; put a comma between them");
	/* RFC 6335 5.1: a name has a letter. */
	if (word[strspn(word, "0123456789-")] == '\0')
		return complain(report, "is not a port or a range of ports; write for example 51820 or 60100-60199");
	return add_name(set, word, report);
}

static int add_words(struct port_set *set, const char *text, struct report *report)
{
	for (bool more = true; more;) {
		text += strspn(text, blanks);
		size_t len = strcspn(text, ","), word_len = len;
		while (word_len > 0 && strchr(blanks, text[word_len - 1]) != NULL)
			word_len--;
		char word[WORD];
		snprintf(word, sizeof(word), "%.*s", (int)(word_len < WORD ? word_len : WORD - 1), text);
		escape_bytes(report->quote, sizeof(report->quote), text, word_len);
		int ret = word_len < WORD ? add_word(set, word, report)
					  : complain(report, "is too long for a port, a range or a service's name");
		if (ret != 0)
			return ret;
		more = text[len] == ',';
		text += len + 1;
	}
	return 0;
}

int port_list_parse(struct port_set *out, const char *text, char *why, size_t size)
{
	struct report report = {.why = why, .size = size};
	struct port_set *set = xzalloc(1, sizeof(*set)); /* 8 KiB: too much for a stack */
	int ret = add_words(set, text, &report);
	if (ret == 0)
		port_set_join(out, set);
	free(set);
	return ret;
}
