/* An IP address with a port, as data: no call here touches the network.
 *
 *	struct addr server;
 *	if (addr_parse(&server, "192.0.2.1@53", 53) != 0) ...
 *	char text[ADDR_TEXT];
 *	log_info("asking %s", addr_text(&server, text));
 *
 * The text form is ADDRESS@PORT, as in the configuration. Thread: any. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
};

enum { ADDR_TEXT = INET6_ADDRSTRLEN + 8 };

/* "ADDRESS" or "ADDRESS@PORT"; 0, or E_INVAL. Zone ids ("%eth0") are refused. */
int addr_parse(struct addr *addr, const char *text, uint16_t default_port);
/* From the 4 or 16 bytes of an A or AAAA record; len tells which. */
struct addr addr_of_bytes(const uint8_t *bytes, size_t len, uint16_t port);
/* Writes ADDRESS@PORT and returns out. */
const char *addr_text(const struct addr *addr, char out[static ADDR_TEXT]);
/* Writes the address without the port and returns out. */
const char *addr_host_text(const struct addr *addr, char out[static ADDR_TEXT]);
bool addr_equal(const struct addr *a, const struct addr *b);
/* Whether a socket on the one has the other's place too: the same address, or the wildcard of its family; and the same
 * port. */
bool addr_covers(const struct addr *one, const struct addr *other);
/* The bytes of the address itself, 4 or 16 of them. */
const uint8_t *addr_bytes(const struct addr *addr, size_t *len);
uint16_t addr_port(const struct addr *addr);
void addr_set_port(struct addr *addr, uint16_t port);
bool addr_is_loopback(const struct addr *addr);
/* 0.0.0.0/8, multicast, broadcast, link-local, mapped or unspecified: no name server lives there. */
bool addr_is_bogus(const struct addr *addr);
/* 10/8, 172.16/12, 192.168/16 (RFC 1918), 100.64/10 (RFC 6598), fc00::/7 (RFC 4193). */
bool addr_is_private(const struct addr *addr);
/* The wildcard 0.0.0.0 or ::. */
bool addr_is_any(const struct addr *addr);

static inline bool addr_is_v6(const struct addr *addr)
{
	return addr->sa.sa_family == AF_INET6;
}

static inline socklen_t addr_socklen(const struct addr *addr)
{
	return addr_is_v6(addr) ? sizeof(addr->v6) : sizeof(addr->v4);
}

/* A set of addresses by their first bits, for access.allow and the like. */
struct prefix {
	struct addr addr;
	unsigned bits;
};

/* "192.0.2.0/24", "2001:db8::/32", "192.0.2.1"; 0, or E_INVAL (bits beyond the prefix must be zero). */
int prefix_parse(struct prefix *prefix, const char *text);
bool prefix_has(const struct prefix *prefix, const struct addr *addr);
