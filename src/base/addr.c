/* Decides how addresses are written, compared and classed (RFC 6890). */
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static int parse_port(const char *text, uint16_t *port)
{
	char *end;
	if (text[0] < '0' || text[0] > '9')
		return E_INVAL;
	unsigned long value = strtoul(text, &end, 10);
	if (*end != '\0' || value == 0 || value > 65535)
		return E_INVAL;
	*port = (uint16_t)value;
	return 0;
}

int addr_parse(struct addr *addr, const char *text, uint16_t default_port)
{
	char host[INET6_ADDRSTRLEN];
	uint16_t port = default_port;
	const char *at = strchr(text, '@');
	size_t len = at != NULL ? (size_t)(at - text) : strlen(text);
	if (len == 0 || len >= sizeof(host))
		return E_INVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	if (at != NULL && parse_port(at + 1, &port) != 0)
		return E_INVAL;
	uint8_t bytes[16];
	if (inet_pton(AF_INET, host, bytes) == 1)
		*addr = addr_of_bytes(bytes, 4, port);
	else if (inet_pton(AF_INET6, host, bytes) == 1)
		*addr = addr_of_bytes(bytes, 16, port);
	else
		return E_INVAL;
	return 0;
}

struct addr addr_of_bytes(const uint8_t *bytes, size_t len, uint16_t port)
{
	struct addr addr;
	memset(&addr, 0, sizeof(addr));
	if (len == 16) {
		addr.v6.sin6_family = AF_INET6;
		addr.v6.sin6_port = htons(port);
		memcpy(&addr.v6.sin6_addr, bytes, 16);
	} else {
		addr.v4.sin_family = AF_INET;
		addr.v4.sin_port = htons(port);
		memcpy(&addr.v4.sin_addr, bytes, 4);
	}
	return addr;
}

const uint8_t *addr_bytes(const struct addr *addr, size_t *len)
{
	*len = addr_is_v6(addr) ? 16 : 4;
	return addr_is_v6(addr) ? addr->v6.sin6_addr.s6_addr : (const uint8_t *)&addr->v4.sin_addr;
}

const char *addr_host_text(const struct addr *addr, char out[static ADDR_TEXT])
{
	size_t len;
	if (inet_ntop(addr->sa.sa_family, addr_bytes(addr, &len), out, INET6_ADDRSTRLEN) == NULL)
		strcpy(out, "?");
	return out;
}

const char *addr_text(const struct addr *addr, char out[static ADDR_TEXT])
{
	addr_host_text(addr, out);
	size_t len = strlen(out);
	snprintf(out + len, ADDR_TEXT - len, "@%u", addr_port(addr));
	return out;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	size_t len, other;
	const uint8_t *bytes = addr_bytes(a, &len), *bytes_b = addr_bytes(b, &other);
	return len == other && addr_port(a) == addr_port(b) && memcmp(bytes, bytes_b, len) == 0;
}

bool addr_covers(const struct addr *one, const struct addr *other)
{
	bool same_kind = addr_is_v6(one) == addr_is_v6(other) && addr_port(one) == addr_port(other);
	return addr_equal(one, other) || (same_kind && addr_is_any(one));
}

uint16_t addr_port(const struct addr *addr)
{
	return ntohs(addr_is_v6(addr) ? addr->v6.sin6_port : addr->v4.sin_port);
}

void addr_set_port(struct addr *addr, uint16_t port)
{
	if (addr_is_v6(addr))
		addr->v6.sin6_port = htons(port);
	else
		addr->v4.sin_port = htons(port);
}

bool addr_is_loopback(const struct addr *addr)
{
	if (addr_is_v6(addr))
		return IN6_IS_ADDR_LOOPBACK(&addr->v6.sin6_addr);
	return ntohl(addr->v4.sin_addr.s_addr) >> 24 == 127;
}

bool addr_is_any(const struct addr *addr)
{
	if (addr_is_v6(addr))
		return IN6_IS_ADDR_UNSPECIFIED(&addr->v6.sin6_addr);
	return addr->v4.sin_addr.s_addr == 0;
}

bool addr_is_bogus(const struct addr *addr)
{
	if (addr_is_v6(addr)) {
		const struct in6_addr *a = &addr->v6.sin6_addr;
		return IN6_IS_ADDR_UNSPECIFIED(a) || IN6_IS_ADDR_MULTICAST(a) || IN6_IS_ADDR_LINKLOCAL(a) ||
		       IN6_IS_ADDR_V4MAPPED(a) || (IN6_IS_ADDR_V4COMPAT(a) && !IN6_IS_ADDR_LOOPBACK(a));
	}
	uint32_t a = ntohl(addr->v4.sin_addr.s_addr);
	return a >> 24 == 0 || a >> 28 >= 14 || a >> 16 == 0xa9fe; /* 0/8, 224/4 and 240/4, 169.254/16 */
}

bool addr_is_private(const struct addr *addr)
{
	if (addr_is_v6(addr))
		return (addr->v6.sin6_addr.s6_addr[0] & 0xfe) == 0xfc;
	uint32_t a = ntohl(addr->v4.sin_addr.s_addr);
	return a >> 24 == 10 || a >> 20 == 0xac1 || a >> 16 == 0xc0a8 || a >> 22 == 0x191;
}

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	if (memcmp(a, b, bits / 8) != 0)
		return false;
	if (bits % 8 == 0)
		return true;
	uint8_t mask = (uint8_t)(0xff00u >> bits % 8);
	return (a[bits / 8] & mask) == (b[bits / 8] & mask);
}

int prefix_parse(struct prefix *prefix, const char *text)
{
	char host[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	if (len >= sizeof(host))
		return E_INVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	if (strchr(host, '@') != NULL || addr_parse(&prefix->addr, host, 53) != 0)
		return E_INVAL;
	const uint8_t *bytes = addr_bytes(&prefix->addr, &len);
	prefix->bits = (unsigned)len * 8;
	if (slash == NULL)
		return 0;
	char *end;
	unsigned long bits = strtoul(slash + 1, &end, 10);
	if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || bits > len * 8)
		return E_INVAL;
	prefix->bits = (unsigned)bits;
	for (unsigned bit = prefix->bits; bit < len * 8; bit++)
		if (bytes[bit / 8] & 0x80u >> bit % 8)
			return E_INVAL;
	return 0;
}

bool prefix_has(const struct prefix *prefix, const struct addr *addr)
{
	size_t len, other;
	const uint8_t *bytes = addr_bytes(addr, &len), *wanted = addr_bytes(&prefix->addr, &other);
	return len == other && bits_equal(bytes, wanted, prefix->bits);
}
