/* Decides the form of an imported registry on the disk: as it lies in memory, so that reading it is a read and some
 * checks. A file of another machine's byte order or of another version is refused, and has to be imported again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/escape.h"
#include "base/words.h"
#include "ports/registry_rows.h"

enum { TEXTS_MOST = 32 << 20, PATH = 640 };

static const char magic[16] = "berth registry1";

struct head {
	char magic[16];
	char date[12];
	uint32_t row_size, count, texts_len;
};

static int complain(const char *path, const char *what, char why[static REGISTRY_WHY])
{
	int number = errno;
	snprintf(why, REGISTRY_WHY, "%.500s: %s%s%s", path, what, number != 0 ? ": " : "",
		number != 0 ? strerror(number) : "");
	return number != 0 ? error_of_errno(number) : E_MALFORMED;
}

/* --- writing --- */

static bool write_all(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;
	while (len > 0) {
		ssize_t got = write(fd, at, len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		len -= (size_t)got;
	}
	return true;
}

static bool write_parts(int fd, const struct registry *r)
{
	struct head head = {
		.row_size = sizeof(r->rows[0]), .count = (uint32_t)r->count, .texts_len = (uint32_t)r->texts_len};
	memcpy(head.magic, magic, sizeof(magic));
	snprintf(head.date, sizeof(head.date), "%s", r->date);
	return write_all(fd, &head, sizeof(head)) && write_all(fd, r->rows, r->count * sizeof(r->rows[0])) &&
	       write_all(fd, r->descriptions, r->count * sizeof(r->descriptions[0])) &&
	       write_all(fd, r->by_name, r->count * sizeof(r->by_name[0])) && write_all(fd, r->texts, r->texts_len) &&
	       fchmod(fd, 0644) == 0 && fsync(fd) == 0;
}

int registry_file_write(const struct registry *registry, const char *path, char why[static REGISTRY_WHY])
{
	char draft[PATH];
	errno = 0;
	if ((size_t)snprintf(draft, sizeof(draft), "%s.XXXXXX", path) >= sizeof(draft))
		return complain(path, "the path is too long", why);
	int fd = mkstemp(draft);
	if (fd < 0)
		return complain(path, "cannot be written", why);
	bool good = write_parts(fd, registry);
	int number = errno;
	good = close(fd) == 0 && good && rename(draft, path) == 0;
	if (good)
		return 0;
	errno = number != 0 ? number : errno;
	number = errno;
	(void)unlink(draft);
	errno = number;
	return complain(path, "cannot be written", why);
}

/* --- reading --- */

static bool read_all(int fd, void *bytes, size_t len)
{
	char *at = bytes;
	while (len > 0) {
		ssize_t got = read(fd, at, len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		len -= (size_t)got;
	}
	return true;
}

static bool is_head(const struct head *head, off_t size)
{
	if (memcmp(head->magic, magic, sizeof(magic)) != 0 || head->row_size != sizeof(struct service) ||
		head->count == 0 || head->count > REGISTRY_ROWS || head->texts_len == 0 ||
		head->texts_len > TEXTS_MOST || memchr(head->date, '\0', sizeof(head->date)) == NULL ||
		(head->date[0] != '\0' && !registry_is_date(head->date)))
		return false;
	return (uint64_t)size ==
	       sizeof(*head) + (uint64_t)head->count * (sizeof(struct service) + sizeof(uint32_t) + sizeof(uint16_t)) +
		       head->texts_len;
}

static bool is_row(const struct service *row)
{
	size_t len = strnlen(row->name, SERVICE_NAME);
	for (size_t i = 0; i < len; i++)
		if (row->name[i] <= ' ' || row->name[i] > '~')
			return false;
	uint8_t alias;
	memcpy(&alias, &row->is_alias, 1); /* a bool of a file may be no bool */
	return len > 0 && len < SERVICE_NAME && alias <= 1;
}

/* As registry_import leaves texts: what a terminal would obey is none of them. */
static bool are_texts(const struct registry *r)
{
	char safe[REGISTRY_DESCRIPTION];
	if (r->texts[r->texts_len - 1] != '\0')
		return false;
	for (const char *text = r->texts, *end = r->texts + r->texts_len; text < end; text += strlen(text) + 1)
		if (strcmp(escape_text(safe, sizeof(safe), text), text) != 0)
			return false;
	return true;
}

/* Somebody within a character could make another of it. */
static bool is_begin(const struct registry *r, uint32_t at)
{
	return at < r->texts_len && (at == 0 || r->texts[at - 1] == '\0');
}

/* Nothing in it points out of it, and a search in it finds its way. */
static bool is_sound(const struct registry *r)
{
	if (!are_texts(r))
		return false;
	for (size_t i = 0; i < r->count; i++) {
		if (!is_row(&r->rows[i]) || r->by_name[i] >= r->count || !is_begin(r, r->descriptions[i]) ||
			(i > 0 && r->rows[i].port < r->rows[i - 1].port))
			return false;
	}
	for (size_t i = 1; i < r->count; i++)
		if (word_compare(r->rows[r->by_name[i - 1]].name, r->rows[r->by_name[i]].name) > 0)
			return false;
	return true;
}

static struct registry *read_parts(int fd, const struct head *head)
{
	struct registry *r = xzalloc(1, sizeof(*r));
	struct service *rows = xzalloc(head->count, sizeof(*rows));
	uint32_t *descriptions = xzalloc(head->count, sizeof(*descriptions));
	uint16_t *by_name = xzalloc(head->count, sizeof(*by_name));
	char *texts = xzalloc(1, head->texts_len);
	*r = (struct registry){strcpy(xalloc(sizeof(head->date)), head->date), head->count, rows, by_name, descriptions,
		texts, head->texts_len};
	if (read_all(fd, rows, head->count * sizeof(*rows)) &&
		read_all(fd, descriptions, head->count * sizeof(*descriptions)) &&
		read_all(fd, by_name, head->count * sizeof(*by_name)) && read_all(fd, texts, head->texts_len) &&
		is_sound(r))
		return r;
	registry_free(r);
	return NULL;
}

int registry_file_load(struct registry **out, const char *path, char why[static REGISTRY_WHY])
{
	struct head head;
	struct stat st;
	*out = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return complain(path, "cannot be read", why);
	errno = 0;
	/* Whoever may write it says what is read as root. */
	if (fstat(fd, &st) != 0 || (st.st_uid != 0 && st.st_uid != geteuid())) {
		close(fd);
		return complain(path, "neither yours nor root's; import it again", why);
	}
	if (S_ISREG(st.st_mode) && read_all(fd, &head, sizeof(head)) && is_head(&head, st.st_size))
		*out = read_parts(fd, &head);
	close(fd);
	errno = 0;
	return *out != NULL ? 0 : complain(path, "no registry of this version; import it again", why);
}
