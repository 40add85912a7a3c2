/* The pool: ports lent for one exchange each, in one of two ways.
 *
 *	struct loan *loan;
 *	int ret = pool_lend(pool, &server, TRANSPORT_UDP, &tag, &loan);
 *	if (ret == 0) {
 *		send(loan->fd, ...);                          connected: only the server's datagrams arrive
 *		pool_return(pool, loan, LOAN_REPLY);          the port is free again, the loan is in the ledger
 *	}
 *
 * Fresh: a port is drawn for the exchange, and an idle socket, which holds none, is moored to it where the kernel can
 * (Linux 6.3, port inside ip_local_port_range); elsewhere a fresh socket is bound to it and closed afterwards, as always
 * for TCP. Reserved: one is drawn of those that were bound at the start (ports/reserve), or all share one
 * (ports/single). Either way there are more loans than the pool's size when they are needed, on fresh sockets, up to
 * `max`. The pool knows no DNS: the tag is opaque.
 *
 * Ownership: a loan belongs to the pool and is the borrower's until pool_return. `loan->user` is user_size zeroed bytes
 * that stay with the loan's descriptor; `watched` is the borrower's note that the descriptor is known to its event
 * loop. Where the descriptor stays open, `keeps_watch` says whether that may stay so after the return; if not, the
 * borrower unwatches before it.
 * Thread: a pool is one worker's; the port space and the reserve behind it are shared by all. Never suspends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/list.h"
#include "ports/ledger.h"
#include "ports/space.h"

struct pool_conf {
	struct port_space *space;
	struct ledger *ledger;
	struct reserve *reserve; /* NULL, or where loans over UDP come from, */
	struct single *single;   /* or this one */
	bool alone;              /* no other pool takes from the reserve */
	unsigned size;           /* sockets of this pool */
	unsigned max;            /* loans at once */
	bool ipv4, ipv6;
	size_t user_size;
};

enum loan_kind { LOAN_FRESH, LOAN_MOORED, LOAN_RESERVED, LOAN_SHARED_PORT };

struct loan {
	int fd;
	uint16_t port;
	bool watched; /* the borrower's */
	bool keeps_watch;
	uint8_t kind; /* enum loan_kind */
	uint8_t transport;
	struct addr server;
	uint64_t begin_us;      /* monotonic */
	uint64_t begin_wall_us; /* wall clock */
	struct loan_tag tag;
	struct berth *berth; /* of a reserved port */
	uint32_t serial;     /* the berth's */
	struct link link;    /* among the lent, or the idle of its family */
	_Alignas(16) uint8_t user[];
};

struct pool_state {
	unsigned size, max, idle, lent, grown;
};

struct pool;

struct pool *pool_new(const struct pool_conf *conf);
/* All loans must have been returned. */
void pool_free(struct pool *pool);

/* 0; E_BUSY (`max` loans are out, or a single port is at this server already: later it may work), E_NOPORT (none to be
 * had; counted by cause), E_UNREACH (no route to the server), E_SYSTEM. A TCP loan is bound, not yet connected. */
int pool_lend(struct pool *pool, const struct addr *server, enum transport transport, const struct loan_tag *tag,
	struct loan **out) __attribute__((warn_unused_result));
void pool_return(struct pool *pool, struct loan *loan, enum loan_outcome outcome);

/* Housekeeping of a reserve; returns when it is due again (monotonic), 0 when there is none to do. */
uint64_t pool_tend(struct pool *pool, uint64_t now_us);

enum datagram {
	DATAGRAM_WHOLE,
	DATAGRAM_FRAGMENTED, /* put together from IP fragments, of which one may be forged */
	DATAGRAM_FOREIGN,    /* from another source: it came before the socket was connected */
};
/* The next datagram of a UDP loan, as recv(MSG_DONTWAIT | MSG_TRUNC). What a held port's earlier loans left behind is
 * passed over; the first send may fetch an ICMP error of that time. */
ssize_t loan_receive(const struct loan *loan, uint8_t *data, size_t room, enum datagram *kind);

unsigned pool_max(const struct pool *pool);
/* All exchanges leave from one port, and each server is asked one thing at a time. */
bool pool_shares_port(const struct pool *pool);
/* Less than half is out, of the loans that are allowed and of the ports there are: one that waits longer does no harm. */
bool pool_can_spare(const struct pool *pool);
void pool_state(const struct pool *pool, struct pool_state *out);
/* The ports that the pool could re-moor now: inside the kernel's range. {0,0} when it cannot re-moor at all. */
struct port_range pool_moorable(const struct pool *pool);
/* Fills an entry with what is known of the port's loan now; false when the pool has not lent it. */
bool pool_find_lent(const struct pool *pool, uint16_t port, struct ledger_entry *out);
/* Adds the ports of all loans that are out. */
void pool_mark_lent(const struct pool *pool, struct port_set *set) __attribute__((nonnull));
