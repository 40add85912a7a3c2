/* TCP of a fiber: connect, send a DNS message with its length, read one.
 *
 *	int ret = tcp_connect_await(fd, &server, deadline_us);
 *	if (ret == 0) ret = tcp_send_await(fd, wire, len, deadline_us);
 *	if (ret == 0) ret = tcp_receive_await(fd, buffer, &len, deadline_us);
 *
 * Ownership: the descriptor stays the caller's, nonblocking. Errors: E_TIMEOUT, E_CANCELED, E_REFUSED, E_UNREACH,
 * E_CLOSED, E_SPACE, E_SYSTEM. Standards: RFC 1035 4.2.2, RFC 7766. Thread: the fiber's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

int tcp_connect_await(int fd, const struct addr *to, uint64_t deadline_us) __attribute__((warn_unused_result));
int tcp_send_await(int fd, const uint8_t *wire, size_t len, uint64_t deadline_us) __attribute__((warn_unused_result));
/* *len: room before, length of the message after. */
int tcp_receive_await(int fd, uint8_t *wire, size_t *len, uint64_t deadline_us) __attribute__((warn_unused_result));
