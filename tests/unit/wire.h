/* Messages put together byte by byte, so that they can be wrong in every way.
 *
 *	struct wire w = wire_new(0x1234, 0x8400, 1, 1, 0, 0);
 *	wire_question(&w, "www.example", TYPE_A);
 *	wire_rr(&w, "www.example", TYPE_A, 300, "\xc0\x00\x02\x01", 4);
 */
#pragma once

#include <stdint.h>
#include <string.h>

#include "dns/name.h"

struct wire {
	uint8_t bytes[70000];
	size_t len;
};

static inline void wire_bytes(struct wire *w, const void *bytes, size_t len)
{
	memcpy(w->bytes + w->len, bytes, len);
	w->len += len;
}

static inline void wire_u16(struct wire *w, unsigned value)
{
	uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
	wire_bytes(w, bytes, 2);
}

static inline void wire_u32(struct wire *w, uint32_t value)
{
	wire_u16(w, value >> 16);
	wire_u16(w, value & 0xffff);
}

/* Keeps the case of the text. */
static inline void wire_name(struct wire *w, const char *text)
{
	while (*text != '\0' && strcmp(text, ".") != 0) {
		size_t len = strcspn(text, ".");
		w->bytes[w->len++] = (uint8_t)len;
		wire_bytes(w, text, len);
		text += len + (text[len] == '.');
	}
	w->bytes[w->len++] = 0;
}

static inline void wire_begin(
	struct wire *w, unsigned id, unsigned flags, unsigned qd, unsigned an, unsigned ns, unsigned ar)
{
	w->len = 0;
	wire_u16(w, id);
	wire_u16(w, flags);
	wire_u16(w, qd);
	wire_u16(w, an);
	wire_u16(w, ns);
	wire_u16(w, ar);
}

static inline void wire_question(struct wire *w, const char *name, unsigned type)
{
	wire_name(w, name);
	wire_u16(w, type);
	wire_u16(w, 1);
}

static inline void wire_rr(
	struct wire *w, const char *owner, unsigned type, uint32_t ttl_s, const void *rdata, size_t len)
{
	wire_name(w, owner);
	wire_u16(w, type);
	wire_u16(w, 1);
	wire_u32(w, ttl_s);
	wire_u16(w, (unsigned)len);
	wire_bytes(w, rdata, len);
}

/* An OPT with version, flags and a payload size. */
static inline void wire_opt(struct wire *w, unsigned size, unsigned version, unsigned flags)
{
	wire_name(w, "");
	wire_u16(w, 41);
	wire_u16(w, size);
	wire_u16(w, version);
	wire_u16(w, flags);
	wire_u16(w, 0);
}
