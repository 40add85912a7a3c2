/* Decides how a holder of a port is told. */
#include "tools/holder.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ports/verdict.h"
#include "tools/print.h"

enum { SHOWN = 12, OWNERS_SHOWN = 4, TEXT = 512, SHORT_ID = 12 };

/* --- words --- */

const char *holder_namespace_words(const struct netns *ns)
{
	static char text[128];
	char lives[40] = "";
	if (ns->pid != 0)
		snprintf(lives, sizeof(lives), "%spid %d lives in it", ns->id != 0 ? ", " : "", (int)ns->pid);
	snprintf(text, sizeof(text), "%s%s%llu%s%s", ns->name, *ns->name != '\0' ? " (" : "",
		(unsigned long long)ns->id, lives, *ns->name != '\0' ? ")" : "");
	return text;
}

const char *holder_place_words(const struct process *process)
{
	static char text[CGROUP_RUNTIME + CGROUP_CONTAINER + CGROUP_UNIT];
	const struct cgroup_place *place = &process->place;
	bool is_id = strlen(place->container) == 64;
	if (*place->container != '\0')
		snprintf(text, sizeof(text), "%s %.*s", place->runtime, is_id ? SHORT_ID : CGROUP_CONTAINER,
			place->container);
	else
		snprintf(text, sizeof(text), "%s", place->unit);
	return text;
}

static const char *found_words(enum owner_how how)
{
	switch (how) {
	case OWNER_CGROUP: return "found in the cgroup that made it";
	case OWNER_BISECT: return "found by bisecting the descriptors of every process";
	case OWNER_SCAN: return "found by reading all descriptors";
	case OWNER_RUN: return "concluded from a row of descriptors";
	case OWNER_DENIED:
		return geteuid() == 0 ? "its process may not be looked at, even by this root"
				      : "its process is another user's: root would see it";
	case OWNER_KERNEL: return "no process can hold it in this state";
	default: return "no process has it: the kernel's own, or on its way from one process to another";
	}
}

static const char *origin_words(struct origin origin)
{
	static char text[64];
	static const char *const who[ORIGIN_WHOS] = {
		"the program chose the number", "the kernel chose the number", "accepted by the listener of this port"};
	snprintf(text, sizeof(text), "%s (%s)", who[origin.who],
		origin.sure == ORIGIN_GUESS ? "a guess" : origin_sure_text(origin.sure));
	return text;
}

/* "UDP 127.0.0.1@60054, connected to 192.0.2.1@53" */
static void socket_words(const struct diag_socket *socket, char out[static TEXT])
{
	char local[ADDR_TEXT], peer[ADDR_TEXT], more[ADDR_TEXT + 64] = "", queues[96] = "";
	bool listens = socket->state == DIAG_LISTENING;
	if (addr_port(&socket->peer) != 0)
		snprintf(more, sizeof(more), "%s %s", socket->state == DIAG_CONNECTED ? " to" : ", of a connection to",
			addr_text(&socket->peer, peer));
	if (listens)
		snprintf(queues, sizeof(queues), "; %u of %u connections wait", socket->receive_queue,
			socket->send_queue);
	else if (socket->receive_queue != 0 || socket->send_queue != 0)
		snprintf(queues, sizeof(queues), "; %u bytes to be read, %u to be sent", socket->receive_queue,
			socket->send_queue);
	snprintf(out, TEXT, "%s %s%s, %s%s%s", socket->transport == PORT_UDP ? "UDP" : "TCP",
		addr_text(&socket->local, local), addr_is_any(&socket->local) && socket->only_v6 ? " (IPv6 alone)" : "",
		socket->state == DIAG_CLOSING ? diag_kernel_state_text(socket->kernel_state)
					      : diag_state_text(socket->state),
		more, queues);
}

static void print_process(const struct process *process, int column)
{
	char text[TEXT], user[PROCESS_USER], when[PRINT_TIME] = "";
	const char *place = holder_place_words(process);
	if (process->since_us != 0) {
		moment((double)process->since_us / 1e6, when);
		when[strcspn(when, ".")] = '\0';
	}
	snprintf(text, sizeof(text), "%s, pid %d, user %s%s%s%s%s", process->name, (int)process->pid,
		process_user_text(process->uid, user), *when ? ", runs since " : "", when,
		*place ? *process->place.container ? ", container " : ", unit " : "", place);
	print_item("", column, text);
	if (*process->command != '\0')
		print_item("", column, process->command);
}

/* What is said below the socket is the same of both. */
static bool is_of_the_same(const struct holder *a, const struct holder *b)
{
	return a->ns == b->ns && a->how == b->how && a->origin.who == b->origin.who &&
	       a->origin.sure == b->origin.sure && a->socket.uid == b->socket.uid && a->owner_count == b->owner_count &&
	       (a->owner_count == 0 || memcmp(a->owners, b->owners, a->owner_count * sizeof(*a->owners)) == 0);
}

/* How many at the begin are alike: workers that share a port have a socket each. */
static size_t count_alike(const struct holder *holders, size_t count)
{
	char first[TEXT], other[TEXT];
	size_t alike = 1;
	socket_words(&holders->socket, first);
	while (alike < count && is_of_the_same(holders, &holders[alike])) {
		socket_words(&holders[alike].socket, other);
		if (strcmp(first, other) != 0)
			break;
		alike++;
	}
	return alike;
}

static void print_sockets(const struct holder *holder, size_t alike, const char *label, int column)
{
	char text[TEXT + 40];
	socket_words(&holder->socket, text);
	if (alike > 1)
		snprintf(text + strlen(text), 40, " (%zu such sockets)", alike);
	print_item(label, column, text);
}

/* Who holds it, and how that is known. */
static void print_who(const struct holder *holder, int column)
{
	char text[TEXT], user[PROCESS_USER];
	if (!holder->ns->is_ours) {
		snprintf(text, sizeof(text), "in network namespace %s", holder_namespace_words(holder->ns));
		print_item("", column, text);
	}
	for (size_t i = 0; i < holder->owner_count && i < OWNERS_SHOWN; i++)
		print_process(holder->owners[i], column);
	if (holder->owner_count > OWNERS_SHOWN) {
		snprintf(
			text, sizeof(text), "and %zu more processes that share it", holder->owner_count - OWNERS_SHOWN);
		print_item("", column, text);
	}
	if (holder->how == OWNER_DENIED)
		snprintf(text, sizeof(text), "user %s; ", process_user_text(holder->socket.uid, user));
	else
		text[0] = '\0';
	size_t len = strlen(text);
	snprintf(text + len, sizeof(text) - len, "%s; %s", origin_words(holder->origin), found_words(holder->how));
	print_item("", column, text);
}

void holder_print(const struct holder *holders, size_t count, int column)
{
	char text[TEXT];
	size_t i = 0;
	bool is_begin = true;
	for (unsigned shown = 0; i < count && shown < SHOWN; shown++) {
		size_t alike = count_alike(&holders[i], count - i);
		print_sockets(&holders[i], alike, is_begin ? "holder" : "", column);
		i += alike;
		is_begin = i == count || shown + 1 == SHOWN || !is_of_the_same(&holders[i - 1], &holders[i]);
		if (is_begin)
			print_who(&holders[i - 1], column);
	}
	if (i < count) {
		snprintf(text, sizeof(text), "and %zu more sockets; --json has all", count - i);
		print_item("", column, text);
	}
}

void holder_print_limits(const struct inspection *seen, int column)
{
	bool is_root = geteuid() == 0;
	if (seen->is_namespace_denied && !is_root)
		print_item("unseen", column, "other network namespaces: root would look into those too");
	else if (seen->is_namespace_denied || seen->is_socket_denied)
		print_item("unseen", column, "some network namespaces, which even this root may not look into");
	else if (!seen->is_everywhere)
		print_item("unseen", column, "network namespaces without a name: --everywhere looks into those too");
}
