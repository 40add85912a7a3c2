/* What an off-path attacker has to guess of one question besides its port, and what makes a datagram its reply. For
 * resolve/ only.
 *
 *	struct match match;
 *	match_begin(&match, rq, ex);                       draws ID, case of the name, cookie
 *	len = match_write(&match, wire);
 *	ret = match_accept(&match, TRANSPORT_UDP, wire, len, &reply);
 *
 * Standards: RFC 5452 9.1, RFC 7873, draft-vixie-dnsext-dns0x20. Lifetime: one try; all in the request's arena.
 * Thread: the request's. Never suspends. */
#pragma once

#include "resolve/request.h"

struct exchange;

struct match {
	struct request *rq;
	const struct question *question;
	const struct addr *server;
	const uint8_t *raw_name; /* in the case that was drawn */
	struct cookie cookie;
	uint16_t id;
	bool edns;
	bool rd, cd;
	bool mixes_case;
	bool cookie_owed; /* the server has sent a cookie before: a reply without one is not its */
};

void match_begin(struct match *match, struct request *rq, const struct exchange *ex);
/* Another ID: the first is another question's on the same connection. */
void match_draw_id(struct match *match);
size_t match_write(const struct match *match, uint8_t wire[static MESSAGE_QUERY_MAX]);
/* 0: it is the reply, read into *reply (of a truncated one only its flags); E_MISMATCH: it is not; E_MALFORMED: it is,
 * but not to be read. The question in the wire is put back to lower case. What is learnt of the server is learnt here,
 * from replies only. */
int match_accept(const struct match *match, enum transport transport, uint8_t *wire, size_t len, struct message *reply)
	__attribute__((warn_unused_result));
/* Reads a reply that somebody else's match has accepted. 0, or E_MALFORMED, E_SPACE. */
int match_read_again(struct arena *arena, const uint8_t *wire, size_t len, struct message *reply)
	__attribute__((warn_unused_result));

/* What a reply must match, kept beyond the request. */
struct match_copy {
	uint8_t raw_name[NAME_MAX_LEN];
	struct cookie cookie;
	uint16_t id, type, rclass;
	bool edns, cookie_owed;
};
void match_keep(struct match_copy *copy, const struct match *match);
/* Whether the datagram is the reply. Nothing is learnt, and no error without question counts. */
bool match_fits_copy(const struct match_copy *copy, const uint8_t *wire, size_t len);
