/* Who holds which port, asked of the kernel (ports/sockets.c), in a network namespace of the test's own. */
#include "unit/unit.h"

#include <sys/wait.h>

#include "base/error.h"
#include "ports/sockets.h"
#include "unit/sockets.h"

enum { ANOTHER_USER = 65534, THIRD_USER = 65533 };

static struct sockets_survey survey;
static bool is_alone; /* in a namespace of our own: what the survey finds is ours */

static void look(const struct port_space *space)
{
	memset(&survey, 0xee, sizeof(survey));
	assert_int_equal(sockets_survey(&survey, space), 0);
}

static int open_at(const char *text, uint16_t port, int type)
{
	struct addr at;
	assert_int_equal(addr_parse(&at, text, port), 0);
	int fd = socket(at.sa.sa_family, type | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &at.sa, addr_socklen(&at)), 0);
	return fd;
}

static void connect_to(int fd, const char *text)
{
	struct addr to;
	assert_int_equal(addr_parse(&to, text, 53), 0);
	assert_int_equal(connect(fd, &to.sa, addr_socklen(&to)), 0);
}

static bool is_listened(uint16_t port)
{
	return port_set_has(&survey.listened, port);
}

static bool is_connected(uint16_t port)
{
	return port_set_has(&survey.connected, port);
}

/* Nobody has a socket: nothing is found. Then the test's own, gone again when they are closed. */
static void test_nobody(void **state)
{
	(void)state;
	if (!is_alone)
		skip();
	look(NULL);
	assert_int_equal(survey.held, 0);
	assert_int_equal(survey.top_held, 0);
	assert_int_equal(port_set_count(&survey.listened) + port_set_count(&survey.connected), 0);
	int fd = open_at("127.0.0.1", 50000, SOCK_DGRAM);
	look(NULL);
	assert_int_equal(survey.held, 1);
	assert_true(is_listened(50000) && !is_connected(50000));
	close(fd);
	look(NULL);
	assert_int_equal(survey.held, 0);
	assert_false(is_listened(50000));
}

/* UDP with and without a peer, TCP that listens and TCP that does not, in both families. */
static void test_kinds(void **state)
{
	(void)state;
	int fd[] = {open_at("0.0.0.0", 50001, SOCK_DGRAM), open_at("::1", 50002, SOCK_DGRAM),
		open_at("127.0.0.1", 50003, SOCK_DGRAM), open_at("::1", 50004, SOCK_DGRAM),
		open_at("127.0.0.1", 50005, SOCK_STREAM), open_at("::1", 50006, SOCK_STREAM),
		open_at("127.0.0.1", 50007, SOCK_STREAM)};
	connect_to(fd[2], "127.0.0.1");
	connect_to(fd[3], "::1");
	assert_int_equal(listen(fd[4], 1), 0);
	assert_int_equal(listen(fd[5], 1), 0);
	look(NULL);
	assert_true(is_listened(50001) && !is_connected(50001));
	assert_true(is_listened(50002) && !is_connected(50002));
	assert_true(is_connected(50003) && !is_listened(50003));
	assert_true(is_connected(50004) && !is_listened(50004));
	assert_true(is_listened(50005) && !is_connected(50005));
	assert_true(is_listened(50006));
	assert_false(is_listened(50007)); /* bound and silent: it keeps no UDP socket away */
	if (is_alone)
		assert_int_equal(survey.held, 4); /* UDP only */
	for (size_t i = 0; i < COUNT_OF(fd); i++)
		close(fd[i]);
}

/* Several sockets on one port count as one port. */
static void test_shared_ports_count_once(void **state)
{
	struct addr at;
	int fd[8], one = 1;
	(void)state;
	if (!is_alone)
		skip();
	assert_int_equal(addr_parse(&at, "127.0.0.1", 50010), 0);
	for (size_t i = 0; i < COUNT_OF(fd); i++) {
		fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		assert_int_equal(setsockopt(fd[i], SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
		assert_int_equal(bind(fd[i], &at.sa, addr_socklen(&at)), 0);
	}
	int six = open_at("::1", 50010, SOCK_DGRAM);
	connect_to(fd[0], "127.0.0.1");
	look(NULL);
	assert_int_equal(survey.held, 1);
	assert_int_equal(survey.top_held, 1);
	assert_true(is_listened(50010) && is_connected(50010));
	for (size_t i = 0; i < COUNT_OF(fd); i++)
		close(fd[i]);
	close(six);
}

/* What this process has lent is not another program's. */
static void test_our_own_are_left_out(void **state)
{
	static struct port_set set;
	struct port_space *space = port_space_new();
	struct port_draw draw = {.space = space};
	uint16_t port;
	(void)state;
	port_set_fill(&set, 50020, 50020);
	port_space_set_usable(space, &set);
	assert_int_equal(port_draw(&draw, &port), 0);
	int ours = open_at("127.0.0.1", 50020, SOCK_DGRAM), theirs = open_at("127.0.0.1", 50021, SOCK_DGRAM);
	look(space);
	assert_false(is_listened(50020));
	assert_true(is_listened(50021));
	look(NULL);
	assert_true(is_listened(50020));
	port_space_release(space, port);
	look(space);
	assert_true(is_listened(50020)); /* not lent any more */
	close(ours);
	close(theirs);
	port_draw_deinit(&draw);
	port_space_free(space);
}

/* More sockets than one reply of the kernel holds, all found. */
static void test_many(void **state)
{
	enum { MANY = 3000 };
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
	for (int i = 0; i < MANY; i++) {
		fd[i] = open_at(i % 2 ? "127.0.0.1" : "::1", (uint16_t)(40000 + i), SOCK_DGRAM);
		if (i % 3 == 0)
			connect_to(fd[i], i % 2 ? "127.0.0.1" : "::1");
	}
	look(NULL);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(is_connected((uint16_t)(40000 + i)), i % 3 == 0);
		assert_int_equal(is_listened((uint16_t)(40000 + i)), i % 3 != 0);
		close(fd[i]);
	}
	if (is_alone)
		assert_int_equal(survey.held, MANY);
	sockets_unlimit(&old);
}

/* --- users --- */

/* A program of another user that holds so many ports, until it is told to end. */
static pid_t hold_as(uid_t uid, uint16_t first, int count, int *end)
{
	int ready[2], stop[2];
	char byte;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(stop), 0);
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		struct addr at;
		close(stop[1]);
		bool good = setuid(uid) == 0;
		for (int i = 0; i < count && good; i++) {
			int fd = socket(AF_INET, SOCK_DGRAM, 0);
			good = addr_parse(&at, "127.0.0.1", (uint16_t)(first + i)) == 0 &&
			       bind(fd, &at.sa, addr_socklen(&at)) == 0;
		}
		(void)!write(ready[1], good ? "y" : "n", 1);
		(void)!read(stop[0], &byte, 1); /* until our end of it is closed */
		_exit(0);
	}
	close(stop[0]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	*end = stop[1];
	return byte == 'y' ? child : -child;
}

/* The second child knows the first one's pipe too: so both are told before either is waited for. */
static void let_end(const pid_t child[2], const int end[2])
{
	for (int i = 0; i < 2; i++)
		close(end[i]);
	for (int i = 0; i < 2; i++)
		(void)waitpid(child[i] > 0 ? child[i] : -child[i], NULL, 0);
}

static void test_top_user(void **state)
{
	int end[2];
	(void)state;
	if (!is_alone || geteuid() != 0) {
		print_message("skipped: only root can become another user\n");
		skip();
	}
	int ours = open_at("127.0.0.1", 50100, SOCK_DGRAM);
	pid_t child[2] = {hold_as(ANOTHER_USER, 50200, 30, &end[0]), hold_as(THIRD_USER, 50300, 20, &end[1])};
	bool good = child[0] > 0 && child[1] > 0;
	if (good) {
		look(NULL);
		assert_int_equal(survey.held, 51);
		assert_int_equal(survey.top, ANOTHER_USER);
		assert_int_equal(survey.top_held, 30);
	}
	let_end(child, end);
	close(ours);
	if (!good) {
		print_message("skipped: no other user to become in this user namespace\n");
		skip();
	}
	look(NULL);
	assert_int_equal(survey.held, 0);
}

/* Without a descriptor for the question it fails, and says nothing half. */
static void test_no_descriptors(void **state)
{
	static const struct sockets_survey empty;
	struct rlimit old;
	(void)state;
	int fd = open_at("127.0.0.1", 50400, SOCK_DGRAM);
	memset(&survey, 0xee, sizeof(survey));
	sockets_limit(0, &old);
	int ret = sockets_survey(&survey, NULL);
	sockets_unlimit(&old);
	assert_int_equal(ret, E_SYSTEM);
	assert_memory_equal(&survey, &empty, sizeof(survey));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_shared_ports_count_once),
		cmocka_unit_test(test_our_own_are_left_out),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_top_user),
		cmocka_unit_test(test_no_descriptors),
	};
	is_alone = sockets_enter_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
