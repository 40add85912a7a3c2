/* DNS messages: reading what came from the network, writing what goes out.
 *
 *	struct query query;
 *	switch (query_read(&query, wire, len)) { case QUERY_OK: ... }        a client's query: no allocation
 *
 *	struct message msg;
 *	if (message_read(&msg, arena, wire, len) != 0) ...                    a server's reply, whole, into the arena
 *
 * Every byte is hostile: bounds first, nothing asserts. The wire must stay while a query or message is used (names and
 * records are copies, `raw_name` is not). Standards: RFC 1035 4, RFC 6891, RFC 8914. Thread: any. Never suspends. */
#pragma once

#include "dns/rrset.h"

enum section { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL, SECTIONS };

enum { COOKIE_CLIENT = 8, COOKIE_SERVER_MIN = 8, COOKIE_SERVER_MAX = 32 };
enum {
	MESSAGE_HEADER = 12,
	MESSAGE_OPT = 11,
	MESSAGE_COOKIE_MAX = 4 + COOKIE_CLIENT + COOKIE_SERVER_MAX,
	MESSAGE_QUERY_MAX = MESSAGE_HEADER + NAME_MAX_LEN + 4 + MESSAGE_OPT + MESSAGE_COOKIE_MAX,
};

/* A DNS cookie (RFC 7873, 9018): our part, and the server's for us. */
struct cookie {
	uint8_t client[COOKIE_CLIENT];
	uint8_t server[COOKIE_SERVER_MAX];
	uint8_t server_len; /* 0: none */
};

/* Extended DNS Errors that the house gives (RFC 8914 4). EDE_NONE stands for none. */
enum ede {
	EDE_NONE = -1,
	EDE_OTHER = 0,
	EDE_UNSUPPORTED_KEY = 1,
	EDE_UNSUPPORTED_DS = 2,
	EDE_STALE_ANSWER = 3,
	EDE_INDETERMINATE = 5,
	EDE_DNSSEC_BOGUS = 6,
	EDE_SIGNATURE_EXPIRED = 7,
	EDE_SIGNATURE_EARLY = 8,
	EDE_DNSKEY_MISSING = 9,
	EDE_RRSIGS_MISSING = 10,
	EDE_NO_ZONE_BIT = 11,
	EDE_NSEC_MISSING = 12,
	EDE_CACHED_ERROR = 13,
	EDE_PROHIBITED = 18,
	EDE_STALE_NXDOMAIN = 19,
	EDE_NOT_AUTHORITATIVE = 20,
	EDE_NOT_SUPPORTED = 21,
	EDE_NO_REACHABLE = 22,
	EDE_NETWORK_ERROR = 23,
	EDE_INVALID_DATA = 24,
	EDE_SIGNATURE_BACKWARDS = 25,
	EDE_NSEC3_ITERATIONS = 27,
};
/* The registered name of a code. */
const char *ede_text(int code);

/* --- a client's query --- */

enum query_verdict {
	QUERY_OK,
	QUERY_DROP,    /* too short, or a response: no answer at all */
	QUERY_FORMERR, /* answer with the header and RCODE 1 */
	QUERY_NOTIMP,  /* another opcode */
	QUERY_BADVERS, /* EDNS version above 0: RFC 6891 6.1.3 */
};

struct query {
	uint16_t id;
	bool rd, cd, ad;
	const uint8_t *raw_name; /* as asked, in the wire */
	uint8_t name_len;
	uint16_t type, rclass;
	bool edns, dnssec_ok;
	uint16_t udp_size;     /* what the client can take: 512 without EDNS */
	uint16_t question_end; /* offset behind the question; 0 when there is none to echo */
};

enum query_verdict query_read(struct query *query, const uint8_t *wire, size_t len);

/* --- a server's reply --- */

struct message {
	uint16_t id;
	uint8_t opcode;
	bool aa, tc, rd, ra, ad, cd;
	uint16_t rcode; /* with the upper bits of EDNS */
	bool edns;
	bool has_cookie; /* with a well-formed COOKIE option: */
	struct cookie cookie;
	struct question question; /* name NULL when there is none */
	struct rrset *set[SECTIONS];
	uint16_t count[SECTIONS];
};

/* Reads all of it and groups records into rrsets. 0, or E_MALFORMED; E_SPACE when it has more than LIMIT_MESSAGE_RRS.
 */
int message_read(struct message *msg, struct arena *arena, const uint8_t *wire, size_t len);
/* The rrset, or NULL. */
struct rrset *message_find(const struct message *msg, enum section section, const uint8_t *owner, uint16_t type);

enum match_kind {
	MATCH_YES,
	MATCH_CASE, /* all but the case of the name */
	MATCH_NO,
};
/* Whether wire is a reply to the question with this ID and this name, exactly as it was sent (RFC 5452 9.1). */
enum match_kind message_match(
	const uint8_t *wire, size_t len, uint16_t id, const uint8_t *raw_name, uint16_t type, uint16_t rclass);
static inline bool message_is_truncated(const uint8_t *wire)
{
	return wire[2] & 0x02;
}

/* A question for a server. */
struct question_form {
	uint16_t id;
	const uint8_t *raw_name; /* sent in the case it has */
	uint16_t type, rclass;
	bool rd, cd;
	bool edns, dnssec_ok;
	const struct cookie *cookie; /* with edns; NULL: none */
};
/* Returns the length. */
size_t message_write_question(uint8_t wire[static MESSAGE_QUERY_MAX], const struct question_form *form);
/* Writes name into raw with each letter in a random case (draft-vixie-dnsext-dns0x20): some bits more to guess. raw
 * holds NAME_MAX_LEN bytes. Returns how many letters there were: as many bits. */
unsigned name_mix_case(uint8_t *raw, const uint8_t *name);

/* --- an answer for a client --- */

/* What resolution found; all in the request's arena. */
struct answer {
	uint16_t rcode;
	enum security security; /* secure: AD may be set */
	const struct rrset **set[SECTIONS];
	uint16_t count[SECTIONS];
	int ede;               /* enum ede */
	const char *ede_extra; /* plain words for EXTRA-TEXT; NULL for none */
};

/* Whether its answer section has records at the name: a chain of aliases that comes there again is a loop. */
bool answer_has_owner(const struct answer *answer, const uint8_t *name);

/* A finished answer in wire form without OPT: header (ID 0, QR, RA), question, records. Lives in the arena. */
struct answer_wire {
	uint8_t *wire;
	size_t len;
	uint16_t *ttl_at; /* offsets of all TTLs */
	uint16_t ttl_count;
	uint32_t ttl_s; /* how long it may be kept: the smallest TTL; 0: not at all */
	int ede;
	const char *ede_extra;
};

/* Signatures and denial records are left out unless dnssec_ok or the question asked for that type. 0, or E_SPACE when
 * 64 KiB do not hold it. */
int answer_write(struct answer_wire *out, struct arena *arena, const struct answer *answer, const struct question *q,
	bool dnssec_ok);
/* Writes an OPT with room for `udp_size` and, unless EDE_NONE, an EDE; returns its length, 0 when `room` is too small.
 */
size_t opt_write(uint8_t *out, size_t room, uint16_t udp_size, bool dnssec_ok, uint8_t ext_rcode, int ede,
	const char *ede_extra);
/* Turns a query in place into an error without records: header, question when `query` has one. Returns the length
 * (never more than the query's). */
size_t query_write_error(uint8_t *wire, const struct query *query, uint8_t rcode);
