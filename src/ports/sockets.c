/* Decides which of the kernel's sockets count as holders of a port, and who holds most. */
#include "ports/sockets.h"

#include <string.h>

#include "base/addr.h"
#include "base/error.h"
#include "ports/diag.h"

enum { USERS = 64 };

/* Held ports by user; the first USERS users that are met. */
struct tally {
	struct sockets_survey *survey;
	const struct port_space *space;
	uid_t user[USERS];
	unsigned held[USERS];
	unsigned users;
};

static void count_user(struct tally *tally, uid_t uid)
{
	unsigned i = 0;
	while (i < tally->users && tally->user[i] != uid)
		i++;
	if (i == USERS)
		return;
	if (i == tally->users)
		tally->user[tally->users++] = uid;
	if (++tally->held[i] > tally->survey->top_held) {
		tally->survey->top_held = tally->held[i];
		tally->survey->top = uid;
	}
}

static void on_socket(void *arg, const struct diag_socket *socket)
{
	struct tally *tally = arg;
	uint16_t port = addr_port(&socket->local);
	if (tally->space != NULL && port_space_is_lent(tally->space, port))
		return;
	struct sockets_survey *survey = tally->survey;
	/* A port that several sockets hold counts once. */
	if (socket->transport == PORT_UDP && !port_set_has(&survey->listened, port) &&
		!port_set_has(&survey->connected, port)) {
		survey->held++;
		count_user(tally, socket->uid);
	}
	port_set_add(socket->state == DIAG_CONNECTED ? &survey->connected : &survey->listened, port);
}

int sockets_survey(struct sockets_survey *out, const struct port_space *space)
{
	static const struct diag_ask asks[] = {
		{PORT_UDP, AF_INET, {1, PORTS_ALL - 1}, DIAG_WAITING},
		{PORT_UDP, AF_INET6, {1, PORTS_ALL - 1}, DIAG_WAITING},
		{PORT_TCP, AF_INET, {1, PORTS_ALL - 1}, DIAG_WAITING},
		{PORT_TCP, AF_INET6, {1, PORTS_ALL - 1}, DIAG_WAITING},
	};
	struct diag *diag;
	struct tally tally = {.survey = out, .space = space};
	memset(out, 0, sizeof(*out));
	int ret = diag_open(&diag);
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]) && ret == 0; i++)
		ret = diag_dump(diag, &asks[i], on_socket, &tally);
	diag_close(diag);
	if (ret != 0)
		memset(out, 0, sizeof(*out));
	return ret == 0 ? 0 : E_SYSTEM;
}
