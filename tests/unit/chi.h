/* How likely draws are that are at least as uneven as these, if they were uniform: Pearson's chi-square test.
 *
 *	assert_true(CHI_IS_UNIFORM(p_of_a_million_draws()));
 *
 * Both tails are looked at: draws that are too even (a shuffled list) are no better than uneven ones. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Chance alone fails one look in five thousand; the expression, which draws, is then evaluated once more. */
#define CHI_P_MIN         0.0001
#define CHI_IS_UNIFORM(p) ((p) > CHI_P_MIN || (p) > CHI_P_MIN)

/* Of `cells` counts. */
double chi_square(const uint32_t *count, size_t cells);
/* The smaller of both tails of chi-square. */
double chi_square_p(const uint32_t *count, size_t cells);
/* P(X >= x) with that many degrees of freedom. */
double chi_square_tail(double x, double freedom);
