/* Decides where the control socket and the files that stay are by default. /tmp comes last, because there anybody may put a socket of that name
 * first; the tool asks the kernel who listens before it believes what it hears there. */
#include "base/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

static bool fits(int len, size_t size)
{
	return len > 0 && (size_t)len < size;
}

static bool is_folder(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int path_control_socket(char *out, size_t size)
{
	unsigned uid = (unsigned)geteuid();
	if (uid == 0)
		return fits(snprintf(out, size, "/run/berth/control"), size) ? 0 : E_SPACE;
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	/* The XDG Base Directory Specification wants a relative path ignored. */
	if (runtime != NULL && runtime[0] == '/' && fits(snprintf(out, size, "%s/berth-control", runtime), size))
		return 0;
	if (fits(snprintf(out, size, "/run/user/%u", uid), size) && is_folder(out))
		return fits(snprintf(out, size, "/run/user/%u/berth-control", uid), size) ? 0 : E_SPACE;
	return fits(snprintf(out, size, "/tmp/berth-%u-control", uid), size) ? 0 : E_SPACE;
}

int path_state_dir(char *out, size_t size)
{
	if (geteuid() == 0)
		return fits(snprintf(out, size, "/var/lib/berth"), size) ? 0 : E_SPACE;
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	if (state != NULL && state[0] == '/')
		return fits(snprintf(out, size, "%s/berth", state), size) ? 0 : E_SPACE;
	if (home == NULL || home[0] != '/')
		return E_NOENT;
	return fits(snprintf(out, size, "%s/.local/state/berth", home), size) ? 0 : E_SPACE;
}

int path_make_folder(const char *path, bool *is_new)
{
	char part[PATH_FOLDER];
	bool made = false;
	size_t len = strlen(path);
	if (len >= sizeof(part))
		return E_SPACE;
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		made = mkdir(part, 0750) == 0;
		if (!made && errno != EEXIST && !is_folder(part))
			return error_of_errno(errno);
	}
	if (is_new != NULL)
		*is_new = made;
	return is_folder(path) ? 0 : E_EXIST;
}
