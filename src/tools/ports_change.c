/* Decides how a change of the usable ports is asked for, and how before and after are told apart. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "ports/usable.h"
#include "tools/client.h"
#include "tools/ports.h"
#include "tools/print.h"

enum { LABEL = 27, NUMBER = 13, KEEP = 4 };

/* --- before and after --- */

static void print_row(const char *label, const char *before, const char *after, const char *change)
{
	printf("  %s", style(STYLE_DIM));
	print_padded(label, LABEL);
	printf("%s%*s%*s", style(STYLE_PLAIN), NUMBER, before, NUMBER, after);
	printf("%s%s%s%s\n", *change != '\0' ? "  " : "", *change != '\0' ? style(STYLE_NOTE) : "", change,
		*change != '\0' ? style(STYLE_PLAIN) : "");
}

static void print_counts(const char *label, int64_t before, int64_t after)
{
	char a[PRINT_NUMBER], b[PRINT_NUMBER], by[PRINT_NUMBER], change[PRINT_NUMBER + 1] = "";
	if (after != before)
		snprintf(change, sizeof(change), "%s%s", after > before ? "+" : "", grouped(after - before, by));
	print_row(label, grouped(before, a), grouped(after, b), change);
}

static void print_bits(const json_t *before, const json_t *after)
{
	char a[PRINT_NUMBER], b[PRINT_NUMBER], change[PRINT_NUMBER] = "";
	double was = json_number_value(json_object_get(before, "bits")),
	       is = json_number_value(json_object_get(after, "bits"));
	snprintf(a, sizeof(a), "%.2f", was);
	snprintf(b, sizeof(b), "%.2f", is);
	if (fabs(is - was) >= 0.005)
		snprintf(change, sizeof(change), "%+.2f", is - was);
	print_row("bits", a, b, change);
}

static const char *away_words(enum port_why why)
{
	static const char *const words[PORT_WHYS] = {[PORT_EXCLUDED] = "excluded",
		[PORT_RESERVED] = "in ip_local_reserved_ports",
		[PORT_PRIVILEGED] = "need CAP_NET_BIND_SERVICE",
		[PORT_HELD] = "held by other programs",
		[PORT_REGISTERED] = "registered for UDP",
		[PORT_CLASHING] = "known clashes"};
	return words[why];
}

static void print_comparison(const json_t *before, const json_t *after)
{
	const json_t *away = json_object_get(before, "away"), *away_then = json_object_get(after, "away");
	char old_range[PRINT_NUMBER], range[PRINT_NUMBER];
	print_row("", "before", "after", "");
	snprintf(old_range, sizeof(old_range), "%s", text_of(before, "range"));
	snprintf(range, sizeof(range), "%s", text_of(after, "range"));
	print_row("range", old_range, range, "");
	print_counts("usable", count_of(before, "usable"), count_of(after, "usable"));
	print_bits(before, after);
	for (int why = PORT_EXCLUDED; why < PORT_WHYS; why++) {
		const char *key = port_why_key((enum port_why)why);
		if (count_of(away, key) != 0 || count_of(away_then, key) != 0)
			print_counts(away_words((enum port_why)why), count_of(away, key), count_of(away_then, key));
	}
}

/* --- how to keep it --- */

/* "exclude: [5353, 60100-60199]" on as many lines as it takes: YAML allows that. */
static void print_keep(const json_t *before, const json_t *after, const char *key)
{
	const json_t *value = json_object_get(after, key);
	if (value == NULL || json_equal(json_object_get(before, key), value))
		return;
	const char *text = json_is_string(value) ? text_of(after, key) : joined(value, ", ");
	size_t size = strlen(key) + strlen(text) + sizeof(": []");
	char *line = xalloc(size);
	snprintf(line, size, json_is_string(value) ? "%s: %s" : "%s: [%s]", key, text);
	printf("%*s", KEEP, "");
	print_wrapped(line, KEEP);
	free(line);
}

static void print_warnings(const json_t *lines)
{
	size_t i;
	json_t *line;
	json_array_foreach(lines, i, line)
	{
		if (strcmp(text_of(line, "level"), "warning") != 0)
			continue;
		printf("\n%swarning%s  ", style(STYLE_BAD), style(STYLE_PLAIN));
		print_wrapped(text_of(line, "text"), sizeof("warning  ") - 1);
	}
}

static void print_change(const json_t *reply)
{
	const json_t *before = json_object_get(reply, "before"), *after = json_object_get(reply, "after");
	bool dry = json_is_true(json_object_get(reply, "dry_run"));
	print_comparison(before, after);
	if (json_equal(before, after)) {
		printf("\n%s\n", dry ? "That would change nothing." : "That changed nothing.");
		return;
	}
	print_warnings(json_object_get(reply, "lines"));
	printf("\n%s%s%s\n", style(dry ? STYLE_NOTE : STYLE_GOOD),
		dry ? "Nothing was changed. It would last until the next reload or restart of berthd."
		    : "Changed, until the next reload or restart of berthd.",
		style(STYLE_PLAIN));
	printf("To keep it, let the configuration say:\n\n  ports:\n");
	print_keep(before, after, "range");
	print_keep(before, after, "exclude");
	print_keep(before, after, "include");
}

/* --- asking --- */

/* The words as one list with commas; NULL when that is longer than berthd reads. */
static char *join_words(int argc, char **argv)
{
	static char list[LIMIT_CONTROL_LINE];
	size_t len = 0;
	for (int i = 0; i < argc; i++) {
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i > 0 ? "," : "", argv[i]);
		if (len >= sizeof(list))
			return NULL;
	}
	return list;
}

int ports_change(const struct tool *tool, const char *key, int argc, char **argv)
{
	json_t *reply;
	char why[CLIENT_ERROR];
	bool is_range = strcmp(key, "range") == 0;
	if (argc == 0 || (is_range && argc > 1))
		return tool_usage(&verb_ports,
			is_range ? "berth ports range wants one range: FIRST-LAST"
				 : "berth ports %s wants ports: 60100-60199, 51820, mdns",
			key);
	const char *list = join_words(argc, argv);
	if (list == NULL)
		return tool_usage(&verb_ports, "the list is longer than berthd reads; change a part at a time");
	json_t *request = json_pack("{s:s, s:s, s:b}", "cmd", "ports-change", key, list, "dry_run", (int)tool->dry_run);
	if (client_ask_once(tool, request, &reply, why) != 0)
		return tool_fail(tool, "%s", why);
	if (tool->json)
		return print_json(reply);
	print_change(reply);
	json_decref(reply);
	return EXIT_GOOD;
}
