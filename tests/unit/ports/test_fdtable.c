/* Finding sockets in tables of descriptors (ports/fdtable.c), on tables that are made up and count the looks. */
#include "unit/unit.h"

#include <stdlib.h>

#include "base/error.h"
#include "ports/fdtable.h"

enum { PLACES = 40000, BASE = 5000000 };

static int64_t places[PLACES];
static unsigned looks;

static int64_t inode_at(void *arg, unsigned fd)
{
	(void)arg;
	looks++;
	return fd < PLACES ? places[fd] : FD_NONE;
}

static struct fd_table table_of(unsigned limit)
{
	struct fd_table table = {.inode_at = inode_at, .limit = limit};
	looks = 0;
	for (unsigned fd = 0; fd < limit; fd++)
		table.count += places[fd] != FD_NONE;
	return table;
}

/* Standard streams, a file, then sockets whose inodes rise by one to `step`; holes and files here and there. */
static void make_rising(unsigned sockets, unsigned step)
{
	int64_t inode = BASE;
	for (unsigned fd = 0; fd < PLACES; fd++) {
		if (fd < 4 || (fd < sockets && fd % 97 == 5))
			places[fd] = FD_OTHER;
		else if (fd >= sockets || fd % 89 < 2)
			places[fd] = FD_NONE;
		else
			places[fd] = inode += 1 + rand() % (int)step;
	}
}

static void test_bisect_finds_all_that_rise(void **state)
{
	(void)state;
	for (unsigned step = 1; step < 6; step++) {
		make_rising(20000, step);
		for (unsigned fd = 0; fd < 20000; fd += 7) {
			if (places[fd] <= 0)
				continue;
			struct fd_table table = table_of(32768);
			assert_int_equal(fd_table_bisect(&table, (uint64_t)places[fd]), fd);
			assert_true(looks < 130);
		}
	}
}

/* A few that stand where they do not belong, as after the change of a processor, lead nobody else astray for long. */
static void test_bisect_looks_around(void **state)
{
	(void)state;
	make_rising(20000, 1);
	for (unsigned fd = 10000; fd < 10012; fd++) { /* turned round */
		int64_t there = places[fd];
		places[fd] = places[20023 - fd];
		places[20023 - fd] = there;
	}
	for (unsigned fd = 9900; fd < 10124; fd++) {
		struct fd_table table = table_of(32768);
		if (places[fd] > 0)
			assert_int_equal(fd_table_bisect(&table, (uint64_t)places[fd]), fd);
	}
}

static void test_bisect_of_nothing(void **state)
{
	(void)state;
	make_rising(0, 1);
	struct fd_table table = table_of(256);
	assert_int_equal(fd_table_bisect(&table, BASE), -1);
	table = table_of(0);
	assert_int_equal(fd_table_bisect(&table, BASE), -1);
	make_rising(20000, 1);
	table = table_of(32768);
	assert_int_equal(fd_table_bisect(&table, 1), -1);
	assert_int_equal(fd_table_bisect(&table, BASE * 2), -1);
	assert_int_equal(fd_table_bisect(&table, 0), -1);
}

/* --- passes --- */

static unsigned found[PLACES];
static unsigned unseen;
static bool is_known[PLACES * 4]; /* by inode - BASE: there is such a socket */

static void on_socket(void *arg, unsigned fd, uint64_t inode)
{
	(void)arg;
	assert_int_equal(places[fd], inode);
	found[fd]++;
}

static void on_run_socket(void *arg, unsigned fd, uint64_t inode, bool is_seen)
{
	unseen += !is_seen;
	on_socket(arg, fd, inode);
}

static bool is_run(void *arg, uint64_t first, uint64_t last)
{
	(void)arg;
	assert_true(first < last);
	for (uint64_t inode = first; inode <= last; inode++)
		if (!is_known[inode - BASE])
			return false;
	return true;
}

static void know_all(unsigned limit)
{
	memset(is_known, 0, sizeof(is_known));
	for (unsigned fd = 0; fd < limit; fd++)
		if (places[fd] > 0)
			is_known[places[fd] - BASE] = true;
}

static void check_all_found(unsigned limit)
{
	for (unsigned fd = 0; fd < limit; fd++)
		assert_int_equal(found[fd], places[fd] > 0);
	memset(found, 0, sizeof(found));
}

static void test_pass(void **state)
{
	(void)state;
	srand(2);
	for (unsigned fd = 0; fd < PLACES; fd++)
		places[fd] = rand() % 3 == 0 ? FD_NONE : rand() % 2 ? FD_OTHER : 1 + rand();
	struct fd_table table = table_of(30000);
	assert_int_equal(fd_table_pass(&table, on_socket, NULL), 0);
	check_all_found(30000);
	table.count = 0; /* not known */
	assert_int_equal(fd_table_pass(&table, on_socket, NULL), 0);
	check_all_found(30000);
}

/* Once all are seen, the rest is not looked at. */
static void test_pass_ends_early(void **state)
{
	(void)state;
	make_rising(100, 1);
	struct fd_table table = table_of(PLACES);
	assert_int_equal(fd_table_pass(&table, on_socket, NULL), 0);
	assert_true(looks <= 100);
	check_all_found(PLACES);
}

static void test_denied(void **state)
{
	const struct fd_runs runs = {is_run, on_run_socket, NULL};
	(void)state;
	for (unsigned fd = 0; fd < PLACES; fd++)
		places[fd] = FD_DENIED;
	struct fd_table table = table_of(256);
	assert_int_equal(fd_table_pass(&table, on_socket, NULL), E_ACCESS);
	assert_int_equal(fd_table_pass_runs(&table, &runs), E_ACCESS);
	assert_int_equal(looks, 2);
}

/* All are found, most unseen, whatever holes and breaks there are. */
static void test_runs(void **state)
{
	const struct fd_runs runs = {is_run, on_run_socket, NULL};
	(void)state;
	for (unsigned step = 1; step < 4; step++)
		for (unsigned limit = 0; limit < 20000; limit = limit * 2 + 1) {
			make_rising(limit, step);
			struct fd_table table = table_of(limit);
			know_all(limit);
			unseen = 0;
			assert_int_equal(fd_table_pass_runs(&table, &runs), 0);
			assert_int_equal(looks, limit < 1 ? 0 : limit - unseen);
			check_all_found(limit);
			if (step == 1 && limit > 1000)
				assert_true(unseen > limit / 3);
		}
	/* one long row */
	for (unsigned fd = 0; fd < 20000; fd++)
		places[fd] = BASE + fd;
	struct fd_table table = table_of(20000);
	know_all(20000);
	assert_int_equal(fd_table_pass_runs(&table, &runs), 0);
	assert_true(looks < 20000 / 60);
	check_all_found(20000);
}

/* Where the sockets between are not known to be alike, each is looked at. */
static void test_runs_of_strangers(void **state)
{
	const struct fd_runs runs = {is_run, on_run_socket, NULL};
	(void)state;
	for (unsigned fd = 0; fd < 1000; fd++)
		places[fd] = BASE + fd;
	struct fd_table table = table_of(1000);
	know_all(500);
	unseen = 0;
	assert_int_equal(fd_table_pass_runs(&table, &runs), 0);
	assert_true(unseen > 400 && unseen < 500);
	check_all_found(1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bisect_finds_all_that_rise),
		cmocka_unit_test(test_bisect_looks_around),
		cmocka_unit_test(test_bisect_of_nothing),
		cmocka_unit_test(test_pass),
		cmocka_unit_test(test_pass_ends_early),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_runs_of_strangers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
