/* The port space as a picture: what each port is, and how that is drawn. For `berth map`.
 *
 *	struct map *map = map_new(range);
 *	map_look(map, ask);                                 this machine's sockets
 *	map_add_daemon(map, reply);                         berthd's ports
 *	map_draw(map, columns, rows, print_line, NULL);
 *	free(map);
 *
 * Thread: one. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ports/set.h"

/* In the order of what matters more where several ports share a cell. */
enum map_state {
	MAP_FREE,
	MAP_RECENT,    /* berthd lent it a moment ago */
	MAP_POOL,      /* berthd holds it, idle */
	MAP_EPHEMERAL, /* the kernel gave it to a client */
	MAP_HELD,      /* a program chose it, and does not listen */
	MAP_LISTENING,
	MAP_LENT, /* by berthd, now */
	MAP_STATES,
};

struct map {
	struct port_range range;
	uint8_t state[PORTS_ALL];
	unsigned count[MAP_STATES];
	double recent_s;
};

struct map *map_new(struct port_range range) __attribute__((returns_nonnull));
/* 0, or E_* when the kernel does not say. */
int map_look(struct map *map, bool udp, bool tcp) __attribute__((nonnull, warn_unused_result));
void map_add_daemon(struct map *map, const json_t *reply) __attribute__((nonnull(1)));
/* After all was added. */
void map_count(struct map *map) __attribute__((nonnull));
/* "free", "listening", ... */
const char *map_state_text(enum map_state state);

/* --- map_view.c --- */

/* How the range is cut into cells. */
struct map_form {
	unsigned columns, rows, each; /* cells of a row, rows of cells, ports of a cell */
	bool halves;                  /* two rows of cells make a line */
};

struct map_form map_form_of(struct port_range range, int columns, int lines, bool halves);
/* Calls `line` before each line, which is printed when that returns true. */
void map_draw(const struct map *map, const struct map_form *form, bool (*line)(void)) __attribute__((nonnull));
void map_draw_legend(const struct map *map, const struct map_form *form, bool (*line)(void)) __attribute__((nonnull));
