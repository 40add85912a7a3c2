/* Decides that whatever can be read on a lent port is the reply: neither QR, ID, question, case nor cookie are looked
 * at. */
#include "base/error.h"
#include "resolve/match.h"

int __real_match_accept(
	const struct match *match, enum transport transport, uint8_t *wire, size_t len, struct message *reply);
int __wrap_match_accept(
	const struct match *match, enum transport transport, uint8_t *wire, size_t len, struct message *reply);

int __wrap_match_accept(
	const struct match *match, enum transport transport, uint8_t *wire, size_t len, struct message *reply)
{
	if (transport == TRANSPORT_TCP)
		return __real_match_accept(match, transport, wire, len, reply);
	return message_read(reply, &match->rq->arena, wire, len) == 0 ? 0 : E_MALFORMED;
}
