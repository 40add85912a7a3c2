/* Where things are when nobody says otherwise: the one rule that the daemon and the tool must share.
 *
 *	char path[PATH_SOCKET];
 *	if (path_control_socket(path, sizeof(path)) != 0) ...
 *
 * Thread: any that may read the environment. */
#pragma once

#include <stddef.h>

enum { PATH_SOCKET = 108 }; /* sizeof(sun_path), unix(7) */

/* The control socket: /run/berth/control for root, else $XDG_RUNTIME_DIR/berth-control, else the same in
 * /run/user/UID when that folder exists, else /tmp/berth-UID-control. 0, or E_SPACE when `size` is too small. */
int path_control_socket(char *out, size_t size) __attribute__((nonnull, warn_unused_result));

/* Where the process keeps what it learns: /var/lib/berth for root, else $XDG_STATE_HOME/berth, else ~/.local/state/berth.
 * 0, or E_SPACE when `size` is too small or there is no such place. */
int path_state_dir(char *out, size_t size) __attribute__((nonnull, warn_unused_result));
