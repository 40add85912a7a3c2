/* Real sockets of this process, found with their owner (ports/inspect.c, owner.c, diag.c), in a namespace of its own. */
#include "unit/unit.h"

#include <sys/wait.h>

#include "base/error.h"
#include "ports/inspect.h"
#include "unit/sockets.h"

static bool is_alone;

static int open_at(const char *text, uint16_t port, int type)
{
	struct addr at;
	int on = 1;
	assert_int_equal(addr_parse(&at, text, port), 0);
	int fd = socket(at.sa.sa_family, type | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, &at.sa, addr_socklen(&at)), 0);
	return fd;
}

static void connect_to(int fd, const char *text, uint16_t port)
{
	struct addr to;
	assert_int_equal(addr_parse(&to, text, port), 0);
	assert_int_equal(connect(fd, &to.sa, addr_socklen(&to)), 0);
}

static struct inspection *look(uint16_t first, uint16_t last)
{
	struct inspect_ask ask = {.ports = {first, last}, .reach = INSPECT_OURS};
	struct inspection *seen;
	assert_int_equal(inspect(&seen, &ask), 0);
	return seen;
}

/* The state of the only holder of the port, which is this process; DIAG_STATES when there is none. */
static enum diag_state state_at(uint16_t port)
{
	struct inspection *seen = look(port, port);
	size_t count;
	const struct holder *holder = inspect_of_port(seen, port, &count);
	enum diag_state state = holder != NULL ? holder->socket.state : DIAG_STATES;
	assert_int_equal(count, seen->count);
	if (holder != NULL) {
		assert_int_equal(count, 1);
		assert_int_equal(holder->owner_count, 1);
		assert_int_equal(holder->owners[0]->pid, getpid());
		assert_int_equal(holder->socket.uid, geteuid());
		assert_true(holder->ns->is_ours);
		assert_true(holder->how == OWNER_BISECT || holder->how == OWNER_SCAN || holder->how == OWNER_CGROUP);
	}
	inspect_free(seen);
	return state;
}

static void test_kinds(void **state)
{
	(void)state;
	int fd[] = {open_at("0.0.0.0", 50001, SOCK_DGRAM), open_at("::1", 50002, SOCK_DGRAM),
		open_at("127.0.0.1", 50003, SOCK_DGRAM), open_at("::1", 50004, SOCK_DGRAM),
		open_at("127.0.0.1", 50005, SOCK_STREAM), open_at("::1", 50006, SOCK_STREAM)};
	connect_to(fd[2], "127.0.0.1", 53);
	connect_to(fd[3], "::1", 53);
	assert_int_equal(listen(fd[4], 7), 0);
	assert_int_equal(listen(fd[5], 1), 0);
	assert_int_equal(state_at(50001), DIAG_UNCONNECTED);
	assert_int_equal(state_at(50002), DIAG_UNCONNECTED);
	assert_int_equal(state_at(50003), DIAG_CONNECTED);
	assert_int_equal(state_at(50004), DIAG_CONNECTED);
	assert_int_equal(state_at(50005), DIAG_LISTENING);
	assert_int_equal(state_at(50006), DIAG_LISTENING);
	assert_int_equal(state_at(50007), DIAG_STATES);
	for (size_t i = 0; i < COUNT_OF(fd); i++)
		close(fd[i]);
	assert_int_equal(state_at(50001), DIAG_STATES);
}

/* Which Linux lists from 6.8 on; an older one must not make it fail. */
static void test_bound_and_silent(void **state)
{
	(void)state;
	int fd = open_at("127.0.0.1", 50010, SOCK_STREAM);
	enum diag_state found = state_at(50010);
	close(fd);
	if (found == DIAG_STATES) {
		print_message("skipped: this kernel does not list bound sockets that are silent\n");
		skip();
	}
	assert_int_equal(found, DIAG_INACTIVE);
}

/* Addresses, peers and queues of a connection, and who is said to have chosen the ports. */
static void test_connection(void **state)
{
	(void)state;
	int listener = open_at("127.0.0.1", 50020, SOCK_STREAM), client = open_at("127.0.0.1", 50021, SOCK_STREAM);
	assert_int_equal(listen(listener, 7), 0);
	connect_to(client, "127.0.0.1", 50020);
	sockets_wait(listener);
	struct inspection *seen = look(50020, 50021);
	if (is_alone) {
		assert_int_equal(seen->holders[0].socket.state, DIAG_LISTENING);
		assert_int_equal(seen->holders[0].socket.receive_queue, 1);
		assert_int_equal(seen->holders[0].socket.send_queue, 7);
		assert_int_equal(seen->holders[1].socket.state, DIAG_CONNECTED);
		assert_int_equal(seen->holders[1].origin.who, ORIGIN_LISTENER);
		assert_int_equal(seen->holders[1].how, OWNER_KERNEL); /* nobody accepted it yet */
		assert_int_equal(seen->count, 3);
		assert_int_equal(addr_port(&seen->holders[2].socket.peer), 50020);
	}
	inspect_free(seen);
	int accepted = accept(listener, NULL, NULL);
	assert_int_equal(write(client, "hello", 5), 5);
	sockets_wait(accepted);
	seen = look(50020, 50020);
	assert_int_equal(seen->count, 2);
	assert_int_equal(seen->holders[1].socket.receive_queue, 5);
	assert_int_equal(addr_port(&seen->holders[1].socket.peer), 50021);
	assert_int_equal(seen->holders[1].owner_count, 1);
	inspect_free(seen);
	char word[5]; /* what is left unread would end the connection with a reset, which keeps nothing */
	assert_int_equal(read(accepted, word, sizeof(word)), 5);
	close(accepted);
	sockets_wait(client); /* so that it is the second to close */
	close(client);
	close(listener);
	seen = look(50020, 50021);
	for (int i = 0; i < 100 && seen->count != 1; i++) { /* on a busy machine the last steps come late */
		inspect_free(seen);
		usleep(20000);
		seen = look(50020, 50021);
	}
	assert_int_equal(seen->count, 1);
	assert_int_equal(seen->holders[0].socket.state, DIAG_TIME_WAIT);
	assert_int_equal(seen->holders[0].how, OWNER_KERNEL);
	assert_int_equal(seen->holders[0].owner_count, 0);
	inspect_free(seen);
}

/* Who inherited a socket holds it as well; who has it twice is named once. */
static void test_shared(void **state)
{
	(void)state;
	int fd = open_at("127.0.0.1", 50030, SOCK_DGRAM), again = dup(fd), stop[2];
	char byte;
	assert_int_equal(pipe(stop), 0);
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		close(stop[1]);
		(void)!read(stop[0], &byte, 1);
		_exit(0);
	}
	struct inspection *seen = look(50030, 50030);
	size_t owners = seen->count == 1 ? seen->holders[0].owner_count : 0;
	pid_t pids[2] = {0};
	for (size_t i = 0; i < owners && i < 2; i++)
		pids[i] = seen->holders[0].owners[i]->pid;
	inspect_free(seen);
	close(stop[0]);
	close(stop[1]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(owners, 2);
	assert_true(pids[0] < pids[1]);
	assert_true((pids[0] == getpid() && pids[1] == child) || (pids[0] == child && pids[1] == getpid()));
	assert_int_equal(state_at(50030), DIAG_UNCONNECTED);
	close(again);
	close(fd);
}

/* More than one reply of the kernel holds, and more than a small table: one by one, and all at once. */
static void test_many(void **state)
{
	enum { MANY = 3000, FIRST = 40000 };
	static int fd[MANY];
	struct rlimit old, more;
	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	more = (struct rlimit){.rlim_cur = old.rlim_max, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &more), 0);
	if (more.rlim_cur < MANY + 100) {
		print_message("skipped: too few descriptors are allowed\n");
		skip();
	}
	for (int i = 0; i < MANY; i++)
		fd[i] = open_at(i % 2 ? "127.0.0.1" : "::1", (uint16_t)(FIRST + i), SOCK_DGRAM);
	for (int i = 0; i < MANY; i += 97)
		assert_int_equal(state_at((uint16_t)(FIRST + i)), DIAG_UNCONNECTED);
	struct inspection *seen = look(1, 65535);
	size_t ours = 0, rows = 0;
	for (size_t i = 0; i < seen->count; i++) {
		const struct holder *holder = &seen->holders[i];
		uint16_t port = addr_port(&holder->socket.local);
		if (port < FIRST || port >= FIRST + MANY)
			continue;
		assert_true(i == 0 || addr_port(&seen->holders[i - 1].socket.local) <= port);
		ours += holder->owner_count == 1 && holder->owners[0]->pid == getpid();
		rows += holder->how == OWNER_RUN;
		assert_true(holder->how == OWNER_RUN || holder->how == OWNER_SCAN);
	}
	assert_int_equal(ours, MANY);
	assert_true(rows < MANY);
	inspect_free(seen);
	if (is_alone) {
		seen = look(FIRST + 1, FIRST + 1);
		assert_in_range(inspect_share(&seen->holders[0], (struct port_range){FIRST, FIRST + MANY - 1}), 15, 85);
		assert_int_equal(inspect_share(&seen->holders[0], (struct port_range){50000, 59999}), 0);
		inspect_free(seen);
	}
	for (int i = 0; i < MANY; i++)
		close(fd[i]);
	sockets_unlimit(&old);
}

/* What was found free is not looked for. */
static void test_free_is_skipped(void **state)
{
	(void)state;
	int udp = open_at("127.0.0.1", 50040, SOCK_DGRAM), tcp = open_at("127.0.0.1", 50040, SOCK_STREAM);
	struct inspect_ask ask = {.ports = {50040, 50040}, .reach = INSPECT_OURS, .is_free = {[PORT_TCP] = true}};
	struct inspection *seen;
	assert_int_equal(listen(tcp, 1), 0);
	assert_int_equal(inspect(&seen, &ask), 0);
	assert_int_equal(seen->count, 1);
	assert_int_equal(seen->holders[0].socket.transport, PORT_UDP);
	inspect_free(seen);
	seen = look(50040, 50040);
	assert_int_equal(seen->count, 2);
	inspect_free(seen);
	close(udp);
	close(tcp);
}

static void test_no_descriptors(void **state)
{
	struct inspect_ask ask = {.ports = {1, 65535}, .reach = INSPECT_OURS};
	struct inspection *seen = (struct inspection *)&ask;
	struct rlimit old;
	(void)state;
	sockets_limit(0, &old);
	int ret = inspect(&seen, &ask);
	sockets_unlimit(&old);
	assert_int_not_equal(ret, 0);
	assert_null(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_bound_and_silent),
		cmocka_unit_test(test_connection),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_free_is_skipped),
		cmocka_unit_test(test_no_descriptors),
	};
	is_alone = sockets_enter_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
