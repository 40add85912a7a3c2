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
#include "daemon/web_tries.h"

enum { PASSWORD = 256, PASSWORD_LEAST = 8 };

struct session {
	char token[WEB_TOKEN];
	uint64_t until_us; /* monotonic; 0: none */
};

struct web_login {
	char password[PASSWORD]; /* NULs to its end; "" when nobody can log in */
	struct session session[LIMIT_WEB_SESSIONS];
	struct tries tries, here; /* wrong ones; those that came from this machine */
};

static int read_password(char out[static PASSWORD], const char *path, char *why, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char text[PASSWORD + 1] = "";
	ssize_t len = fd < 0 ? -1 : read(fd, text, PASSWORD);
	int number = errno;
	if (fd >= 0)
		close(fd);
	if (len < 0) {
		snprintf(why, size, "web.password-file: %s cannot be read: %s", path, strerror(number));
		return E_ACCESS;
	}
	size_t line = strcspn(text, "\r\n");
	bool fits = line >= PASSWORD_LEAST && line < PASSWORD;
	if (fits)
		memcpy(out, text, line);
	explicit_bzero(text, sizeof(text));
	if (fits)
		return 0;
	snprintf(why, size, "web.password-file: the first line of %s is the password; write %d to %d characters", path,
		PASSWORD_LEAST, PASSWORD - 1);
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

/* A stranger who tries often keeps nobody else out. What came from this machine has a limit in all as well. */
static bool may_try(const struct web_login *login, const struct addr *who, bool is_here)
{
	uint64_t now_us = clock_mono_us();
	return tries_have_room(&login->tries, who, LIMIT_WEB_LOGINS, now_us) &&
	       (!is_here || tries_have_room(&login->here, NULL, LIMIT_WEB_LOGINS_HERE, now_us));
}

static void count_wrong(struct web_login *login, const struct addr *who, bool is_here)
{
	char text[ADDR_TEXT];
	tries_count(&login->tries, who, clock_mono_us());
	if (is_here)
		tries_count(&login->here, NULL, clock_mono_us());
	log_notice("web: a wrong password was tried from %s", addr_text(who, text));
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
	struct addr who;
	bool is_here = web_who(visit, &who);
	if (!login_is_possible(login)) {
		web_reply_error(visit, MHD_HTTP_FORBIDDEN, "nobody can log in: web: {password-file: FILE} is not set");
	} else if (!may_try(login, &who, is_here)) {
		web_reply_error(visit, MHD_HTTP_TOO_MANY_REQUESTS, "too many wrong passwords; try again in a minute");
	} else if (word == NULL || !is_password(login, word)) {
		count_wrong(login, &who, is_here);
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
