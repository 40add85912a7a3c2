/* Decides in which order descriptors are looked at. */
#include "ports/fdtable.h"

#include <stdbool.h>

#include "base/error.h"

enum {
	NEAR = 8,    /* a hole, a file: so many neighbours are looked at before the place counts as past the end */
	RUN = 64,    /* descriptors between two that are looked at in any case */
	AROUND = 32, /* looked at one by one on both sides of where bisecting ended */
};

/* The first socket at or after *fd and before `end`, at most NEAR places on; 0 when there is none. */
static int64_t socket_near(const struct fd_table *table, unsigned *fd, unsigned end)
{
	for (unsigned i = 0; i < NEAR && *fd < end; i++, (*fd)++) {
		int64_t inode = table->inode_at(table->arg, *fd);
		if (inode > 0)
			return inode;
	}
	return 0;
}

static int64_t look_around(const struct fd_table *table, unsigned middle, uint64_t inode)
{
	unsigned first = middle > AROUND ? middle - AROUND : 0;
	for (unsigned fd = first; fd < table->limit && fd <= middle + AROUND; fd++)
		if (table->inode_at(table->arg, fd) == (int64_t)inode)
			return fd;
	return -1;
}

int64_t fd_table_bisect(const struct fd_table *table, uint64_t inode)
{
	unsigned low = 0, high = table->limit;
	if (inode == 0)
		return -1;
	while (low < high) {
		unsigned middle = low + (high - low) / 2, fd = middle;
		int64_t there = socket_near(table, &fd, high);
		if (there == (int64_t)inode)
			return fd;
		/* Descriptors are given from below: where none is, the end has been passed. */
		if (there == 0 || (uint64_t)there > inode)
			high = middle;
		else
			low = fd + 1;
	}
	return look_around(table, low, inode);
}

int fd_table_pass(const struct fd_table *table, void (*on_socket)(void *arg, unsigned fd, uint64_t inode), void *arg)
{
	unsigned seen = 0;
	for (unsigned fd = 0; fd < table->limit && (table->count == 0 || seen < table->count); fd++) {
		int64_t inode = table->inode_at(table->arg, fd);
		if (inode == FD_DENIED)
			return E_ACCESS;
		seen += inode != FD_NONE;
		if (inode > 0)
			on_socket(arg, fd, (uint64_t)inode);
	}
	return 0;
}

/* --- by runs --- */

struct end {
	unsigned fd;
	int64_t inode;
};

static struct end look(const struct fd_table *table, const struct fd_runs *runs, unsigned fd)
{
	struct end end = {fd, table->inode_at(table->arg, fd)};
	if (end.inode > 0)
		runs->on_socket(runs->arg, fd, (uint64_t)end.inode, true);
	return end;
}

/* What is between the two, of which both were looked at. Halves at most six times: RUN is 64. */
static void between(const struct fd_table *table, const struct fd_runs *runs, struct end low, struct end high)
{
	unsigned count = high.fd - low.fd;
	if (count < 2)
		return;
	if (low.inode > 0 && high.inode - low.inode == (int64_t)count &&
		runs->is_run(runs->arg, (uint64_t)low.inode, (uint64_t)high.inode)) {
		for (unsigned i = 1; i < count; i++)
			runs->on_socket(runs->arg, low.fd + i, (uint64_t)low.inode + i, false);
		return;
	}
	struct end middle = look(table, runs, low.fd + count / 2);
	between(table, runs, low, middle);
	between(table, runs, middle, high);
}

int fd_table_pass_runs(const struct fd_table *table, const struct fd_runs *runs)
{
	if (table->limit == 0)
		return 0;
	struct end low = look(table, runs, 0);
	if (low.inode == FD_DENIED)
		return E_ACCESS;
	while (low.fd < table->limit - 1) {
		unsigned next = low.fd + RUN < table->limit ? low.fd + RUN : table->limit - 1;
		struct end high = look(table, runs, next);
		between(table, runs, low, high);
		low = high;
	}
	return 0;
}
