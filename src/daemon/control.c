/* Decides how the control socket is made and who may use it: a unix socket for its owner and group, one JSON object on
 * a line each way. */
#include "daemon/control.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "daemon/control_commands.h"
#include "net/stream.h"

#define OWN_FOLDER "/run/berth"

enum { IDLE_MS = 60000, PAUSE_MS = 100, OUT_MAX = 8 << 20 };

struct control {
	struct watch watch;
	struct pause pause;
	struct server *server;
	struct link clients;
	unsigned count;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

struct client {
	struct stream stream;
	struct link link;
	struct control *control;
};

static void free_client(struct client *client)
{
	link_remove(&client->link);
	client->control->count--;
	free(client);
}

static void on_closed(struct stream *stream)
{
	free_client(container_of(stream, struct client, stream));
}

void control_reply(struct control_call *call, json_t *reply)
{
	struct client *client = call->client;
	if (!expect(reply != NULL)) /* json_pack found a mistake of ours: who asked must not wait for ever */
		reply = json_pack("{s:s}", "error", "the reply could not be put together; this is a mistake in berthd");
	char *text = json_dumps(reply, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(reply);
	if (text != NULL && !client->stream.closed) {
		stream_write(&client->stream, text, strlen(text));
		stream_write(&client->stream, "\n", 1);
	}
	free(text);
	free(call);
	stream_done(&client->stream);
}

void control_reply_error(struct control_call *call, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	control_reply(call, json_pack("{s:s}", "error", text));
}

static size_t on_data(struct stream *stream, const uint8_t *data, size_t len)
{
	struct client *client = container_of(stream, struct client, stream);
	const uint8_t *end = memchr(data, '\n', len);
	if (end == NULL)
		return 0;
	if (stream->expected >= LIMIT_CONTROL_CALLS) {
		stream_hold(stream);
		return 0;
	}
	struct control_call *call = xzalloc(1, sizeof(*call));
	call->server = client->control->server;
	call->client = client;
	stream_expect(stream);
	json_error_t error;
	json_t *request = json_loadb((const char *)data, (size_t)(end - data), JSON_REJECT_DUPLICATES, &error);
	if (json_is_object(request))
		control_run(call, request);
	else
		control_reply_error(call, "not a JSON object: %s; see doc/control.md", error.text);
	json_decref(request);
	return (size_t)(end - data) + 1;
}

static const struct stream_ops ops = {
	.on_data = on_data, .on_closed = on_closed, .in_max = LIMIT_CONTROL_LINE, .out_max = OUT_MAX};

static void on_ready(struct watch *watch, uint32_t events)
{
	(void)events;
	struct control *control = container_of(watch, struct control, watch);
	int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		loop_pause(&control->server->loop, &control->pause, watch, EPOLLIN, PAUSE_MS);
	if (fd < 0)
		return;
	if (control->count >= LIMIT_CONTROL_CLIENTS) {
		close(fd);
		return;
	}
	struct client *client = xzalloc(1, sizeof(*client));
	client->control = control;
	if (stream_init(&client->stream, &control->server->loop, fd, &ops, IDLE_MS) != 0) {
		free(client);
		return;
	}
	link_append(&control->clients, &client->link);
	control->count++;
}

/* A socket file that nobody listens on is what a crash left behind; one that answers is another daemon's. */
static int clear_stale(const struct sockaddr_un *at)
{
	struct stat info;
	if (lstat(at->sun_path, &info) != 0)
		return 0;
	if (!S_ISSOCK(info.st_mode))
		return EEXIST;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int ret = connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 ? EADDRINUSE : 0;
	close(fd);
	if (ret == 0)
		unlink(at->sun_path);
	return ret;
}

/* Makes the folder of the default path; any other must be there. */
static void make_folder(const char *path)
{
	if (strncmp(path, OWN_FOLDER "/", sizeof(OWN_FOLDER)) == 0)
		(void)mkdir(OWN_FOLDER, 0755);
}

/* The user that the daemon becomes must be able to remove the socket at its end. */
static void give_to_user(const char *path, const char *user)
{
	const struct passwd *entry = user != NULL ? getpwnam(user) : NULL;
	if (entry == NULL || chown(path, entry->pw_uid, entry->pw_gid) != 0)
		return;
	if (strncmp(path, OWN_FOLDER "/", sizeof(OWN_FOLDER)) == 0)
		(void)!chown(OWN_FOLDER, entry->pw_uid, entry->pw_gid);
}

static int bind_socket(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(at.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(at.sun_path, path);
	make_folder(path);
	int stale = clear_stale(&at);
	if (stale != 0) {
		errno = stale;
		return -1;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t old = umask(0117); /* rw-rw----: its owner and group */
	int ret = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&at, sizeof(at));
	umask(old);
	if (ret == 0 && listen(fd, 16) == 0)
		return fd;
	int error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return -1;
}

int control_open(struct control **out, struct server *server, char *why, size_t size)
{
	const char *path = server->config->control_socket;
	int fd = bind_socket(path);
	if (fd < 0) {
		snprintf(why, size,
			"the control socket %s cannot be made: %s; name another with control: {socket: PATH}", path,
			errno == EADDRINUSE ? "another berthd answers there" : strerror(errno));
		return E_SYSTEM;
	}
	give_to_user(path, server->config->user);
	struct control *control = xzalloc(1, sizeof(*control));
	control->watch = (struct watch){.fd = fd, .on_ready = on_ready};
	control->server = server;
	strcpy(control->path, path);
	link_init(&control->clients);
	*out = control;
	return 0;
}

void control_start(struct control *control)
{
	if (loop_watch(&control->server->loop, &control->watch, EPOLLIN) != 0)
		log_error("the control socket cannot be watched: %s", strerror(errno));
}

void control_free(struct control *control)
{
	if (control == NULL)
		return;
	while (!link_is_empty(&control->clients)) {
		struct client *client = container_of(control->clients.next, struct client, link);
		stream_abandon(&client->stream);
	}
	close(control->watch.fd);
	unlink(control->path);
	free(control);
}
