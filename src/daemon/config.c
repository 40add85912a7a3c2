/* Decides how a configuration file becomes memory, and the form of every complaint about it. What the text may look
 * like, which keys there are and what their values mean is decided in config_tree.c, config_schema.c and
 * config_values.c. */
#include "daemon/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/escape.h"
#include "base/list.h"
#include "base/paths.h"
#include "daemon/config_parts.h"

struct whole {
	struct config config;
	struct arena arena; /* of all that `config` points to */
};

int config_complain(const struct config_report *report, unsigned line, const char *key, const char *format, ...)
{
	/* Of a path that is too long the end says most. */
	const char *file = report->file;
	if (strlen(file) > CONFIG_ERROR / 4)
		file += strlen(file) - CONFIG_ERROR / 4;
	escape_text(report->why, CONFIG_ERROR / 2, file);
	size_t len = strlen(report->why);
	if (line > 0)
		len += (size_t)snprintf(report->why + len, CONFIG_ERROR - len, ":%u", line);
	len += (size_t)snprintf(report->why + len, CONFIG_ERROR - len, ": %s%s", key ? key : "", key ? ": " : "");
	va_list args;
	va_start(args, format);
	vsnprintf(report->why + len, CONFIG_ERROR - len, format, args);
	va_end(args);
	return E_INVAL;
}

const char *config_default_socket(char *out, size_t size)
{
	if (path_control_socket(out, size) != 0 && size > 0)
		out[0] = '\0';
	return out;
}

static struct whole *new_default(void)
{
	struct whole *whole = xzalloc(1, sizeof(*whole));
	arena_init(&whole->arena);
	config_values_default(&whole->config, &whole->arena);
	return whole;
}

void config_free(struct config *config)
{
	if (config == NULL)
		return;
	struct whole *whole = container_of(config, struct whole, config);
	arena_deinit(&whole->arena);
	free(whole);
}

/* --- text --- */

static int check_text(const char *text, size_t len, const struct config_report *report)
{
	unsigned line = 1;
	if (len > LIMIT_CONFIG_BYTES)
		return config_complain(report, 0, NULL, "larger than 1 MiB; a configuration is some lines of text");
	for (size_t i = 0; i < len;) {
		uint32_t code;
		size_t size = utf8_decode(text + i, len - i, &code);
		if (size == 0)
			return config_complain(report, line, NULL, "not UTF-8; save the file as UTF-8 text");
		if (code == 0)
			return config_complain(report, line, NULL, "a NUL byte; save the file as UTF-8 text");
		line += code == '\n';
		i += size;
	}
	return 0;
}

static int read_tree(struct whole *whole, const struct config_node *root, const char *text, size_t len,
	const struct config_report *report)
{
	struct config_raw *raw = NULL;
	int ret = config_schema_check(root, report);
	if (ret == 0)
		ret = config_schema_load(&raw, text, len, report);
	if (ret == 0 && raw != NULL)
		ret = config_values_read(&whole->config, raw, root, &whole->arena, report);
	config_schema_free(raw);
	return ret;
}

int config_read_text(
	struct config **config, const char *name, const char *text, size_t len, char why[static CONFIG_ERROR])
{
	const struct config_report report = {name, why};
	struct config_node *root = NULL;
	struct arena scratch; /* of the tree */
	*config = NULL;
	int ret = check_text(text, len, &report);
	if (ret != 0)
		return ret;
	struct whole *whole = new_default();
	arena_init(&scratch);
	ret = config_tree_read(&root, text, len, &scratch, &report);
	if (ret == 0 && root != NULL)
		ret = read_tree(whole, root, text, len, &report);
	arena_deinit(&scratch);
	if (ret == E_NOMEM)
		config_complain(&report, 0, NULL, "no memory left to read it; free some");
	if (ret != 0)
		config_free(&whole->config);
	else
		*config = &whole->config;
	return ret;
}

/* --- file --- */

static int complain_file(const struct config_report *report, int number)
{
	config_complain(report, 0, NULL, "cannot be read: %s; name a file that berthd can read", strerror(number));
	int ret = error_of_errno(number);
	return ret == E_NOENT || ret == E_ACCESS ? ret : E_INVAL;
}

/* A pipe could keep us waiting for ever; /dev/null is a fine empty file. */
static int open_file(int *fd, const char *path, const struct config_report *report)
{
	struct stat st;
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0)
		return complain_file(report, errno);
	if (fstat(*fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISCHR(st.st_mode)))
		return 0;
	bool folder = S_ISDIR(st.st_mode);
	close(*fd);
	return config_complain(report, 0, NULL, "%s; name a file", folder ? "a folder" : "not a file");
}

/* Reads up to `size` bytes; how many, or -1. */
static ssize_t read_whole(int fd, char *text, size_t size)
{
	size_t len = 0;
	while (len < size) {
		ssize_t got = read(fd, text + len, size - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	return (ssize_t)len;
}

int config_read(struct config **config, const char *path, char why[static CONFIG_ERROR])
{
	const struct config_report report = {path != NULL ? path : "", why};
	int fd;
	*config = NULL;
	if (path == NULL) {
		*config = &new_default()->config;
		return 0;
	}
	int ret = open_file(&fd, path, &report);
	if (ret != 0)
		return ret;
	char *text = xalloc(LIMIT_CONFIG_BYTES + 1);
	ssize_t len = read_whole(fd, text, LIMIT_CONFIG_BYTES + 1);
	ret = len < 0 ? complain_file(&report, errno) : config_read_text(config, path, text, (size_t)len, why);
	free(text);
	close(fd);
	return ret;
}
