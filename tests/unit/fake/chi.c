/* Decides nothing of ours: the incomplete gamma function by its series and its continued fraction (Abramowitz and
 * Stegun 6.5.29, 6.5.31). */
#include "unit/chi.h"

#include <math.h>

enum { TERMS = 100000 };

static double lower_series(double a, double x)
{
	double term = 1 / a, sum = term;
	for (int n = 1; n < TERMS && term > sum * 1e-15; n++) {
		term *= x / (a + n);
		sum += term;
	}
	return sum * exp(a * log(x) - x - lgamma(a));
}

static double upper_fraction(double a, double x)
{
	double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
	for (int i = 1; i < TERMS; i++) {
		double an = -i * (i - a);
		b += 2;
		d = 1 / (an * d + b);
		c = b + an / c;
		h *= d * c;
		if (fabs(d * c - 1) < 1e-15)
			break;
	}
	return h * exp(a * log(x) - x - lgamma(a));
}

double chi_square_tail(double x, double freedom)
{
	double a = freedom / 2;
	x /= 2;
	if (x <= 0)
		return 1;
	return x < a + 1 ? 1 - lower_series(a, x) : upper_fraction(a, x);
}

double chi_square(const uint32_t *count, size_t cells)
{
	double total = 0, sum = 0;
	for (size_t i = 0; i < cells; i++)
		total += count[i];
	for (size_t i = 0; i < cells; i++) {
		double off = count[i] - total / (double)cells;
		sum += off * off;
	}
	return sum / (total / (double)cells);
}

double chi_square_p(const uint32_t *count, size_t cells)
{
	double p = chi_square_tail(chi_square(count, cells), (double)(cells - 1));
	return p < 0.5 ? p : 1 - p;
}
