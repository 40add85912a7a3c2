/* Where things are when nobody says otherwise: the rules that the daemon and the tool must share.
 *
 *	char path[PATH_SOCKET];
 *	if (path_control_socket(path, sizeof(path)) != 0) ...
 *	char folder[PATH_FOLDER];
 *	if (path_state_dir(folder, sizeof(folder)) != 0) ...
 *
 * Thread: any that may read the environment. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { PATH_SOCKET = 108 /* sizeof(sun_path), unix(7) */, PATH_FOLDER = 512 };

/* The control socket: /run/berth/control for root, else $XDG_RUNTIME_DIR/berth-control, else the same in
 * /run/user/UID when that folder exists, else /tmp/berth-UID-control. 0, or E_SPACE when `size` is too small. */
int path_control_socket(char *out, size_t size) __attribute__((nonnull, warn_unused_result));
/* What outlives a restart: /var/lib/berth for root, else $XDG_STATE_HOME/berth, else ~/.local/state/berth. 0, E_NOENT
 * when there is neither the one nor a home, or E_SPACE. It need not exist: path_make_folder. */
int path_state_dir(char *out, size_t size) __attribute__((nonnull, warn_unused_result));
/* Makes the folder and those above it that are missing, for their owner and group alone. 0, E_EXIST when something else
 * stands there, or E_*, with errno. *is_new, which may be NULL: it was not there before. */
int path_make_folder(const char *path, bool *is_new) __attribute__((nonnull(1), warn_unused_result));
