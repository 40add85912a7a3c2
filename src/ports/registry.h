/* The services that the IANA has registered (RFC 6335): which name belongs to which port, and the other way round.
 *
 *	const struct service *s;
 *	for (size_t i = 0; (s = registry_of_port(443, i)) != NULL; i++)
 *		printf("%s%s\n", s->name, s->transports & SERVICE_UDP ? ", over UDP too" : "");
 *	for (size_t i = 0; (s = registry_of_name("HTTP-Alt", i)) != NULL; i++)
 *		printf("%u\n", s->port);
 *
 * A row is one name, port and RFC with all transports for which they hold; "x11", which has 6000-6063, has a row for
 * each port. What has no name in the registry (reserved and unassigned numbers, "any private mail system") has no row.
 * The rows are constants and live for ever. Thread: any. Made by scripts/make-registry.
 *
 * A newer registry may take the place of the built-in one (ports/registry_import.h, registry_file.h), with descriptions:
 * registry_use, before there are threads. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ports/set.h"

enum service_transport { SERVICE_UDP = 1, SERVICE_TCP = 2, SERVICE_SCTP = 4, SERVICE_DCCP = 8 };

enum { SERVICE_NAME = 16, SERVICE_WORDS = 24 };

struct service {
	char name[SERVICE_NAME];
	uint16_t port;      /* 0: the name has none; DNS says where the service is (RFC 2782, RFC 6763) */
	uint16_t rfc;       /* the newest that the registry names; 0: none */
	uint8_t transports; /* bits of enum service_transport; 0: the registry does not say */
	bool is_alias;      /* an older spelling or a second name of another row of the same port */
};

/* A whole registry. */
struct registry {
	const char *date;             /* "2026-08-17" */
	size_t count;                 /* of rows, at most 65,535 */
	const struct service *rows;   /* by port; of a port, aliases last; then by name */
	const uint16_t *by_name;      /* the rows in the order of their names */
	const uint32_t *descriptions; /* of each row, where in `texts`; NULL: there are none */
	const char *texts;            /* each ends in NUL; "" comes first */
	size_t texts_len;
};

/* From now on this one, which must stay; NULL: the built-in one. */
void registry_use(const struct registry *registry);
/* What the registry says of a row that it gave; "" for nothing. */
const char *registry_description(const struct service *row) __attribute__((nonnull, returns_nonnull));

/* When the IANA changed it last: "2026-08-17". */
const char *registry_date(void);
/* The row `index` of all, in the order of ports, those without a port first; NULL after the last. */
const struct service *registry_row(size_t index);
/* The row `nth` of a port, aliases last; NULL after the last. Port 0 has none: it is reserved. */
const struct service *registry_of_port(uint16_t port, size_t nth);
/* The row `nth` of a name, whatever its case, in the order of ports; NULL after the last. */
const struct service *registry_of_name(const char *name, size_t nth) __attribute__((nonnull));
/* The registered name that is most like a misspelt one, or NULL when none is like it. Of names as near as each other
 * that of the lowest port; those without a port come last. */
const char *registry_nearest(const char *name) __attribute__((nonnull));

/* All ports with a service that is registered for UDP, or for a transport that is not said. A port whose UDP half is
 * only reserved, because its service uses TCP alone, is not among them: nobody speaks UDP there. */
void registry_udp_ports(struct port_set *out) __attribute__((nonnull));

/* "UDP, TCP and SCTP"; "" for none. */
const char *service_transport_words(uint8_t transports, char out[static SERVICE_WORDS]);
