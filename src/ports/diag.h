/* The kernel's own table of TCP and UDP sockets, asked through sock_diag (netlink), as ss does.
 *
 *	struct diag *diag;
 *	if (diag_open(&diag) != 0) ...
 *	struct diag_ask ask = {PORT_UDP, AF_INET, {60054, 60054}, DIAG_ALL};
 *	int ret = diag_dump(diag, &ask, on_socket, &mine);      on_socket(&mine, socket) for each that fits
 *	diag_close(diag);
 *
 * It sees the network namespace in which the opening thread was at that moment, and needs no privilege. What the kernel
 * says of a socket is a copy and lives for the call alone. A walk takes some 60 ns for each socket of the transport on
 * this machine, whether it fits or not. Thread: one at a time. Never suspends, but may take milliseconds. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "ports/probe.h"
#include "ports/set.h"

enum diag_state {
	DIAG_LISTENING,
	DIAG_CONNECTED,
	DIAG_UNCONNECTED, /* UDP without a peer: it hears everybody */
	DIAG_INACTIVE,    /* TCP that is bound and does nothing; listed from Linux 6.8 on */
	DIAG_OPENING,     /* SYN_SENT, SYN_RECV */
	DIAG_CLOSING,     /* FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING */
	DIAG_TIME_WAIT,   /* no socket any more: the kernel keeps the port for a minute */
	DIAG_STATES,
};

struct diag_socket {
	enum port_transport transport;
	enum diag_state state;
	uint8_t kernel_state;               /* of the TCP state machine, for diag_kernel_state_text */
	bool only_v6;                       /* an IPv6 wildcard that leaves IPv4 to others */
	struct addr local, peer;            /* the peer's port is 0 where there is none */
	uint32_t receive_queue, send_queue; /* bytes; of a listener: connections that wait, and how many may */
	uid_t uid;                          /* whose it is */
	uint64_t inode;                     /* 0: no process can have it */
	uint64_t cookie; /* the kernel's number of the socket, never given twice until the next boot */
	uint64_t cgroup; /* in which it was made; 0: not told (before Linux 5.7) */
};

enum diag_which { DIAG_ALL, DIAG_WAITING /* UDP, and TCP listeners alone */ };

struct diag_ask {
	enum port_transport transport;
	int family;              /* AF_INET or AF_INET6 */
	struct port_range ports; /* local ones; from 0 or 1 to 65535: all */
	enum diag_which which;
};

struct diag;

/* 0, or E_*; *out is NULL then. */
int diag_open(struct diag **out) __attribute__((nonnull, warn_unused_result));
/* NULL is allowed. */
void diag_close(struct diag *diag);
/* 0, or E_* when the table could not be read to its end. A family that this kernel does not have is empty. */
int diag_dump(struct diag *diag, const struct diag_ask *ask, void (*on_socket)(void *arg, const struct diag_socket *),
	void *arg) __attribute__((nonnull(1, 2, 3), warn_unused_result));
/* The UDP socket that would hear a stranger's datagram to that address and port; 0, E_NOENT or another E_*. Costs the
 * same however many sockets there are. */
int diag_find_udp(struct diag *diag, const struct addr *local, struct diag_socket *out)
	__attribute__((nonnull, warn_unused_result));
/* The TCP socket that has that local address and that peer, and that a process has open; 0, E_NOENT or another E_*. */
int diag_find_tcp(struct diag *diag, const struct addr *local, const struct addr *peer, struct diag_socket *out)
	__attribute__((nonnull, warn_unused_result));

/* A diag that hears of the end of sockets instead of listing them: the descriptor is readable when some ended. Of such a
 * one diag_read_ended alone may be called; local and peer address, port and cookie are all that it tells of a socket. */
int diag_open_ended(struct diag **out) __attribute__((nonnull, warn_unused_result));
int diag_fd(const struct diag *diag) __attribute__((nonnull));
/* Those that ended since the last call; E_SPACE: more than the kernel kept for us, some are missing. */
int diag_read_ended(struct diag *diag, void (*on_socket)(void *arg, const struct diag_socket *), void *arg)
	__attribute__((nonnull(1, 2), warn_unused_result));

/* "listening", "time-wait"; one word. */
const char *diag_state_text(enum diag_state state);
/* "FIN_WAIT2" */
const char *diag_kernel_state_text(uint8_t kernel_state);
