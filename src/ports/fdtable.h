/* Finding a socket in a table of descriptors without reading all of it.
 *
 *	struct fd_table table = {.inode_at = inode_at, .arg = &process, .count = 20003, .limit = 32768};
 *	int64_t fd = fd_table_bisect(&table, inode);
 *	if (fd < 0)
 *		ret = fd_table_pass(&table, on_socket, &mine);
 *
 * A program that opens many sockets opens them one after another: their inodes rise with their descriptors, mostly (the
 * kernel gives inodes to each processor in blocks, and closed descriptors are taken again). So bisecting finds one of
 * 20,000 with some 20 looks, or misses it; a pass over the table never does. Pure but for inode_at. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	FD_OTHER = 0,   /* open, and no socket */
	FD_NONE = -1,   /* not open */
	FD_DENIED = -2, /* we may not look into this table */
};

struct fd_table {
	int64_t (*inode_at)(void *arg, unsigned fd); /* a socket's inode, or one of the above */
	void *arg;
	unsigned count; /* open descriptors; 0: not known */
	unsigned limit; /* all of them are below it */
};

/* The descriptor of that socket, or -1: not found, though it may be there. */
int64_t fd_table_bisect(const struct fd_table *table, uint64_t inode) __attribute__((nonnull));
/* Calls on_socket for each socket in the table; 0, or E_ACCESS. */
int fd_table_pass(const struct fd_table *table, void (*on_socket)(void *arg, unsigned fd, uint64_t inode), void *arg)
	__attribute__((nonnull(1, 2), warn_unused_result));

/* What a pass by runs wants to know, and tells. */
struct fd_runs {
	bool (*is_run)(
		void *arg, uint64_t first, uint64_t last); /* all inodes from first to last are of like sockets */
	void (*on_socket)(
		void *arg, unsigned fd, uint64_t inode, bool is_seen); /* is_seen: this descriptor was looked at */
	void *arg;
};

/* As fd_table_pass, but where both ends of up to 64 descriptors are as far apart as their inodes, and is_run() holds for
 * these, those in between are taken for granted: nothing else explains it but a program made to deceive. */
int fd_table_pass_runs(const struct fd_table *table, const struct fd_runs *runs)
	__attribute__((nonnull, warn_unused_result));
