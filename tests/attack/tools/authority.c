/* Decides what the servers of a fast attack say: a root, zones with a server each, and the attacker's own server, all
 * in one process that notes the port and ID of every question. Prints one line of JSON when it ends.
 *
 *	authority ROOT SERVER FORGER LABEL ZONES TTL DELAY-MS LOG SECONDS
 *
 * Zones and addresses as in race.c. The root refers LABEL100. to SERVER and so on; a zone's server answers every name
 * with the true address, over UDP after DELAY-MS; FORGER answers with the forged one. LOG gets a struct note for each
 * question to a zone's server. SIGTERM ends it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bounds.h"

enum { WIRE = 1024, REPLY = 600, QUEUE = 1 << 15, EVENTS = 64, LABEL_MAX = 20, TYPE_A = 1, TYPE_NS = 2 };
static const uint8_t TRUE_ADDRESS[4] = {198, 19, 7, 7}, FORGED_ADDRESS[4] = {198, 19, 66, 66};

/* A question as it stands in the log. */
struct note {
	uint16_t port, id;
	uint32_t number; /* the digits of the name's first label */
	uint16_t zone;
	uint8_t tcp, edns;
};

struct conf {
	struct in_addr root, server, forger;
	const char *label;
	unsigned zones;
	uint32_t ttl;
	uint64_t delay_us;
};

struct question {
	const uint8_t *wire;
	size_t end; /* of the question section */
	uint16_t type;
	bool edns;
	unsigned labels;
	uint32_t number; /* digits of the first label */
	long zone;       /* of the last label; -1: none of ours */
};

struct pending {
	uint64_t due_us;
	struct sockaddr_in to;
	struct in_addr from;
	size_t len;
	uint8_t wire[REPLY];
};

static struct conf conf;
static FILE *notes;
static struct pending *queue; /* [QUEUE], a ring: the delay is the same for all */
static unsigned long queue_head, queue_tail;
static unsigned long asked_udp, asked_tcp, asked_root, asked_forger;
static volatile sig_atomic_t stopped;

/* --- questions --- */

static uint32_t digits_of(const uint8_t *label)
{
	uint32_t value = 0;
	for (unsigned i = 1; i <= label[0]; i++)
		if (label[i] >= '0' && label[i] <= '9')
			value = value * 10 + (uint32_t)(label[i] - '0');
	return value;
}

static bool read_question(struct question *q, const uint8_t *wire, size_t len)
{
	*q = (struct question){.wire = wire, .zone = -1};
	if (len < 17 || wire[2] & 0x80 || wire[5] != 1)
		return false;
	size_t at = 12, last = 12;
	while (at < len && wire[at] != 0) {
		if (wire[at] > 63)
			return false;
		last = at;
		at += 1u + wire[at];
		q->labels++;
	}
	if (at + 5 > len)
		return false;
	q->end = at + 5;
	q->type = (uint16_t)(wire[at + 1] << 8 | wire[at + 2]);
	q->edns = wire[11] != 0;
	if (q->labels > 0) {
		q->number = digits_of(wire + 12);
		long zone = (long)digits_of(wire + last) - 100;
		q->zone = zone >= 0 && zone < (long)conf.zones ? zone : -1;
	}
	return true;
}

/* --- replies --- */

static size_t put(uint8_t *out, size_t at, const void *bytes, size_t len)
{
	memcpy(out + at, bytes, len);
	return at + len;
}

static size_t begin_reply(uint8_t *out, const struct question *q, uint8_t flags, uint8_t rcode)
{
	size_t len = put(out, 0, q->wire, q->end);
	out[2] = 0x80 | flags;
	out[3] = rcode;
	memset(out + 6, 0, 6);
	return len;
}

static size_t put_address(uint8_t *out, size_t at, const void *owner, size_t owner_len, const void *address)
{
	uint8_t ttl[4] = {
		(uint8_t)(conf.ttl >> 24), (uint8_t)(conf.ttl >> 16), (uint8_t)(conf.ttl >> 8), (uint8_t)conf.ttl};
	at = put(out, at, owner, owner_len);
	at = put(out, at, "\0\1\0\1", 4);
	at = put(out, at, owner_len == 2 ? ttl : (const uint8_t *)"\0\1\0\0", 4);
	at = put(out, at, "\0\4", 2);
	return put(out, at, address, 4);
}

static size_t put_soa(uint8_t *out, size_t at)
{
	out[9] = 1;
	return put(out, at, "\0\0\6\0\1\0\0\0\0\0\26\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\0", 33);
}

static size_t end_reply(uint8_t *out, size_t at, const struct question *q)
{
	if (!q->edns)
		return at;
	out[11]++;
	return put(out, at, "\0\0\51\4\320\0\0\0\0\0\0", 11);
}

static struct in_addr server_of(long zone)
{
	return (struct in_addr){htonl(ntohl(conf.server.s_addr) + (uint32_t)(zone / 250 * 256 + zone % 250))};
}

/* The zone's NS and glue in the answer or authority section; the owner is the last label of the question. */
static size_t put_referral(uint8_t *out, size_t at, const struct question *q)
{
	size_t last = 12;
	while (q->labels > 1 && last + 1u + out[last] + 5 < q->end)
		last += 1u + out[last];
	uint8_t owner[2] = {0xc0, (uint8_t)last}, server[5] = {2, 'n', 's', 0xc0, (uint8_t)last};
	struct in_addr address = server_of(q->zone);
	out[9] = 1;
	out[11] = 1;
	at = put(out, at, owner, 2);
	at = put(out, at, "\0\2\0\1\0\1\0\0\0\5", 10);
	at = put(out, at, server, 5);
	return put_address(out, at, server, 5, &address);
}

static size_t reply_of_root(uint8_t *out, const struct question *q)
{
	static const uint8_t root_server[] = {1, 'a', 4, 'r', 'o', 'o', 't', 0};
	size_t at;
	if (q->zone >= 0) {
		at = begin_reply(out, q, 0, 0);
		return end_reply(out, put_referral(out, at, q), q);
	}
	at = begin_reply(out, q, 4, 0);
	if (q->labels == 0 && q->type == TYPE_NS) {
		out[7] = 1;
		out[11] = 1;
		at = put(out, at, "\0\0\2\0\1\0\1\0\0\0\10", 11);
		at = put(out, at, root_server, sizeof(root_server));
		return end_reply(out, put_address(out, at, root_server, sizeof(root_server), &conf.root), q);
	}
	if (q->labels == 2 && q->type == TYPE_A) {
		out[7] = 1;
		return end_reply(out, put_address(out, at, "\300\14", 2, &conf.root), q);
	}
	return end_reply(out, put_soa(out, at), q);
}

static bool is_name_server(const struct question *q)
{
	return q->labels == 2 && q->zone >= 0 && q->wire[12] == 2 && memcmp(q->wire + 13, "ns", 2) == 0;
}

static size_t reply_of_zone(uint8_t *out, const struct question *q, bool is_forger)
{
	struct in_addr own = server_of(q->zone);
	size_t at = begin_reply(out, q, 4, 0);
	if (q->type != TYPE_A)
		return end_reply(out, put_soa(out, at), q);
	out[7] = 1;
	const void *address = is_forger ? FORGED_ADDRESS : TRUE_ADDRESS;
	if (is_name_server(q))
		address = &own;
	return end_reply(out, put_address(out, at, "\300\14", 2, address), q);
}

static void note(const struct question *q, uint16_t port, bool tcp)
{
	struct note entry = {.port = port,
		.id = (uint16_t)(q->wire[0] << 8 | q->wire[1]),
		.number = q->number,
		.zone = (uint16_t)q->zone,
		.tcp = tcp,
		.edns = q->edns};
	fwrite(&entry, sizeof(entry), 1, notes);
}

/* The reply to a question that came to one of our addresses; *slow: it is to be sent after the delay. */
static size_t answer(uint8_t *out, const struct question *q, struct in_addr to, uint16_t port, bool tcp, bool *slow)
{
	*slow = false;
	if (to.s_addr == conf.root.s_addr) {
		asked_root++;
		return reply_of_root(out, q);
	}
	if (to.s_addr == conf.forger.s_addr) {
		asked_forger++;
		return reply_of_zone(out, q, true);
	}
	*slow = !tcp;
	*(tcp ? &asked_tcp : &asked_udp) += 1;
	note(q, port, tcp);
	return reply_of_zone(out, q, false);
}

/* --- UDP --- */

static void send_from(int fd, const uint8_t *wire, size_t len, const struct sockaddr_in *to, struct in_addr from)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in_pktinfo))] = {0};
	struct iovec iov = {(void *)wire, len};
	struct msghdr msg = {.msg_name = (void *)to,
		.msg_namelen = sizeof(*to),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	struct in_pktinfo info = {.ipi_spec_dst = from};
	*c = (struct cmsghdr){.cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof(info))};
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	(void)!sendmsg(fd, &msg, MSG_DONTWAIT);
}

static bool receive(int fd, uint8_t *wire, size_t *len, struct sockaddr_in *peer, struct in_addr *to)
{
	_Alignas(struct cmsghdr) uint8_t control[128];
	struct iovec iov = {wire, WIRE};
	struct msghdr msg = {.msg_name = peer,
		.msg_namelen = sizeof(*peer),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t got = recvmsg(fd, &msg, MSG_DONTWAIT);
	if (got < 0)
		return false;
	*len = (size_t)got;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
		struct in_pktinfo info;
		if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		*to = info.ipi_addr;
	}
	return true;
}

static void take_datagrams(int fd)
{
	static uint8_t wire[WIRE];
	struct sockaddr_in peer;
	struct in_addr to = {0};
	size_t len;
	for (int i = 0; i < 256 && receive(fd, wire, &len, &peer, &to); i++) {
		struct question q;
		bool slow;
		struct pending *at = &queue[queue_head % QUEUE];
		if (!read_question(&q, wire, len) || q.end > 300)
			continue;
		at->len = answer(at->wire, &q, to, ntohs(peer.sin_port), false, &slow);
		if (!slow || conf.delay_us == 0 || queue_head - queue_tail == QUEUE - 1) {
			send_from(fd, at->wire, at->len, &peer, to);
			continue;
		}
		at->due_us = bounds_now_us() + conf.delay_us;
		at->to = peer;
		at->from = to;
		queue_head++;
	}
}

/* How many milliseconds until the next is due; -1: nothing waits. */
static int send_due(int fd)
{
	uint64_t now_us = bounds_now_us();
	while (queue_tail < queue_head) {
		struct pending *at = &queue[queue_tail % QUEUE];
		if (at->due_us > now_us)
			return (int)((at->due_us - now_us) / 1000) + 1;
		send_from(fd, at->wire, at->len, &at->to, at->from);
		queue_tail++;
	}
	return -1;
}

/* --- TCP: one question at a time, each in one segment --- */

static void serve_connection(int epoll, int fd)
{
	static uint8_t wire[WIRE], reply[2 + REPLY];
	struct sockaddr_in peer, here;
	socklen_t peer_len = sizeof(peer), here_len = sizeof(here);
	ssize_t got = recv(fd, wire, sizeof(wire), MSG_DONTWAIT);
	struct question q;
	bool slow;
	if (got < 0 && errno == EAGAIN)
		return;
	if (got < 19 || getpeername(fd, (void *)&peer, &peer_len) != 0 ||
		getsockname(fd, (void *)&here, &here_len) != 0 || !read_question(&q, wire + 2, (size_t)got - 2) ||
		q.end > 300) {
		epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
		close(fd);
		return;
	}
	size_t len = answer(reply + 2, &q, here.sin_addr, ntohs(peer.sin_port), true, &slow);
	reply[0] = (uint8_t)(len >> 8);
	reply[1] = (uint8_t)len;
	(void)!send(fd, reply, len + 2, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void accept_all(int epoll, int listener)
{
	int fd;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	}
}

/* --- the loop --- */

static int open_socket(int epoll, int type)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(53)};
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, room = 16 << 20;
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	(void)setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) != 0 ||
		(type == SOCK_STREAM && listen(fd, 4096) != 0) || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
		perror("authority: port 53");
		exit(1);
	}
	return fd;
}

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

static void serve(int epoll, int udp, int tcp)
{
	struct epoll_event event[EVENTS];
	while (!stopped) {
		int count = epoll_wait(epoll, event, EVENTS, send_due(udp));
		for (int i = 0; i < count; i++) {
			if (event[i].data.fd == udp)
				take_datagrams(udp);
			else if (event[i].data.fd == tcp)
				accept_all(epoll, tcp);
			else
				serve_connection(epoll, event[i].data.fd);
		}
	}
}

int main(int argc, char *argv[])
{
	bounds_check("authority");
	if (argc != 10 || strlen(argv[4]) > LABEL_MAX) {
		fprintf(stderr, "usage: authority ROOT SERVER FORGER LABEL ZONES TTL DELAY-MS LOG SECONDS\n");
		return 2;
	}
	conf = (struct conf){.root = bounds_address(argv[1]),
		.server = bounds_address(argv[2]),
		.forger = bounds_address(argv[3]),
		.label = argv[4],
		.zones = (unsigned)bounds_number(argv[5], 1, 800),
		.ttl = (uint32_t)bounds_number(argv[6], 0, 86400),
		.delay_us = bounds_number(argv[7], 0, 2000) * 1000};
	notes = fopen(argv[8], "we");
	queue = calloc(QUEUE, sizeof(*queue));
	if (notes == NULL || queue == NULL) {
		perror(argv[8]);
		return 1;
	}
	struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: epoll_wait returns */
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	bounds_seconds(argv[9]);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int udp = open_socket(epoll, SOCK_DGRAM), tcp = open_socket(epoll, SOCK_STREAM);
	serve(epoll, udp, tcp);
	fclose(notes);
	printf("{\"udp\": %lu, \"tcp\": %lu, \"root\": %lu, \"forger\": %lu}\n", asked_udp, asked_tcp, asked_root,
		asked_forger);
	return 0;
}
