/* Decides whose the folders are in which history and votes are kept. */
#include "daemon/state.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/paths.h"

/* The group that may use the control socket may read the history too. */
static gid_t readers(gid_t otherwise)
{
	const struct group *group = getgrnam("berth");
	return group != NULL ? group->gr_gid : otherwise;
}

/* What root wrote before `user:` was set; in a folder that was root's alone nobody has put links. */
static void give_files(int folder, uid_t uid, gid_t gid)
{
	static const char *const names[] = {"history.db", "history.db-wal", "history.db-shm", "history.db-lock",
		"votes.db", "votes.db-wal", "votes.db-shm", "anchors", "cache"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)!fchownat(folder, names[i], uid, gid, AT_SYMLINK_NOFOLLOW);
}

/* As root: the folder becomes the daemon's user's and its group's, and what is made in it the group's. */
static void give_folder(const char *path, const char *user)
{
	const struct passwd *entry = user != NULL ? getpwnam(user) : NULL;
	uid_t uid = entry != NULL ? entry->pw_uid : geteuid();
	gid_t gid = readers(entry != NULL ? entry->pw_gid : getegid());
	struct stat st;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_uid == 0) {
		give_files(fd, uid, gid);
		(void)!fchown(fd, uid, gid);
		(void)!fchmod(fd, 02751); /* a registry that root imported is for all; the history's files are not */
	}
	close(fd);
}

bool state_is_usual(const char *folder)
{
	char usual[PATH_FOLDER];
	return path_state_dir(usual, sizeof(usual)) == 0 && strcmp(folder, usual) == 0;
}

/* A folder that somebody else made and the configuration names stays as it is. */
static void prepare_folder_of(const char *file, const char *user)
{
	char folder[PATH_FOLDER];
	bool is_new;
	if (file == NULL || (size_t)snprintf(folder, sizeof(folder), "%s", file) >= sizeof(folder))
		return;
	*strrchr(folder, '/') = '\0';
	if (folder[0] == '\0' || path_make_folder(folder, &is_new) != 0)
		return; /* opening the file says what is wrong */
	if (geteuid() == 0 && (is_new || state_is_usual(folder)))
		give_folder(folder, user);
}

void state_prepare(const struct config *config)
{
	if (config->history.loans || config->history.watch)
		prepare_folder_of(config->history.file, config->user);
	char anchors[PATH_FOLDER + 16];
	if (config->dnssec.validate && config->dnssec.rollover && path_state_dir(anchors, PATH_FOLDER) == 0)
		prepare_folder_of(strcat(anchors, "/anchors"), config->user);
	const char *snapshot = config->cache.snapshot, *end = snapshot != NULL ? strrchr(snapshot, '/') : NULL;
	char folder[PATH_FOLDER] = "";
	if (end != NULL && (size_t)(end - snapshot) < sizeof(folder))
		memcpy(folder, snapshot, (size_t)(end - snapshot));
	if (state_is_usual(folder)) /* any other has to be there: a slip of the pen makes none */
		prepare_folder_of(snapshot, config->user);
	if (config->web.listen_count > 0)
		prepare_folder_of(config->web.votes, config->user);
}
