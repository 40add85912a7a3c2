/* Decides what stands in the IP and UDP headers of a forged datagram. */
#include "forge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void forge_open(struct forge *forge, struct in_addr to)
{
	int room = 4 << 20;
	memset(forge, 0, sizeof(*forge));
	forge->fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW); /* IPPROTO_RAW: we bring the IP header */
	if (forge->fd < 0) {
		perror("raw socket");
		exit(1);
	}
	(void)setsockopt(forge->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	forge->to = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = to};
	for (unsigned i = 0; i < FORGE_BATCH; i++) {
		forge->iov[i].iov_base = forge->packet[i];
		forge->msg[i].msg_hdr = (struct msghdr){.msg_name = &forge->to,
			.msg_namelen = sizeof(forge->to),
			.msg_iov = &forge->iov[i],
			.msg_iovlen = 1};
	}
}

void forge_flush(struct forge *forge)
{
	unsigned done = 0;
	while (done < forge->count) {
		int sent = sendmmsg(forge->fd, forge->msg + done, forge->count - done, 0);
		if (sent <= 0)
			break; /* a full queue: these are lost, as on a network */
		done += (unsigned)sent;
	}
	forge->sent += done;
	forge->count = 0;
}

static void put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

uint8_t *forge_next(struct forge *forge, struct in_addr from, uint16_t from_port, uint16_t to_port, size_t len)
{
	if (forge->count == FORGE_BATCH)
		forge_flush(forge);
	if (len > FORGE_MAX)
		abort();
	uint8_t *ip = forge->packet[forge->count], *udp = ip + 20;
	memset(ip, 0, FORGE_HEADS); /* the kernel fills in length, ID and checksum */
	ip[0] = 0x45;
	ip[8] = 64;
	ip[9] = IPPROTO_UDP;
	memcpy(ip + 12, &from, 4);
	memcpy(ip + 16, &forge->to.sin_addr, 4);
	put16(udp, from_port);
	put16(udp + 2, to_port);
	put16(udp + 4, 8 + len);
	forge->iov[forge->count++].iov_len = FORGE_HEADS + len;
	return udp + 8;
}
