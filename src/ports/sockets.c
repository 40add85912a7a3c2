/* Decides which of the kernel's sockets count as holders of a port, and who holds most. */
#include "ports/sockets.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"

enum { REPLY_ROOM = 32768, USERS = 64 };

/* Held ports by user; the first USERS users that are met. */
struct tally {
	struct sockets_survey *survey;
	const struct port_space *space;
	uint8_t protocol;
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

static int on_socket(const struct nlmsghdr *header, void *arg)
{
	struct tally *tally = arg;
	if (mnl_nlmsg_get_payload_len(header) < sizeof(struct inet_diag_msg))
		return MNL_CB_OK;
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(header);
	uint16_t port = ntohs(msg->id.idiag_sport);
	if (port == 0 || (tally->space != NULL && port_space_is_lent(tally->space, port)))
		return MNL_CB_OK;
	struct sockets_survey *survey = tally->survey;
	bool is_udp = tally->protocol == IPPROTO_UDP;
	/* A port that several sockets hold counts once. */
	if (is_udp && !port_set_has(&survey->listened, port) && !port_set_has(&survey->connected, port)) {
		survey->held++;
		count_user(tally, msg->idiag_uid);
	}
	port_set_add(is_udp && msg->idiag_state == TCP_ESTABLISHED ? &survey->connected : &survey->listened, port);
	return MNL_CB_OK;
}

static int ask(struct mnl_socket *socket, uint8_t family, uint8_t protocol, unsigned seq)
{
	char buffer[256];
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	header->nlmsg_seq = seq;
	struct inet_diag_req_v2 *request = mnl_nlmsg_put_extra_header(header, sizeof(*request));
	request->sdiag_family = family;
	request->sdiag_protocol = protocol;
	/* UDP has two states: with a peer (ESTABLISHED) and without (CLOSE). */
	request->idiag_states = protocol == IPPROTO_TCP ? 1u << TCP_LISTEN : 1u << TCP_ESTABLISHED | 1u << TCP_CLOSE;
	return mnl_socket_sendto(socket, header, header->nlmsg_len) > 0 ? 0 : E_SYSTEM;
}

static int dump(struct mnl_socket *socket, uint8_t family, unsigned seq, struct tally *tally)
{
	int ret = ask(socket, family, tally->protocol, seq);
	if (ret != 0)
		return ret;
	char *reply = xalloc(REPLY_ROOM);
	int more = MNL_CB_OK;
	while (more == MNL_CB_OK) {
		ssize_t len = mnl_socket_recvfrom(socket, reply, REPLY_ROOM);
		more = len <= 0 ? MNL_CB_ERROR
				: mnl_cb_run(reply, (size_t)len, seq, mnl_socket_get_portid(socket), on_socket, tally);
	}
	free(reply);
	return more == MNL_CB_STOP ? 0 : E_SYSTEM;
}

int sockets_survey(struct sockets_survey *out, const struct port_space *space)
{
	memset(out, 0, sizeof(*out));
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	if (socket == NULL)
		return E_SYSTEM;
	struct tally tally = {.survey = out, .space = space};
	int ret = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0 ? 0 : E_SYSTEM;
	unsigned seq = 0;
	for (int i = 0; i < 4 && ret == 0; i++) {
		tally.protocol = i < 2 ? IPPROTO_UDP : IPPROTO_TCP;
		ret = dump(socket, i % 2 == 0 ? AF_INET : AF_INET6, ++seq, &tally);
	}
	mnl_socket_close(socket);
	if (ret != 0)
		memset(out, 0, sizeof(*out));
	return ret;
}
