/* Decides what is asked of sock_diag, and how its messages are read. What comes back is the kernel's, but it is checked
 * for its length all the same: a kernel of another year may send less, or more. */
#include "ports/diag.h"

#include <arpa/inet.h>
#include <errno.h>
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

enum {
	REQUEST_ROOM = 256,
	REPLY_ROOM = 32768,            /* the kernel fills as much as it is given, up to this */
	TCP_BOUND_INACTIVE_STATE = 13, /* since Linux 6.8; older headers have no name for it, older kernels ignore it */
};

struct diag {
	struct mnl_socket *socket;
	unsigned seq;
	char reply[REPLY_ROOM];
};

/* What the reader of one walk knows. */
struct walk {
	const struct diag_ask *ask;
	void (*on_socket)(void *arg, const struct diag_socket *socket);
	void *arg;
};

int diag_open(struct diag **out)
{
	struct diag *diag = xalloc(sizeof(*diag));
	diag->seq = 0;
	diag->socket = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	if (diag->socket == NULL || mnl_socket_bind(diag->socket, 0, MNL_SOCKET_AUTOPID) != 0) {
		int ret = error_of_errno(errno);
		diag_close(diag);
		*out = NULL;
		return ret;
	}
	*out = diag;
	return 0;
}

void diag_close(struct diag *diag)
{
	if (diag == NULL)
		return;
	if (diag->socket != NULL)
		mnl_socket_close(diag->socket);
	free(diag);
}

/* --- the request --- */

static uint32_t states_of(const struct diag_ask *ask)
{
	/* UDP has two: with a peer (ESTABLISHED) and without (CLOSE). */
	if (ask->transport == PORT_UDP)
		return 1u << TCP_ESTABLISHED | 1u << TCP_CLOSE;
	/* All from ESTABLISHED on; SYN_RECV of connections that nobody accepted yet are the kernel's twelfth. */
	return ask->which == DIAG_WAITING ? 1u << TCP_LISTEN : (1u << (TCP_BOUND_INACTIVE_STATE + 1)) - 2;
}

/* "port >= first and port <= last": each comparison is two words, its port in the second one. `yes` and `no` are bytes
 * to jump; past the end is "no". */
static void put_filter(struct nlmsghdr *header, struct port_range ports)
{
	struct inet_diag_bc_op code[4];
	const uint16_t bounds[] = {ports.first, ports.last};
	for (unsigned i = 0; i < 2; i++) {
		code[2 * i] = (struct inet_diag_bc_op){
			.code = i == 0 ? INET_DIAG_BC_S_GE : INET_DIAG_BC_S_LE,
			.yes = 2 * sizeof(code[0]),
			.no = (uint16_t)(sizeof(code) - 2 * i * sizeof(code[0]) + sizeof(code[0])),
		};
		code[2 * i + 1] = (struct inet_diag_bc_op){.no = bounds[i]};
	}
	mnl_attr_put(header, INET_DIAG_REQ_BYTECODE, sizeof(code), code);
}

static struct inet_diag_req_v2 *begin(struct diag *diag, char *buffer, int family, enum port_transport transport)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	header->nlmsg_flags = NLM_F_REQUEST;
	header->nlmsg_seq = ++diag->seq;
	struct inet_diag_req_v2 *request = mnl_nlmsg_put_extra_header(header, sizeof(*request));
	request->sdiag_family = (uint8_t)family;
	request->sdiag_protocol = transport == PORT_TCP ? IPPROTO_TCP : IPPROTO_UDP;
	memset(request->id.idiag_cookie, 0xff, sizeof(request->id.idiag_cookie)); /* INET_DIAG_NOCOOKIE */
	return request;
}

static int send_request(struct diag *diag, const char *buffer)
{
	const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)buffer;
	return mnl_socket_sendto(diag->socket, header, header->nlmsg_len) > 0 ? 0 : error_of_errno(errno);
}

/* A port in the request itself is the cheapest filter, but not every list of the kernel heeds it (that of bound and
 * silent sockets does not), so the program for the socket filter goes with it. */
static int ask_dump(struct diag *diag, const struct diag_ask *ask)
{
	_Alignas(struct nlmsghdr) char buffer[REQUEST_ROOM];
	struct inet_diag_req_v2 *request = begin(diag, buffer, ask->family, ask->transport);
	struct nlmsghdr *header = (struct nlmsghdr *)(void *)buffer;
	header->nlmsg_flags |= NLM_F_DUMP;
	request->idiag_states = states_of(ask);
	if (ask->ports.first == ask->ports.last)
		request->id.idiag_sport = htons(ask->ports.first);
	if (ask->ports.first > 1 || ask->ports.last < PORTS_ALL - 1)
		put_filter(header, ask->ports);
	return send_request(diag, buffer);
}

/* --- the reply --- */

static enum diag_state state_of(enum port_transport transport, uint8_t kernel_state)
{
	if (transport == PORT_UDP)
		return kernel_state == TCP_ESTABLISHED ? DIAG_CONNECTED : DIAG_UNCONNECTED;
	switch (kernel_state) {
	case TCP_ESTABLISHED: return DIAG_CONNECTED;
	case TCP_LISTEN: return DIAG_LISTENING;
	case TCP_TIME_WAIT: return DIAG_TIME_WAIT;
	case TCP_SYN_SENT:
	case TCP_SYN_RECV:
	case TCP_CLOSING + 1: return DIAG_OPENING;
	case TCP_CLOSE:
	case TCP_BOUND_INACTIVE_STATE: return DIAG_INACTIVE;
	default: return DIAG_CLOSING;
	}
}

static struct addr address_of(uint8_t family, const __be32 words[4], __be16 port)
{
	return addr_of_bytes((const uint8_t *)words, family == AF_INET6 ? 16 : 4, ntohs(port));
}

static int on_attribute(const struct nlattr *attr, void *arg)
{
	struct diag_socket *socket = arg;
	uint16_t len = mnl_attr_get_payload_len(attr);
	if (mnl_attr_get_type(attr) == INET_DIAG_CGROUP_ID && len >= sizeof(uint64_t))
		memcpy(&socket->cgroup, mnl_attr_get_payload(attr), sizeof(uint64_t));
	else if (mnl_attr_get_type(attr) == INET_DIAG_SKV6ONLY && len >= 1)
		socket->only_v6 = mnl_attr_get_u8(attr) != 0;
	return MNL_CB_OK;
}

/* False: a message too short to be of a socket, or of a family that nobody asked for. */
static bool read_socket(const struct nlmsghdr *header, enum port_transport transport, struct diag_socket *out)
{
	if (mnl_nlmsg_get_payload_len(header) < sizeof(struct inet_diag_msg))
		return false;
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(header);
	if (msg->idiag_family != AF_INET && msg->idiag_family != AF_INET6)
		return false;
	*out = (struct diag_socket){
		.transport = transport,
		.state = state_of(transport, msg->idiag_state),
		.kernel_state = msg->idiag_state,
		.local = address_of(msg->idiag_family, msg->id.idiag_src, msg->id.idiag_sport),
		.peer = address_of(msg->idiag_family, msg->id.idiag_dst, msg->id.idiag_dport),
		.receive_queue = msg->idiag_rqueue,
		.send_queue = msg->idiag_wqueue,
		.uid = msg->idiag_uid,
		.inode = msg->idiag_inode,
		.cookie = (uint64_t)msg->id.idiag_cookie[1] << 32 | msg->id.idiag_cookie[0],
	};
	(void)mnl_attr_parse(header, sizeof(*msg), on_attribute, out);
	return true;
}

static int on_message(const struct nlmsghdr *header, void *arg)
{
	const struct walk *walk = arg;
	struct diag_socket socket;
	if (!read_socket(header, walk->ask->transport, &socket))
		return MNL_CB_OK;
	uint16_t port = addr_port(&socket.local);
	if (port != 0 && port >= walk->ask->ports.first && port <= walk->ask->ports.last)
		walk->on_socket(walk->arg, &socket);
	return MNL_CB_OK;
}

/* MNL_CB_OK: there is more; MNL_CB_STOP: that was the end; MNL_CB_ERROR with errno. */
static int receive(struct diag *diag, mnl_cb_t on_one, void *arg)
{
	ssize_t len = mnl_socket_recvfrom(diag->socket, diag->reply, sizeof(diag->reply));
	if (len > 0)
		return mnl_cb_run(
			diag->reply, (size_t)len, diag->seq, mnl_socket_get_portid(diag->socket), on_one, arg);
	if (len == 0)
		errno = EPROTO;
	return MNL_CB_ERROR;
}

int diag_dump(struct diag *diag, const struct diag_ask *ask, void (*on_socket)(void *arg, const struct diag_socket *),
	void *arg)
{
	struct walk walk = {ask, on_socket, arg};
	int more = MNL_CB_OK, ret = ask_dump(diag, ask);
	if (ret != 0)
		return ret;
	while (more == MNL_CB_OK)
		more = receive(diag, on_message, &walk);
	if (more == MNL_CB_STOP || (errno == ENOENT && ask->family == AF_INET6))
		return 0;
	return error_of_errno(errno);
}

/* --- one socket --- */

struct found {
	enum port_transport transport;
	struct diag_socket *out;
	bool is_there;
};

static int on_found(const struct nlmsghdr *header, void *arg)
{
	struct found *found = arg;
	found->is_there = read_socket(header, found->transport, found->out);
	return MNL_CB_STOP;
}

int diag_find_udp(struct diag *diag, const struct addr *local, struct diag_socket *out)
{
	_Alignas(struct nlmsghdr) char buffer[REQUEST_ROOM];
	struct inet_diag_req_v2 *request = begin(diag, buffer, local->sa.sa_family, PORT_UDP);
	struct found found = {PORT_UDP, out, false};
	size_t size;
	const uint8_t *bytes = addr_bytes(local, &size);
	/* Where one UDP socket is asked for, the kernel takes the destination for the local side. */
	memcpy(request->id.idiag_dst, bytes, size);
	request->id.idiag_dport = htons(addr_port(local));
	int ret = send_request(diag, buffer);
	if (ret != 0)
		return ret;
	if (receive(diag, on_found, &found) < 0)
		return error_of_errno(errno);
	return found.is_there ? 0 : E_NOENT;
}

/* Of a socket that no process has any more (closed, TIME_WAIT) the kernel says root where it knows no user; where none
 * has these two addresses it names the listener. Neither is the one that was asked for. */
static bool is_whole(const struct diag_socket *socket, const struct addr *local, const struct addr *peer)
{
	return socket->inode != 0 && socket->state != DIAG_LISTENING && socket->state != DIAG_TIME_WAIT &&
	       addr_port(&socket->local) == addr_port(local) && addr_port(&socket->peer) == addr_port(peer);
}

int diag_find_tcp(struct diag *diag, const struct addr *local, const struct addr *peer, struct diag_socket *out)
{
	_Alignas(struct nlmsghdr) char buffer[REQUEST_ROOM];
	struct inet_diag_req_v2 *request = begin(diag, buffer, local->sa.sa_family, PORT_TCP);
	struct found found = {PORT_TCP, out, false};
	size_t size;
	const uint8_t *bytes = addr_bytes(local, &size);
	memcpy(request->id.idiag_src, bytes, size);
	request->id.idiag_sport = htons(addr_port(local));
	bytes = addr_bytes(peer, &size);
	memcpy(request->id.idiag_dst, bytes, size);
	request->id.idiag_dport = htons(addr_port(peer));
	int ret = send_request(diag, buffer);
	if (ret != 0)
		return ret;
	if (receive(diag, on_found, &found) < 0)
		return error_of_errno(errno);
	return found.is_there && is_whole(out, local, peer) ? 0 : E_NOENT;
}

/* --- the end of sockets --- */

enum {
	ENDED_GROUPS = 1u << (SKNLGRP_INET_TCP_DESTROY - 1) | 1u << (SKNLGRP_INET_UDP_DESTROY - 1) |
		       1u << (SKNLGRP_INET6_TCP_DESTROY - 1) | 1u << (SKNLGRP_INET6_UDP_DESTROY - 1),
	ENDED_QUEUE = 1 << 20, /* bytes: a thousand ends take 400 KiB */
};

int diag_open_ended(struct diag **out)
{
	struct diag *diag = xalloc(sizeof(*diag));
	const int size = ENDED_QUEUE;
	diag->seq = 0;
	diag->socket = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (diag->socket == NULL || mnl_socket_bind(diag->socket, ENDED_GROUPS, MNL_SOCKET_AUTOPID) != 0) {
		int ret = error_of_errno(errno);
		diag_close(diag);
		*out = NULL;
		return ret;
	}
	(void)setsockopt(diag_fd(diag), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	*out = diag;
	return 0;
}

int diag_fd(const struct diag *diag)
{
	return mnl_socket_get_fd(diag->socket);
}

static int on_protocol(const struct nlattr *attr, void *arg)
{
	uint8_t *protocol = arg;
	if (mnl_attr_get_type(attr) == INET_DIAG_PROTOCOL && mnl_attr_get_payload_len(attr) >= 1)
		*protocol = mnl_attr_get_u8(attr);
	return MNL_CB_OK;
}

static int on_ended(const struct nlmsghdr *header, void *arg)
{
	const struct walk *walk = arg;
	struct diag_socket socket;
	uint8_t protocol = 0;
	if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY || !read_socket(header, PORT_UDP, &socket))
		return MNL_CB_OK;
	(void)mnl_attr_parse(header, sizeof(struct inet_diag_msg), on_protocol, &protocol);
	if ((protocol != IPPROTO_UDP && protocol != IPPROTO_TCP) || addr_port(&socket.local) == 0)
		return MNL_CB_OK;
	socket.transport = protocol == IPPROTO_TCP ? PORT_TCP : PORT_UDP;
	walk->on_socket(walk->arg, &socket);
	return MNL_CB_OK;
}

int diag_read_ended(struct diag *diag, void (*on_socket)(void *arg, const struct diag_socket *), void *arg)
{
	struct walk walk = {NULL, on_socket, arg};
	for (;;) {
		ssize_t len = mnl_socket_recvfrom(diag->socket, diag->reply, sizeof(diag->reply));
		if (len < 0)
			return errno == EAGAIN ? 0 : errno == ENOBUFS ? E_SPACE : error_of_errno(errno);
		(void)mnl_cb_run(diag->reply, (size_t)len, 0, 0, on_ended, &walk);
	}
}

/* --- words --- */

const char *diag_state_text(enum diag_state state)
{
	static const char *const texts[DIAG_STATES] = {
		[DIAG_LISTENING] = "listening",
		[DIAG_CONNECTED] = "connected",
		[DIAG_UNCONNECTED] = "unconnected",
		[DIAG_INACTIVE] = "inactive",
		[DIAG_OPENING] = "opening",
		[DIAG_CLOSING] = "closing",
		[DIAG_TIME_WAIT] = "time-wait",
	};
	return state < DIAG_STATES ? texts[state] : "unknown";
}

const char *diag_kernel_state_text(uint8_t kernel_state)
{
	static const char *const texts[] = {"NONE", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2",
		"TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV", "BOUND_INACTIVE"};
	return kernel_state < sizeof(texts) / sizeof(texts[0]) ? texts[kernel_state] : "UNKNOWN";
}
