/* berth anchors: which keys berthd trusts, and what it is waiting for. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tools/client.h"
#include "tools/print.h"

static void print_moment(int64_t at_s)
{
	char text[32];
	time_t when = (time_t)at_s;
	struct tm tm;
	gmtime_r(&when, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &tm);
	printf("%s", text);
}

static enum style style_of(const char *state)
{
	if (strcmp(state, "revoked") == 0 || strcmp(state, "missing") == 0)
		return STYLE_BAD;
	return strcmp(state, "pending") == 0 ? STYLE_NOTE : STYLE_GOOD;
}

static void print_key(const json_t *key)
{
	const char *state = text_of(key, "state");
	printf("  key %5lld, algorithm %2lld  %s%s%s", (long long)count_of(key, "tag"),
		(long long)count_of(key, "algorithm"), style(style_of(state)), state, style(STYLE_PLAIN));
	if (count_of(key, "since") > 0) {
		printf(" since ");
		print_moment(count_of(key, "since"));
	}
	if (strcmp(state, "pending") == 0)
		printf("; trusted when it has been there for 30 days");
	putchar('\n');
}

static void print_anchor(const json_t *anchor)
{
	printf("%s%s%s", style(STYLE_BOLD), text_of(anchor, "zone"), style(STYLE_PLAIN));
	if (json_is_true(json_object_get(anchor, "negative"))) {
		int64_t until = count_of(anchor, "until");
		bool is_over = until > 0 && until <= (int64_t)time(NULL);
		printf(is_over ? "  counted as unsigned" : "  counts as unsigned");
		if (until > 0) {
			printf(" until ");
			print_moment(count_of(anchor, "until"));
		}
		putchar('\n');
		return;
	}
	printf("%s\n", json_is_true(json_object_get(anchor, "followed"))
			       ? "  its keys are followed (RFC 5011)"
			       : "  as configured; its keys are not followed");
	size_t i;
	json_t *key;
	json_array_foreach(json_object_get(anchor, "keys"), i, key) print_key(key);
}

/* Those that are trusted, or those that are not; returns how many. */
static unsigned print_anchors(const json_t *reply, bool negative)
{
	size_t i;
	unsigned count = 0;
	json_t *anchor;
	json_array_foreach(json_object_get(reply, "anchors"), i, anchor)
	{
		if (json_is_true(json_object_get(anchor, "negative")) != negative)
			continue;
		print_anchor(anchor);
		count++;
	}
	return count;
}

static int run_anchors(const struct tool *tool, int argc, char **argv)
{
	json_t *reply;
	char why[CLIENT_ERROR];
	if (argc > 0)
		return tool_usage(&verb_anchors, "\"%s\" is one word too many", argv[0]);
	if (client_ask_once(tool, json_pack("{s:s}", "cmd", "anchors"), &reply, why) != 0)
		return tool_fail(tool, "%s", why);
	if (tool->json)
		return print_json(reply);
	if (!json_is_true(json_object_get(reply, "validates")))
		printf("nothing is validated (dnssec.validate)\n");
	else if (print_anchors(reply, false) == 0)
		printf("there is no trust anchor: nothing is proved (dnssec.builtin, dnssec.anchors)\n");
	print_anchors(reply, true);
	json_decref(reply);
	return EXIT_GOOD;
}

const struct verb verb_anchors = {
	"anchors",
	"",
	"the keys that berthd trusts, and the zones that it takes for unsigned",
	"Tells where chains of trust begin (DNSSEC): each zone with a trust anchor, its\n"
	"keys, and how they stand. A key that a zone brings in (RFC 5011) is pending for\n"
	"30 days, valid after that, missing when the zone has it no more, and revoked\n"
	"when the zone says so. Negative anchors (dnssec.negative) are told too.\n",
	run_anchors,
};
