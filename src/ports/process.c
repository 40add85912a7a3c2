/* Decides which files of /proc say what a process is, and how their texts are read. */
#include "ports/process.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/escape.h"

enum { TEXT = 4096, FIELD_STARTTIME = 22 };

/* Reads /proc/PID/NAME, cut to TEXT - 1 bytes and ended by a NUL; bytes, or -1. */
static ssize_t read_file(pid_t pid, const char *name, char out[static TEXT])
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t len = read(fd, out, TEXT - 1);
	close(fd);
	out[len > 0 ? len : 0] = '\0';
	return len;
}

int process_stat_read(struct process_stat *stat, const char *text)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	if (open == NULL || close == NULL || close < open)
		return E_MALFORMED;
	escape_bytes(stat->name, sizeof(stat->name), open + 1, (size_t)(close - open - 1));
	/* After the name comes the third field. */
	const char *field = close + 1;
	for (int number = 3; number <= FIELD_STARTTIME; number++) {
		field = strchr(field, ' ');
		if (field == NULL)
			return E_MALFORMED;
		field++;
	}
	char *end;
	stat->start_ticks = strtoull(field, &end, 10);
	return end != field && *field != '-' ? 0 : E_MALFORMED;
}

int process_uid_read(uid_t *uid, const char *text)
{
	unsigned real, effective;
	const char *line = strstr(text, "\nUid:");
	if (line == NULL || sscanf(line, "\nUid: %u %u", &real, &effective) != 2)
		return E_MALFORMED;
	*uid = effective;
	return 0;
}

static uint64_t wall_of_ticks(uint64_t ticks)
{
	struct timespec up;
	long per_second = sysconf(_SC_CLK_TCK);
	if (per_second <= 0 || clock_gettime(CLOCK_BOOTTIME, &up) != 0)
		return 0;
	uint64_t after_boot_us = ticks * UINT64_C(1000000) / (uint64_t)per_second;
	uint64_t up_us = (uint64_t)up.tv_sec * 1000000 + (uint64_t)up.tv_nsec / 1000, now_us = clock_wall_us();
	return now_us > up_us ? now_us - up_us + after_boot_us : 0;
}

/* The kernel ends each argument with a NUL; a program may have written anything over them. */
static void set_command(struct process *process, char *text, ssize_t len)
{
	while (len > 0 && text[len - 1] == '\0')
		len--;
	for (ssize_t i = 0; i < len; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	if (len > 0)
		escape_bytes(process->command, sizeof(process->command), text, (size_t)len);
}

static unsigned count_descriptors(pid_t pid)
{
	char path[32];
	struct stat st;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	return stat(path, &st) == 0 ? (unsigned)st.st_size : 0;
}

struct process *process_read(struct arena *arena, pid_t pid)
{
	struct process_stat told;
	char *text = xalloc(TEXT);
	struct process *process = NULL;
	if (read_file(pid, "stat", text) > 0 && process_stat_read(&told, text) == 0) {
		process = arena_zalloc(arena, sizeof(*process));
		process->pid = pid;
		memcpy(process->name, told.name, sizeof(process->name));
		process->descriptors = count_descriptors(pid);
		process->since_us = wall_of_ticks(told.start_ticks);
		set_command(process, text, read_file(pid, "cmdline", text));
		if (read_file(pid, "cgroup", text) > 0)
			cgroup_place_read(&process->place, text);
		if (read_file(pid, "status", text) <= 0 || process_uid_read(&process->uid, text) != 0)
			process->uid = (uid_t)-1;
	}
	free(text);
	return process;
}

const char *process_user_text(uid_t uid, char out[static PROCESS_USER])
{
	struct passwd entry, *found = NULL;
	char room[1024];
	if (getpwuid_r(uid, &entry, room, sizeof(room), &found) == 0 && found != NULL)
		return escape_text(out, PROCESS_USER, found->pw_name);
	snprintf(out, PROCESS_USER, "%u", (unsigned)uid);
	return out;
}
