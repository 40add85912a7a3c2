/* Words that came from elsewhere, made harmless for a terminal and for a line of a log.
 *
 *	char safe[256];
 *	printf("%s\n", escape_text(safe, sizeof(safe), reply));
 *
 * Control characters, those that turn the direction of the text or hide in it, and bytes that are no UTF-8 are written
 * as \x1b or \u202e; what does not fit is cut and ends in "...". Thread: any. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Writes at most size bytes, the final NUL among them, and returns out. size is at least 4. */
const char *escape_text(char *out, size_t size, const char *text) __attribute__((nonnull, returns_nonnull));
/* The same for bytes of which none has to be NUL. */
const char *escape_bytes(char *out, size_t size, const char *bytes, size_t len)
	__attribute__((nonnull, returns_nonnull));

/* Reads one character of UTF-8 (RFC 3629) and returns how many bytes it has; 0 when it is none. len is at least 1. */
size_t utf8_decode(const char *bytes, size_t len, uint32_t *code) __attribute__((nonnull));
