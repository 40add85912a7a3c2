/* What every sender of the bench checks before it sends: that it is on the bench's ground, that its addresses are those
 * of the ground, and that it will stop.
 *
 *	bounds_check("race");                            ends the program where it must not send
 *	struct in_addr to = bounds_address(argv[1]);
 *	unsigned long count = bounds_number(argv[2], 1, 10000000);
 *	bounds_seconds(argv[3]);                         SIGALRM ends the program after so long
 */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

enum { BOUNDS_REFUSED = 3, BOUNDS_SECONDS_MAX = 600 };

void bounds_check(const char *program);
/* An address of 198.18.0.0/15 (RFC 2544), or the program ends. */
struct in_addr bounds_address(const char *text);
/* A number of first..last, or the program ends. */
unsigned long bounds_number(const char *text, unsigned long first, unsigned long last);
void bounds_seconds(const char *text);
/* CLOCK_MONOTONIC. */
uint64_t bounds_now_us(void);
/* Sleeps until then, or not at all when it has passed. */
void bounds_sleep_until_us(uint64_t then_us);
