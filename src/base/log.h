/* Messages for the operator, on standard error.
 *
 *	log_init(LOG_LEVEL_NOTICE);
 *	log_warning("no port left: %u lent of %u usable", lent, usable);
 *
 * Each place that logs may speak five times in ten seconds; then it is silent and says afterwards how much was left
 * out: nothing that comes from the network can fill a disk. Under systemd (JOURNAL_STREAM) lines carry the journal's
 * priority prefix, elsewhere time and level. Ports and IDs in flight are secrets and never logged. Thread: any. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, LOG_LEVELS };

/* One for each place in the source that logs. */
struct log_site {
	_Atomic uint64_t window; /* ten-second window in which `said` counts */
	_Atomic uint32_t said;
};

void log_init(enum log_level level);
bool log_is_on(enum log_level level);

void log_at(enum log_level level, struct log_site *site, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define log_once_in_a_while(level, ...)                                                                                \
	({                                                                                                             \
		static struct log_site site_;                                                                          \
		if (log_is_on(level))                                                                                  \
			log_at(level, &site_, __VA_ARGS__);                                                            \
	})

#define log_error(...)   log_once_in_a_while(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_once_in_a_while(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_once_in_a_while(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_once_in_a_while(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_once_in_a_while(LOG_LEVEL_DEBUG, __VA_ARGS__)
