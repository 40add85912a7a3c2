/* Decides how libmicrohttpd lives inside the main thread's loop, and how long a connection may keep us. */
#include "daemon/web_parts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

enum { SWEEP_US = 2000000, ANSWER_US = 60000000, SEND_BUFFER = 128 << 10, BACKLOG = 64 };

/* libmicrohttpd looks at who was resumed when it is called next, and tells its epoll nothing of it. */
void web_resume(struct web *web, struct MHD_Connection *conn)
{
	MHD_resume_connection(conn);
	for (size_t i = 0; i < web->listeners; i++)
		if (web->listener[i].daemon != NULL)
			loop_timer_set(&web->server->loop, &web->listener[i].timer, clock_mono_us() + 1);
}

/* --- answers --- */

/* Nothing from elsewhere, nothing inline, in nobody's frame. */
static const char *const headers[][2] = {
	{"Content-Security-Policy",
		"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
	{"Referrer-Policy", "no-referrer"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
};

void web_reply(struct visit *visit, unsigned status, struct MHD_Response *response)
{
	require(visit->response == NULL);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		MHD_add_response_header(response, headers[i][0], headers[i][1]);
	if (MHD_get_response_header(response, "Cache-Control") == NULL)
		MHD_add_response_header(response, "Cache-Control", "no-store");
	visit->status = status;
	visit->response = response;
	if (visit->is_waiting) {
		visit->is_waiting = false;
		web_resume(visit->web, visit->conn);
	}
}

void web_reply_text(struct visit *visit, unsigned status, const char *type, const char *text, size_t len)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(len, (void *)text, MHD_RESPMEM_MUST_COPY);
	MHD_add_response_header(response, "Content-Type", type);
	web_reply(visit, status, response);
}

void web_reply_json(struct visit *visit, unsigned status, json_t *value)
{
	if (!expect(value != NULL)) {
		value = json_pack(
			"{s:s}", "error", "the answer could not be put together; this is a mistake in berthd");
		status = MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
	char *text = json_dumps(value, JSON_COMPACT);
	json_decref(value);
	web_reply_text(visit, status, "application/json", text, strlen(text));
	free(text);
}

void web_reply_error(struct visit *visit, unsigned status, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	web_reply_json(visit, status, json_pack("{s:s}", "error", text));
}

void web_wait(struct visit *visit)
{
	visit->is_waiting = true;
	MHD_suspend_connection(visit->conn);
}

const char *web_header(const struct visit *visit, const char *name)
{
	return MHD_lookup_connection_value(visit->conn, MHD_HEADER_KIND, name);
}

const char *web_argument(const struct visit *visit, const char *name)
{
	return MHD_lookup_connection_value(visit->conn, MHD_GET_ARGUMENT_KIND, name);
}

/* --- one request --- */

static enum MHD_Result give_answer(struct visit *visit)
{
	enum MHD_Result ret = MHD_queue_response(visit->conn, visit->status, visit->response);
	MHD_destroy_response(visit->response);
	visit->response = NULL;
	return ret;
}

static struct visit *visit_new(struct web_listener *listener, struct MHD_Connection *conn)
{
	struct visit *visit = xzalloc(1, sizeof(*visit));
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	visit->web = listener->web;
	visit->conn = conn;
	visit->client = info->socket_context;
	return visit;
}

static void keep_body(struct visit *visit, const char *data, size_t len)
{
	if (len > LIMIT_WEB_BODY - visit->body_len)
		visit->is_too_long = true;
	else
		memcpy(visit->body + visit->body_len, data, len);
	visit->body_len += visit->is_too_long ? 0 : len;
}

static void route(struct visit *visit)
{
	visit->is_routed = true;
	visit->client->is_busy = true;
	visit->client->since_us = clock_mono_us();
	if (visit->is_too_long)
		web_reply_error(
			visit, MHD_HTTP_CONTENT_TOO_LARGE, "the request is longer than %d bytes", LIMIT_WEB_BODY);
	else if (visit->web->is_ending)
		web_reply_error(visit, MHD_HTTP_SERVICE_UNAVAILABLE, "berthd ends");
	else if (strncmp(visit->path, "/api/", 5) == 0 || strcmp(visit->path, "/metrics") == 0)
		api_run(visit);
	else if (!files_run(visit))
		web_reply_error(visit, MHD_HTTP_NOT_FOUND, "there is no such page; /, /port/NUMBER and /dashboard are");
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *path, const char *method,
	const char *version, const char *data, size_t *len, void **context)
{
	struct visit *visit = *context;
	if (visit == NULL) {
		*context = visit = visit_new(cls, conn);
		visit->is_http_1_0 = strcmp(version, MHD_HTTP_VERSION_1_1) != 0;
		return web_gate(visit, method, path) ? MHD_YES : give_answer(visit);
	}
	if (*len > 0) {
		keep_body(visit, data, *len);
		*len = 0;
		return MHD_YES;
	}
	if (!visit->is_routed)
		route(visit);
	return visit->response != NULL ? give_answer(visit) : MHD_YES;
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **context, enum MHD_RequestTerminationCode code)
{
	struct visit *visit = *context;
	(void)cls;
	(void)conn;
	(void)code;
	if (visit == NULL)
		return;
	visit->client->is_busy = false;
	visit->client->since_us = clock_mono_us();
	if (visit->response != NULL)
		MHD_destroy_response(visit->response);
	free(visit);
	*context = NULL;
}

/* --- connections --- */

/* A stream ends by itself at its age; what is left of one much later belongs to a viewer that takes nothing. */
static uint64_t patience_us(const struct web_client *client)
{
	if (client->is_viewer)
		return (LIMIT_WEB_VIEW_S + LIMIT_WEB_STALL_S) * 1000000ull;
	return client->is_busy ? ANSWER_US : LIMIT_WEB_REQUEST_S * 1000000ull;
}

static void on_sweep(struct timer *timer)
{
	struct web *web = container_of(timer, struct web, sweep);
	uint64_t now_us = clock_mono_us();
	for (struct link *l = web->clients.next; l != &web->clients; l = l->next) {
		struct web_client *client = container_of(l, struct web_client, link);
		if (now_us - client->since_us > patience_us(client))
			shutdown(client->fd, SHUT_RDWR); /* libmicrohttpd sees that it is gone */
	}
	if (!link_is_empty(&web->clients))
		loop_timer_set(&web->server->loop, timer, now_us + SWEEP_US);
}

static void on_connection(
	void *cls, struct MHD_Connection *conn, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct web_listener *listener = cls;
	struct web *web = listener->web;
	struct web_client *client = *context;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = client = xzalloc(1, sizeof(*client));
		client->fd = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		client->since_us = clock_mono_us();
		link_append(&web->clients, &client->link);
		if (web->sweep.place == 0)
			loop_timer_set(&web->server->loop, &web->sweep, client->since_us + SWEEP_US);
	} else if (client != NULL) {
		listener->has_lost_one = true;
		link_remove(&client->link);
		free(client);
		*context = NULL;
	}
}

/* --- the loop --- */

static void run(struct web_listener *listener)
{
	struct loop *loop = &listener->web->server->loop;
	MHD_UNSIGNED_LONG_LONG ms;
	listener->has_lost_one = false;
	MHD_run(listener->daemon);
	if (listener->has_lost_one)
		loop_timer_set(loop, &listener->timer, clock_mono_us() + 1);
	else if (MHD_get_timeout(listener->daemon, &ms) != MHD_YES)
		loop_timer_cancel(loop, &listener->timer);
	else /* never within this turn, or others would have to wait */
		loop_timer_set(loop, &listener->timer, clock_mono_us() + (ms == 0 ? 1 : ms * 1000));
}

static void on_ready(struct watch *watch, uint32_t events)
{
	(void)events;
	run(container_of(watch, struct web_listener, watch));
}

static void on_timer(struct timer *timer)
{
	run(container_of(timer, struct web_listener, timer));
}

/* --- begin --- */

static int bind_to(struct web_listener *listener, char *why, size_t size)
{
	int on = 1, buffer = SEND_BUFFER, family = listener->addr.sa.sa_family;
	char text[ADDR_TEXT];
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		/* What a slow reader can make the kernel hold; connections inherit it. */
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
		if (family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		if (bind(fd, &listener->addr.sa, addr_socklen(&listener->addr)) == 0 && listen(fd, BACKLOG) == 0) {
			listener->fd = fd;
			return 0;
		}
	}
	int number = errno;
	if (fd >= 0)
		close(fd);
	snprintf(why, size,
		"the web page cannot be shown on %s: %s; name another address with web: {listen: [ADDRESS@PORT]}, "
		"or [] for none",
		addr_text(&listener->addr, text), strerror(number));
	return error_of_errno(number);
}

static int start_http(struct web_listener *listener)
{
	listener->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request,
		listener, MHD_OPTION_LISTEN_SOCKET, listener->fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)LIMIT_WEB_CLIENTS, MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)LIMIT_WEB_FROM_ONE,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)LIMIT_WEB_STALL_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)LIMIT_WEB_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
		NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, listener, MHD_OPTION_END);
	if (listener->daemon == NULL)
		return E_SYSTEM;
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	listener->watch = (struct watch){.fd = info->epoll_fd, .on_ready = on_ready};
	listener->timer.on_timer = on_timer;
	return 0;
}

static int open_listeners(struct web *web, char *why, size_t size)
{
	const struct config *config = web->server->config;
	web->listener = xzalloc(config->web.listen_count, sizeof(*web->listener));
	for (size_t i = 0; i < config->web.listen_count; i++) {
		struct web_listener *listener = &web->listener[i];
		*listener = (struct web_listener){.web = web, .addr = config->web.listen[i], .fd = -1};
		int ret = bind_to(listener, why, size);
		if (ret != 0)
			return ret;
		web->listeners++;
	}
	return 0;
}

int web_open(struct web **out, struct server *server, char *why, size_t size)
{
	const struct config *config = server->config;
	*out = NULL;
	if (config->web.listen_count == 0)
		return 0;
	struct web *web = xzalloc(1, sizeof(*web));
	web->server = server;
	web->sweep.on_timer = on_sweep;
	link_init(&web->clients);
	web->looker = looker_new(&server->loop);
	web->events = events_new(web);
	web->map = map_new(web);
	web->tours = tours_new(web);
	int ret = locals_new(&web->locals, config, why, size);
	if (ret == 0)
		ret = login_new(&web->login, config->web.password_file, why, size);
	bool may_fail = ret == 0 && config->web.by_default; /* nobody asked for that address */
	if (ret == 0)
		ret = open_listeners(web, why, size);
	if (ret == 0) {
		web->votes = votes_new(web, config->web.votes);
		*out = web;
		return 0;
	}
	web_free(web);
	if (!may_fail)
		return ret;
	log_notice("%s", why);
	return 0;
}

void web_start(struct web *web)
{
	if (web == NULL)
		return;
	if (looker_start(web->looker) != 0)
		log_warning("web: no thread can be started: the page shows no holders of ports, and takes no votes");
	for (size_t i = 0; i < web->listeners; i++) {
		struct web_listener *listener = &web->listener[i];
		if (start_http(listener) != 0 || loop_watch(&web->server->loop, &listener->watch, EPOLLIN) != 0)
			log_error("web: no page can be shown: out of descriptors or memory");
	}
}

/* --- end --- */

void web_stop(struct web *web)
{
	if (web == NULL)
		return;
	web->is_ending = true;
	atomic_store(&web->is_over, true);
	looker_stop(web->looker);
	tours_end(web->tours);
	events_end(web->events);
	loop_timer_cancel(&web->server->loop, &web->sweep);
}

static void close_listener(struct web_listener *listener)
{
	struct loop *loop = &listener->web->server->loop;
	if (listener->daemon == NULL) {
		close(listener->fd);
		return;
	}
	loop_timer_cancel(loop, &listener->timer);
	loop_unwatch(loop, &listener->watch);
	MHD_stop_daemon(listener->daemon); /* closes the descriptor; nothing is suspended any more */
}

void web_free(struct web *web)
{
	if (web == NULL)
		return;
	for (size_t i = 0; i < web->listeners; i++)
		close_listener(&web->listener[i]);
	free(web->listener);
	loop_timer_cancel(&web->server->loop, &web->sweep);
	events_free(web->events);
	map_free(web->map);
	tours_free(web->tours);
	locals_free(web->locals);
	login_free(web->login);
	votes_free(web->votes);
	looker_free(web->looker);
	free(web);
}
