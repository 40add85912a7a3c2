/* berth registry: which registry of services is in use, and a newer one of the user's. */
#include "tools/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/paths.h"
#include "ports/registry_import.h"
#include "tools/print.h"
#include "tools/tool.h"

enum { FILE_NAME = PATH_FOLDER + 16 };

static const char system_file[] = "/var/lib/berth/registry";
static char chosen[FILE_NAME];     /* "" for the built-in one */
static char trouble[REGISTRY_WHY]; /* with one that cannot be used */

/* --- which one --- */

/* Of whoever asks; "" when there is no such folder. */
static const char *own_file(char out[static FILE_NAME])
{
	if (path_state_dir(out, PATH_FOLDER) != 0)
		out[0] = '\0';
	else
		strcat(out, "/registry");
	return out;
}

static bool try_file(const char *path)
{
	struct registry *registry;
	char why[REGISTRY_WHY];
	if (*path == '\0')
		return false;
	int ret = registry_file_load(&registry, path, why);
	if (ret != 0 && ret != E_NOENT && ret != E_ACCESS)
		snprintf(trouble, sizeof(trouble), "%s", why);
	if (ret != 0)
		return false;
	registry_use(registry);
	snprintf(chosen, sizeof(chosen), "%s", path);
	return true;
}

void registry_choose(void)
{
	char own[FILE_NAME];
	if (!try_file(own_file(own)) && strcmp(own, system_file) != 0)
		(void)try_file(system_file);
}

static size_t count_rows(size_t *ports, size_t *described)
{
	size_t count = 0;
	const struct service *row;
	uint16_t before = 0;
	for (*ports = *described = 0; (row = registry_row(count)) != NULL; count++) {
		*ports += row->port != 0 && row->port != before;
		*described += *registry_description(row) != '\0';
		before = row->port;
	}
	return count;
}

/* --- show --- */

static int show(const struct tool *tool)
{
	size_t ports, described, rows = count_rows(&ports, &described);
	char a[PRINT_NUMBER], b[PRINT_COUNT], c[PRINT_NUMBER], text[160];
	const char *date = *registry_date() != '\0' ? registry_date() : "unknown";
	if (tool->json)
		return print_json(json_pack("{s:o, s:s, s:I, s:I, s:I, s:o}", "file",
			*chosen != '\0' ? json_string(safe(chosen)) : json_null(), "date", date, "rows",
			(json_int_t)rows, "ports", (json_int_t)ports, "described", (json_int_t)described, "trouble",
			*trouble != '\0' ? json_string(safe(trouble)) : json_null()));
	print_item("registry", 11, *chosen != '\0' ? safe(chosen) : "built in");
	print_item("date", 11, date);
	snprintf(text, sizeof(text), "%s of %s, %s with a description", grouped((int64_t)rows, a),
		counted((int64_t)ports, "port", b), grouped((int64_t)described, c));
	print_item("rows", 11, text);
	if (*trouble != '\0')
		print_item("but", 11, safe(trouble));
	return EXIT_GOOD;
}

/* --- import --- */

/* A pipe could keep us waiting for ever, and be endless. */
static char *read_file(const char *path, size_t *len, char why[static REGISTRY_WHY])
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > REGISTRY_BYTES) {
		snprintf(why, REGISTRY_WHY, "%.400s: %s", path,
			fd < 0                 ? strerror(errno)
			: !S_ISREG(st.st_mode) ? "not a file"
					       : "larger than any registry");
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	char *text = xalloc((size_t)st.st_size + 1);
	ssize_t got = 1;
	for (*len = 0; *len < (size_t)st.st_size && got > 0; *len += (size_t)(got > 0 ? got : 0))
		got = read(fd, text + *len, (size_t)st.st_size - *len);
	close(fd);
	return text;
}

static int import(const struct tool *tool, const char *path)
{
	char why[REGISTRY_WHY], file[FILE_NAME], folder[FILE_NAME];
	struct registry *registry;
	size_t len;
	char *text = read_file(path, &len, why);
	if (text == NULL)
		return tool_fail(tool, "%s", safe(why));
	int ret = registry_import(&registry, text, len, why);
	free(text);
	if (ret != 0)
		return tool_fail(tool, "%s: %s; nothing was changed", safe(path), safe(why));
	if (*own_file(file) == '\0')
		return tool_fail(tool, "there is no folder to keep it in; set HOME");
	strcpy(folder, file);
	*strrchr(folder, '/') = '\0';
	if (path_make_folder(folder, NULL) != 0)
		return tool_fail(tool, "%s: cannot be made: %s", safe(folder), strerror(errno));
	if (geteuid() == 0)
		(void)!chmod(folder, 02751); /* what is imported is for all to read; the folder's list is not */
	if (registry_file_write(registry, file, why) != 0)
		return tool_fail(tool, "%s", safe(why));
	registry_use(registry);
	snprintf(chosen, sizeof(chosen), "%s", file);
	trouble[0] = '\0';
	return show(tool);
}

static int forget(const struct tool *tool)
{
	char file[FILE_NAME];
	if (*own_file(file) == '\0' || (unlink(file) != 0 && errno == ENOENT))
		return tool_fail(tool, "none was imported");
	if (access(file, F_OK) == 0)
		return tool_fail(tool, "%s: cannot be removed: %s", safe(file), strerror(errno));
	registry_use(NULL);
	chosen[0] = trouble[0] = '\0';
	registry_choose();
	return show(tool);
}

/* --- the verb --- */

static int run_registry(const struct tool *tool, int argc, char **argv)
{
	if (argc == 0)
		return show(tool);
	if (strcmp(argv[0], "import") == 0 && argc == 2)
		return import(tool, argv[1]);
	if (strcmp(argv[0], "import") == 0)
		return tool_usage(&verb_registry, "import takes one file: the IANA's XML or CSV");
	if (strcmp(argv[0], "forget") == 0 && argc == 1)
		return forget(tool);
	return tool_usage(&verb_registry, "\"%s\" is neither import FILE nor forget", argv[0]);
}

const struct verb verb_registry = {
	"registry",
	"[import FILE | forget]",
	"which registry of services is in use; a newer one",
	"Says which registry of service names and port numbers berth goes by, of which\n"
	"date, and how many rows it has. One is built in. \"import\" takes a newer one as\n"
	"the IANA publishes it, service-names-port-numbers.xml or .csv, with its\n"
	"descriptions: as root for all users, else for the user alone. \"forget\" goes back.\n"
	"berthd keeps to what is built in.\n\n"
	"  berth registry import service-names-port-numbers.xml\n",
	run_registry,
};
