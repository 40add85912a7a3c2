/* What the daemon says of itself, if the operator wants it to say anything (RFC 4892): the names version.bind,
 * version.server, id.server and hostname.bind of class CH.
 *
 *	struct identity identity;
 *	identity_set(&identity, config->identity.version, config->identity.name);
 *	size_t len = identity_answer(&identity, &query, wire, out);              0: it is no such question, or has no answer
 *
 * A value type. Thread: the owner's. */
#pragma once

#include "dns/message.h"

enum { IDENTITY_TEXT = 64 };

struct identity {
	char version[IDENTITY_TEXT], name[IDENTITY_TEXT]; /* "": not told */
};

/* NULL: not told. Longer texts are cut. */
void identity_set(struct identity *identity, const char *version, const char *name);
/* Writes the answer without OPT; `out` must hold at least 512 bytes. */
size_t identity_answer(const struct identity *identity, const struct query *query, const uint8_t *wire, uint8_t *out)
	__attribute__((nonnull));
