/* berth check: has berthd itself judge a configuration file, so that there is one reader of it. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/paths.h"
#include "tools/client.h"
#include "tools/print.h"

enum { LIMIT_OUTPUT = 16384 };

/* The berthd that was installed with this tool, else the one in PATH. */
static const char *find_daemon(void)
{
	static char path[4096 - 64];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - sizeof("d"));
	if (len <= 0)
		return "berthd";
	path[len] = '\0';
	char *slash = strrchr(path, '/');
	if (slash == NULL || (size_t)(slash - path) + sizeof("/berthd") > sizeof(path))
		return "berthd";
	strcpy(slash, "/berthd");
	if (access(path, X_OK) == 0)
		return path;
	/* Installed, the tool is in bin and the daemon in sbin, which is in few users' PATH. */
	if ((size_t)(slash - path) + sizeof("/../sbin/berthd") > sizeof(path))
		return "berthd";
	strcpy(slash, "/../sbin/berthd");
	return access(path, X_OK) == 0 ? path : "berthd";
}

static int fail_to_run(const struct tool *tool, const char *daemon, int number)
{
	if (number == ENOENT)
		return tool_fail(tool, "berthd was found neither next to this program nor in PATH; install it there");
	return tool_fail(
		tool, "%s could not be started: %s; see whether it may be run", safe(daemon), strerror(number));
}

/* Runs berthd with its two outputs joined into `text`; its exit status, or -1 and errno. */
static int run_and_read(const char *daemon, char *const args[], char text[static LIMIT_OUTPUT + 1])
{
	extern char **environ;
	posix_spawn_file_actions_t actions;
	int ends[2], status = 0;
	size_t len = 0;
	pid_t pid;
	if (pipe(ends) != 0)
		return -1;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
	posix_spawn_file_actions_addclose(&actions, ends[0]);
	int number = posix_spawnp(&pid, daemon, &actions, NULL, args, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	for (ssize_t got = 1; number == 0 && got > 0 && len<LIMIT_OUTPUT; len += got> 0 ? (size_t)got : 0)
		got = read(ends[0], text + len, LIMIT_OUTPUT - len);
	close(ends[0]);
	text[len] = '\0';
	if (number == 0 && waitpid(pid, &status, 0) == pid)
		return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	errno = number != 0 ? number : errno;
	return -1;
}

/* The last line that berthd printed, if it is an object; what it complained of stands before. */
static json_t *read_findings(char *text)
{
	const char *last = strrchr(text, '\n');
	json_t *findings = json_loads(last != NULL ? last + 1 : text, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(findings))
		return findings;
	json_decref(findings);
	return NULL;
}

static int check_as_json(const struct tool *tool, const char *daemon, char *const args[], const char *file)
{
	char *text = calloc(1, LIMIT_OUTPUT + 1);
	if (text == NULL)
		return tool_fail(tool, "no memory left; free some");
	int code = run_and_read(daemon, args, text);
	if (code < 0)
		return fail_to_run(tool, daemon, errno);
	while (*text != '\0' && text[strlen(text) - 1] == '\n')
		text[strlen(text) - 1] = '\0';
	json_t *findings = code == 0 ? read_findings(text) : NULL;
	if (code == 0 && findings == NULL)
		return tool_fail(tool,
			"%s said that the file is right, but not what it found; is it as new as this program?",
			safe(daemon));
	json_t *error = code != 0 ? json_string(safe(text)) : json_null();
	json_t *document = json_pack("{s:s, s:b, s:o}", "file", safe(file), "ok", code == 0, "error", error);
	if (findings != NULL)
		json_object_update_missing(document, findings);
	json_decref(findings);
	print_json(document);
	free(text);
	return code;
}

static int run_check(const struct tool *tool, int argc, char **argv)
{
	if (argc != 1)
		return tool_usage(&verb_check, argc == 0 ? "no file to check" : "one file at a time");
	const char *daemon = find_daemon();
	char name[] = "berthd", check[] = "--check", file[] = "-c", json[] = "--json";
	char *args[] = {name, check, file, argv[0], tool->json ? json : NULL, NULL};
	if (tool->json)
		return check_as_json(tool, daemon, args, argv[0]);
	execvp(daemon, args); /* its words and its exit status become ours */
	return fail_to_run(tool, daemon, errno);
}

const struct verb verb_check = {
	"check",
	"FILE",
	"say whether a configuration file is right",
	"Has berthd read the configuration FILE and says what is wrong with it: file,\n"
	"line, key, what is wrong and what would be right. Nothing is changed. It runs\n"
	"the berthd next to this program, else the one in PATH, and exits as that does:\n"
	"0 when the file is right.\n",
	run_check,
};
