/* berth audit: what the pool of ports is worth against forged answers. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ports/usable.h"
#include "tools/client.h"
#include "tools/forge.h"
#include "tools/print.h"
#include "tools/reflector.h"

enum { COLUMN = 15, TEXT = 600, RATES = 3, ID_BITS = 16, COOKIE_BITS = 64 };
#define HALF 0.5 /* the chance that all times are for */

static const double rates[RATES] = {7000, 50000, 1000000};
static const char *const rate_words[RATES] = {"at 7,000/s", "at 50,000/s", "at 1,000,000/s"};
static const int rate_width[RATES] = {14, 14, 17};

/* What has to be guessed, in bits. */
struct worth {
	int64_t among, asked, mismatches, within_s, tcp_only_s;
	double port, letters; /* letters: for each question sent, on average */
	double cookies;       /* the share of questions that are safe behind one */
};

/* Case and cookie are drawn for questions over TCP as well. */
static void weigh(struct worth *w, const json_t *reply)
{
	const json_t *upstream = json_object_get(reply, "upstream"), *limits = json_object_get(reply, "limits");
	w->among = count_of(reply, "among");
	w->port = log2(fmax(1, (double)w->among));
	w->asked = count_of(upstream, "upstream.udp") + count_of(upstream, "upstream.tcp");
	double asked = fmax(1, (double)w->asked);
	w->letters = fmax(0, (double)count_of(upstream, "upstream.letters") / asked);
	w->cookies = fmax(0, fmin(1, (double)count_of(upstream, "upstream.cookies") / asked));
	w->mismatches = count_of(limits, "mismatches");
	w->within_s = count_of(limits, "within_s");
	w->tcp_only_s = count_of(limits, "tcp_only_s");
}

static struct forge flood(double bits, double rate)
{
	return (struct forge){exp2(bits), rate * FORGE_WINDOW_S, FORGE_WINDOW_S};
}

/* Who hits the port has one try at the rest, and so many of these until UDP ends for a while. */
static struct forge capped(const struct worth *w, double bits)
{
	return (struct forge){exp2(bits), (double)w->mismatches, fmax(1, (double)w->tcp_only_s)};
}

/* --- the draws --- */

enum verdict { DRAWS_NONE, DRAWS_CHANCE, DRAWS_UNEVEN, DRAWS_TOO_EVEN, DRAWS_LINKED, VERDICTS };

static const char *const verdict_keys[VERDICTS] = {"none", "chance", "uneven", "too even", "linked"};

static double serial_limit(const json_t *draws)
{
	return 4 / sqrt(fmax(1, (double)count_of(draws, "count")));
}

static enum verdict judge_draws(const json_t *draws)
{
	double p = json_number_value(json_object_get(draws, "p"));
	if (count_of(draws, "count") == 0 || count_of(draws, "ports") < 2)
		return DRAWS_NONE;
	if (p < 0.0001)
		return DRAWS_UNEVEN;
	if (p > 0.9999)
		return DRAWS_TOO_EVEN;
	return fabs(json_number_value(json_object_get(draws, "serial"))) > serial_limit(draws) ? DRAWS_LINKED
											       : DRAWS_CHANCE;
}

static void print_draws(const json_t *draws)
{
	static const char *const words[VERDICTS] = {"", "they look like chance",
		"NOT CHANCE: some ports come more often than others", "NOT CHANCE: more even than chance is",
		"NOT CHANCE: each draw follows from the one before"};
	enum verdict verdict = judge_draws(draws);
	char text[TEXT], count[PRINT_NUMBER], ports[PRINT_COUNT];
	if (verdict == DRAWS_NONE) {
		print_item("draws", COLUMN, "there is nothing to draw from, so nothing was tested");
		return;
	}
	snprintf(text, sizeof(text),
		"%s made just now among %s: chi-square has p = %.4f (chance: 0.0001 to 0.9999), each "
		"correlates with the next by %.4f (chance: within %.4f)",
		grouped(count_of(draws, "count"), count), counted(count_of(draws, "ports"), "port", ports),
		json_number_value(json_object_get(draws, "p")), json_number_value(json_object_get(draws, "serial")),
		serial_limit(draws));
	print_item("draws", COLUMN, text);
	printf("%*s%s%s%s\n", COLUMN, "", style(verdict == DRAWS_CHANCE ? STYLE_GOOD : STYLE_BAD), words[verdict],
		style(STYLE_PLAIN));
	if (verdict != DRAWS_CHANCE)
		printf("%*sof good chance, too, one look in some 4,000 says so: look again\n", COLUMN, "");
}

/* --- what there is to guess --- */

static void print_parts(const struct worth *w)
{
	char text[TEXT], among[PRINT_NUMBER], asked[PRINT_COUNT];
	snprintf(text, sizeof(text), "%.1f bits: one of %s for each question", w->port, grouped(w->among, among));
	print_item("port", COLUMN, text);
	print_item("ID", COLUMN, "16.0 bits: one of 65,536");
	if (w->asked == 0) {
		print_item("case, cookie", COLUMN, "not known yet: no question was sent to a server since the start");
		return;
	}
	snprintf(text, sizeof(text),
		"%.1f bits: the letters of a question's name, on average of %s; a forger takes names with "
		"few",
		w->letters, counted(w->asked, "question", asked));
	print_item("case (0x20)", COLUMN, text);
	snprintf(text, sizeof(text), "64.0 bits more for %.1f %% of the questions: those to servers that send cookies",
		w->cookies * 100);
	print_item("cookie", COLUMN, text);
}

/* --- what that costs --- */

static void print_row(const char *label, double bits)
{
	char words[FORGE_WORDS];
	struct forge forge = flood(bits, rates[0]);
	printf("  ");
	print_padded(label, 12);
	printf("%s%6.1f%s%13s", style(STYLE_BOLD), bits, style(STYLE_PLAIN),
		forge_count_words(forge_packets(&forge, HALF), words));
	for (int i = 0; i < RATES; i++) {
		forge = flood(bits, rates[i]);
		printf("%s%*s%s", i == RATES - 1 ? style(STYLE_BOLD) : "", rate_width[i],
			forge_time_words(forge_time_s(&forge, HALF), words), i == RATES - 1 ? style(STYLE_PLAIN) : "");
	}
	putchar('\n');
}

static void print_costs(const struct worth *w)
{
	double bits = w->port + ID_BITS;
	printf("\n  %sAn even chance takes, were it not for the rule of mismatches,%s\n\n", style(STYLE_BOLD),
		style(STYLE_PLAIN));
	printf("  %s%-12s%6s%13s", style(STYLE_DIM), "to guess", "bits", "packets");
	for (int i = 0; i < RATES; i++)
		printf("%*s", rate_width[i], rate_words[i]);
	printf("%s\n", style(STYLE_PLAIN));
	print_row("port, ID", bits);
	if (w->asked > 0)
		print_row("and case", bits + w->letters);
	if (w->cookies > 0)
		print_row("and cookie", bits + w->letters + COOKIE_BITS);
	printf("\n%s  ", style(STYLE_DIM));
	print_wrapped(
		"RFC 5452, section 7: in time T the chance is 1 - (1 - R W / (P I))^(T / W), with R packets a second, "
		"P ports, I the IDs (times cases and cookies) and windows of W = 0.1 s, one after the other: who is "
		"off the path, knows the server and makes berthd ask without a pause has one question open at any "
		"time.",
		2);
	printf("%s", style(STYLE_PLAIN));
}

static void print_cap(const struct worth *w)
{
	char text[TEXT], id[FORGE_WORDS], with_case[FORGE_WORDS];
	struct forge forge = capped(w, ID_BITS), forge_case = capped(w, ID_BITS + w->letters);
	snprintf(text, sizeof(text),
		"One wrong reply and its question goes to TCP; %lld within %lld s and the server is asked over TCP "
		"alone "
		"for %lld s. So who finds the port has at most %lld guesses in %lld s for each address of a server: at "
		"the ID alone an even chance takes %s",
		(long long)w->mismatches, (long long)w->within_s, (long long)w->tcp_only_s, (long long)w->mismatches,
		(long long)w->tcp_only_s, forge_time_words(forge_time_s(&forge, HALF), id));
	size_t len = strlen(text);
	if (w->asked > 0)
		snprintf(text + len, sizeof(text) - len, ", at ID and case %s",
			forge_time_words(forge_time_s(&forge_case, HALF), with_case));
	len = strlen(text);
	snprintf(text + len, sizeof(text) - len, ", however many packets are sent.");
	printf("\n");
	print_item("mismatches", COLUMN, text);
}

/* --- what was lost --- */

static void print_lost(const json_t *lost, const json_t *away)
{
	static const struct {
		const char *key, *text;
	} causes[] = {{"ports.taken", "taken by other programs (EADDRINUSE)"},
		{"ports.denied", "not permitted (EACCES)"}, {"ports.nofiles", "without a descriptor (EMFILE)"},
		{"ports.nobufs", "without memory (ENOBUFS)"}};
	char text[TEXT] = "", number[PRINT_COUNT];
	size_t len = 0;
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		if (count_of(lost, causes[i].key) > 0)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %s", len > 0 ? ", " : "",
				counted(count_of(lost, causes[i].key), "draw", number), causes[i].text);
	print_item("lost", COLUMN, len > 0 ? text : "no draw");
	*text = '\0';
	len = 0;
	for (int why = PORT_EXCLUDED; why < PORT_WHYS; why++)
		if (count_of(away, port_why_key((enum port_why)why)) > 0)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %s", len > 0 ? ", " : "",
				grouped(count_of(away, port_why_key((enum port_why)why)), number),
				port_why_text((enum port_why)why));
	print_item("taken away", COLUMN, len > 0 ? text : "none of the range");
}

/* --- for programs --- */

static json_t *cost_json(const char *guess, double bits)
{
	struct forge forge = flood(bits, rates[0]);
	double packets = forge_packets(&forge, HALF);
	json_t *times = json_object();
	for (int i = 0; i < RATES; i++) {
		char key[PRINT_NUMBER];
		forge = flood(bits, rates[i]);
		snprintf(key, sizeof(key), "%.0f", rates[i]);
		json_object_set_new(times, key, json_real(forge_time_s(&forge, HALF)));
	}
	return json_pack("{s:s, s:f, s:f, s:o}", "guess", guess, "bits", bits, "packets", packets, "time_s", times);
}

static json_t *worth_json(const struct worth *w, const json_t *draws)
{
	struct forge id = capped(w, ID_BITS), with_case = capped(w, ID_BITS + w->letters);
	double bits = w->port + ID_BITS;
	json_t *costs = json_pack("[o]", cost_json("port, ID", bits));
	if (w->asked > 0)
		json_array_append_new(costs, cost_json("port, ID, case", bits + w->letters));
	if (w->cookies > 0)
		json_array_append_new(costs, cost_json("port, ID, case, cookie", bits + w->letters + COOKIE_BITS));
	return json_pack("{s:f, s:i, s:f, s:f, s:f, s:f, s:o, s:{s:o, s:o}, s:s}", "port_bits", w->port, "id_bits",
		ID_BITS, "case_bits", w->letters, "cookie_share", w->cookies, "chance", HALF, "window_s",
		FORGE_WINDOW_S, "costs", costs, "capped_time_s", "id", json_real(forge_time_s(&id, HALF)), "id_case",
		json_real(forge_time_s(&with_case, HALF)), "draws", verdict_keys[judge_draws(draws)]);
}

/* --- the verb --- */

static int run_audit(const struct tool *tool, int argc, char **argv)
{
	json_t *reply;
	struct worth worth;
	char why[CLIENT_ERROR];
	if (argc > 0)
		return tool_usage(&verb_audit, "\"%s\" is one word too many", argv[0]);
	if (tool->count != 0 && tool->reflector == NULL)
		return tool_usage(
			&verb_audit, "--count goes with --reflector: it says how many questions to ask there");
	if (tool->reflector != NULL)
		return reflector_run(tool);
	if (client_ask_once(tool, json_pack("{s:s}", "cmd", "audit"), &reply, why) != 0)
		return tool_fail(tool, "%s", why);
	weigh(&worth, reply);
	if (tool->json) {
		json_object_set_new(reply, "worth", worth_json(&worth, json_object_get(reply, "draws")));
		return print_json(reply);
	}
	printf("%sWhat there is to guess in a reply to berthd%s\n\n", style(STYLE_BOLD), style(STYLE_PLAIN));
	print_parts(&worth);
	print_costs(&worth);
	print_cap(&worth);
	print_draws(json_object_get(reply, "draws"));
	print_lost(json_object_get(reply, "lost"), json_object_get(reply, "away"));
	json_decref(reply);
	return EXIT_GOOD;
}

const struct verb verb_audit = {
	"audit",
	"[--reflector NAME]",
	"what the pool is worth against forgers",
	"Says what has to be guessed to forge a reply, how many packets and how long an\n"
	"even chance takes (RFC 5452), what the rule of mismatches leaves of that,\n"
	"whether the draws of ports look like chance, and what was lost.\n\n"
	"  --reflector NAME  asks for TXT of random names below NAME, whose server has to\n"
	"                    answer each with the address and port that it was asked\n"
	"                    from, \"192.0.2.1@60054\": says whether a NAT on the way keeps\n"
	"                    the ports, and what it leaves of them\n"
	"  --count N         so many questions (256)\n\n"
	"  berth audit\n"
	"  berth audit --reflector port.example.net --count 1000\n",
	run_audit,
};
