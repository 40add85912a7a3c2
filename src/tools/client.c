/* Decides how long berthd may take, how much it may say, and the words for everything that can go wrong in between. */
#include "tools/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/escape.h"
#include "base/limits.h"

struct client {
	int fd;
	unsigned timeout_ms;
	char path[256]; /* for messages: safe and cut */
	char *text;     /* of the reply; grows up to LIMIT_CLIENT_REPLY + 1 */
	size_t len, room;
};

static int say(char why[static CLIENT_ERROR], int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int say(char why[static CLIENT_ERROR], int error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(why, CLIENT_ERROR, format, args);
	va_end(args);
	return error;
}

/* --- connecting --- */

static int say_unreachable(const struct client *client, int number, char why[static CLIENT_ERROR])
{
	if (number == EACCES || number == EPERM)
		return say(why, E_ACCESS,
			"%s may not be opened: %s; be root or in the group that owns it, or name another socket with "
			"--socket",
			client->path, strerror(number));
	int ret = error_of_errno(number);
	return say(why, ret == E_NOENT || ret == E_REFUSED ? ret : E_SYSTEM,
		"berthd does not answer at %s: %s; start it, or name its socket with --socket", client->path,
		strerror(number));
}

/* In a folder where everybody may write, such as /tmp, anybody may have put a socket of that name: only root's and
 * one's own are believed. */
static int check_peer(const struct client *client, const char *path, char why[static CLIENT_ERROR])
{
	struct stat st;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	const char *slash = strrchr(path, '/');
	snprintf(folder, sizeof(folder), "%.*s", slash != NULL ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	if (stat(folder, &st) == 0 && (st.st_mode & S_IWOTH) == 0)
		return 0;
	if (getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
		(peer.uid == 0 || peer.uid == geteuid()))
		return 0;
	return say(why, E_ACCESS,
		"%s belongs to another user and lies where everybody may write, so it is not believed; name berthd's "
		"socket with --socket",
		client->path);
}

static int connect_socket(struct client *client, const char *path, char why[static CLIENT_ERROR])
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(addr.sun_path))
		return say(why, E_INVAL,
			"%s is too long for a socket: at most %zu characters; name another with --socket", client->path,
			sizeof(addr.sun_path) - 1);
	strcpy(addr.sun_path, path);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* EAGAIN: so many wait for berthd already that no more can. */
	if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&addr, sizeof(addr)) != 0)
		return say_unreachable(client, errno, why);
	return check_peer(client, path, why);
}

int client_open(struct client **out, const char *path, unsigned timeout_ms, char why[static CLIENT_ERROR])
{
	struct client *client = xzalloc(1, sizeof(*client));
	client->fd = -1;
	client->timeout_ms = timeout_ms;
	escape_text(client->path, sizeof(client->path), path);
	*out = client;
	int ret = connect_socket(client, path, why);
	if (ret != 0) {
		client_close(client);
		*out = NULL;
	}
	return ret;
}

void client_close(struct client *client)
{
	if (client == NULL)
		return;
	if (client->fd >= 0)
		close(client->fd);
	free(client->text);
	free(client);
}

/* --- asking --- */

/* Waits until the socket is ready or the time is over. */
static int wait_for(struct client *client, short events, uint64_t end_us, char why[static CLIENT_ERROR])
{
	struct pollfd pfd = {.fd = client->fd, .events = events};
	for (;;) {
		uint64_t now_us = clock_mono_us();
		int left_ms = now_us < end_us ? (int)((end_us - now_us + 999) / 1000) : 0;
		int ready = poll(&pfd, 1, left_ms);
		if (ready > 0)
			return 0;
		if (ready == 0 && left_ms == 0)
			return say(why, E_TIMEOUT,
				"berthd at %s has not replied for %g s; give it longer with --timeout, or see its log",
				client->path, client->timeout_ms / 1e3);
		if (ready < 0 && errno != EINTR)
			return say(why, E_SYSTEM, "waiting for berthd at %s failed: %s; try again", client->path,
				strerror(errno));
	}
}

static int say_lost(const struct client *client, int number, char why[static CLIENT_ERROR])
{
	return say(why, E_CLOSED, "berthd at %s closed the connection without a reply%s%s; see its log", client->path,
		number != 0 ? ": " : "", number != 0 ? strerror(number) : "");
}

static int send_line(
	struct client *client, const char *line, size_t len, uint64_t end_us, char why[static CLIENT_ERROR])
{
	while (len > 0) {
		ssize_t sent = send(client->fd, line, len, MSG_NOSIGNAL);
		if (sent >= 0) {
			line += sent;
			len -= (size_t)sent;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return say_lost(client, errno, why);
		int ret = wait_for(client, POLLOUT, end_us, why);
		if (ret != 0)
			return ret;
	}
	return 0;
}

static void make_room(struct client *client)
{
	if (client->len < client->room)
		return;
	client->room = client->room > 0 ? client->room * 2 : 16384;
	if (client->room > LIMIT_CLIENT_REPLY + 1)
		client->room = LIMIT_CLIENT_REPLY + 1;
	char *text = realloc(client->text, client->room);
	if (text == NULL)
		abort();
	client->text = text;
}

/* Reads up to the end of the line; *line_len is the length without it. */
static int receive_line(struct client *client, size_t *line_len, uint64_t end_us, char why[static CLIENT_ERROR])
{
	client->len = 0;
	for (;;) {
		make_room(client);
		ssize_t got = recv(client->fd, client->text + client->len, client->room - client->len, 0);
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
			return say_lost(client, got < 0 ? errno : 0, why);
		if (got < 0) {
			int ret = wait_for(client, POLLIN, end_us, why);
			if (ret != 0)
				return ret;
			continue;
		}
		const char *end = memchr(client->text + client->len, '\n', (size_t)got);
		client->len += (size_t)got;
		if (end != NULL) {
			*line_len = (size_t)(end - client->text);
			return 0;
		}
		if (client->len > LIMIT_CLIENT_REPLY)
			return say(why, E_SPACE,
				"the reply from %s is longer than 4 MiB, so it is not read; is it berthd?",
				client->path);
	}
}

static int read_reply(const struct client *client, size_t len, json_t **reply, char why[static CLIENT_ERROR])
{
	json_error_t error;
	char text[CLIENT_ERROR / 2];
	json_t *value = json_loadb(client->text, len, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(value)) {
		json_decref(value);
		return say(why, E_MALFORMED, "the reply from %s cannot be understood (%s); is it berthd?", client->path,
			value == NULL ? escape_text(text, sizeof(text), error.text) : "not a JSON object");
	}
	const json_t *failure = json_object_get(value, "error");
	if (failure != NULL) {
		const char *words = json_is_string(failure) ? json_string_value(failure) : "an error without words";
		escape_text(text, sizeof(text), words);
		json_decref(value);
		return say(why, E_BUSY, "%s", text);
	}
	*reply = value;
	return 0;
}

int client_ask(struct client *client, json_t *request, json_t **reply, char why[static CLIENT_ERROR])
{
	uint64_t end_us = clock_mono_us() + client->timeout_ms * UINT64_C(1000);
	size_t reply_len = 0;
	*reply = NULL;
	char *line = request != NULL ? json_dumps(request, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	json_decref(request);
	if (line == NULL)
		return say(why, E_INVAL, "the request is not text in UTF-8; write bytes of a name as \\DDD");
	size_t len = strlen(line);
	int ret = 0;
	if (len >= LIMIT_CONTROL_LINE)
		ret = say(why, E_SPACE, "the request is longer than berthd reads (%d bytes); shorten it",
			LIMIT_CONTROL_LINE);
	line[len] = '\n'; /* in the place of the NUL: the length is known */
	if (ret == 0)
		ret = send_line(client, line, len + 1, end_us, why);
	free(line);
	if (ret == 0)
		ret = receive_line(client, &reply_len, end_us, why);
	return ret == 0 ? read_reply(client, reply_len, reply, why) : ret;
}

int client_ask_once(const struct tool *tool, json_t *request, json_t **reply, char why[static CLIENT_ERROR])
{
	struct client *client;
	*reply = NULL;
	int ret = client_open(&client, tool->socket, tool->timeout_ms, why);
	if (ret != 0)
		json_decref(request);
	else
		ret = client_ask(client, request, reply, why);
	client_close(client);
	return ret;
}
