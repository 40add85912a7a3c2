/* Forged replies: UDP datagrams over IPv4 with any source, sent in batches through a raw socket.
 *
 *	struct forge forge;
 *	forge_open(&forge, to);
 *	uint8_t *dns = forge_next(&forge, from, 53, port, len);        room for len bytes, to be filled at once
 *	forge_flush(&forge);
 *
 * A full batch is flushed by forge_next. The UDP checksum is 0, which IPv4 allows. */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { FORGE_BATCH = 64, FORGE_MAX = 512, FORGE_HEADS = 28 };

struct forge {
	int fd;
	struct sockaddr_in to;
	unsigned count;
	unsigned long sent;
	struct mmsghdr msg[FORGE_BATCH];
	struct iovec iov[FORGE_BATCH];
	uint8_t packet[FORGE_BATCH][FORGE_HEADS + FORGE_MAX];
};

void forge_open(struct forge *forge, struct in_addr to);
uint8_t *forge_next(struct forge *forge, struct in_addr from, uint16_t from_port, uint16_t to_port, size_t len);
void forge_flush(struct forge *forge);
