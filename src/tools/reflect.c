/* Decides what a sample of ports can show, and what it cannot. */
#include "tools/reflect.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/arena.h"

enum { PORTS = 65536, SERIES = 8 };

static int compare_numbers(const void *left, const void *right)
{
	unsigned a = *(const unsigned *)left, b = *(const unsigned *)right;
	return a < b ? -1 : a > b;
}

/* Kept ports, and how often one came twice. */
static void count_ports(struct reflect *out, const struct port_pair *pairs)
{
	unsigned *seen = xzalloc(PORTS, sizeof(*seen));
	out->lowest = out->highest = pairs[0].seen;
	for (unsigned i = 0; i < out->count; i++) {
		uint16_t port = pairs[i].seen;
		out->kept += port == pairs[i].lent;
		out->distinct += seen[port] == 0;
		out->repeats += seen[port]++; /* one pair with each that came before */
		if (port < out->lowest)
			out->lowest = port;
		if (port > out->highest)
			out->highest = port;
	}
	free(seen);
}

/* From the nearest of the `of` ports before it, upwards (downwards when `down`) and round the end. */
static unsigned step_to(const struct port_pair *at, unsigned of, bool down)
{
	unsigned nearest = PORTS;
	for (unsigned back = 1; back <= of; back++) {
		unsigned step = (unsigned)(at[0].seen - at[-(int)back].seen) & (PORTS - 1);
		step = down && step > 0 ? PORTS - step : step;
		nearest = step < nearest ? step : nearest;
	}
	return nearest;
}

/* How many ports after one of the last `of` have to be tried to meet nine of ten. */
static unsigned steps_within(const struct reflect *out, const struct port_pair *pairs, unsigned of, bool down)
{
	if (out->count < of + 2)
		return PORTS;
	unsigned steps = out->count - of, *step = xzalloc(steps, sizeof(*step));
	for (unsigned i = 0; i < steps; i++)
		step[i] = step_to(&pairs[of + i], of, down);
	qsort(step, steps, sizeof(*step), compare_numbers);
	unsigned within = step[(steps * 9 + 9) / 10 - 1];
	free(step);
	return within;
}

static bool try_series(struct reflect *out, const struct port_pair *pairs, unsigned of, unsigned less_than)
{
	unsigned up = steps_within(out, pairs, of, false), down = steps_within(out, pairs, of, true);
	out->of = of;
	out->within = up < down ? up : down;
	return out->within < less_than;
}

/* A random port lies below the one before as often as above it, and then far above by the way round the end: nine of
 * ten within an eighth of all ports is no chance. A NAT that counts on several processors at once, or for several users,
 * runs several series: among eight of the last a random port finds a near one in a quarter of the range, not in a
 * 64th. */
static bool is_series(struct reflect *out, const struct port_pair *pairs)
{
	return try_series(out, pairs, 1, PORTS / 8) ||
	       try_series(out, pairs, SERIES, (unsigned)(out->highest - out->lowest) / 64);
}

/* Ends of the interval, 95 % sure on each side, for the mean of a Poisson variable of which `seen` were seen (Byar's
 * approximation). */
static double most_expected(double seen)
{
	double n = seen + 1;
	return n * pow(1 - 1 / (9 * n) + 1.645 / (3 * sqrt(n)), 3);
}

static double least_expected(double seen)
{
	return seen > 0 ? seen * pow(fmax(0, 1 - 1 / (9 * seen) - 1.645 / (3 * sqrt(seen))), 3) : 0;
}

/* Two looks at how many ports there are: from the lowest to the highest, and how often one comes twice among so many.
 * The first is the better estimate for a range in which all are equally likely; where many more repeats came than it
 * explains, they are not, and the repeats count. */
static void estimate(struct reflect *out)
{
	double n = out->count, all_pairs = n * (n - 1) / 2;
	double by_range = fmin(PORTS - 1, (out->highest - out->lowest) * (n + 1) / (n - 1) + 1);
	double ports = by_range;
	if (least_expected(out->repeats) > all_pairs / by_range)
		ports = all_pairs / out->repeats;
	out->bits = log2(fmax(1, ports));
	out->at_least = fmin(out->bits, log2(fmax(1, all_pairs / most_expected(out->repeats))));
}

void reflect_judge(struct reflect *out, const struct port_pair *pairs, size_t count, double lent_bits)
{
	*out = (struct reflect){.count = (unsigned)count, .bits = lent_bits, .at_least = lent_bits};
	count_ports(out, pairs);
	if (out->kept == out->count) {
		out->kind = REFLECT_KEPT;
	} else if (out->kept >= out->count - out->count / 10) {
		out->kind = REFLECT_MOSTLY;
	} else if (out->distinct == 1) {
		out->kind = REFLECT_FIXED;
		out->bits = out->at_least = 0;
	} else if (is_series(out, pairs)) {
		out->kind = REFLECT_SEQUENTIAL;
		out->bits = out->at_least = log2(out->of * (out->within > 0 ? out->within : 1));
	} else {
		out->kind = REFLECT_RANDOM;
		estimate(out);
	}
}

const char *reflect_kind_key(enum reflect_kind kind)
{
	static const char *const keys[REFLECT_KINDS] = {"kept", "mostly kept", "fixed", "sequential", "random"};
	return kind < REFLECT_KINDS ? keys[kind] : "?";
}
