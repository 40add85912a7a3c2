/* Decides how many ports a cell has, and how its state looks: a coloured half of a character on a terminal, a sign of
 * its own for each state where there are no colours. */
#include <stdio.h>

#include "tools/map.h"
#include "tools/print.h"

enum { LABEL = 7, CELLS_MOST = 256, PLAIN_COLUMNS = 80, PLAIN_LINES = 40, LINES_LEAST = 4 };

/* Colour of a cell in front, and behind. */
static const struct look {
	char sign;
	unsigned front, back;
} looks[MAP_STATES] = {
	[MAP_FREE] = {'.', 90, 100},
	[MAP_RECENT] = {'-', 35, 45},
	[MAP_POOL] = {'p', 34, 44},
	[MAP_EPHEMERAL] = {'e', 36, 46},
	[MAP_HELD] = {'h', 33, 43},
	[MAP_LISTENING] = {'L', 32, 42},
	[MAP_LENT] = {'*', 97, 107},
};

/* --- the form --- */

static unsigned power_below(unsigned number)
{
	unsigned power = 1;
	while (power * 2 <= number)
		power *= 2;
	return power;
}

/* Powers of two, so that a row begins with a round number. */
struct map_form map_form_of(struct port_range range, int columns, int lines, bool halves)
{
	unsigned ports = range.last - range.first + 1u, room = columns > 0 ? (unsigned)columns : PLAIN_COLUMNS;
	unsigned high = lines >= LINES_LEAST ? (unsigned)lines : columns > 0 ? LINES_LEAST : PLAIN_LINES;
	struct map_form form = {.each = 1, .halves = halves};
	form.columns = power_below(room > LABEL + 8 ? room - LABEL : 8);
	if (form.columns > CELLS_MOST)
		form.columns = CELLS_MOST;
	unsigned cells = form.columns * high * (halves ? 2 : 1);
	while ((ports + form.each - 1) / form.each > cells)
		form.each *= 2;
	form.rows = ((ports + form.each - 1) / form.each + form.columns - 1) / form.columns;
	return form;
}

/* --- cells --- */

/* The state that matters most; MAP_STATES beyond the range. */
static enum map_state cell_state(const struct map *map, const struct map_form *form, unsigned row, unsigned column)
{
	unsigned first = map->range.first + (row * form->columns + column) * form->each;
	enum map_state state = MAP_STATES;
	for (unsigned port = first; port < first + form->each && port <= map->range.last; port++)
		if (state == MAP_STATES || map->state[port] > state)
			state = (enum map_state)map->state[port];
	return state;
}

static void print_signs(const struct map *map, const struct map_form *form, unsigned row)
{
	unsigned before = 0;
	for (unsigned column = 0; column < form->columns; column++) {
		enum map_state state = cell_state(map, form, row, column);
		if (state == MAP_STATES)
			break;
		if (print_has_colours() && looks[state].front != before)
			printf("\033[%um", looks[state].front);
		before = looks[state].front;
		putchar(looks[state].sign);
	}
	printf("%s", style(STYLE_PLAIN));
}

/* An upper half in the colour of one cell on the colour of the other. */
static void print_halves(const struct map *map, const struct map_form *form, unsigned row)
{
	unsigned front = 0, back = 0;
	for (unsigned column = 0; column < form->columns; column++) {
		enum map_state upper = cell_state(map, form, row, column);
		enum map_state lower = row + 1 < form->rows ? cell_state(map, form, row + 1, column) : MAP_STATES;
		if (upper == MAP_STATES)
			break;
		unsigned want_back = lower == MAP_STATES ? 49 : looks[lower].back;
		if (looks[upper].front != front || want_back != back)
			printf("\033[%u;%um", looks[upper].front, want_back);
		front = looks[upper].front;
		back = want_back;
		printf("\u2580");
	}
	printf("%s", style(STYLE_PLAIN));
}

void map_draw(const struct map *map, const struct map_form *form, bool (*line)(void))
{
	for (unsigned row = 0; row < form->rows; row += form->halves ? 2 : 1) {
		if (!line())
			return;
		printf("%s%5u%s  ", style(STYLE_DIM), map->range.first + row * form->columns * form->each,
			style(STYLE_PLAIN));
		if (form->halves)
			print_halves(map, form, row);
		else
			print_signs(map, form, row);
	}
}

/* --- the legend --- */

static int print_entry(const struct map *map, const struct map_form *form, enum map_state state)
{
	char number[PRINT_NUMBER], name[64], mark[2] = {looks[state].sign, '\0'};
	if (state == MAP_RECENT)
		snprintf(name, sizeof(name), "lent in the last %.0f s", map->recent_s);
	else
		snprintf(name, sizeof(name), "%s", map_state_text(state));
	if (print_has_colours())
		printf("\033[%um", looks[state].front);
	printf("%s%s %s %s   ", form->halves ? "\u2588" : mark, style(STYLE_PLAIN), name,
		grouped(map->count[state], number));
	return width_of(name) + width_of(number) + 6;
}

void map_draw_legend(const struct map *map, const struct map_form *form, bool (*line)(void))
{
	int columns = print_columns(), at = 0;
	for (int state = MAP_STATES - 1; state >= 0; state--) {
		bool is_daemon = state == MAP_LENT || state == MAP_POOL || state == MAP_RECENT;
		if (is_daemon && map->recent_s <= 0)
			continue;
		if (at == 0 || (columns > 0 && at + 34 > columns)) {
			if (!line())
				return;
			printf("%*s", LABEL, "");
			at = LABEL;
		}
		at += print_entry(map, form, (enum map_state)state);
	}
}
