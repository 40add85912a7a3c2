/* How likely draws are that are at least as uneven as these, if they were uniform: Pearson's chi-square test.
 *
 *	assert_true(chi_square_p(count, ports) > CHI_P_MIN);
 *
 * CHI_P_MIN lets one run of ten thousand fail; both tails are looked at, since draws that are too even (a shuffled
 *list) are no better than uneven ones. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define CHI_P_MIN 0.0001

/* Of `cells` counts. */
double chi_square(const uint32_t *count, size_t cells);
/* The smaller of both tails of chi-square. */
double chi_square_p(const uint32_t *count, size_t cells);
/* P(X >= x) with that many degrees of freedom. */
double chi_square_tail(double x, double freedom);
