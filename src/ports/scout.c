/* Decides what the process that looks at others may do, and what it is asked: messages of a fixed form, one after the
 * other, on a pair of sockets that nobody else has. */
#include "ports/scout.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "ports/process.h"

enum {
	PATIENCE_MS = 5000,
	SLICE_MS = 50,
	END_MS = 500,
	LOOK_S = 10,
	CHANNEL = 3,
	PART = 256 /* answers of a message: more do not fit a socket's buffer */
};

struct scout {
	int fd;
	pid_t pid;
	const atomic_bool *over; /* NULL: nobody hurries it */
};

/* Whom the process becomes. */
struct role {
	bool is_change;
	uid_t uid;
	gid_t gid;
};

/* --- looking --- */

static void describe(pid_t pid, struct scout_answer *answer)
{
	struct arena arena;
	arena_init(&arena);
	const struct process *process = process_read(&arena, pid);
	if (process != NULL) {
		const char *place =
			process->place.container[0] != '\0' ? process->place.container : process->place.unit;
		answer->pid = pid;
		if (*place != '\0')
			snprintf(answer->who, SCOUT_WHO, "%.95s (%.150s)", process->name, place);
		else
			snprintf(answer->who, SCOUT_WHO, "%.95s", process->name);
	}
	arena_deinit(&arena);
}

/* Of several that have a socket the first one is named. Sockets of one process follow each other, seldom far apart. */
void scout_look(struct owner_want *want, size_t count, struct scout_answer *answers)
{
	struct owner_found *found;
	struct pids pids = {0};
	size_t found_count;
	const struct scout_answer *last = NULL;
	memset(answers, 0, count * sizeof(*answers));
	owners_find(want, count, &pids, &found, &found_count);
	for (size_t i = 0; i < found_count; i++) {
		struct scout_answer *answer = &answers[found[i].want];
		if (answer->pid != 0)
			continue;
		if (last != NULL && last->pid == found[i].pid)
			*answer = *last;
		else
			describe(found[i].pid, answer);
		last = answer;
	}
	free(found);
	pids_deinit(&pids);
}

/* --- the process --- */

/* The files and processes of root are no more its own than they are the daemon's; and the daemon has to be able to end
 * it when it has become that user itself. */
static void become(const struct role *role)
{
	if (!role->is_change)
		return;
	if (prctl(PR_SET_KEEPCAPS, 1L) != 0 || setgroups(0, NULL) != 0 ||
		setresgid(role->gid, role->gid, role->gid) != 0 || setresuid(role->uid, role->uid, role->uid) != 0)
		_exit(1);
}

/* Of what root may do, two things stay; another user has nothing to give up. */
static void keep_what_it_takes(void)
{
	const uint32_t mask = 1u << CAP_SYS_PTRACE | 1u << CAP_DAC_READ_SEARCH;
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	if (syscall(SYS_capget, &head, data) != 0)
		_exit(1);
	data[0].effective = data[0].permitted = data[0].permitted & mask;
	data[1].effective = data[1].permitted = 0;
	data[0].inheritable = data[1].inheritable = 0;
	if (syscall(SYS_capset, &head, data) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		_exit(1);
}

/* Everything that the daemon has open is none of its business, nor the terminal or pipe that it was started from. */
static void keep_channel_alone(int fd)
{
	if (fd != CHANNEL && dup2(fd, CHANNEL) < 0)
		_exit(1);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < CHANNEL; i++)
		if (null < 0 ? close(i) != 0 && errno != EBADF : null != i && dup2(null, i) < 0)
			_exit(1);
	(void)syscall(SYS_close_range, CHANNEL + 1, ~0u, 0);
}

static void settle_down(int fd, pid_t parent, const struct role *role)
{
	sigset_t none;
	sigemptyset(&none);
	keep_channel_alone(fd);
	(void)prctl(PR_SET_NAME, "berthd-scout");
	become(role);
	keep_what_it_takes();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* after those: they take it back (prctl(2)) */
	if (getppid() != parent)
		_exit(0); /* it ended meanwhile */
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGALRM, SIG_DFL);
	signal(SIGINT, SIG_IGN); /* Ctrl-C is the daemon's to answer */
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
}

static size_t part_of(size_t count, size_t at)
{
	return count - at < PART ? count - at : PART;
}

static _Noreturn void serve(void)
{
	struct owner_want *want = xzalloc(SCOUT_MOST, sizeof(*want));
	struct scout_answer *answers = xzalloc(SCOUT_MOST, sizeof(*answers));
	for (;;) {
		ssize_t len = recv(CHANNEL, want, SCOUT_MOST * sizeof(*want), MSG_TRUNC);
		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0 || len % (ssize_t)sizeof(*want) != 0 || len > (ssize_t)(SCOUT_MOST * sizeof(*want)))
			_exit(0);
		size_t count = (size_t)len / sizeof(*want);
		alarm(LOOK_S); /* a look that hangs (a dead file system) ends us: nobody waits for it any more */
		scout_look(want, count, answers);
		alarm(0);
		for (size_t at = 0; at < count; at += PART)
			if (send(CHANNEL, answers + at, part_of(count, at) * sizeof(*answers), MSG_NOSIGNAL) < 0)
				_exit(0);
	}
}

/* --- the daemon's side --- */

static int find_role(struct role *role, const char *user)
{
	*role = (struct role){0};
	if (user == NULL || geteuid() != 0)
		return 0;
	const struct passwd *entry = getpwnam(user);
	if (entry == NULL)
		return E_NOENT;
	*role = (struct role){true, entry->pw_uid, entry->pw_gid};
	return 0;
}

int scout_start(struct scout **out, const char *user)
{
	struct role role;
	int ends[2];
	const int room = PART * (int)sizeof(struct scout_answer) * 2;
	pid_t parent = getpid();
	*out = NULL;
	if (find_role(&role, user) != 0)
		return E_NOENT;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return error_of_errno(errno);
	(void)setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	pid_t pid = fork();
	if (pid == 0) {
		settle_down(ends[1], parent, &role);
		serve();
	}
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return E_SYSTEM;
	}
	struct scout *scout = xalloc(sizeof(*scout));
	*scout = (struct scout){.fd = ends[0], .pid = pid};
	*out = scout;
	return 0;
}

void scout_heed(struct scout *scout, const atomic_bool *over)
{
	scout->over = over;
}

/* In slices: the daemon's end does not wait for the whole. */
static bool has_answered(const struct scout *scout)
{
	struct pollfd ready = {.fd = scout->fd, .events = POLLIN};
	for (int ms = 0; ms < PATIENCE_MS; ms += SLICE_MS) {
		if (poll(&ready, 1, SLICE_MS) > 0)
			return true;
		if (scout->over != NULL && atomic_load(scout->over))
			return false;
	}
	return false;
}

int scout_ask(struct scout *scout, const struct owner_want *want, size_t count, struct scout_answer *answers)
{
	if (send(scout->fd, want, count * sizeof(*want), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return E_CLOSED;
	for (size_t at = 0; at < count; at += PART) {
		ssize_t len = (ssize_t)(part_of(count, at) * sizeof(*answers));
		if (!has_answered(scout))
			return E_TIMEOUT;
		if (recv(scout->fd, answers + at, (size_t)len, MSG_DONTWAIT) != len)
			return E_CLOSED;
	}
	for (size_t i = 0; i < count; i++)
		answers[i].who[SCOUT_WHO - 1] = '\0';
	return 0;
}

void scout_end(struct scout *scout)
{
	if (scout == NULL)
		return;
	close(scout->fd);
	(void)kill(scout->pid, SIGKILL);
	/* One that the kernel keeps (a dead file system) becomes init's. */
	for (int ms = 0; ms < END_MS && waitpid(scout->pid, NULL, WNOHANG) == 0; ms++)
		usleep(1000);
	free(scout);
}
