/* Decides how libknot's program comes onto an interface, and that it leaves it with this process.
 *
 * libknot attaches it to the interface itself, where it would stay after kill -9: with no socket behind it, all queries
 * to the port would fall into a hole. A link (BPF_LINK_CREATE, Linux 5.9) ends with its last descriptor instead. So the
 * program that libknot has loaded is taken off and put on again as a link. In between, and with no queue open yet,
 * nothing is lost: what comes goes to the ordinary sockets. */
#include <errno.h>
#include <libknot/error.h>
#include <libmnl/libmnl.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/xdp_parts.h"

enum { NETLINK_BUFFER = 32 << 10 };

/* --- netlink --- */

/* IFLA_XDP of a link, when it has one. */
static int on_link(const struct nlmsghdr *head, void *arg)
{
	uint32_t *id = arg;
	const struct nlattr *attr, *part;
	mnl_attr_for_each(attr, head, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(attr) != IFLA_XDP)
			continue;
		mnl_attr_for_each_nested(part, attr) if (mnl_attr_get_type(part) == IFLA_XDP_PROG_ID) *id =
			mnl_attr_get_u32(part);
	}
	return MNL_CB_OK;
}

/* Sends one request and reads what comes for it. 0, or -1 with errno. */
static int talk(struct nlmsghdr *head, uint32_t *id)
{
	static uint8_t buffer[NETLINK_BUFFER]; /* main thread only */
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (socket == NULL)
		return -1;
	head->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	int ret = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID);
	if (ret == 0 && mnl_socket_sendto(socket, head, head->nlmsg_len) < 0)
		ret = -1;
	for (int more = MNL_CB_OK; ret == 0 && more > MNL_CB_STOP;) {
		ssize_t len = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		more = len < 0 ? -1 : mnl_cb_run(buffer, (size_t)len, 0, mnl_socket_get_portid(socket), on_link, id);
		ret = more < 0 ? -1 : 0;
	}
	int error = errno;
	mnl_socket_close(socket);
	errno = error;
	return ret;
}

static struct nlmsghdr *begin(void *buffer, uint16_t type, unsigned index)
{
	struct nlmsghdr *head = mnl_nlmsg_put_header(buffer);
	head->nlmsg_type = type;
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(head, sizeof(*link));
	link->ifi_family = AF_UNSPEC;
	link->ifi_index = (int)index;
	return head;
}

/* The number of the program on an interface; 0: none, or it cannot be known. */
static uint32_t find_program(unsigned index)
{
	_Alignas(struct nlmsghdr) uint8_t request[256];
	uint32_t id = 0;
	return talk(begin(request, RTM_GETLINK, index), &id) == 0 ? id : 0;
}

static int take_off(unsigned index)
{
	_Alignas(struct nlmsghdr) uint8_t request[256];
	struct nlmsghdr *head = begin(request, RTM_SETLINK, index);
	struct nlattr *nest = mnl_attr_nest_start(head, IFLA_XDP);
	mnl_attr_put_u32(head, IFLA_XDP_FD, (uint32_t)-1);
	mnl_attr_put_u32(head, IFLA_XDP_FLAGS, 0);
	mnl_attr_nest_end(head, nest);
	uint32_t id;
	return talk(head, &id);
}

/* --- bpf(2) --- */

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int open_program(uint32_t id)
{
	union bpf_attr attr;
	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id;
	return bpf(BPF_PROG_GET_FD_BY_ID, &attr);
}

static int link_program(int program, unsigned index)
{
	union bpf_attr attr;
	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = (uint32_t)program;
	attr.link_create.target_ifindex = index;
	attr.link_create.attach_type = BPF_XDP;
	return bpf(BPF_LINK_CREATE, &attr);
}

/* --- both --- */

static int load(const struct config_xdp *conf, unsigned index, char *why, size_t size)
{
	knot_xdp_socket_t *socket;
	int ret = xdp_queue_open(conf, 0, true, &socket);
	if (ret != KNOT_EOK) {
		snprintf(why, size,
			"libknot cannot begin: %s; the kernel or the interface's driver may not support it, or bpf(2) "
			"may be "
			"forbidden here",
			knot_strerror(ret));
		return -1;
	}
	int program = open_program(find_program(index));
	int error = errno;
	knot_xdp_deinit(socket);
	if (program < 0)
		snprintf(why, size, "the program that libknot has loaded is not found again: %s", strerror(error));
	return program;
}

int xdp_program_tie(const struct config_xdp *conf, unsigned index, char *why, size_t size)
{
	if (find_program(index) != 0) {
		snprintf(why, size,
			"another XDP program is on the interface, of a second berthd perhaps; stop what has put it "
			"there (`ip link set dev %s xdp off` takes off what was left behind)",
			conf->interface);
		return -1;
	}
	int program = load(conf, index, why, size), error = errno, tie = -1;
	bool is_off = take_off(index) == 0;
	if (program < 0)
		return -1;
	if (is_off)
		tie = link_program(program, index);
	error = errno;
	close(program);
	if (tie < 0)
		snprintf(why, size, "the program cannot be tied to this process: %s; Linux 5.9 or newer can",
			strerror(error));
	return tie;
}
