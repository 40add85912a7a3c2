/* The open loop: questions leave when they are due, whatever became of those before, and the latency of each counts
 * from when it was due. A resolver that stalls is so charged with all who would have waited, not with one question.
 *
 * The loop asks for a real-time priority: the name servers and other loads share its core, and a wait for them is none of
 * the resolver's doing. `late` says what was left of such waits.
 */
#include "flood.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

enum {
	BUCKETS = 64 * 32,
	IDS = 65536,
};
static const uint64_t PATIENCE_NS = 1000000000;

/* Buckets a 32nd apart: below 32 ns one for each number, then 32 for each power of two. */
struct histogram {
	unsigned long count[BUCKETS];
};

struct paced {
	uint64_t begin_ns;
	unsigned long rate, count;
	struct tally tally;
	struct histogram latency, late;
	uint64_t due_ns[IDS]; /* by ID; 0: nothing is under way */
};

static unsigned bucket_of(uint64_t ns)
{
	if (ns < 32)
		return (unsigned)ns;
	unsigned shift = 58 - (unsigned)__builtin_clzll(ns);
	return (shift + 1) * 32 + (unsigned)(ns >> shift & 31);
}

/* The middle of a bucket. */
static double bucket_us(unsigned bucket)
{
	if (bucket < 32)
		return bucket / 1e3;
	return (double)((uint64_t)(32 + bucket % 32) << (bucket / 32 - 1)) * (1 + 0.5 / 32) / 1e3;
}

static void note(struct histogram *h, uint64_t from_ns, uint64_t to_ns)
{
	h->count[bucket_of(to_ns > from_ns ? to_ns - from_ns : 0)]++;
}

static uint64_t due_at(const struct paced *p, unsigned long n)
{
	return p->begin_ns + (uint64_t)((double)n * 1e9 / (double)p->rate);
}

static void send_due(struct paced *p, int fd)
{
	static struct mmsghdr msg[BATCH];
	static struct iovec iov[BATCH];
	static uint8_t data[BATCH][QUERY_MAX];
	uint64_t now = now_ns();
	unsigned count = 0;
	for (; count < BATCH && p->tally.sent < p->count && due_at(p, p->tally.sent) <= now; count++) {
		const struct query *q = question(p->tally.sent);
		uint16_t id = (uint16_t)p->tally.sent;
		memcpy(data[count], q->wire, q->len);
		memcpy(data[count], &id, sizeof(id));
		iov[count] = (struct iovec){data[count], q->len};
		msg[count] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[count], .msg_iovlen = 1}};
		p->due_ns[id] = due_at(p, p->tally.sent); /* an answer still out after 65536 others is lost */
		note(&p->late, p->due_ns[id], now);
		p->tally.sent++;
	}
	if (count > 0)
		sendmmsg(fd, msg, count, 0); /* what it did not take is lost, as it is on a full queue */
}

static void receive(struct paced *p, int fd)
{
	uint8_t data[PACKET];
	uint16_t id;
	ssize_t len;
	while ((len = recv(fd, data, sizeof(data), MSG_DONTWAIT)) >= 12) {
		memcpy(&id, data, sizeof(id));
		if (p->due_ns[id] == 0)
			continue;
		note(&p->latency, p->due_ns[id], now_ns());
		p->due_ns[id] = 0;
		p->tally.answered++;
		p->tally.rcode[data[3] & 15]++;
	}
}

/* Of all that were sent: what was never answered is longer than anything that was. False: that is where the share falls. */
static bool quantile_us(const struct histogram *h, unsigned long total, double share, double *us)
{
	double seen = 0;
	for (unsigned i = 0; i < BUCKETS; i++) {
		seen += (double)h->count[i];
		if (h->count[i] > 0 && seen >= share * (double)total) {
			*us = bucket_us(i);
			return true;
		}
	}
	return false;
}

static void print_quantile(const char *name, const struct histogram *h, unsigned long total, double share)
{
	double us;
	if (quantile_us(h, total, share, &us))
		printf(", \"%s\": %.2f", name, us);
	else
		printf(", \"%s\": null", name);
}

static void print_paced(const struct paced *p, double seconds)
{
	const char *comma = "";
	printf("{");
	print_tally(&p->tally, seconds);
	print_quantile("p50_us", &p->latency, p->tally.sent, 0.5);
	print_quantile("p99_us", &p->latency, p->tally.sent, 0.99);
	print_quantile("p999_us", &p->latency, p->tally.sent, 0.999);
	print_quantile("late_p99_us", &p->late, p->tally.sent, 0.99);
	printf(", \"histogram\": [");
	for (unsigned i = 0; i < BUCKETS; i++)
		if (p->latency.count[i] > 0) {
			printf("%s[%.3f, %lu]", comma, bucket_us(i), p->latency.count[i]);
			comma = ", ";
		}
	printf("]}\n");
}

static void go_first(void)
{
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 10}) != 0)
		fprintf(stderr, "flood: no real-time priority here; its own waits count too\n");
}

static void wait_until_ns(int fd, uint64_t until)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	uint64_t now = now_ns(), left = until > now ? until - now : 0;
	struct timespec ts = {.tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000)};
	ppoll(&poll_fd, 1, &ts, NULL);
}

void flood_paced(int fd, unsigned long count, unsigned long rate)
{
	static struct paced load; /* half a megabyte */
	struct paced *p = &load;
	go_first();
	p->rate = rate;
	p->count = count;
	p->begin_ns = now_ns() + 1000000;
	uint64_t end = due_at(p, count) + PATIENCE_NS;
	while (p->tally.answered < count && now_ns() < end) {
		send_due(p, fd);
		receive(p, fd);
		if (p->tally.answered < count)
			wait_until_ns(fd, p->tally.sent < count ? due_at(p, p->tally.sent) : end);
	}
	print_paced(p, (double)(now_ns() - p->begin_ns) / 1e9);
}
