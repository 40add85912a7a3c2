/* Decides what the process may still do after its start. */
#include "daemon/privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

/* libcap would be a dependency for these few lines; the kernel's own structures are stable (capset(2)). */
static int keep_only(uint32_t mask)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	if (syscall(SYS_capget, &head, data) != 0)
		return -1;
	data[0].effective = data[0].permitted = data[0].permitted & mask;
	data[1].effective = data[1].permitted = 0;
	data[0].inheritable = data[1].inheritable = 0;
	return (int)syscall(SYS_capset, &head, data);
}

bool privilege_has(uint64_t mask)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	if (syscall(SYS_capget, &head, data) != 0)
		return false;
	uint64_t held = (uint64_t)data[1].effective << 32 | data[0].effective;
	return (held & mask) == mask;
}

static int become(const char *user)
{
	const struct passwd *entry = getpwnam(user);
	if (entry == NULL) {
		errno = ENOENT;
		return -1;
	}
	if (prctl(PR_SET_KEEPCAPS, 1L) != 0 || initgroups(user, entry->pw_gid) != 0 || setgid(entry->pw_gid) != 0)
		return -1;
	return setuid(entry->pw_uid);
}

/* What a program that we execute could get back; nothing here executes any. */
static void empty_bounding_set(void)
{
	for (long cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (cap != CAP_NET_BIND_SERVICE)
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

int privilege_drop(const char *user, char *why, size_t size)
{
	empty_bounding_set(); /* while we still may */
	if (user != NULL && become(user) != 0) {
		snprintf(why, size, "cannot become user %s: %s; name an existing user with user:, or none", user,
			errno == ENOENT ? "there is no such user" : strerror(errno));
		return E_ACCESS;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || keep_only(1u << CAP_NET_BIND_SERVICE) != 0) {
		snprintf(why, size, "capabilities cannot be given up: %s", strerror(errno));
		return E_ACCESS;
	}
	return 0;
}

void privilege_raise_files(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}
