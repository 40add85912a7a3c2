/* Decides the form of a log line and when a place has said enough. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { WINDOW_US = 10 * 1000 * 1000, SAY_PER_WINDOW = 5 };

static _Atomic int threshold = LOG_LEVEL_NOTICE;
static bool for_journal;

static const char *const words[LOG_LEVELS] = {"error", "warning", "notice", "info", "debug"};
static const int priorities[LOG_LEVELS] = {3, 4, 5, 6, 7}; /* sd-daemon(3) */

void log_init(enum log_level level)
{
	atomic_store(&threshold, (int)level);
	for_journal = getenv("JOURNAL_STREAM") != NULL;
}

bool log_is_on(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&threshold, memory_order_relaxed);
}

/* How many lines of this place were left out in the last window, or -1 when it has to be silent now. */
static long admit(struct log_site *site)
{
	uint64_t now = clock_mono_us() / WINDOW_US + 1;
	uint64_t window = atomic_load_explicit(&site->window, memory_order_relaxed);
	if (window != now && atomic_compare_exchange_strong(&site->window, &window, now)) {
		uint32_t said = atomic_exchange(&site->said, 1);
		return said > SAY_PER_WINDOW ? (long)(said - SAY_PER_WINDOW) : 0;
	}
	return atomic_fetch_add(&site->said, 1) < SAY_PER_WINDOW ? 0 : -1;
}

static size_t write_head(char *line, size_t size, enum log_level level)
{
	if (for_journal)
		return (size_t)snprintf(line, size, "<%d>", priorities[level]);
	struct tm tm;
	time_t now = (time_t)clock_wall_s();
	localtime_r(&now, &tm);
	size_t len = strftime(line, size, "%F %T ", &tm);
	return len + (size_t)snprintf(line + len, size - len, "%s: ", words[level]);
}

void log_at(enum log_level level, struct log_site *site, const char *format, ...)
{
	long left_out = admit(site);
	if (left_out < 0)
		return;
	char line[1024];
	size_t len = write_head(line, sizeof(line), level);
	va_list args;
	va_start(args, format);
	int wrote = vsnprintf(line + len, sizeof(line) - len - 1, format, args);
	va_end(args);
	if (wrote < 0)
		return;
	len += (size_t)wrote;
	if (left_out > 0 && len < sizeof(line) - 64)
		len += (size_t)snprintf(line + len, sizeof(line) - len - 1, " (and %ld more like it)", left_out);
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	/* One write for one line: threads do not mix their words. A full or closed pipe is not our failure. */
	(void)!write(STDERR_FILENO, line, len);
}
