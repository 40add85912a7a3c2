#pragma once
/* What the ways of asking share (flood.c, flood_paced.c, flood_tcp.c): the questions, and sockets to ask them from. One
 * thread; whatever fails ends the program. Nothing is freed: it lives as long as the process.
 *
 *	questions_read("names");
 *	int fd = udp_socket("127.0.0.1", 53, false);
 *	const struct query *q = question(7);
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { BATCH = 32, PACKET = 1500, QUERY_MAX = 300 };

/* A question as it goes over UDP; its first two bytes are the ID. */
struct query {
	uint16_t len;
	uint8_t wire[QUERY_MAX];
};

struct tally {
	unsigned long sent, answered, rcode[16];
};

/* Reads "NAME TYPE-NUMBER" lines; then question(n) is the nth, and begins anew after the last. */
void questions_read(const char *path);
const struct query *question(unsigned long n);

_Noreturn void die(const char *what);
uint64_t now_ns(void);
int udp_socket(const char *host, unsigned port, bool is_server);

/* The counts that every way of asking prints, without the braces around them. */
void print_tally(const struct tally *tally, double seconds);

/* `count` questions at a fixed rate, whether or not answers come: the latency from when each was due. */
void flood_paced(int fd, unsigned long count, unsigned long rate);

/* `count` questions over TCP. */
void flood_tcp(const char *host, unsigned port, unsigned long count);
