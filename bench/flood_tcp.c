/* The load over TCP (RFC 7766): so many connections, each with a few questions under way, closed and opened anew after a
 * hundred, as clients come and go. Questions on a connection that the server closed are asked again on the next.
 */
#include "flood.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	CONNECTIONS = 16,
	UNDER_WAY = 4,
	PER_CONNECTION = 100,
	IN_MAX = 8192,
	PATIENCE_MS = 3000,
};

struct connection {
	int fd;
	unsigned asked, answered;
	size_t len;
	uint8_t in[IN_MAX];
};

struct tcp_load {
	struct sockaddr_in to;
	unsigned long count, opened, broken;
	struct tally tally;
	struct connection connection[CONNECTIONS];
};

static void open_connection(struct tcp_load *load, struct connection *c)
{
	int on = 1;
	c->asked = c->answered = 0;
	c->len = 0;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&load->to, sizeof(load->to)) != 0)
		die("connect over TCP");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	load->opened++;
}

static void ask(struct tcp_load *load, struct connection *c)
{
	uint8_t out[UNDER_WAY * (QUERY_MAX + 2)];
	size_t len = 0;
	while (c->asked - c->answered < UNDER_WAY && c->asked < PER_CONNECTION && load->tally.sent < load->count) {
		const struct query *q = question(load->tally.sent);
		uint16_t id = (uint16_t)load->tally.sent, prefix = htons(q->len);
		memcpy(out + len, &prefix, 2);
		memcpy(out + len + 2, q->wire, q->len);
		memcpy(out + len + 2, &id, 2);
		len += 2U + q->len;
		c->asked++;
		load->tally.sent++;
	}
	/* So little always fits; where the connection is broken, the next receive says so. */
	if (len > 0)
		(void)!send(c->fd, out, len, MSG_NOSIGNAL);
}

static void take_answers(struct tcp_load *load, struct connection *c)
{
	size_t at = 0;
	while (c->len - at >= 2) {
		size_t len = (size_t)c->in[at] << 8 | c->in[at + 1];
		if (c->len - at < 2 + len)
			break;
		if (len >= 12)
			load->tally.rcode[c->in[at + 5] & 15]++;
		load->tally.answered++;
		c->answered++;
		at += 2 + len;
	}
	memmove(c->in, c->in + at, c->len - at);
	c->len -= at;
}

static void renew(struct tcp_load *load, struct connection *c)
{
	load->tally.sent -= c->asked - c->answered;
	close(c->fd);
	open_connection(load, c);
}

static void on_readable(struct tcp_load *load, struct connection *c)
{
	ssize_t got = recv(c->fd, c->in + c->len, sizeof(c->in) - c->len, MSG_DONTWAIT);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		load->broken++;
		renew(load, c);
	} else {
		c->len += (size_t)got;
		take_answers(load, c);
		if (c->answered == PER_CONNECTION)
			renew(load, c);
	}
	ask(load, c);
}

static void begin(struct tcp_load *load, const char *host, unsigned port)
{
	load->to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	if (inet_pton(AF_INET, host, &load->to.sin_addr) != 1)
		die(host);
	for (int i = 0; i < CONNECTIONS; i++) {
		open_connection(load, &load->connection[i]);
		ask(load, &load->connection[i]);
	}
}

void flood_tcp(const char *host, unsigned port, unsigned long count)
{
	static struct tcp_load load;
	struct pollfd fds[CONNECTIONS];
	load.count = count;
	uint64_t start = now_ns(), last = start;
	begin(&load, host, port);
	/* A server that closes at once would be asked for ever: as many broken as well-used connections are enough. */
	while (load.tally.answered < count && load.broken <= 100 + count / PER_CONNECTION) {
		for (int i = 0; i < CONNECTIONS; i++)
			fds[i] = (struct pollfd){.fd = load.connection[i].fd, .events = POLLIN};
		if (poll(fds, CONNECTIONS, PATIENCE_MS) <= 0)
			break;
		for (int i = 0; i < CONNECTIONS; i++)
			if (fds[i].revents != 0)
				on_readable(&load, &load.connection[i]);
		last = now_ns();
	}
	printf("{");
	print_tally(&load.tally, (double)(last - start) / 1e9);
	printf(", \"connections\": %lu, \"broken\": %lu}\n", load.opened, load.broken);
}
