/* Decides who a viewer is, and what is refused at the door: before a request costs anything. */
#include "daemon/web_parts.h"

#include <string.h>

#include "base/random.h"
#include "daemon/web_parse.h"

void web_token(char out[static WEB_TOKEN])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t bytes[(WEB_TOKEN - 1) / 2];
	random_bytes(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[WEB_TOKEN - 1] = '\0';
}

/* A proxy on this machine hands on what strangers ask: that its own address is loopback says nothing of them. Some say
 * so; nginx has long spoken HTTP/1.0 to those behind it, which no browser does. Who the proxy runs as is asked too. */
static bool is_through_proxy(const struct visit *visit)
{
	static const char *const names[] = {"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
		"X-Forwarded-Server", "X-Real-IP", "X-Client-IP", "Via", "CF-Connecting-IP", "True-Client-IP"};
	bool found = visit->is_http_1_0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		found |= web_header(visit, names[i]) != NULL;
	return found;
}

static bool peer_of(const struct visit *visit, struct addr *out)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(visit->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	*out = (struct addr){0};
	if (info == NULL || info->client_addr == NULL)
		return false;
	if (info->client_addr->sa_family == AF_INET)
		memcpy(&out->v4, info->client_addr, sizeof(out->v4));
	else if (info->client_addr->sa_family == AF_INET6)
		memcpy(&out->v6, info->client_addr, sizeof(out->v6));
	else
		return false;
	return true;
}

static bool is_from_loopback(const struct visit *visit)
{
	struct addr addr;
	return peer_of(visit, &addr) && addr_is_loopback(&addr);
}

/* What a proxy on this machine wrote last is whom it speaks for; what stands before that anybody may have written. */
bool web_who(const struct visit *visit, struct addr *out)
{
	struct addr told;
	bool is_here = !peer_of(visit, out) || addr_is_loopback(out);
	const char *text = is_here ? web_header(visit, "X-Forwarded-For") : NULL;
	const char *last = text != NULL ? strrchr(text, ',') : NULL;
	text = last != NULL ? last + 1 : text;
	if (text != NULL && addr_parse(&told, text + strspn(text, " "), 0) == 0)
		*out = told;
	return is_here;
}

/* A connection keeps its user. */
static bool is_of_local_user(const struct visit *visit)
{
	struct web_client *client = visit->client;
	if (client->owner == OWNER_UNASKED)
		client->owner = locals_have_peer(visit->web->locals, client->fd) ? OWNER_LOCAL : OWNER_OTHER;
	return client->owner == OWNER_LOCAL;
}

static enum web_viewer viewer_of(struct visit *visit, enum web_host host)
{
	char token[WEB_TOKEN];
	if (web_cookie(web_header(visit, "Cookie"), "berth-session", token, sizeof(token)) &&
		login_has_session(visit->web->login, token))
		return VIEWER_SESSION;
	if (host != WEB_HOST_LOOPBACK || !is_from_loopback(visit) || is_through_proxy(visit))
		return VIEWER_STRANGER;
	visit->is_other_user = !is_of_local_user(visit);
	return visit->is_other_user ? VIEWER_STRANGER : VIEWER_LOCAL;
}

/* A page elsewhere must not speak in the viewer's name. Browsers say where a request comes from: all of them with
 * Origin on a POST, most with Sec-Fetch-Site everywhere. */
static bool is_own_page(struct visit *visit, const char *host, const char *path)
{
	const char *origin = web_header(visit, "Origin"), *site = web_header(visit, "Sec-Fetch-Site");
	bool is_api = strncmp(path, "/api/", 5) == 0 || strcmp(path, "/metrics") == 0;
	if (visit->method == METHOD_POST && origin == NULL) {
		web_reply_error(visit, MHD_HTTP_FORBIDDEN,
			"a POST has to say where it comes from: Origin: http://%.128s", host);
		return false;
	}
	if ((origin != NULL && !web_origin_is(origin, host)) ||
		(is_api && site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)) {
		web_reply_error(visit, MHD_HTTP_FORBIDDEN, "another site's page may not ask here");
		return false;
	}
	return true;
}

static bool set_method(struct visit *visit, const char *method)
{
	if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
		visit->method = METHOD_GET;
	else if (strcmp(method, "POST") == 0)
		visit->method = METHOD_POST;
	else
		return false;
	return true;
}

bool web_gate(struct visit *visit, const char *method, const char *path)
{
	const struct config *config = visit->web->server->first;
	const char *host = web_header(visit, "Host");
	enum web_host kind = web_host_kind(host, config->web.hosts, config->web.host_count);
	if (!set_method(visit, method)) {
		web_reply_error(visit, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET, HEAD and POST are understood");
		return false;
	}
	if (kind == WEB_HOST_BAD) {
		web_reply_error(visit, MHD_HTTP_MISDIRECTED_REQUEST,
			"this page is not known by that name; call it by its address, or name it in web: {hosts: "
			"[NAME]}");
		return false;
	}
	if (strlen(path) >= sizeof(visit->path)) {
		web_reply_error(visit, MHD_HTTP_NOT_FOUND, "there is no page of so long a name");
		return false;
	}
	strcpy(visit->path, path);
	visit->viewer = viewer_of(visit, kind);
	visit->language = web_language(web_header(visit, "Accept-Language"));
	if (!web_cookie(web_header(visit, "Cookie"), "berth-visitor", visit->visitor, sizeof(visit->visitor)) ||
		strspn(visit->visitor, "0123456789abcdef") != WEB_TOKEN - 1)
		visit->visitor[0] = '\0';
	return is_own_page(visit, host, path);
}

bool web_must_see_machine(struct visit *visit)
{
	if (visit->viewer != VIEWER_STRANGER)
		return true;
	web_reply_error(visit, MHD_HTTP_UNAUTHORIZED, "what this machine does is shown to %s",
		login_is_possible(visit->web->login) ? "who has logged in"
		: visit->is_other_user
			? "root, berthd's own user and those that web: {local: [USER]} names; for others, "
			  "set web: {password-file: FILE}"
			: "viewers on it; for others, set web: {password-file: FILE}");
	return false;
}
