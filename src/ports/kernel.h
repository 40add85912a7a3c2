/* What this machine's kernel says of its ports, read from /proc.
 *
 *	struct port_range range;
 *	kernel_local_range(&range);                    net.ipv4.ip_local_port_range, 32768-60999 when it cannot be read
 *	char list[KERNEL_LIST];
 *	kernel_reserved_ports(list, sizeof(list));     "" when there are none
 *
 * Both are of the calling process's network namespace. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "ports/set.h"

enum { KERNEL_LIST = 65536 };

void kernel_local_range(struct port_range *range);
void kernel_reserved_ports(char *list, size_t size);
/* The first port that this process may bind: net.ipv4.ip_unprivileged_port_start, or 1 with CAP_NET_BIND_SERVICE. */
unsigned kernel_first_port(void);
/* Whether this machine knows a way to the address; nothing is sent. */
bool kernel_has_route(const struct addr *to);
/* Whether setsockopt(IP_LOCAL_PORT_RANGE) works here (Linux 6.3): tried on a socket. */
bool kernel_can_moor(void);
