/* Decides what the path of a cgroup says of who runs there. Every program names cgroups as it likes: these are the forms
 * of systemd, of the container engines under systemd and without it, and of LXC. */
#include "ports/cgroup.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/escape.h"

/* --- the place --- */

struct word {
	const char *text;
	size_t len;
};

static bool has_suffix(struct word word, const char *suffix)
{
	size_t len = strlen(suffix);
	return word.len > len && memcmp(word.text + word.len - len, suffix, len) == 0;
}

/* Takes the prefix off; false, and nothing taken, when it is not there or all there is. */
static bool take_prefix(struct word *word, const char *prefix)
{
	size_t len = strlen(prefix);
	if (word->len <= len || memcmp(word->text, prefix, len) != 0)
		return false;
	*word = (struct word){word->text + len, word->len - len};
	return true;
}

/* What container engines call theirs: 64 digits of a hash. */
static bool is_id(struct word word)
{
	for (size_t i = 0; i < word.len; i++)
		if (!isxdigit((unsigned char)word.text[i]))
			return false;
	return word.len == 64;
}

static void set_container(struct cgroup_place *place, const char *runtime, struct word name)
{
	snprintf(place->runtime, sizeof(place->runtime), "%s", runtime);
	escape_bytes(place->container, sizeof(place->container), name.text, name.len);
}

/* "docker-0123....scope", and the name or id alone below a folder of the engine's. */
static void look_for_container(struct cgroup_place *place, struct word word, struct word parent)
{
	static const struct {
		const char *prefix, *runtime;
		bool is_id;
	} scopes[] = {{"docker-", "docker", true}, {"libpod-", "podman", true}, {"crio-", "cri-o", true},
		{"cri-containerd-", "containerd", true}, {"machine-", "machine", false}};
	struct word name = word;
	if (has_suffix(word, ".scope"))
		name.len -= strlen(".scope");
	for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
		struct word rest = name;
		if (take_prefix(&rest, scopes[i].prefix) && (scopes[i].is_id ? is_id(rest) : name.len < word.len)) {
			set_container(place, scopes[i].runtime, rest);
			return;
		}
	}
	if (take_prefix(&name, "lxc.payload.") || (parent.len == 3 && memcmp(parent.text, "lxc", 3) == 0))
		set_container(place, "lxc", name);
	else if (is_id(word) && parent.len == 6 && memcmp(parent.text, "docker", 6) == 0)
		set_container(place, "docker", word);
	else if (is_id(word))
		set_container(place, "kubernetes", word);
}

static void look_for_unit(struct cgroup_place *place, struct word word)
{
	if (!has_suffix(word, ".service") && !has_suffix(word, ".scope"))
		return;
	/* systemd writes an underscore before names that the kernel has taken. */
	if (word.text[0] == '_')
		word = (struct word){word.text + 1, word.len - 1};
	escape_bytes(place->unit, sizeof(place->unit), word.text, word.len);
}

static void look_at_path(struct cgroup_place *place, const char *path, size_t len)
{
	struct word parent = {path, 0};
	for (const char *end = path + len; path < end;) {
		struct word word = {path, 0};
		while (path < end && *path != '/')
			path++;
		word.len = (size_t)(path - word.text);
		path += path < end;
		if (word.len == 0)
			continue;
		look_for_unit(place, word);
		look_for_container(place, word, parent);
		parent = word;
	}
}

void cgroup_place_read(struct cgroup_place *place, const char *text)
{
	memset(place, 0, sizeof(*place));
	/* "ID:CONTROLLERS:PATH"; with both versions mounted, "0::/" comes last and says nothing. */
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		const char *first = memchr(text, ':', len),
			   *second = first != NULL ? memchr(first + 1, ':', len - (size_t)(first + 1 - text)) : NULL;
		if (second != NULL)
			look_at_path(place, second + 1, len - (size_t)(second + 1 - text));
		text += len;
		text += *text == '\n';
	}
}

/* --- its processes --- */

/* What open_by_handle_at wants for a cgroup: its id is all the kernel needs. */
struct handle {
	struct file_handle head;
	uint64_t id;
};

enum { FILE_ID_KERNFS = 0xfe, CHUNK = 4096 };

static int open_hierarchy(void)
{
	static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	struct statfs fs;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (statfs(places[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
			return open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	errno = ENOENT;
	return -1;
}

static int open_cgroup(uint64_t id)
{
	int root = open_hierarchy();
	if (root < 0)
		return -1;
	struct handle handle = {.head = {.handle_bytes = sizeof(id), .handle_type = FILE_ID_KERNFS}, .id = id};
	int fd = open_by_handle_at(root, &handle.head, O_RDONLY | O_DIRECTORY | O_CLOEXEC), number = errno;
	close(root);
	errno = number;
	return fd;
}

static int read_pids(int fd, struct pids *pids)
{
	size_t len = 0, room = 0;
	char *text = NULL;
	ssize_t got;
	do {
		if (room - len < CHUNK)
			text = xrealloc(text, room = room * 2 + CHUNK + 1);
		got = read(fd, text + len, room - len - 1);
		len += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	text[len] = '\0';
	int ret = got < 0 ? error_of_errno(errno) : 0;
	if (ret == 0)
		pids_add_lines(pids, text);
	free(text);
	return ret;
}

int cgroup_pids(uint64_t id, struct pids *pids)
{
	int folder = open_cgroup(id);
	if (folder < 0)
		return error_of_errno(errno);
	int file = openat(folder, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	int ret = file < 0 ? error_of_errno(errno) : read_pids(file, pids);
	if (file >= 0)
		close(file);
	close(folder);
	return ret;
}
