/* Decides which characters of foreign text may reach a terminal as they are. */
#include "base/escape.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { ESCAPED = 12 }; /* room for the longest form, \U0010ffff */

size_t utf8_decode(const char *bytes, size_t len, uint32_t *code)
{
	const unsigned char *b = (const unsigned char *)bytes;
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000}; /* shorter forms must be used */
	size_t size = b[0] < 0x80 ? 1 : b[0] >> 5 == 6 ? 2 : b[0] >> 4 == 14 ? 3 : b[0] >> 3 == 30 ? 4 : 0;
	if (size == 0 || size > len)
		return 0;
	uint32_t value = size == 1 ? b[0] : b[0] & (0x7fu >> size);
	for (size_t i = 1; i < size; i++) {
		if (b[i] >> 6 != 2)
			return 0;
		value = value << 6 | (b[i] & 0x3fu);
	}
	if (value < least[size] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*code = value;
	return size;
}

/* C0, DEL, C1; then what is invisible or reorders its neighbours ("Trojan Source", CVE-2021-42574). */
static bool is_unsafe(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0xad || code == 0x61c ||
	       (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2060 && code <= 0x206f) || code == 0xfeff || (code >= 0xfff0 && code <= 0xfffb) ||
	       code >= 0xe0000;
}

/* The form of the character at bytes, and how many bytes it took. */
static size_t escape_one(char form[static ESCAPED], const char *bytes, size_t len)
{
	uint32_t code;
	size_t size = utf8_decode(bytes, len, &code);
	if (size == 0 || (size == 1 && is_unsafe(code))) {
		snprintf(form, ESCAPED, "\\x%02x", (unsigned char)bytes[0]);
		return 1;
	}
	if (is_unsafe(code)) {
		snprintf(form, ESCAPED, code > 0xffff ? "\\U%08x" : "\\u%04x", code);
		return size;
	}
	memcpy(form, bytes, size);
	form[size] = '\0';
	return size;
}

const char *escape_bytes(char *out, size_t size, const char *bytes, size_t len)
{
	size_t used = 0, cut = 0; /* cut: where "..." would still fit */
	while (len > 0) {
		char form[ESCAPED];
		size_t took = escape_one(form, bytes, len), need = strlen(form);
		if (used + need >= size) {
			memcpy(out + cut, "...", 4);
			return out;
		}
		memcpy(out + used, form, need);
		used += need;
		if (used + 4 <= size)
			cut = used;
		bytes += took;
		len -= took;
	}
	out[used] = '\0';
	return out;
}

const char *escape_text(char *out, size_t size, const char *text)
{
	return escape_bytes(out, size, text, strlen(text));
}
