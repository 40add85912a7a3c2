/* Numbers that say what happened: one block for each thread, added up by who wants to see them.
 *
 *	counters_attach(&worker->counters);     once, by the thread itself
 *	counters_add(COUNT_QUERIES_UDP, 1);
 *	counters_sum(blocks, count, total);
 *
 * A thread adds only to its own block, with relaxed atomics: no lock, no shared cache line. Reading is from any
 * thread. A thread without a block adds to a common one. Names are what `berth stats` prints. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define COUNTER_LIST(X)                                                                                                \
	X(QUERIES_UDP, "queries.udp", "queries that came over UDP")                                                    \
	X(QUERIES_XDP, "queries.xdp", "of those over UDP, queries that came by XDP")                                   \
	X(QUERIES_TCP, "queries.tcp", "queries that came over TCP")                                                    \
	X(QUERIES_MALFORMED, "queries.malformed", "queries answered with FORMERR")                                     \
	X(QUERIES_DROPPED, "queries.dropped", "datagrams that were no query, or more than could be served")            \
	X(QUERIES_REFUSED, "queries.refused",                                                                          \
		"refused: access.allow does not name the client, or no such thing is answered")                        \
	X(ANSWERS_CACHED, "answers.cached", "answered from the answer cache")                                          \
	X(ANSWERS_KNOWN, "answers.known", "answered without a question to a server: from the rrset cache, or at once") \
	X(ANSWERS_MERGED, "answers.merged", "joined a lookup that was under way")                                      \
	X(ANSWERS_STALE, "answers.stale", "answered with what had expired, for want of better")                        \
	X(ANSWERS_PREFETCHED, "answers.prefetched", "looked up again before they expired")                             \
	X(ANSWERS_SYNTHESIZED, "answers.synthesized", "made from what zones have proved before")                       \
	X(ANSWERS_NOERROR, "answers.noerror", "lookups that ended in NOERROR")                                         \
	X(ANSWERS_NXDOMAIN, "answers.nxdomain", "lookups that ended in NXDOMAIN")                                      \
	X(ANSWERS_SERVFAIL, "answers.servfail", "lookups that ended in SERVFAIL")                                      \
	X(ANSWERS_SENT, "answers.sent", "answers sent to clients")                                                     \
	X(ANSWERS_UNSENT, "answers.unsent", "answers that could not be sent")                                          \
	X(ANSWERS_SECURE, "answers.secure", "answers proved to be what their zones say")                               \
	X(ANSWERS_BOGUS, "answers.bogus", "answers refused because they are not what their zones have signed")         \
	X(SIGNATURES, "signatures", "signatures checked")                                                              \
	X(LOOKUPS, "lookups", "lookups run, those for servers' addresses included")                                    \
	X(LOOKUPS_SHED, "lookups.shed", "refused because too many lookups were running")                               \
	X(UPSTREAM_UDP, "upstream.udp", "questions sent to servers over UDP")                                          \
	X(UPSTREAM_TCP, "upstream.tcp", "questions sent to servers over TCP")                                          \
	X(UPSTREAM_CONNECTIONS, "upstream.connections", "TCP connections opened to servers")                           \
	X(UPSTREAM_LETTERS, "upstream.letters", "letters of questions whose case was drawn, a bit to guess each")      \
	X(UPSTREAM_COOKIES, "upstream.cookies", "questions whose reply has to bring a server cookie back")             \
	X(UPSTREAM_MERGED, "upstream.merged", "identical questions that joined one in flight")                         \
	X(UPSTREAM_REPLIES, "upstream.replies", "replies accepted")                                                    \
	X(UPSTREAM_TIMEOUTS, "upstream.timeouts", "questions that got no reply in time")                               \
	X(UPSTREAM_ERRORS, "upstream.errors", "questions that failed: refused, no route, closed")                      \
	X(UPSTREAM_MISMATCHED, "upstream.mismatched", "datagrams on a lent port that did not match its question")      \
	X(UPSTREAM_FRAGMENTED, "upstream.fragmented",                                                                  \
		"replies that came in IP fragments: not trusted, asked over TCP")                                      \
	X(UPSTREAM_ICMP, "upstream.icmp", "ICMP errors for questions: hints, the reply was waited for all the same")   \
	X(UPSTREAM_MALFORMED, "upstream.malformed", "replies that matched but could not be read")                      \
	X(UPSTREAM_TRUNCATED, "upstream.truncated", "replies with TC, asked again over TCP")                           \
	X(UPSTREAM_SCRUBBED, "upstream.scrubbed", "records of replies thrown away")                                    \
	X(LOANS, "loans", "ports lent")                                                                                \
	X(LOANS_MOORED, "loans.moored", "loans on a re-moored socket")                                                 \
	X(LOANS_FRESH, "loans.fresh", "loans on a fresh bound socket")                                                 \
	X(LOANS_RESERVED, "loans.reserved", "loans of a port that was held before")                                    \
	X(LOANS_QUEUED, "loans.queued", "loans that had to wait: all that may be were out")                            \
	X(LOANS_SHED, "loans.shed", "questions given up because no loan could be had in time")                         \
	X(LOANS_CROWDED, "loans.crowded", "questions not sent: one server or zone held its share of the loans")        \
	X(LOANS_LATE, "loans.late", "replies that came after their question was given up, to a port that waited")      \
	X(LOANS_GROWN, "loans.grown", "loans beyond the pool")                                                         \
	X(LOANS_FAILED, "loans.failed", "loans that found no port")                                                    \
	X(PORTS_TAKEN, "ports.taken", "draws that met a port of another program")                                      \
	X(PORTS_DENIED, "ports.denied", "draws that the system did not permit (EACCES)")                               \
	X(PORTS_NOFILES, "ports.nofiles", "draws that ran out of descriptors")                                         \
	X(PORTS_NOBUFS, "ports.nobufs", "draws that the kernel had no memory for")                                     \
	X(FIBERS_PEAK_STACK, "fibers.peak-stack", "deepest stack of a fiber, in bytes (looked at now and then)")       \
	X(EXPECT_FAILED, "expect.failed", "checks of the program's own state that failed")

enum counter {
#define X(name, key, text) COUNT_##name,
	COUNTER_LIST(X)
#undef X
		COUNTERS,
};

/* Spans of time that are counted by their length: bucket i has those below 64 << i microseconds that the one before it
 * has not; the last one has all the rest. */
#define TIMING_LIST(X)                                                                                                 \
	X(UPSTREAM_RTT, "upstream.rtt", "time from a question to a server to its reply")                               \
	X(ANSWER_TIME, "answers.time", "time from a client's query to its answer, of those not in the answer cache")

enum timing {
#define X(name, key, text) TIME_##name,
	TIMING_LIST(X)
#undef X
		TIMINGS,
};

enum { TIMING_BUCKETS = 18, COUNTED_EDES = 32 };

struct counters {
	_Alignas(64) _Atomic uint64_t value[COUNTERS];
	_Atomic uint64_t timing[TIMINGS][TIMING_BUCKETS], timing_us[TIMINGS];
	_Atomic uint64_t ede[COUNTED_EDES]; /* answers by extended error (RFC 8914); higher codes are not counted */
};

/* From now on the calling thread counts in `block`; NULL: in the common one. The block must outlive the thread. */
void counters_attach(struct counters *block);
void counters_add(enum counter which, uint64_t by);
void counters_max(enum counter which, uint64_t value);
uint64_t counters_get(const struct counters *block, enum counter which);

/* Adds all blocks, and the common one, into total[COUNTERS]. */
void counters_sum(struct counters *const blocks[], size_t count, uint64_t total[COUNTERS]);

/* A span of time that ended. */
void counters_time(enum timing which, uint64_t us);
/* An answer was given this extended error; a negative code is none. */
void counters_ede(int code);

struct timing_sum {
	uint64_t bucket[TIMING_BUCKETS], us;
};
void counters_sum_timing(struct counters *const blocks[], size_t count, enum timing which, struct timing_sum *out);
void counters_sum_ede(struct counters *const blocks[], size_t count, uint64_t total[COUNTED_EDES]);
/* The length in microseconds that a bucket ends below; 0: the last one, which has no end. */
uint64_t timing_limit_us(unsigned bucket);
const char *timing_key(enum timing which);
const char *timing_help(enum timing which);

const char *counter_key(enum counter which);
const char *counter_help(enum counter which);
