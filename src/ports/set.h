/* The set of usable ports: a plain bitmap with words about itself, no system call.
 *
 *	struct port_set set;
 *	port_set_fill(&set, 49152, 65535);
 *	port_set_remove(&set, 60100, 60199);
 *	unsigned count = port_set_count(&set);
 *
 * A value type; copy it freely (8 KiB). Thread: the owner's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PORTS_ALL = 65536, PORT_SET_WORDS = PORTS_ALL / 64 };

struct port_range {
	uint16_t first, last; /* both included */
};

struct port_set {
	uint64_t word[PORT_SET_WORDS];
};

/* Makes it this range and nothing else. */
void port_set_fill(struct port_set *set, uint16_t first, uint16_t last);
void port_set_add_range(struct port_set *set, struct port_range range);
void port_set_remove(struct port_set *set, uint16_t first, uint16_t last);
void port_set_join(struct port_set *set, const struct port_set *more);
void port_set_subtract(struct port_set *set, const struct port_set *less);
unsigned port_set_count(const struct port_set *set);

static inline void port_set_add(struct port_set *set, uint16_t port)
{
	set->word[port / 64] |= UINT64_C(1) << port % 64;
}

static inline bool port_set_has(const struct port_set *set, uint16_t port)
{
	return set->word[port / 64] >> port % 64 & 1;
}

/* "60100-60199" or "51820"; 0, or E_INVAL (port 0, first above last, anything else). */
int port_range_parse(struct port_range *range, const char *text);
/* Removes each range of a kernel-style list "1-3,5,70-80\n" from the set; returns how many usable ports that took. */
unsigned port_set_remove_list(struct port_set *set, const char *text);
