/* A bounded load for the benchmarks: asks a list of names, counts the answers, prints one line of JSON, and stops by
 * itself. Here: over UDP with so many questions under way. With --echo it is the floor: a bare recvmmsg/sendmmsg echo.
 *
 *	flood 127.0.0.1 5310 FILE COUNT WINDOW          FILE: "NAME TYPE-NUMBER" lines, asked in turn
 *	flood --rate PER-SECOND 127.0.0.1 5310 FILE COUNT     whether or not answers come: the latency (flood_paced.c)
 *	flood --tcp 127.0.0.1 5310 FILE COUNT           over TCP (flood_tcp.c)
 *	flood --echo 127.0.0.1 5311 SECONDS
 */
#include "flood.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 3000 };

_Noreturn void die(const char *what)
{
	fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
	exit(1);
}

uint64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void print_tally(const struct tally *tally, double seconds)
{
	printf("\"sent\": %lu, \"answered\": %lu, \"seconds\": %.6f, \"noerror\": %lu, \"servfail\": %lu, "
	       "\"nxdomain\": %lu",
		tally->sent, tally->answered, seconds, tally->rcode[0], tally->rcode[2], tally->rcode[3]);
}

/* --- batches --- */

struct batch {
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_in from[BATCH];
	uint8_t data[BATCH][PACKET];
};

static void prepare(struct batch *batch, bool names)
{
	for (int i = 0; i < BATCH; i++) {
		batch->iov[i] = (struct iovec){batch->data[i], PACKET};
		batch->msg[i].msg_hdr = (struct msghdr){.msg_iov = &batch->iov[i], .msg_iovlen = 1};
		if (names) {
			batch->msg[i].msg_hdr.msg_name = &batch->from[i];
			batch->msg[i].msg_hdr.msg_namelen = sizeof(batch->from[i]);
		}
	}
}

int udp_socket(const char *host, unsigned port, bool is_server)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = 8 << 20;
	if (fd < 0 || inet_pton(AF_INET, host, &to.sin_addr) != 1)
		die(host);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if ((is_server ? bind : connect)(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("bind or connect");
	return fd;
}

/* --- the load --- */

static void send_some(int fd, struct batch *batch, struct tally *tally, unsigned long want)
{
	int count = want > BATCH ? BATCH : (int)want;
	prepare(batch, false);
	for (int i = 0; i < count; i++) {
		const struct query *q = question(tally->sent + (unsigned long)i);
		memcpy(batch->data[i], q->wire, q->len);
		uint16_t id = (uint16_t)(tally->sent + (unsigned long)i);
		memcpy(batch->data[i], &id, 2);
		batch->iov[i].iov_len = q->len;
	}
	int sent = sendmmsg(fd, batch->msg, (unsigned)count, 0);
	if (sent > 0)
		tally->sent += (unsigned long)sent;
}

/* How many answers came; 0 after PATIENCE_MS of silence. */
static int receive_some(int fd, struct batch *batch, struct tally *tally)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	if (poll(&poll_fd, 1, PATIENCE_MS) <= 0)
		return 0;
	prepare(batch, false);
	int got = recvmmsg(fd, batch->msg, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < got; i++)
		if (batch->msg[i].msg_len >= 12)
			tally->rcode[batch->data[i][3] & 15]++;
	tally->answered += got > 0 ? (unsigned long)got : 0;
	return got > 0 ? got : 1;
}

static unsigned long least(unsigned long a, unsigned long b)
{
	return a < b ? a : b;
}

static void flood(int fd, unsigned long count, unsigned long window)
{
	static struct batch batch;
	struct tally tally = {0};
	uint64_t begin = now_ns(), last = begin;
	while (tally.answered < count) {
		while (tally.sent < count && tally.sent - tally.answered < window)
			send_some(fd, &batch, &tally, least(count - tally.sent, tally.answered + window - tally.sent));
		if (receive_some(fd, &batch, &tally) == 0)
			break;
		last = now_ns();
	}
	printf("{");
	print_tally(&tally, (double)(last - begin) / 1e9);
	printf("}\n");
}

static void echo(int fd)
{
	static struct batch batch;
	for (;;) {
		prepare(&batch, true);
		int got = recvmmsg(fd, batch.msg, BATCH, MSG_WAITFORONE, NULL);
		for (int i = 0; i < got; i++) {
			batch.iov[i].iov_len = batch.msg[i].msg_len;
			batch.data[i][2] |= 0x80;
		}
		if (got > 0)
			sendmmsg(fd, batch.msg, (unsigned)got, 0);
	}
}

static _Noreturn void usage(void)
{
	fprintf(stderr, "usage: flood HOST PORT FILE COUNT WINDOW | flood --rate PER-SECOND HOST PORT FILE COUNT |\n"
			"       flood --tcp HOST PORT FILE COUNT | flood --echo HOST PORT SECONDS\n");
	exit(2);
}

static unsigned long number(const char *text)
{
	return strtoul(text, NULL, 10);
}

int main(int argc, char *argv[])
{
	const char *way = argc > 1 ? argv[1] : "";
	if (argc == 5 && strcmp(way, "--echo") == 0) {
		alarm((unsigned)number(argv[4])); /* SIGALRM ends it: it stops by itself */
		echo(udp_socket(argv[2], (unsigned)number(argv[3]), true));
	} else if (argc == 6 && strcmp(way, "--tcp") == 0) {
		questions_read(argv[4]);
		flood_tcp(argv[2], (unsigned)number(argv[3]), number(argv[5]));
	} else if (argc == 7 && strcmp(way, "--rate") == 0 && number(argv[2]) > 0) {
		questions_read(argv[5]);
		flood_paced(udp_socket(argv[3], (unsigned)number(argv[4]), false), number(argv[6]), number(argv[2]));
	} else if (argc == 6 && way[0] != '-') {
		questions_read(argv[3]);
		flood(udp_socket(argv[1], (unsigned)number(argv[2]), false), number(argv[4]), number(argv[5]));
	} else {
		usage();
	}
	return 0;
}
