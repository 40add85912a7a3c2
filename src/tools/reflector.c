/* Decides how a reflector is asked, which of its answers count, and what is said of the way between. */
#include "tools/reflector.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/random.h"
#include "tools/client.h"
#include "tools/print.h"
#include "tools/question.h"
#include "tools/reflect.h"

enum { COLUMN = 15, TEXT = 600, NONCE = 16, FEW = 16, FAILURES_AT_ONCE = 8, PROGRESS = 16, FAMILIES = 2, USUAL = 256 };

/* What came over one family: a NAT is that of one. */
struct seen_family {
	struct port_pair *pair;
	size_t count;
	struct addr address; /* the first one seen, */
	bool has_others;     /* and not the only one */
};

struct asking {
	const struct tool *tool;
	struct client *client;
	unsigned count, asked, over_tcp, unseen, failed;
	char why[CLIENT_ERROR]; /* of the last failure */
	struct seen_family family[FAMILIES];
};

/* --- one question --- */

/* "nonce.NAME": whatever is cached, this is not, so the question goes to the server. */
static json_t *make_request(const char *reflector)
{
	char *argv[] = {xalloc(strlen(reflector) + NONCE + 2), (char[]){"TXT"}};
	uint8_t nonce[NONCE / 2]; /* in text two digits a byte */
	random_bytes(nonce, sizeof(nonce));
	for (size_t i = 0; i < sizeof(nonce); i++)
		snprintf(argv[0] + 2 * i, 3, "%02x", nonce[i]);
	snprintf(argv[0] + NONCE, strlen(reflector) + 2, ".%s", reflector);
	json_t *request = question_request("why", 2, argv);
	free(argv[0]);
	return request;
}

/* "192.0.2.1@60054", in quotes or not; the two may stand apart, as two strings too. */
static bool read_reflection(const char *data, struct addr *out)
{
	char text[ADDR_TEXT];
	size_t len = 0;
	for (; *data != '\0' && len + 1 < sizeof(text); data++) {
		bool is_gap = *data == ' ' || *data == '@';
		if (*data == '"' || (is_gap && (len == 0 || text[len - 1] == '@')))
			continue;
		text[len++] = is_gap ? '@' : *data;
	}
	text[len] = '\0';
	return *data == '\0' && addr_parse(out, text, 0) == 0 && addr_port(out) != 0;
}

static bool find_reflection(const json_t *reply, struct addr *out)
{
	size_t i;
	json_t *record;
	json_array_foreach(json_object_get(reply, "answer"), i,
		record) if (strcmp(text_of(record, "type"), "TXT") == 0 &&
			    read_reflection(text_of(record, "data"), out)) return true;
	return false;
}

/* The last reply of the story brought the answer. */
static const json_t *last_reply(const json_t *reply)
{
	const json_t *story = json_object_get(reply, "story");
	for (size_t i = json_array_size(story); i > 0; i--)
		if (strcmp(text_of(json_array_get(story, i - 1), "event"), "reply") == 0)
			return json_array_get(story, i - 1);
	return NULL;
}

static void note_pair(struct asking *asking, uint16_t lent, const struct addr *seen)
{
	struct seen_family *family = &asking->family[addr_is_v6(seen)];
	struct addr host = *seen;
	addr_set_port(&host, 0);
	if (family->count == 0)
		family->address = host;
	else if (!addr_equal(&family->address, &host))
		family->has_others = true;
	family->pair[family->count++] = (struct port_pair){lent, addr_port(seen)};
}

static void take_reply(struct asking *asking, const json_t *reply)
{
	struct addr seen;
	const json_t *event = last_reply(reply);
	int64_t lent = count_of(event, "port");
	if (exit_of_reply(reply) != EXIT_GOOD || !find_reflection(reply, &seen)) {
		const json_t *first = json_array_get(json_object_get(reply, "answer"), 0);
		asking->failed++;
		snprintf(asking->why, sizeof(asking->why), "%.200s TXT gave %.20s%s%.200s, and not ADDRESS@PORT",
			text_of(reply, "name"), text_of(reply, "rcode"), first != NULL ? ", " : "",
			text_of(first, "data"));
	} else if (strcmp(text_of(event, "transport"), "tcp") == 0) {
		asking->over_tcp++;
	} else if (lent <= 0 || lent > UINT16_MAX) {
		asking->unseen++; /* from a cache, or a question that was joined: not this one's port */
	} else {
		note_pair(asking, (uint16_t)lent, &seen);
	}
}

static size_t count_pairs(const struct asking *asking)
{
	return asking->family[0].count + asking->family[1].count;
}

static void show_progress(const struct asking *asking)
{
	if (!isatty(STDERR_FILENO) || asking->tool->json)
		return;
	if (asking->asked == asking->count)
		fprintf(stderr, "\r\033[K");
	else if (asking->asked % PROGRESS == 0)
		fprintf(stderr, "\rasked %u of %u", asking->asked, asking->count);
}

/* One after the other: a NAT that counts up is seen to do so. 0, or an error when berthd itself failed. */
static int ask_all(struct asking *asking)
{
	while (asking->asked < asking->count) {
		json_t *reply, *request = make_request(asking->tool->reflector);
		if (request == NULL) {
			snprintf(asking->why, sizeof(asking->why), "\"%.200s\" is no name to ask below",
				safe(asking->tool->reflector));
			return -1;
		}
		int ret = client_ask(asking->client, request, &reply, asking->why);
		if (ret != 0)
			return ret;
		asking->asked++;
		take_reply(asking, reply);
		json_decref(reply);
		show_progress(asking);
		if (asking->failed >= FAILURES_AT_ONCE && count_pairs(asking) == 0)
			return -1;
		print_forget();
	}
	return 0;
}

/* --- the judgement --- */

/* How many bits berthd's own draws are worth. */
static int ask_lent_bits(struct asking *asking, double *bits)
{
	json_t *reply;
	int ret = client_ask(asking->client, json_pack("{s:s}", "cmd", "ports"), &reply, asking->why);
	if (ret != 0)
		return ret;
	*bits = log2(fmax(1, (double)count_of(reply, "among")));
	json_decref(reply);
	return 0;
}

static const char *words_of(const struct reflect *r, char out[static TEXT])
{
	char nearby[64] = "the one before";
	if (r->of > 1)
		snprintf(nearby, sizeof(nearby), "one of the last %u", r->of);
	switch (r->kind) {
	case REFLECT_KEPT: return "kept: each arrived from the port that berthd lent";
	case REFLECT_MOSTLY:
		snprintf(out, TEXT, "kept, %u of %u: a NAT replaces those that it uses already", r->kept, r->count);
		return out;
	case REFLECT_FIXED: snprintf(out, TEXT, "LOST: a NAT sends every question from port %u", r->lowest); return out;
	case REFLECT_SEQUENTIAL:
		snprintf(out, TEXT, "REPLACED IN SEQUENCE: a NAT counts, and nine of ten lie within %u of %s",
			r->within, nearby);
		return out;
	default:
		snprintf(out, TEXT,
			"replaced at random, as far as can be seen: %u different ones between %u and %u, %u pair%s of "
			"questions with the same",
			r->distinct, r->lowest, r->highest, r->repeats, r->repeats == 1 ? "" : "s");
		return out;
	}
}

static void print_bits(const struct reflect *r, double lent_bits)
{
	char text[TEXT];
	int len = snprintf(text, sizeof(text), "%s%.1f from the port, %.1f with the ID; berthd lends them with %.1f",
		r->kind == REFLECT_RANDOM       ? "about "
		: r->kind == REFLECT_SEQUENTIAL ? "at most "
						: "",
		r->bits, r->bits + 16, lent_bits);
	if (r->kind == REFLECT_RANDOM)
		snprintf(text + len, sizeof(text) - (size_t)len,
			". So many questions prove %.1f (95 %% sure): of fewer ports, more would have come twice. More "
			"questions (--count) prove more",
			r->at_least);
	print_item("bits left", COLUMN, text);
	if (r->kind != REFLECT_KEPT && r->kind != REFLECT_MOSTLY && r->bits < lent_bits - 1)
		print_item("what helps", COLUMN,
			"let the NAT draw ports at random (nftables: masquerade fully-random; iptables: "
			"--random-fully), "
			"leave the resolver out of it, or use IPv6");
}

static void print_family(const struct seen_family *family, bool is_v6, double lent_bits)
{
	char text[TEXT], host[ADDR_TEXT];
	struct reflect judged;
	if (family->count == 0)
		return;
	snprintf(text, sizeof(text), "%zu question%s, seen from %s%s", family->count, family->count == 1 ? "" : "s",
		addr_host_text(&family->address, host), family->has_others ? " and other addresses" : "");
	print_item(is_v6 ? "over IPv6" : "over IPv4", COLUMN, text);
	if (family->count < FEW) {
		print_item("ports", COLUMN, "too few to judge");
		return;
	}
	reflect_judge(&judged, family->pair, family->count, lent_bits);
	print_item("ports", COLUMN, words_of(&judged, text));
	print_bits(&judged, lent_bits);
}

static void print_asking(const struct asking *asking, double lent_bits)
{
	char text[TEXT];
	printf("%s%u questions below %s%s\n\n", style(STYLE_BOLD), asking->asked, safe(asking->tool->reflector),
		style(STYLE_PLAIN));
	for (int f = 0; f < FAMILIES; f++)
		print_family(&asking->family[f], f == 1, lent_bits);
	if (asking->over_tcp + asking->unseen + asking->failed == 0)
		return;
	snprintf(text, sizeof(text), "%u over TCP, %u from a cache or joined with others, %u without an answer",
		asking->over_tcp, asking->unseen, asking->failed);
	print_item("not counted", COLUMN, text);
	if (asking->failed > 0)
		print_item("the last", COLUMN, asking->why);
}

static json_t *family_json(const struct seen_family *family, bool is_v6, double lent_bits)
{
	struct reflect r;
	char host[ADDR_TEXT];
	reflect_judge(&r, family->pair, family->count, lent_bits);
	return json_pack("{s:s, s:s, s:b, s:i, s:s, s:i, s:i, s:i, s:i, s:i, s:f, s:f}", "family",
		is_v6 ? "ipv6" : "ipv4", "address", addr_host_text(&family->address, host), "other_addresses",
		(int)family->has_others, "count", (int)r.count, "ports", reflect_kind_key(r.kind), "kept", (int)r.kept,
		"distinct", (int)r.distinct, "repeats", (int)r.repeats, "lowest", (int)r.lowest, "highest",
		(int)r.highest, "bits", r.bits, "bits_at_least", r.at_least);
}

static void print_asking_json(const struct asking *asking, double lent_bits)
{
	json_t *families = json_array();
	for (int f = 0; f < FAMILIES; f++)
		if (asking->family[f].count >= FEW)
			json_array_append_new(families, family_json(&asking->family[f], f == 1, lent_bits));
	print_json(json_pack("{s:s, s:i, s:i, s:i, s:i, s:o, s:f, s:o}", "reflector", safe(asking->tool->reflector),
		"asked", (int)asking->asked, "over_tcp", (int)asking->over_tcp, "unseen", (int)asking->unseen, "failed",
		(int)asking->failed, "last_failure", asking->failed > 0 ? json_string(asking->why) : json_null(),
		"lent_bits", lent_bits, "families", families));
}

/* Nothing to judge by is a failure, with the reason. */
static int judge(const struct asking *asking, double lent_bits)
{
	if (count_pairs(asking) < FEW)
		return tool_fail(asking->tool, "of %u questions below %s only %zu told a port: %s", asking->asked,
			safe(asking->tool->reflector), count_pairs(asking),
			asking->failed > 0 ? asking->why : "the others went over TCP or were not asked");
	if (asking->tool->json)
		print_asking_json(asking, lent_bits);
	else
		print_asking(asking, lent_bits);
	return EXIT_GOOD;
}

int reflector_run(const struct tool *tool)
{
	static struct asking asking; /* a KiB */
	double lent_bits = 0;
	asking.tool = tool;
	asking.count = tool->count != 0 ? tool->count : USUAL;
	if (client_open(&asking.client, tool->socket, tool->timeout_ms, asking.why) != 0)
		return tool_fail(tool, "%s", asking.why);
	for (int f = 0; f < FAMILIES; f++)
		asking.family[f].pair = xzalloc(asking.count, sizeof(struct port_pair));
	int ret = ask_lent_bits(&asking, &lent_bits);
	if (ret == 0)
		ret = ask_all(&asking);
	int code = ret != 0 ? tool_fail(tool, "%s", asking.why) : judge(&asking, lent_bits);
	for (int f = 0; f < FAMILIES; f++)
		free(asking.family[f].pair);
	client_close(asking.client);
	return code;
}
