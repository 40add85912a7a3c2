/* The words of a request to the web page: hosts, origins, paths, cookies, languages. Hostile until proven otherwise.
 *
 *	if (web_host_kind(host, names, count) == WEB_HOST_BAD) ...             a name that somebody made point here
 *	int port = web_path_port("/port/60054", "/port/");                      -1: no such page
 *
 * Pure; thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum web_host {
	WEB_HOST_BAD,      /* a name that is not ours: a page elsewhere may have made it point here (DNS rebinding) */
	WEB_HOST_LOOPBACK, /* localhost, 127.0.0.1, [::1] */
	WEB_HOST_KNOWN,    /* another address as it is, which no name can pretend to be, or one of the names */
};

/* `host` is a Host header, with or without a port; NULL is bad. */
enum web_host web_host_kind(const char *host, const char *const *names, size_t count);
/* Whether an Origin header is the page itself, as it was called by that Host header. */
bool web_origin_is(const char *origin, const char *host) __attribute__((nonnull));
/* The number behind the prefix, 0 to 65535 without leading zeros; -1: another path. */
int web_path_port(const char *path, const char *prefix) __attribute__((nonnull));
/* The value of a cookie; false when it is not there, twice there, or does not fit. */
bool web_cookie(const char *header, const char *name, char *out, size_t size) __attribute__((nonnull(2, 3)));
/* The language of the page that suits an Accept-Language header best: "en", "vi" or "th"; NULL is English. */
const char *web_language(const char *accept);
/* Equal, in a time that does not tell where they differ; `len` bytes each. */
bool web_is_same_secret(const void *a, const void *b, size_t len) __attribute__((nonnull));
