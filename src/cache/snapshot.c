/* Decides the form of the file: a head, then a block for each part of the cache, each with its sum. */
#include "cache/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "cache/rrcache.h"

enum { BLOCK_MAX = 64 << 20, PATH_ROOM = 1024 };

static const char magic[8] = {'b', 'e', 'r', 't', 'h', 'r', 'r', '1'};
static const uint32_t byte_order = 0x01020304;

struct head {
	char magic[sizeof(magic)];
	uint32_t byte_order, form;
};

struct block {
	uint32_t bytes, records; /* bytes 0: the end */
	uint64_t sum;
};

/* Against damage, not against people: FNV-1a over words. */
static uint64_t sum_of(const uint8_t *data, size_t len)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325), word;
	for (; len >= sizeof(word); data += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, data, sizeof(word));
		sum = (sum ^ word) * UINT64_C(0x100000001b3);
	}
	for (; len > 0; len--)
		sum = (sum ^ *data++) * UINT64_C(0x100000001b3);
	return sum;
}

static int fail(struct snapshot_result *result, const char *path, int error, const char *what)
{
	snprintf(result->why, sizeof(result->why), "%.120s: %s", path, what);
	return error;
}

/* --- save --- */

static int write_block(FILE *file, const uint8_t *data, size_t len, uint32_t records)
{
	struct block block = {.bytes = (uint32_t)len, .records = records, .sum = sum_of(data, len)};
	return fwrite(&block, sizeof(block), 1, file) == 1 && (len == 0 || fwrite(data, len, 1, file) == 1) ? 0
													    : E_SYSTEM;
}

static int write_all(struct rrcache *cache, FILE *file, struct snapshot_result *result)
{
	struct head head = {.byte_order = byte_order, .form = rrcache_form()};
	memcpy(head.magic, magic, sizeof(magic));
	int ret = fwrite(&head, sizeof(head), 1, file) == 1 ? 0 : E_SYSTEM;
	struct rrcache_part part = {0};
	for (unsigned i = 0; i < rrcache_parts() && ret == 0; i++) {
		rrcache_copy_part(cache, i, &part);
		if (part.len > 0 && part.len <= BLOCK_MAX)
			ret = write_block(file, part.data, part.len, part.records);
		result->records += part.records;
		result->bytes += part.len;
	}
	free(part.data);
	return ret == 0 ? write_block(file, (const uint8_t *)"", 0, 0) : ret;
}

int snapshot_save(struct rrcache *cache, const char *path, struct snapshot_result *result)
{
	char beside[PATH_ROOM];
	*result = (struct snapshot_result){0};
	if ((size_t)snprintf(beside, sizeof(beside), "%s.new", path) >= sizeof(beside))
		return fail(result, path, E_SYSTEM, "the path is too long");
	int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (file == NULL) {
		int error = errno;
		if (fd >= 0)
			close(fd);
		if (error == ENOENT)
			return fail(
				result, path, E_SYSTEM, "its directory is not there; make it, or name another file");
		return fail(result, beside, E_SYSTEM, strerror(error));
	}
	int ret = write_all(cache, file, result);
	if (fclose(file) != 0)
		ret = E_SYSTEM;
	if (ret == 0 && rename(beside, path) == 0)
		return 0;
	ret = fail(result, beside, E_SYSTEM, strerror(errno));
	unlink(beside);
	return ret;
}

/* --- load --- */

static int read_head(FILE *file, const char *path, struct snapshot_result *result)
{
	struct head head;
	struct stat st;
	if (fstat(fileno(file), &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
		return E_NOENT; /* made for the user that berthd becomes */
	if (fread(&head, sizeof(head), 1, file) != 1 || memcmp(head.magic, magic, sizeof(magic)) != 0)
		return fail(result, path, E_EXIST, "is no snapshot of a cache; it is left alone");
	if (head.byte_order != byte_order || head.form != rrcache_form())
		return fail(result, path, E_EXIST, "is of another version or machine; it is left alone");
	return 0;
}

static int read_block(struct rrcache *cache, FILE *file, uint8_t **room, struct snapshot_result *result, bool *is_end)
{
	struct block block;
	if (fread(&block, sizeof(block), 1, file) != 1 || block.bytes > BLOCK_MAX)
		return E_MALFORMED;
	*is_end = block.bytes == 0;
	*room = xrealloc(*room, block.bytes + 1u);
	if (block.bytes > 0 && fread(*room, block.bytes, 1, file) != 1)
		return E_MALFORMED;
	if (sum_of(*room, block.bytes) != block.sum)
		return E_MALFORMED;
	result->bytes += block.bytes;
	uint32_t records = 0;
	size_t at = 0;
	while (at < block.bytes) {
		size_t used = rrcache_load(cache, *room + at, block.bytes - at);
		if (used == 0)
			return E_MALFORMED;
		at += used;
		records++;
	}
	result->records += records;
	return records == block.records ? 0 : E_MALFORMED;
}

int snapshot_load(struct rrcache *cache, const char *path, const atomic_bool *stop, struct snapshot_result *result)
{
	*result = (struct snapshot_result){0};
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return fail(result, path, errno == ENOENT ? E_NOENT : E_SYSTEM, strerror(errno));
	uint8_t *room = NULL;
	bool is_end = false;
	int ret = read_head(file, path, result);
	while (ret == 0 && !is_end) {
		ret = *stop ? E_CANCELED : read_block(cache, file, &room, result, &is_end);
		if (ret == E_MALFORMED)
			ret = fail(result, path, ret, "is damaged; what came before the damage is used");
	}
	free(room);
	fclose(file);
	return ret;
}
