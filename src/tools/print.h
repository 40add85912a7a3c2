/* Words, numbers and columns on standard output, for people; and JSON, for programs.
 *
 *	printf("%s%s%s is %s\n", style(STYLE_BOLD), safe(name), style(STYLE_PLAIN), duration(us, text));
 *
 * Everything that came over the control socket goes through safe() or text_of(): what a server of the Internet put into
 * a name must not drive the terminal. Strings returned without a buffer of the caller's live until print_forget() or the
 * end. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_GOOD, STYLE_BAD, STYLE_NOTE, STYLE_PORT, STYLES };

enum { PRINT_NUMBER = 32, PRINT_TIME = 48, PRINT_COUNT = 64 };

/* Colours are on when standard output is a terminal that is not dumb and NO_COLOR is not set. */
void print_init(void);
/* For who goes on for long: all strings returned so far are gone. */
void print_forget(void);
/* What switches a style on; STYLE_PLAIN ends it. "" without colours. */
const char *style(enum style which);
/* "→", "←" and "×", or "->", "<-" and "-x" where the locale is not UTF-8. */
const char *arrow_to(void);
const char *arrow_from(void);
const char *arrow_cut(void);
/* One column of a picture, as high as `level` says, 0 to 7: block characters, or ".:-=+*#@" where there are none. */
const char *bar_of(unsigned level);
/* Colours are on; the locale is UTF-8. */
bool print_has_colours(void);
bool print_has_unicode(void);
/* Rows of the terminal; 0 when standard output is none. */
int print_rows(void);
/* Columns of the terminal, at least 20; 0 when standard output is none. */
int print_columns(void);

const char *safe(const char *text) __attribute__((returns_nonnull, nonnull));
/* The string of a key, safe; "" when it is not there or no string. */
const char *text_of(const json_t *object, const char *key) __attribute__((returns_nonnull));
/* The number of a key; 0 when it is not there or no number. */
int64_t count_of(const json_t *object, const char *key);
/* The same with its fraction. */
double number_of(const json_t *object, const char *key);
/* The strings of an array, joined by `between`. */
const char *joined(const json_t *array, const char *between) __attribute__((returns_nonnull));

/* Columns that the text takes on a terminal, as far as each character takes one. What style() gives takes none. */
int width_of(const char *text);
/* Prints the text, and spaces up to the width. */
void print_padded(const char *text, int width);

/* "  label   text", the text from that column on; on a terminal it goes on there below, where it is too long. */
void print_item(const char *label, int column, const char *text);
/* The label alone, and spaces up to the column; and the text alone, from there on. */
void print_label(const char *label, int column);
void print_wrapped(const char *text, int column);
/* The same for a line that has got as far as column `at`; what does not fit goes on below from `column` on. */
void print_rest(const char *text, int at, int column);

/* "1,234,567" */
const char *grouped(int64_t number, char out[static PRINT_NUMBER]);
/* "1 port", "2,500 ports" */
const char *counted(int64_t number, const char *noun, char out[static PRINT_COUNT]);
/* "0.3 ms", "14.2 ms", "3.10 s", "2 h 5 min" */
const char *duration(int64_t us, char out[static PRINT_NUMBER]);
/* "0.7 s", "3 s", "2 h 5 min" */
const char *duration_s(double s, char out[static PRINT_NUMBER]);
/* "2026-11-22 14:03:04.123", in local time */
const char *moment(double at, char out[static PRINT_TIME]);

/* How JSON is written: microseconds of today's wall clock have 16 digits, and a 17th only shows how doubles are made. */
enum { PRINT_JSON = JSON_ENSURE_ASCII | JSON_REAL_PRECISION(16) };
/* Pretty, keys in the order of insertion, ASCII alone. Takes the reference; returns EXIT_GOOD. */
int print_json(json_t *value);
/* Records of doc/control.md as aligned lines: name, TTL, type, data. */
void print_records(const json_t *records, enum style how);
/* How a lookup ended: code, flags, time; and what EDE says. */
void print_ending(const json_t *reply);
/* EXIT_GOOD when the reply is an answer, NXDOMAIN being one too. */
int exit_of_reply(const json_t *reply);
