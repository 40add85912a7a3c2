/* How often something was tried within a minute, by each address and by all: wrong passwords, votes.
 *
 *	static struct tries tries;
 *	if (!tries_have_room(&tries, &addr, LIMIT_WEB_LOGINS, now_us)) ...          429
 *	tries_count(&tries, &addr, now_us);
 *
 * NULL for an address stands for all of them. An IPv6 address counts with its whole /64, which one customer has. The
 * table is bounded: who was seen longest ago gives place. Pure; thread: one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

enum { TRIES_ADDRESSES = 256 };

struct tries {
	struct tries_row {
		uint8_t who[16];
		uint64_t begin_us; /* of its minute */
		unsigned count;    /* 0: the row is free */
	} row[TRIES_ADDRESSES], all;
};

bool tries_have_room(const struct tries *tries, const struct addr *who, unsigned limit, uint64_t now_us)
	__attribute__((nonnull(1)));
void tries_count(struct tries *tries, const struct addr *who, uint64_t now_us) __attribute__((nonnull(1)));
