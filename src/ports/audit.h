/* Do the draws look like chance? Statistics of ports as they are drawn here and now.
 *
 *	struct audit audit;
 *	audit_draws(&audit, draw, arg, &usable);
 *	printf("chi-square %.1f at %u degrees of freedom: p = %.3f\n", audit.chi_square, audit.degrees, audit.p);
 *
 * Sound draws give any p between 0 and 1 equally often; one below 0.0001 is not chance. Thread: any. */
#pragma once

#include "ports/set.h"

struct audit {
	unsigned draws, kinds; /* how many, and among how many ports */
	double chi_square;
	unsigned degrees;
	double p;      /* of a chi-square as large or larger by chance */
	double serial; /* correlation of each draw with the next; by chance within 4/sqrt(draws) of 0 */
};

/* `draw` gives a port of the set, 0 when it has none to give: that draw is left out. */
void audit_draws(struct audit *out, uint16_t (*draw)(void *arg), void *arg, const struct port_set *among);
/* The chance of a chi-square as large as this one or larger (Wilson and Hilferty's approximation). */
double chi_square_p(double chi_square, unsigned degrees);
