/* Network namespaces are found, entered and left (ports/netns.c). */
#include "unit/unit.h"

#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "ports/netns.h"

static void test_ids(void **state)
{
	(void)state;
	assert_int_equal(netns_id_read("net:[4026532008]"), 4026532008);
	assert_int_equal(netns_id_read("net:[4026532008"), 0);
	assert_int_equal(netns_id_read("net:[]"), 0);
	assert_int_equal(netns_id_read("mnt:[4026532008]"), 0);
	assert_int_equal(netns_id_read(""), 0);
	assert_int_equal(netns_id_read("net:[x]"), 0);
}

static uint64_t where_we_are(void)
{
	struct stat st;
	assert_int_equal(stat("/proc/thread-self/ns/net", &st), 0);
	return st.st_ino;
}

static void test_ours(void **state)
{
	struct netns_list list;
	struct diag *diag;
	(void)state;
	netns_list_init(&list);
	assert_int_equal(list.count, 1);
	assert_true(list.ns[0].is_ours);
	assert_int_equal(list.ns[0].id, where_we_are());
	assert_true(list.ns[0].local.first > 0 && list.ns[0].local.first <= list.ns[0].local.last);
	assert_int_equal(netns_open(&list, 0, &diag), 0);
	diag_close(diag);
	netns_list_deinit(&list);
}

/* A process in a namespace of its own; it ends when the pipe is closed. -1: not allowed here. */
static pid_t live_elsewhere(int *end)
{
	int ready[2], stop[2];
	char byte = 'n';
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(stop), 0);
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		close(stop[1]);
		byte = unshare(CLONE_NEWNET) == 0 ? 'y' : 'n';
		(void)!write(ready[1], &byte, 1);
		(void)!read(stop[0], &byte, 1);
		_exit(0);
	}
	close(stop[0]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	*end = stop[1];
	return byte == 'y' ? child : -child;
}

/* Found by who lives in it; after a look into it, and after a look that failed, we are where we were. */
static void test_another(void **state)
{
	struct netns_list list;
	struct pids pids = {0};
	struct diag *diag = NULL;
	uint64_t home = where_we_are();
	int end, ret = -1;
	size_t found = 0;
	(void)state;
	pid_t child = live_elsewhere(&end);
	netns_list_init(&list);
	if (child > 0) {
		pids_add(&pids, getpid());
		pids_add(&pids, child);
		netns_add_lived_in(&list, &pids);
		found = list.count;
		ret = found == 2 ? netns_open(&list, 1, &diag) : -1;
	}
	close(end);
	(void)waitpid(child > 0 ? child : -child, NULL, 0);
	if (child < 0) {
		netns_list_deinit(&list);
		print_message("skipped: no network namespace can be made\n");
		skip();
	}
	assert_int_equal(found, 2);
	assert_int_equal(list.ns[0].pid, getpid());
	assert_int_equal(list.ns[1].pid, child);
	assert_int_not_equal(list.ns[1].id, home);
	assert_int_equal(ret, 0);
	diag_close(diag);
	assert_int_equal(where_we_are(), home);
	assert_int_equal(netns_open(&list, 1, &diag), E_NOENT); /* it ended */
	assert_null(diag);
	assert_int_equal(where_we_are(), home);
	netns_list_deinit(&list);
	pids_deinit(&pids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_ours),
		cmocka_unit_test(test_another),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
