/* What a NAT between berthd and the Internet makes of the ports that berthd lends: judged from pairs of the port lent
 * and the port that a server saw.
 *
 *	struct reflect judged;
 *	reflect_judge(&judged, pairs, count, 14.0);
 *	printf("%s: %.1f bits\n", reflect_kind_key(judged.kind), judged.bits);
 *
 * The pairs stand in the order in which the questions were sent. Pure; thread: any. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct port_pair {
	uint16_t lent, seen;
};

enum reflect_kind {
	REFLECT_KEPT,       /* each arrived from the port lent */
	REFLECT_MOSTLY,     /* nine of ten did */
	REFLECT_FIXED,      /* all arrived from one port */
	REFLECT_SEQUENTIAL, /* each follows from those before */
	REFLECT_RANDOM,     /* nothing seen that foretells a port */
	REFLECT_KINDS,
};

struct reflect {
	enum reflect_kind kind;
	unsigned count, kept, distinct, repeats; /* repeats: pairs of questions that share a port */
	uint16_t lowest, highest;                /* seen */
	unsigned within, of; /* sequential: nine of ten lie within so many ports of one of the last `of`, on one side */
	double bits;         /* what a guesser has to guess, as far as so many questions can show */
	double at_least;     /* random: fewer bits would have shown as repeats in 95 of 100 such samples */
};

/* `lent_bits`: what berthd's own draws are worth. At least two pairs. */
void reflect_judge(struct reflect *out, const struct port_pair *pairs, size_t count, double lent_bits);
/* One word for programs: "kept", ... */
const char *reflect_kind_key(enum reflect_kind kind);
