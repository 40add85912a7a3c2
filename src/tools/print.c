/* Decides how the tool's output looks: colours, columns, numbers, times. */
#include "tools/print.h"

#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/escape.h"
#include "tools/tool.h"

enum { NARROW = 16, INDENT = 4, TEXT = 600 };

static bool colours, unicode;
static struct arena words; /* of safe() and joined(); until the end */

static const char *const codes[STYLES] = {
	"\033[0m", "\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[33m", "\033[36m"};

void print_init(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	setlocale(LC_CTYPE, "");
	unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	/* no-color.org: set and not empty */
	colours = isatty(STDOUT_FILENO) && (no_color == NULL || *no_color == '\0') && term != NULL &&
		  strcmp(term, "dumb") != 0;
	arena_init(&words);
}

void print_forget(void)
{
	arena_reset(&words);
}

const char *style(enum style which)
{
	return colours ? codes[which] : "";
}

const char *arrow_to(void)
{
	return unicode ? "\u2192" : "->";
}

const char *arrow_from(void)
{
	return unicode ? "\u2190" : "<-";
}

const char *arrow_cut(void)
{
	return unicode ? "\u00d7" : "-x";
}

const char *bar_of(unsigned level)
{
	static const char *const blocks[] = {
		"\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588"};
	static const char *const signs[] = {".", ":", "-", "=", "+", "*", "#", "@"};
	return (unicode ? blocks : signs)[level < 8 ? level : 7];
}

bool print_has_colours(void)
{
	return colours;
}

bool print_has_unicode(void)
{
	return unicode;
}

int print_rows(void)
{
	struct winsize size;
	if (!isatty(STDOUT_FILENO))
		return 0;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}

int print_columns(void)
{
	struct winsize size;
	if (!isatty(STDOUT_FILENO))
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 80;
	return size.ws_col > 20 ? size.ws_col : 20;
}

const char *safe(const char *text)
{
	size_t size = strlen(text) * 6 + 4; /* the longest escape of one byte has four, of two bytes six */
	return escape_text(arena_alloc(&words, size), size, text);
}

const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text != NULL ? safe(text) : "";
}

int64_t count_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	const double limit = 9e18; /* 1e300 is a number too */
	if (json_is_real(value))
		return (int64_t)fmax(-limit, fmin(limit, json_real_value(value)));
	return json_integer_value(value);
}

double number_of(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

const char *joined(const json_t *array, const char *between)
{
	size_t size = 1, i;
	json_t *item;
	json_array_foreach(array, i, item) size +=
		strlen(safe(json_is_string(item) ? json_string_value(item) : "?")) + strlen(between);
	char *out = arena_zalloc(&words, size), *end = out;
	json_array_foreach(array, i, item)
	{
		end = stpcpy(end, i > 0 ? between : "");
		end = stpcpy(end, safe(json_is_string(item) ? json_string_value(item) : "?"));
	}
	return out;
}

/* All bytes of UTF-8 but the later ones; of a style's code none. */
static int width_of_part(const char *text, size_t len)
{
	int width = 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\033') /* safe() lets none through that is not ours */
			while (i + 1 < len && text[i] != 'm')
				i++;
		else
			width += ((unsigned char)text[i] >> 6) != 2;
	}
	return width;
}

int width_of(const char *text)
{
	return width_of_part(text, strlen(text));
}

void print_padded(const char *text, int width)
{
	int pad = width - width_of(text);
	printf("%s%*s", text, pad > 0 ? pad : 0, "");
}

void print_rest(const char *text, int at, int column)
{
	int columns = print_columns(), begin = at, gap = 0;
	if (columns > 0 && column + NARROW > columns)
		column = INDENT; /* a text of some letters a line is worse than one that stands out of line */
	while (*text != '\0') {
		size_t len = strcspn(text, " ");
		int width = width_of_part(text, len);
		if (columns > 0 && at > begin && at + gap + width > columns) {
			printf("\n%*s", column, "");
			at = begin = column;
			gap = 0;
		}
		printf("%*s%.*s", gap, "", (int)len, text);
		at += gap + width;
		text += len;
		gap = (int)strspn(text, " ");
		text += gap;
	}
	putchar('\n');
}

void print_wrapped(const char *text, int column)
{
	print_rest(text, column, column);
}

void print_label(const char *label, int column)
{
	printf("  %s", style(STYLE_DIM));
	print_padded(label, column - 2);
	printf("%s", style(STYLE_PLAIN));
}

void print_item(const char *label, int column, const char *text)
{
	print_label(label, column);
	print_wrapped(text, column);
}

const char *grouped(int64_t number, char out[static PRINT_NUMBER])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%lld", (long long)number);
	char *end = out;
	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-')
			*end++ = ',';
		*end++ = digits[i];
	}
	*end = '\0';
	return out;
}

const char *counted(int64_t number, const char *noun, char out[static PRINT_COUNT])
{
	char digits[PRINT_NUMBER];
	snprintf(out, PRINT_COUNT, "%s %.24s%s", grouped(number, digits), noun, number == 1 ? "" : "s");
	return out;
}

const char *duration(int64_t us, char out[static PRINT_NUMBER])
{
	double s = (double)us / 1e6;
	long long min = us / 60000000;
	if (us < 0)
		snprintf(out, PRINT_NUMBER, "?");
	else if (s < 1)
		snprintf(out, PRINT_NUMBER, "%.1f ms", s * 1e3);
	else if (s < 60)
		snprintf(out, PRINT_NUMBER, "%.2f s", s);
	else if (min < 60)
		snprintf(out, PRINT_NUMBER, "%lld min %lld s", min, (long long)(us / 1000000 % 60));
	else if (min < 48 * 60)
		snprintf(out, PRINT_NUMBER, "%lld h %lld min", min / 60, min % 60);
	else
		snprintf(out, PRINT_NUMBER, "%lld days %lld h", min / 1440, min / 60 % 24);
	return out;
}

const char *duration_s(double s, char out[static PRINT_NUMBER])
{
	const double most = 9e12;
	if (s >= 0 && s < 59.5) {
		snprintf(out, PRINT_NUMBER, s < 0.95 ? "%.1f s" : "%.0f s", s);
		return out;
	}
	return duration((int64_t)(fmin(s, most) * 1e6), out);
}

const char *moment(double at, char out[static PRINT_TIME])
{
	struct tm tm;
	time_t second = (time_t)fmax(0, fmin(at, 253402300799.0)); /* the year 9999 */
	int ms = (int)((fmax(0, at) - floor(fmax(0, at))) * 1000);
	if (localtime_r(&second, &tm) == NULL)
		return strcpy(out, "?");
	size_t len = strftime(out, PRINT_TIME, "%F %T", &tm);
	snprintf(out + len, PRINT_TIME - len, ".%03d", ms);
	return out;
}

int print_json(json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | PRINT_JSON);
	putchar('\n');
	json_decref(value);
	return EXIT_GOOD;
}

static int widest(const json_t *records, const char *key, int limit)
{
	int width = 0;
	size_t i;
	json_t *record;
	json_array_foreach(records, i, record)
	{
		int w = width_of(text_of(record, key));
		if (w > width)
			width = w;
	}
	return width < limit ? width : limit;
}

void print_records(const json_t *records, enum style how)
{
	/* One long name must not push all the others off the screen. */
	int name = widest(records, "name", 40), type = widest(records, "type", 12);
	size_t i;
	json_t *record;
	json_array_foreach(records, i, record)
	{
		printf("%s", style(how));
		print_padded(text_of(record, "name"), name);
		printf("  %6lld  ", (long long)count_of(record, "ttl_s"));
		print_padded(text_of(record, "type"), type);
		printf("  ");
		int before = width_of(text_of(record, "name")), column = (before > name ? before : name) + type + 12;
		print_rest(text_of(record, "data"), column, column);
		printf("%s", how != STYLE_PLAIN ? style(STYLE_PLAIN) : "");
	}
}

static enum style style_of_code(const char *rcode)
{
	if (strcmp(rcode, "NOERROR") == 0)
		return STYLE_GOOD;
	return strcmp(rcode, "NXDOMAIN") == 0 ? STYLE_NOTE : STYLE_BAD;
}

/* What validation says of it, in a word or two. */
static const char *proof_of(const char *security)
{
	static const struct {
		const char *security, *text;
	} proofs[] = {{"secure", "  proved"}, {"insecure", "  not signed"}, {"indeterminate", "  no trust anchor"}};
	for (size_t i = 0; i < sizeof(proofs) / sizeof(proofs[0]); i++)
		if (strcmp(proofs[i].security, security) == 0)
			return proofs[i].text;
	return "";
}

void print_ending(const json_t *reply)
{
	char time[PRINT_NUMBER];
	const char *rcode = text_of(reply, "rcode"), *flags = joined(json_object_get(reply, "flags"), " ");
	size_t i;
	json_t *ede;
	printf("%s%s%s", style(style_of_code(rcode)), *rcode ? rcode : "no code", style(STYLE_PLAIN));
	if (*flags != '\0')
		printf("  flags %s", flags);
	printf("%s", proof_of(text_of(reply, "security")));
	printf("  in %s\n", duration(count_of(reply, "elapsed_us"), time));
	json_array_foreach(json_object_get(reply, "ede"), i, ede)
	{
		char text[TEXT];
		snprintf(text, sizeof(text), "%.500s (EDE %lld)",
			*text_of(ede, "text") ? text_of(ede, "text") : "no text", (long long)count_of(ede, "code"));
		printf("because  ");
		print_wrapped(text, sizeof("because  ") - 1);
	}
}

int exit_of_reply(const json_t *reply)
{
	const char *rcode = text_of(reply, "rcode");
	return style_of_code(rcode) == STYLE_BAD ? EXIT_FAILED : EXIT_GOOD;
}
