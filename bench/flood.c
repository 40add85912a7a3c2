/* A bounded load for the benchmarks: asks a list of names over UDP with so many questions under way, counts the
 * answers, prints one line of JSON, and stops by itself. With --echo it is the floor: a bare recvmmsg/sendmmsg echo.
 *
 *	flood 127.0.0.1 5310 FILE COUNT WINDOW          FILE: "NAME TYPE-NUMBER" lines, asked in turn
 *	flood --echo 5311 SECONDS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 32, PACKET = 1500, NAMES_MAX = 200000, PATIENCE_MS = 3000, QUERY_MAX = 300 };

struct query {
	uint16_t len;
	uint8_t wire[QUERY_MAX];
};

static struct query *queries;
static size_t query_count;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_s(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* --- the questions --- */

static bool write_query(struct query *q, const char *name, unsigned type)
{
	uint8_t *at = q->wire;
	memcpy(at, "\0\0\1\0\0\1\0\0\0\0\0\1", 12);
	at += 12;
	while (*name != '\0') {
		size_t label = strcspn(name, ".");
		if (label == 0 || label > 63 || (size_t)(at - q->wire) + label + 20 > QUERY_MAX)
			return false;
		*at++ = (uint8_t)label;
		memcpy(at, name, label);
		at += label;
		name += label + (name[label] == '.');
	}
	*at++ = 0;
	memcpy(at, (uint8_t[]){(uint8_t)(type >> 8), (uint8_t)type, 0, 1}, 4);
	memcpy(at + 4, (uint8_t[]){0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0}, 11); /* OPT, 1232 */
	q->len = (uint16_t)(at + 15 - q->wire);
	return true;
}

static void read_names(const char *path)
{
	FILE *file = fopen(path, "re");
	char name[256];
	unsigned type;
	if (file == NULL)
		die(path);
	queries = calloc(NAMES_MAX, sizeof(*queries));
	while (query_count < NAMES_MAX && fscanf(file, "%255s %u", name, &type) == 2)
		query_count += write_query(&queries[query_count], name, type);
	fclose(file);
	if (query_count == 0)
		die("no names");
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

static int udp_socket(const char *host, unsigned port, bool listen)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = 8 << 20;
	if (fd < 0 || inet_pton(AF_INET, host, &to.sin_addr) != 1)
		die(host);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if ((listen ? bind : connect)(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("bind or connect");
	return fd;
}

/* --- the load --- */

struct tally {
	unsigned long sent, answered, rcode[16];
};

static void send_some(int fd, struct batch *batch, struct tally *tally, unsigned long want)
{
	int count = want > BATCH ? BATCH : (int)want;
	prepare(batch, false);
	for (int i = 0; i < count; i++) {
		const struct query *q = &queries[(tally->sent + (unsigned long)i) % query_count];
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
	double begin = now_s(), last = begin;
	while (tally.answered < count) {
		while (tally.sent < count && tally.sent - tally.answered < window)
			send_some(fd, &batch, &tally, least(count - tally.sent, tally.answered + window - tally.sent));
		if (receive_some(fd, &batch, &tally) == 0)
			break;
		last = now_s();
	}
	printf("{\"sent\": %lu, \"answered\": %lu, \"seconds\": %.6f, \"noerror\": %lu, \"servfail\": %lu, "
	       "\"nxdomain\": %lu}\n",
		tally.sent, tally.answered, last - begin, tally.rcode[0], tally.rcode[2], tally.rcode[3]);
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

int main(int argc, char *argv[])
{
	if (argc == 4 && strcmp(argv[1], "--echo") == 0) {
		alarm((unsigned)atoi(argv[3])); /* SIGALRM ends it: it stops by itself */
		echo(udp_socket("127.0.0.1", (unsigned)atoi(argv[2]), true));
	}
	if (argc != 6) {
		fprintf(stderr, "usage: flood HOST PORT FILE COUNT WINDOW | flood --echo PORT SECONDS\n");
		return 2;
	}
	read_names(argv[3]);
	flood(udp_socket(argv[1], (unsigned)atoi(argv[2]), false), strtoul(argv[4], NULL, 10),
		strtoul(argv[5], NULL, 10));
	return 0;
}
