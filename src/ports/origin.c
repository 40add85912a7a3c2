/* Decides what a socket's port, state and address say of who chose the port. */
#include "ports/origin.h"

static struct origin of_waiting(const struct diag_socket *socket)
{
	/* Who wants to be found takes a number that others know; a UDP socket on every address, in the range of
	 * ephemeral ports, more often belongs to a client that sent without binding. */
	bool is_udp_anywhere = socket->transport == PORT_UDP && addr_is_any(&socket->local);
	return (struct origin){is_udp_anywhere ? ORIGIN_KERNEL : ORIGIN_PROGRAM, ORIGIN_GUESS};
}

struct origin origin_of(const struct diag_socket *socket, struct port_range local, bool has_listener)
{
	uint16_t port = addr_port(&socket->local);
	bool is_waiting =
		socket->state == DIAG_LISTENING || socket->state == DIAG_UNCONNECTED || socket->state == DIAG_INACTIVE;
	/* Two connections may share a port, so an outgoing one beside a listener is possible, and rare. */
	if (socket->transport == PORT_TCP && !is_waiting && has_listener)
		return (struct origin){ORIGIN_LISTENER, ORIGIN_LIKELY};
	if (port < local.first || port > local.last) {
		/* A connection may outlive the listener that accepted it. */
		bool may_be_accepted = socket->transport == PORT_TCP && !is_waiting;
		return (struct origin){ORIGIN_PROGRAM, may_be_accepted ? ORIGIN_LIKELY : ORIGIN_CERTAIN};
	}
	if (is_waiting)
		return of_waiting(socket);
	/* The side that closes first keeps the port, and that may have been a listener that is gone. */
	bool is_past = socket->state == DIAG_TIME_WAIT;
	return (struct origin){ORIGIN_KERNEL, is_past ? ORIGIN_GUESS : ORIGIN_LIKELY};
}

const char *origin_text(enum origin_who who)
{
	static const char *const texts[ORIGIN_WHOS] = {"program", "kernel", "listener"};
	return who < ORIGIN_WHOS ? texts[who] : "unknown";
}

const char *origin_sure_text(enum origin_sure sure)
{
	static const char *const texts[ORIGIN_SURES] = {"certain", "likely", "guess"};
	return sure < ORIGIN_SURES ? texts[sure] : "unknown";
}
