/* Decides that a datagram that does not match is thrown away and the exchange goes on waiting, as resolvers used to do:
 * so an attacker may guess as often as packets fit into the window. */
#include "base/error.h"
#include "resolve/match.h"

int __real_match_accept(
	const struct match *match, enum transport transport, uint8_t *wire, size_t len, struct message *reply);
int __wrap_match_accept(
	const struct match *match, enum transport transport, uint8_t *wire, size_t len, struct message *reply);

int __wrap_match_accept(
	const struct match *match, enum transport transport, uint8_t *wire, size_t len, struct message *reply)
{
	int ret = __real_match_accept(match, transport, wire, len, reply);
	return ret == E_MISMATCH && transport == TRANSPORT_UDP ? E_NOENT : ret;
}
