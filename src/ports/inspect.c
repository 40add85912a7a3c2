/* Decides which tables are asked, and puts sockets, owners and processes together. */
#include "ports/inspect.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/random.h"

/* Sockets as they come, and the namespace they come from. */
struct gather {
	struct holder *holders;
	size_t *ns; /* of each, as an index: the list of namespaces may still grow and move */
	size_t count, room, now;
};

static void on_socket(void *arg, const struct diag_socket *socket)
{
	struct gather *gather = arg;
	if (gather->count == gather->room) {
		gather->room = gather->room == 0 ? 64 : gather->room * 2;
		gather->holders = xrealloc(gather->holders, gather->room * sizeof(*gather->holders));
		gather->ns = xrealloc(gather->ns, gather->room * sizeof(*gather->ns));
	}
	gather->ns[gather->count] = gather->now;
	gather->holders[gather->count++] = (struct holder){.socket = *socket};
}

/* --- sockets --- */

static int dump_all(struct diag *diag, const struct inspect_ask *ask, bool is_ours, struct gather *gather)
{
	int ret = 0;
	for (int t = 0; t < PORT_TRANSPORTS && ret == 0; t++) {
		struct diag_ask one = {(enum port_transport)t, AF_INET, ask->ports, DIAG_ALL};
		if (is_ours && ask->is_free[t])
			continue;
		ret = diag_dump(diag, &one, on_socket, gather);
		one.family = AF_INET6;
		if (ret == 0)
			ret = diag_dump(diag, &one, on_socket, gather);
	}
	return ret;
}

static int look_into(struct inspection *seen, size_t index, const struct inspect_ask *ask, struct gather *gather)
{
	struct diag *diag;
	int ret = netns_open(&seen->netns, index, &diag);
	if (ret != 0)
		return ret;
	gather->now = index;
	ret = dump_all(diag, ask, index == 0, gather);
	diag_close(diag);
	return ret;
}

/* A namespace that ended meanwhile, or that we may not enter, is no failure of the rest. */
static void look_into_others(struct inspection *seen, const struct inspect_ask *ask, struct gather *gather)
{
	for (size_t i = 1; i < seen->netns.count; i++) {
		int ret = look_into(seen, i, ask, gather);
		seen->namespaces += ret == 0;
		seen->is_socket_denied |= ret != 0 && ret != E_NOENT;
	}
}

static int gather_sockets(
	struct inspection *seen, const struct inspect_ask *ask, struct pids *pids, struct gather *gather)
{
	netns_list_init(&seen->netns);
	int ret = look_into(seen, 0, ask, gather);
	if (ret != 0 || ask->reach == INSPECT_OURS)
		return ret;
	seen->is_everywhere = ask->reach == INSPECT_ALL || gather->count == 0;
	netns_add_named(&seen->netns);
	if (seen->is_everywhere)
		netns_add_lived_in(&seen->netns, pids);
	look_into_others(seen, ask, gather);
	seen->is_namespace_denied = seen->netns.is_denied;
	return 0;
}

static int compare_holders(const void *a, const void *b)
{
	const struct holder *x = a, *y = b;
	int rank = (int)addr_port(&x->socket.local) - (int)addr_port(&y->socket.local);
	if (rank == 0)
		rank = x->ns != y->ns ? (x->ns < y->ns ? -1 : 1) : 0;
	if (rank == 0)
		rank = (int)x->socket.transport - (int)y->socket.transport;
	if (rank == 0)
		rank = (int)x->socket.state - (int)y->socket.state;
	if (rank == 0)
		rank = (int)x->socket.local.sa.sa_family - (int)y->socket.local.sa.sa_family;
	return rank != 0 ? rank : (x->socket.inode > y->socket.inode) - (x->socket.inode < y->socket.inode);
}

/* --- origins --- */

/* Listeners stand before the connections of their port. */
static void set_origins(struct inspection *seen)
{
	const struct holder *listener = NULL;
	for (size_t i = 0; i < seen->count; i++) {
		struct holder *holder = &seen->holders[i];
		if (holder->socket.state == DIAG_LISTENING)
			listener = holder;
		bool has_listener = listener != NULL && listener->ns == holder->ns &&
				    addr_port(&listener->socket.local) == addr_port(&holder->socket.local);
		holder->origin = origin_of(&holder->socket, holder->ns->local, has_listener);
	}
}

/* --- owners --- */

struct roll {
	const struct process **by_pid; /* those read so far; sorted at the end of each addition */
	size_t count, room;
};

static const struct process *process_of(struct inspection *seen, struct roll *roll, pid_t pid)
{
	size_t low = 0, high = roll->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (roll->by_pid[middle]->pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < roll->count && roll->by_pid[low]->pid == pid)
		return roll->by_pid[low];
	const struct process *process = process_read(&seen->arena, pid);
	if (process == NULL)
		return NULL;
	if (roll->count == roll->room) {
		roll->room = roll->room == 0 ? 64 : roll->room * 2;
		roll->by_pid = xrealloc(roll->by_pid, roll->room * sizeof(*roll->by_pid));
	}
	memmove(roll->by_pid + low + 1, roll->by_pid + low, (roll->count - low) * sizeof(*roll->by_pid));
	roll->by_pid[low] = process;
	roll->count++;
	return process;
}

/* A process that ended since it was found is left out. */
static void set_owners(struct inspection *seen, const struct owner_found *found, size_t count)
{
	struct roll roll = {0};
	const struct process **owners = arena_alloc(&seen->arena, (count + 1) * sizeof(*owners));
	for (size_t i = 0; i < count; i++) {
		struct holder *holder = &seen->holders[found[i].want];
		const struct process *process = process_of(seen, &roll, found[i].pid);
		if (holder->owners == NULL)
			holder->owners = owners;
		if (process != NULL) {
			*owners++ = process;
			holder->owner_count++;
		}
	}
	free(roll.by_pid);
}

static void find_owners(struct inspection *seen, struct pids *pids)
{
	struct owner_want *want = xzalloc(seen->count + 1, sizeof(*want));
	struct owner_found *found;
	size_t count;
	for (size_t i = 0; i < seen->count; i++)
		want[i] = (struct owner_want){
			.inode = seen->holders[i].socket.inode,
			.cgroup = seen->holders[i].socket.cgroup,
			.uid = seen->holders[i].socket.uid,
		};
	owners_find(want, seen->count, pids, &found, &count);
	for (size_t i = 0; i < seen->count; i++) {
		seen->holders[i].how = want[i].how;
		seen->is_owner_denied |= want[i].how == OWNER_DENIED;
	}
	set_owners(seen, found, count);
	free(found);
	free(want);
}

/* --- the whole --- */

static void take_over(struct inspection *seen, struct gather *gather)
{
	for (size_t i = 0; i < gather->count; i++)
		gather->holders[i].ns = &seen->netns.ns[gather->ns[i]];
	if (gather->count > 0)
		qsort(gather->holders, gather->count, sizeof(*gather->holders), compare_holders);
	seen->holders = gather->holders;
	seen->count = gather->count;
	free(gather->ns);
}

int inspect(struct inspection **out, const struct inspect_ask *ask)
{
	struct inspection *seen = xzalloc(1, sizeof(*seen));
	struct gather gather = {0};
	struct pids pids = {0};
	arena_init(&seen->arena);
	int ret = gather_sockets(seen, ask, &pids, &gather);
	take_over(seen, &gather);
	if (ret == 0) {
		set_origins(seen);
		find_owners(seen, &pids);
	} else {
		inspect_free(seen);
		seen = NULL;
	}
	pids_deinit(&pids);
	*out = seen;
	return ret;
}

void inspect_free(struct inspection *seen)
{
	if (seen == NULL)
		return;
	netns_list_deinit(&seen->netns);
	arena_deinit(&seen->arena);
	free(seen->holders);
	free(seen);
}

const struct holder *inspect_of_port(const struct inspection *seen, uint16_t port, size_t *count)
{
	size_t first = 0, high = seen->count, end;
	while (first < high) {
		size_t middle = first + (high - first) / 2;
		if (addr_port(&seen->holders[middle].socket.local) < port)
			first = middle + 1;
		else
			high = middle;
	}
	for (end = first; end < seen->count && addr_port(&seen->holders[end].socket.local) == port;)
		end++;
	*count = end - first;
	return end > first ? &seen->holders[first] : NULL;
}

/* --- a pool of ports --- */

unsigned inspect_share(const struct holder *holder, struct port_range range)
{
	struct addr local = holder->socket.local;
	static const uint8_t loopback[2][16] = {{127, 0, 0, 1}, {[15] = 1}};
	unsigned held = 0, all = range.last - range.first + 1u;
	struct diag *diag;
	if (!holder->ns->is_ours || diag_open(&diag) != 0)
		return 0;
	/* A socket on every address is found at any of them. */
	if (addr_is_any(&local))
		local = addr_of_bytes(loopback[addr_is_v6(&local)], addr_is_v6(&local) ? 16 : 4, 0);
	for (unsigned i = 0; i < 100; i++) {
		struct diag_socket other;
		addr_set_port(&local, (uint16_t)(range.first + random_below(all)));
		if (diag_find_udp(diag, &local, &other) == 0 && other.state == DIAG_UNCONNECTED &&
			other.uid == holder->socket.uid && other.cgroup == holder->socket.cgroup)
			held++;
	}
	diag_close(diag);
	return held;
}
