/* Decides who has logged in, and how often a password may be tried. */
#include "daemon/web_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/web_parse.h"

enum { PASSWORD = 256, PASSWORD_LEAST = 8, MINUTE_US = 60000000 };

struct session {
	char token[WEB_TOKEN];
	uint64_t until_us; /* monotonic; 0: none */
};

struct web_login {
	char password[PASSWORD]; /* NULs to its end; "" when nobody can log in */
	struct session session[LIMIT_WEB_SESSIONS];
	uint64_t minute_us; /* when the tries began to be counted */
	unsigned tries;
};

static int read_password(char out[static PASSWORD], const char *path, char *why, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t len = fd < 0 ? -1 : read(fd, out, PASSWORD - 1);
	int number = errno;
	if (fd >= 0)
		close(fd);
	if (len < 0) {
		snprintf(why, size, "web.password-file: %s cannot be read: %s", path, strerror(number));
		return E_ACCESS;
	}
	size_t line = strcspn(out, "\r\n");
	memset(out + line, 0, PASSWORD - line);
	if (line >= PASSWORD_LEAST)
		return 0;
	snprintf(why, size, "web.password-file: the first line of %s is the password; write %d characters or more",
		path, PASSWORD_LEAST);
	return E_INVAL;
}

int login_new(struct web_login **out, const char *password_file, char *why, size_t size)
{
	struct web_login *login = xzalloc(1, sizeof(*login));
	int ret = password_file != NULL ? read_password(login->password, password_file, why, size) : 0;
	if (ret != 0) {
		free(login);
		login = NULL;
	}
	*out = login;
	return ret;
}

void login_free(struct web_login *login)
{
	if (login != NULL)
		explicit_bzero(login, sizeof(*login));
	free(login);
}

bool login_is_possible(const struct web_login *login)
{
	return login->password[0] != '\0';
}

bool login_has_session(const struct web_login *login, const char *token)
{
	bool found = false;
	if (strlen(token) != WEB_TOKEN - 1)
		return false;
	for (size_t i = 0; i < LIMIT_WEB_SESSIONS; i++)
		found |= login->session[i].until_us > clock_mono_us() &&
			 web_is_same_secret(login->session[i].token, token, WEB_TOKEN - 1);
	return found;
}

/* A free place, or the oldest one's. */
static struct session *new_session(struct web_login *login)
{
	struct session *oldest = &login->session[0];
	for (size_t i = 1; i < LIMIT_WEB_SESSIONS; i++)
		if (login->session[i].until_us < oldest->until_us)
			oldest = &login->session[i];
	web_token(oldest->token);
	oldest->until_us = clock_mono_us() + LIMIT_WEB_SESSION_S * 1000000ull;
	return oldest;
}

static bool may_try(struct web_login *login)
{
	uint64_t now_us = clock_mono_us();
	if (login->tries == 0 || now_us - login->minute_us > MINUTE_US) {
		login->minute_us = now_us;
		login->tries = 0;
	}
	return login->tries < LIMIT_WEB_LOGINS;
}

static bool is_password(const struct web_login *login, const char *word)
{
	char padded[PASSWORD] = {0};
	size_t len = strlen(word);
	if (len == 0 || len >= sizeof(padded))
		return false;
	memcpy(padded, word, len);
	return web_is_same_secret(padded, login->password, sizeof(padded));
}

static void reply_with_cookie(struct visit *visit, const char *token, unsigned age_s)
{
	char cookie[160];
	snprintf(cookie, sizeof(cookie), "berth-session=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%u", token,
		age_s);
	struct MHD_Response *response = MHD_create_response_from_buffer(2, (void *)"{}", MHD_RESPMEM_PERSISTENT);
	MHD_add_response_header(response, "Content-Type", "application/json");
	MHD_add_response_header(response, "Set-Cookie", cookie);
	web_reply(visit, MHD_HTTP_OK, response);
}

void login_run(struct visit *visit, const json_t *request)
{
	struct web_login *login = visit->web->login;
	const char *word = json_string_value(json_object_get(request, "password"));
	if (!login_is_possible(login)) {
		web_reply_error(visit, MHD_HTTP_FORBIDDEN, "nobody can log in: web: {password-file: FILE} is not set");
	} else if (!may_try(login)) {
		web_reply_error(visit, MHD_HTTP_TOO_MANY_REQUESTS, "too many wrong passwords; try again in a minute");
	} else if (word == NULL || !is_password(login, word)) {
		login->tries++;
		log_notice("web: a wrong password was tried");
		web_reply_error(visit, MHD_HTTP_FORBIDDEN, "that is not the password");
	} else {
		reply_with_cookie(visit, new_session(login)->token, LIMIT_WEB_SESSION_S);
	}
}

void login_end(struct visit *visit)
{
	struct web_login *login = visit->web->login;
	char token[WEB_TOKEN];
	if (web_cookie(web_header(visit, "Cookie"), "berth-session", token, sizeof(token)))
		for (size_t i = 0; i < LIMIT_WEB_SESSIONS; i++)
			if (strlen(token) == WEB_TOKEN - 1 &&
				web_is_same_secret(login->session[i].token, token, WEB_TOKEN - 1))
				login->session[i].until_us = 0;
	reply_with_cookie(visit, "", 0);
}
