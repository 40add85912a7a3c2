/* The terminal as a screen of its own, and given back as it was: at the end, on Ctrl-C and other signals, and while the
 * program is stopped with Ctrl-Z.
 *
 *	if (!screen_can())
 *		return one_line_after_the_other();
 *	screen_enter();
 *	do {
 *		screen_begin();
 *		if (screen_line()) printf("lent %d", lent);          one line, no newline
 *		screen_end();
 *	} while (screen_wait(next_us) != SCREEN_QUIT);
 *	screen_leave();
 *
 * A line that is too long is cut by the terminal, one beyond its last row is not printed. Thread: one; one screen. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Standard output is a terminal on which the cursor can be moved. */
bool screen_can(void);
void screen_enter(void);
/* Also before messages on standard error. */
void screen_leave(void);
void screen_begin(void);
/* Goes to the next row; false when there is none. */
bool screen_line(void);
void screen_end(void);

enum screen_event {
	SCREEN_DUE,     /* it is so late */
	SCREEN_RESIZED, /* draw again what was drawn: the size changed, or the terminal was somebody else's for a while */
	SCREEN_QUIT,    /* the user pressed q */
};
/* `until_us`: monotonic, at most an hour ahead. */
enum screen_event screen_wait(uint64_t until_us);
