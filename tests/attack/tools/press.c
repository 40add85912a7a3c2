/* Decides the load of an exhausting attack: asks a resolver for one name after the other, none twice, at a steady rate,
 * and beside it for names that are in its cache, and measures how long these take. Prints one line of JSON.
 *
 *	press RESOLVER LABEL ZONES FIRST A-SECOND SECONDS CACHED-A-SECOND
 *
 * Names are those of race.c: LABEL, seven digits, LABEL100. and so on. Those in the cache are the first of each zone.
 * Nothing waits for an answer, so a slow resolver slows nothing down. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bounds.h"

enum {
	BATCH_US = 1000,
	CACHED_MAX = 65536,
	LABEL_MAX = 20,
	WIRE = 128,
	WAIT_US = 1000000,
	SERVFAIL = 2,
	LATE_US = 50000
};

struct press {
	const char *label;
	unsigned zones, first;
	uint64_t rate, cached_rate, seconds;
	int fd, cached_fd;
	unsigned long asked, answered, servfail;
	unsigned cached_asked, cached_answered;
	uint32_t took_us[CACHED_MAX]; /* by ID; 0: no answer yet */
	uint64_t sent_us[CACHED_MAX];
};

static uint8_t *put_label(uint8_t *at, const char *text)
{
	size_t len = strlen(text);
	*at = (uint8_t)len;
	memcpy(at + 1, text, len);
	return at + 1 + len;
}

static size_t write_query(const struct press *press, uint8_t *out, uint16_t id, unsigned long name, unsigned zone)
{
	char text[LABEL_MAX + 12];
	memcpy(out, (uint8_t[12]){(uint8_t)(id >> 8), (uint8_t)id, 1, 0, 0, 1}, 12);
	snprintf(text, sizeof(text), "%s%07lu", press->label, name);
	uint8_t *at = put_label(out + 12, text);
	snprintf(text, sizeof(text), "%s%u", press->label, 100 + zone);
	at = put_label(at, text);
	memcpy(at, "\0\0\1\0\1", 5);
	return (size_t)(at + 5 - out);
}

static void ask_new(struct press *press)
{
	uint8_t wire[WIRE];
	unsigned long name = press->first + press->asked;
	size_t len = write_query(press, wire, (uint16_t)press->asked, name, (unsigned)(press->asked % press->zones));
	(void)!send(press->fd, wire, len, MSG_DONTWAIT);
	press->asked++;
}

static void ask_cached(struct press *press)
{
	uint8_t wire[WIRE];
	unsigned id = press->cached_asked++, zone = id % press->zones;
	size_t len = write_query(press, wire, (uint16_t)id, zone, zone);
	press->sent_us[id] = bounds_now_us();
	(void)!send(press->cached_fd, wire, len, MSG_DONTWAIT);
}

static void take_answers(struct press *press)
{
	uint8_t wire[1500];
	while (recv(press->fd, wire, sizeof(wire), MSG_DONTWAIT) >= 12) {
		press->answered++;
		press->servfail += (wire[3] & 15) == SERVFAIL;
	}
}

/* Only a true answer counts. */
static void take_cached(struct press *press)
{
	uint8_t wire[1500];
	while (recv(press->cached_fd, wire, sizeof(wire), MSG_DONTWAIT) >= 12) {
		unsigned id = (unsigned)wire[0] << 8 | wire[1];
		if ((wire[3] & 15) != 0 || wire[7] == 0 || press->took_us[id] != 0)
			continue;
		press->took_us[id] = (uint32_t)(bounds_now_us() - press->sent_us[id]) + 1;
		press->cached_answered++;
	}
}

/* Until then, whatever comes in is taken at once: the time of a cached answer is the resolver's, not ours. */
static void listen_until(struct press *press, uint64_t then_us)
{
	struct pollfd both[2] = {{.fd = press->cached_fd, .events = POLLIN}, {.fd = press->fd, .events = POLLIN}};
	for (uint64_t now_us; (now_us = bounds_now_us()) < then_us;) {
		struct timespec wait = {
			.tv_nsec = (long)(then_us - now_us < 1000000 ? then_us - now_us : 999999) * 1000};
		if (ppoll(both, 2, &wait, NULL) <= 0)
			continue;
		take_cached(press);
		take_answers(press);
	}
}

static void run(struct press *press)
{
	uint64_t begin_us = bounds_now_us(), end_us = begin_us + press->seconds * 1000000;
	for (uint64_t now_us = begin_us; now_us < end_us; now_us = bounds_now_us()) {
		while (press->cached_asked < (now_us - begin_us) * press->cached_rate / 1000000 &&
			press->cached_asked < CACHED_MAX)
			ask_cached(press);
		while (press->asked < (now_us - begin_us) * press->rate / 1000000)
			ask_new(press);
		take_cached(press);
		listen_until(press, now_us + BATCH_US);
	}
	listen_until(press, bounds_now_us() + WAIT_US);
}

static int by_size(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	return a < b ? -1 : a > b;
}

/* Whoever was not answered took longest of all. */
static void report(struct press *press)
{
	unsigned count = press->cached_asked, at = count * 99 / 100, missing = count - press->cached_answered;
	uint32_t *took = press->took_us;
	unsigned late = 0, first_late = 0, last_late = 0;
	for (unsigned i = 0; i < count; i++) {
		took[i] = took[i] != 0 ? took[i] : UINT32_MAX;
		if (took[i] <= LATE_US)
			continue;
		last_late = (unsigned)((press->sent_us[i] - press->sent_us[0]) / 1000);
		first_late = late++ == 0 ? last_late : first_late;
	}
	qsort(took, count, sizeof(*took), by_size);
	printf("{\"asked\": %lu, \"answered\": %lu, \"servfail\": %lu, \"cached_asked\": %u, \"cached_missing\": %u, "
	       "\"cached_late\": %u, \"first_late_ms\": %u, \"last_late_ms\": %u, \"cached_p50_us\": %u, "
	       "\"cached_p99_us\": %u}\n",
		press->asked, press->answered, press->servfail, count, missing, late, first_late, last_late,
		count > 0 ? took[count / 2] : 0, count > 0 ? took[at] : 0);
}

static int open_client(struct in_addr resolver)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr = resolver};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = 16 << 20;
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		perror("socket");
		exit(1);
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	return fd;
}

int main(int argc, char *argv[])
{
	static struct press press;
	bounds_check("press");
	if (argc != 8 || strlen(argv[2]) > LABEL_MAX) {
		fprintf(stderr, "usage: press RESOLVER LABEL ZONES FIRST A-SECOND SECONDS CACHED-A-SECOND\n");
		return 2;
	}
	struct in_addr resolver = bounds_address(argv[1]);
	press.label = argv[2];
	press.zones = (unsigned)bounds_number(argv[3], 1, 800);
	press.first = (unsigned)bounds_number(argv[4], 0, 9000000);
	press.rate = bounds_number(argv[5], 1, 50000);
	press.seconds = bounds_number(argv[6], 1, 60);
	press.cached_rate = bounds_number(argv[7], 1, 1000);
	alarm((unsigned)press.seconds + 10);
	press.fd = open_client(resolver);
	press.cached_fd = open_client(resolver);
	run(&press);
	report(&press);
	return 0;
}
