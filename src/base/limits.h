/* Every defensive limit of the house on one screen, each with its reason. */
#pragma once

/* --- messages --- */
#define LIMIT_UDP_PAYLOAD 1232  /* EDNS buffer offered and honoured: no IP fragments (DNS flag day 2020, RFC 9715) */
#define LIMIT_UDP_QUERY   4096  /* a client's UDP query longer than this is not read whole: dropped and counted */
#define LIMIT_MESSAGE     65535 /* RFC 1035 4.2.2: a message over TCP has 16 bits of length */
#define LIMIT_MESSAGE_RRS 4096  /* records kept of one reply; a 64 KiB message could hold 5,461 */
#define LIMIT_MESSAGE_STEPS                                                                                            \
	(128u << 10) /* labels and pointers of all its names, 32 for each record: ladders of pointers cost 40 ms */
#define LIMIT_SIGS                                                                                                     \
	8 /* signatures kept of an rrset: two algorithms, each rolled over, are four (KeyTrap, CVE-2023-50387) */
#define LIMIT_SIGNED_BYTES                                                                                             \
	(128u << 10) /* signed data of an rrset: each record has its owner in full there, 16 times what a message held */
#define LIMIT_KEYS        512   /* public keys that a worker keeps parsed */
#define LIMIT_RRSET_BYTES 60000 /* an rrset that no message could carry is refused */

/* --- one client request (struct budget) --- */
#define LIMIT_DEADLINE_MS                                                                                              \
	4500 /* clients give up after 5 s (resolv.conf): the answer that it failed must be there before */
#define LIMIT_QUESTIONS        64 /* upstream questions, sub-lookups included: NXNSAttack CVE-2020-8616, CAMP */
#define LIMIT_SERVER_QUESTIONS 20 /* of these for addresses of servers: NXNSAttack, aimed at a third party */
#define LIMIT_REFERRALS        40 /* referrals over all sub-lookups: CVE-2014-8500, a chain of endless delegations */
#define LIMIT_ALIASES          16 /* CNAMEs over all sub-lookups: CVE-2021-25219-like chains, Unchained */
#define LIMIT_DEPTH            6  /* a lookup within a lookup, for addresses of servers: iDNS attack, TsuNAME */
#define LIMIT_SERVER_LOOKUPS   12 /* lookups of server addresses: NXNSAttack, NRDelegation CVE-2022-3204 */
#define LIMIT_REQUEST_BYTES    (2u << 20) /* arena of one request; the largest replies are 64 KiB each */
#define LIMIT_TRIES_PER_ZONE   12         /* questions sent to one zone's servers for one question: resend loops */
#define LIMIT_TRIES_PER_ADDRESS                                                                                        \
	3                      /* of these to one address: resend loops (TC, FORMERR, BADCOOKIE), dead servers (PRSD) */
#define LIMIT_TRIES_DEAF     1 /* to one that was always silent (PRSD, strangers' addresses as glue) */
#define LIMIT_TRIES_REFUSED  6 /* so many servers of a zone said no: the others would (NXNSAttack with glue) */
#define LIMIT_TRIES_FIRST    3 /* the same for servers with first: true: there must be time for the others */
#define LIMIT_REQUESTS_BYTES (64u << 20) /* arenas of all requests of a worker */
#define LIMIT_ANSWER_ANY     16          /* rrsets kept of an answer to ANY (RFC 8482) */
#define LIMIT_PROOFS         8           /* NSEC or NSEC3 rrsets kept of a denial: four prove any (RFC 5155 7.2) */
#define LIMIT_SIGNATURES     128 /* signatures checked: long chains of aliases through signed zones need some 70 */
#define LIMIT_SIGNATURES_BAD 16  /* of these in vain (KeyTrap, CVE-2023-50387): less than a millisecond */
#define LIMIT_HASHES         128 /* names hashed for NSEC3 (CVE-2023-50868), times 50 rounds at most */
#define LIMIT_DENIALS_HASHES 20  /* names hashed to look for known NSEC3, without the wildcard (CVE-2023-50868) */
#define LIMIT_CHECKS_IN_ROW  4   /* signatures checked before others get their turn */
#define LIMIT_ZONE_KEYS      64  /* of a zone that are looked at, */
#define LIMIT_KEYS_OF_TAG    4   /* and tried for one signature: tags of 16 bits collide by chance, rarely */
#define LIMIT_DS             16  /* of a zone that are looked at */
#define LIMIT_CHAIN          8   /* links of a chain of trust that wait for each other: a stack of 128 KiB */
#define LIMIT_CHAIN_ZONES    32  /* zones, one in the other, from an anchor down */
#define LIMIT_BOGUS_TRIES    3   /* what is bogus is asked for at so many servers */
#define LIMIT_AVOIDED        6   /* servers that a request avoids for that */
#define LIMIT_BOGUS_TTL_S    30  /* it is kept so long, for those who check by themselves */
#define LIMIT_STORY_EVENTS   256 /* lines of `berth why`; the rest is counted */

/* --- servers of one zone --- */
#define LIMIT_CUT_SERVERS   16 /* name servers of one zone looked at: huge NS sets, NXNSAttack */
#define LIMIT_CUT_AGE_S     10 /* a delegation whose servers all fail is asked for again when it is so old: TsuNAME */
#define LIMIT_CUT_LOOKUPS   5  /* of its servers' addresses, for one question: NXNSAttack, NRDelegation CVE-2022-3204 */
#define LIMIT_CUT_ADDRESSES 32 /* addresses of one zone's servers looked at: NXNSAttack with glue */

/* --- minimisation (RFC 9156 2.3) --- */
#define LIMIT_MINIMISE_STEPS  10 /* MAX_MINIMISE_COUNT */
#define LIMIT_MINIMISE_SINGLE 4  /* MINIMISE_ONE_LAB */
/* Whoever strings aliases together must not choose how many questions each costs (CAMP, Unchained): */
#define LIMIT_MINIMISE_ALIASES      3 /* after so many their targets are asked for whole at once; before, */
#define LIMIT_MINIMISE_ALIAS_LABELS 2 /* they are hidden from the root and from top-level domains, */
#define LIMIT_MINIMISE_ALIAS_STEPS  2 /* in so many questions, and then asked for whole */

/* --- time --- */
#define LIMIT_TRY_MARGIN_MS  100   /* waited beyond the usual time of a server: jitter, its load and ours */
#define LIMIT_TRY_UNKNOWN_MS 376   /* wait for a server never asked before (Unbound's UNKNOWN_SERVER_NICENESS) */
#define LIMIT_HINT_MS        100   /* at most waited on after an ICMP error, which may be forged (RFC 5927) */
#define LIMIT_TRY_MAX_MS     1500  /* longest wait for one try: three tries fit the deadline */
#define LIMIT_TCP_MS         2500  /* one exchange over TCP, connecting included */
#define LIMIT_TCP_IDLE_MS    10000 /* a client's idle connection (RFC 7766 6.2.3) */
#define LIMIT_NO_ROUTE_MS    10000 /* a family without a route is left alone for so long */
#define LIMIT_PRIMING_S      60    /* the root is not asked for its servers more often */
#define LIMIT_FACTS_S        900   /* what is known of a server is forgotten after this */

/* --- crowds --- */
#define LIMIT_REQUESTS           4096 /* lookups a worker runs at once; more clients are told SERVFAIL with EDE 23 */
#define LIMIT_WAITERS            512  /* clients waiting for one lookup; more get SERVFAIL (DNSBomb, CVE-2024-33655) */
#define LIMIT_TCP_CLIENTS        512  /* connections of clients for each worker */
#define LIMIT_TCP_CLIENT_QUERIES 64   /* queries of one connection being worked on at once */
#define LIMIT_CONTROL_CLIENTS    32   /* connections to the control socket */
#define LIMIT_CONTROL_LINE       4096 /* one request on the control socket */
#define LIMIT_CONTROL_CALLS      8    /* requests of one control client under way at once */
#define LIMIT_WORKERS            256
#define LIMIT_FIBER_STACK        (128u << 10) /* lookups within lookups and LIMIT_CHAIN links; frames of 2 KiB */
#define LIMIT_FIBERS_KEPT        1024         /* stacks kept for reuse by each worker */

/* --- TCP to servers --- */
#define LIMIT_UPSTREAMS          256  /* connections of a worker */
#define LIMIT_UPSTREAM_SHARE     4    /* a 4th of them at most is for the servers of one zone */
#define LIMIT_UPSTREAM_QUESTIONS 64   /* on one of them at once */
#define LIMIT_UPSTREAM_STRANGERS 64   /* messages that answer none of them: then the connection ends */
#define LIMIT_UPSTREAM_IDLE_MS   3000 /* without a question or reply: longer than one is waited for (RFC 7766 6.2.3) */

/* --- forged replies --- */
#define LIMIT_MISMATCHES 3 /* within a minute, in the name of one server: then it is asked over TCP only */
#define LIMIT_MISMATCH_S 60
#define LIMIT_TCP_ONLY_S 60 /* for so long */

/* --- ports --- */
#define LIMIT_FEW_PORTS    2048 /* fewer usable ones are warned about: RFC 6056 3.2 wants as many as possible */
#define LIMIT_PORT_DRAWS   64   /* draws before the free ports are listed and one of those drawn */
#define LIMIT_PORT_TAKEN_S 10   /* a port found taken by another program is not tried again for so long */
#define LIMIT_LEND_TRIES   1024 /* ports tried for one loan: others may hold 97 of 100; each is remembered */
#define LIMIT_LACK_S       60   /* that ports are short is said once in so long, for each cause */
#define LIMIT_DUSK_MS      50   /* a reserved port stays connected to its server for so long after its exchange */
#define LIMIT_LINGER_MS    2000 /* a port whose question timed out waits so long for the late reply */
#define LIMIT_GIVEN_UP     64   /* questions remembered that timed out on a port which could not wait, */
#define LIMIT_GIVEN_UP_S   5    /* for so long */
#define LIMIT_LINGERING    1024 /* ports that do so at once, of each worker */
#define LIMIT_QUEUE_MS     1000 /* an exchange waits so long for a port when ports.max are lent */
#define LIMIT_QUEUE        4096 /* exchanges of a worker that wait at once */
#define LIMIT_SERVER_SHARE                                                                                             \
	4                  /* one server may hold a 4th of ports.max, so that a deaf one cannot hold them all (PRSD), */
#define LIMIT_ZONE_SHARE 2 /* and the servers of one zone half */
#define LIMIT_LOOK_S     5 /* who else holds ports on this machine is looked at that often */
#define LIMIT_LEDGER     65536 /* loans remembered: with 7,000 questions a second some nine seconds */

/* --- the web page: a stranger must not be able to keep others out, nor cost a resolver its time --- */
#define LIMIT_WEB_CLIENTS      96          /* connections at once, */
#define LIMIT_WEB_FROM_ONE     32          /* and of one address: a browser opens six, a tab with the map keeps one */
#define LIMIT_WEB_MEMORY       (24u << 10) /* of one connection: request line and headers have to fit */
#define LIMIT_WEB_REQUEST_S    10          /* a whole request has to be there; also how long a connection may idle */
#define LIMIT_WEB_STALL_S      15          /* a client that takes nothing of its reply is given up */
#define LIMIT_WEB_BODY         1024        /* of a POST */
#define LIMIT_WEB_VIEWERS      24          /* event streams at once */
#define LIMIT_WEB_VIEWER_BYTES (1u << 20)  /* waiting for one slow viewer; beyond it it starts anew */
#define LIMIT_WEB_VIEW_S       600 /* a stream ends, and the browser asks again: who may see is asked again too */
#define LIMIT_WEB_LOOKS        32  /* jobs that wait for the looker */
#define LIMIT_WEB_TOURS        16  /* requests that wait for the workers */
#define LIMIT_WEB_SESSIONS     16  /* people logged in; the oldest goes */
#define LIMIT_WEB_SESSION_S    43200
#define LIMIT_WEB_LOGINS       6      /* wrong passwords in a minute of one address, */
#define LIMIT_WEB_LOGINS_HERE  60     /* and of all that come by way of this machine: what a proxy says may be a lie */
#define LIMIT_WEB_VOTES_OF_ONE 60     /* votes in a minute of one address, */
#define LIMIT_WEB_VOTES_OF_ALL 600    /* and of all: the file cannot be filled in an hour */
#define LIMIT_WEB_VOTES        200000 /* kept; after that only those there can be changed */
#define LIMIT_WEB_LOANS        512    /* loans a worker tells of in a quarter of a second; of more the newest */

/* --- history --- */
#define LIMIT_HISTORY_QUEUE   65536 /* loans that wait for the disk: what the ledgers hold; more are counted as lost */
#define LIMIT_HISTORY_SOCKETS 65536 /* sockets of this machine that the watch keeps in mind */
#define LIMIT_HISTORY_ENDED   4096  /* ends of sockets that it takes note of each second */
#define LIMIT_HISTORY_SEARCH  50    /* the search for owners rests so many times as long as it took: 2 % */
#define LIMIT_HISTORY_WATCH_S 5     /* the machine's sockets are listed that often */

/* --- caches --- */
#define LIMIT_CACHE_TTL_S    86400 /* RFC 8767 4: a TTL above a day is a mistake more often than a wish */
#define LIMIT_NEGATIVE_TTL_S 3600  /* RFC 2308 5: one to three hours */
#define LIMIT_PREFETCH_HITS  3     /* an answer given so often is looked up again before its end, */
#define LIMIT_PREFETCH_PART  10    /* in the last 10th of its time, */
#define LIMIT_PREFETCH_TTL_S 10    /* unless that is too short to be worth it */
#define LIMIT_STALE_MS       1800  /* RFC 8767 5: so long a new answer is waited for where there is an old one, */
#define LIMIT_STALE_TTL_S    30    /* which is then good for so long */
#define LIMIT_FAILURE_TTL_S  5     /* RFC 9520 3.2: failures are cached, one second to five minutes (TsuNAME, PRSD) */
