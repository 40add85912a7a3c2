/* Decides how many draws are looked at, and what is computed of them. */
#include "ports/audit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { PER_PORT = 16, DRAWS_LEAST = 65536, DRAWS_MOST = 1048576 };

double chi_square_p(double chi_square, unsigned degrees)
{
	if (degrees == 0)
		return 1;
	double part = 2.0 / (9.0 * degrees);
	double z = (cbrt(chi_square / degrees) - (1 - part)) / sqrt(part);
	return 0.5 * erfc(z / sqrt(2));
}

/* Sums for the correlation of neighbours. Values count from the middle of the set: else, where the ports are few, the
 * first and the last draw, which have one neighbour only, would weigh more than all correlation. */
struct neighbours {
	double middle;
	double sum, squares, products;
	double before;
	unsigned count;
};

static double middle_of(const struct port_set *set, unsigned count)
{
	double sum = 0;
	for (unsigned port = 0; port < PORTS_ALL; port++)
		sum += port_set_has(set, (uint16_t)port) ? port : 0;
	return sum / count;
}

static void add_neighbour(struct neighbours *n, uint16_t port)
{
	double value = port - n->middle;
	n->sum += value;
	n->squares += value * value;
	if (n->count > 0)
		n->products += n->before * value;
	n->before = value;
	n->count++;
}

static double correlation(const struct neighbours *n)
{
	if (n->count < 3)
		return 0;
	double mean = n->sum / n->count, variance = n->squares / n->count - mean * mean;
	return variance > 0 ? (n->products / (n->count - 1) - mean * mean) / variance : 1;
}

void audit_draws(struct audit *out, uint16_t (*draw)(void *arg), void *arg, const struct port_set *among)
{
	*out = (struct audit){.kinds = port_set_count(among), .p = 1};
	if (out->kinds == 0)
		return;
	unsigned *seen = xzalloc(PORTS_ALL, sizeof(*seen));
	unsigned wanted = out->kinds * PER_PORT;
	struct neighbours n = {.middle = middle_of(among, out->kinds)};
	wanted = wanted < DRAWS_LEAST ? DRAWS_LEAST : wanted > DRAWS_MOST ? DRAWS_MOST : wanted;
	for (unsigned i = 0; i < wanted; i++) {
		uint16_t port = draw(arg);
		if (port == 0)
			continue;
		seen[port]++;
		add_neighbour(&n, port);
	}
	out->draws = n.count;
	double expected = (double)out->draws / out->kinds;
	for (unsigned port = 0; port < PORTS_ALL && out->draws > 0; port++)
		if (port_set_has(among, (uint16_t)port) || seen[port] > 0)
			out->chi_square += (seen[port] - expected) * (seen[port] - expected) / expected;
	out->degrees = out->kinds - 1;
	out->p = chi_square_p(out->chi_square, out->degrees);
	out->serial = correlation(&n);
	free(seen);
}
