/* Ports that are bound at the start and held: `lend: reserved`, as Windows' socket pool does it, but so that nobody
 * outside can tell which they are: an idle one is connected to a place that never answers, and looks closed.
 *
 *	struct reserve *reserve = reserve_new(&conf);
 *	struct hand hand;
 *	hand_init(&hand, reserve, &draw);                   one for each worker
 *	struct berth *berth;
 *	if (hand_take(&hand, &server, &berth) == 0) { ...; hand_give(&hand, berth, true); }
 *	uint64_t due_us = hand_tend(&hand, now_us);         then, at the latest
 *
 * One reserve for all workers: a worker that had ports of its own would give an attacker fewer to guess
 * (CVE-2026-50252). Each exchange draws among all idle ones. A port is swapped for a new one after so many uses or so
 * many seconds, and when it is not usable any more.
 *
 * Ownership: a berth is the hand's from hand_take to hand_give. Thread: a hand is one worker's; the reserve is shared,
 * without locks but for opening a family. Never suspends. */
#pragma once

#include "base/addr.h"
#include "ports/space.h"

enum { RESERVE_MAX = 10000, HAND_RING = 8192 };

struct reserve_conf {
	struct port_space *space;
	unsigned size;  /* ports of each family, 1 to RESERVE_MAX */
	unsigned uses;  /* exchanges before a port is swapped for another; 0: any number */
	unsigned age_s; /* seconds before it is; 0: any number */
	bool ipv4, ipv6;
};

/* A port that is held, with its socket. */
struct berth {
	int fd; /* -1: could not be opened; tried again now and then */
	uint16_t port;
	uint8_t source;     /* which of our addresses it is tied to */
	unsigned at;        /* its place among those of its family */
	uint32_t serial;    /* counts its sockets */
	uint32_t uses;      /* of this one */
	uint64_t born_us;   /* monotonic */
	uint64_t given_us;  /* monotonic, of the last return; 0: dark */
	struct addr server; /* of the last loan, or of this one */
};

struct reserve;

struct reserve *reserve_new(const struct reserve_conf *conf);
/* When no hand has anything any more. */
void reserve_free(struct reserve *reserve);
/* How many ports are held, of both families. */
unsigned reserve_held(const struct reserve *reserve);
/* Of one family: fewer than were asked for when an eighth of the usable ports would not be left. */
unsigned reserve_size(const struct reserve *reserve);
/* Among how many a port is drawn now: what the family that holds fewer holds. */
unsigned reserve_among(const struct reserve *reserve);
/* How many ports each of so many families may hold when so many are usable: an eighth is left for questions over TCP and
 * loans beyond the pool. At least 1. */
unsigned reserve_quota(unsigned usable, unsigned families);

/* A berth that was given back and is still connected to its server. */
struct dusk {
	struct berth *berth;
	uint64_t given_us;
};

/* What one worker knows. */
struct hand {
	struct reserve *reserve;
	struct port_draw *draw; /* the caller's */
	struct dusk ring[HAND_RING];
	unsigned first, count;
	uint64_t looked_us; /* when all berths were looked at last */
};

void hand_init(struct hand *hand, struct reserve *reserve, struct port_draw *draw);
/* A random idle berth, connected to the server. What another server sent to an earlier loan may still wait in its
 * queue (loan_receive passes over it), and an ICMP error of that time for the first send; of this server's, nothing
 * does. 0, or E_NOPORT when all are lent, E_UNREACH, E_SYSTEM. */
int hand_take(struct hand *hand, const struct addr *server, struct berth **out) __attribute__((warn_unused_result));
/* `clean`: the one reply was taken from it, and nothing else can wait there but what came since. */
void hand_give(struct hand *hand, struct berth *berth, bool clean);
/* Darkens what has been idle for a moment, swaps what is old. Returns when it wants to be called again. */
uint64_t hand_tend(struct hand *hand, uint64_t now_us);
