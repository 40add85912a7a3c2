/* What it costs to forge an answer, by the arithmetic of RFC 5452 section 7.
 *
 *	struct forge f = {.space = exp2(30), .tries = 7000 * FORGE_WINDOW_S, .every_s = FORGE_WINDOW_S};
 *	printf("%.0f forged packets, %.0f s\n", forge_packets(&f, 0.5), forge_time_s(&f, 0.5));
 *
 * The RFC's symbols: `space` is N * P * I, `tries` is D * R * W, `every_s` is the TTL, or W where the attacker makes
 * the resolver ask back to back. Everything is a double: with cookies the space has ninety bits and more.
 * Pure; thread: any. */
#pragma once

/* The RFC's W: how long a question is open, about. */
#define FORGE_WINDOW_S 0.1

enum { FORGE_WORDS = 32 };

struct forge {
	double space;   /* different replies of which one would be believed */
	double tries;   /* of the attacker's packets in each window */
	double every_s; /* a window opens so often */
};

/* The chance of at least one success within a time, 0 to 1. */
double forge_chance(const struct forge *forge, double time_s);
/* When the chance is reached, as if windows could be had in part; infinite when nothing is tried. */
double forge_time_s(const struct forge *forge, double chance);
/* Packets sent until then. */
double forge_packets(const struct forge *forge, double chance);

/* "0.7 s", "12 min", "29 h", "10.5 days", "7.4 years", "3.1e12 years" */
const char *forge_time_words(double time_s, char out[static FORGE_WORDS]);
/* "920", "46,000", "745 million", "1.2e28" */
const char *forge_count_words(double count, char out[static FORGE_WORDS]);
