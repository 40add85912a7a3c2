/* Decides what the headers of a request mean. */
#include "daemon/web_parse.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"

enum { HOST_ROOM = 256 };

/* --- hosts --- */

/* The host without brackets and port; false when it is malformed. */
static bool cut_host(const char *host, char out[static HOST_ROOM])
{
	size_t len;
	const char *port;
	if (*host == '[') {
		len = strcspn(++host, "]");
		port = host + len + (host[len] == ']');
		if (host[len] != ']')
			return false;
	} else {
		len = strcspn(host, ":");
		port = host + len;
	}
	if (len == 0 || len >= HOST_ROOM || (*port != '\0' && *port != ':'))
		return false;
	if (*port == ':' && (port[1] == '\0' || port[1 + strspn(port + 1, "0123456789")] != '\0'))
		return false;
	memcpy(out, host, len);
	out[len] = '\0';
	return true;
}

enum web_host web_host_kind(const char *host, const char *const *names, size_t count)
{
	char name[HOST_ROOM];
	struct addr addr;
	if (host == NULL || !cut_host(host, name))
		return WEB_HOST_BAD;
	if (strcasecmp(name, "localhost") == 0)
		return WEB_HOST_LOOPBACK;
	if (strchr(name, '@') == NULL && addr_parse(&addr, name, 0) == 0)
		return addr_is_loopback(&addr) ? WEB_HOST_LOOPBACK : WEB_HOST_KNOWN;
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(name, names[i]) == 0)
			return WEB_HOST_KNOWN;
	return WEB_HOST_BAD;
}

bool web_origin_is(const char *origin, const char *host)
{
	/* https: a proxy in front of us may speak it. */
	if (strncmp(origin, "http://", 7) == 0)
		return strcasecmp(origin + 7, host) == 0;
	return strncmp(origin, "https://", 8) == 0 && strcasecmp(origin + 8, host) == 0;
}

/* --- paths and cookies --- */

int web_path_port(const char *path, const char *prefix)
{
	size_t len = strlen(prefix);
	if (strncmp(path, prefix, len) != 0)
		return -1;
	const char *digits = path + len;
	size_t count = strspn(digits, "0123456789");
	if (count == 0 || count > 5 || digits[count] != '\0' || (digits[0] == '0' && count > 1))
		return -1;
	long port = strtol(digits, NULL, 10);
	return port <= UINT16_MAX ? (int)port : -1;
}

bool web_cookie(const char *header, const char *name, char *out, size_t size)
{
	size_t name_len = strlen(name);
	unsigned found = 0;
	while (header != NULL && *header != '\0') {
		header += strspn(header, " \t;");
		size_t len = strcspn(header, ";");
		if (len > name_len && strncmp(header, name, name_len) == 0 && header[name_len] == '=') {
			size_t value = len - name_len - 1;
			if (value >= size || ++found > 1)
				return false;
			memcpy(out, header + name_len + 1, value);
			out[value] = '\0';
		}
		header += len;
	}
	return found == 1;
}

/* --- languages --- */

static const char *const languages[] = {"en", "vi", "th"};

/* "vi-VN;q=0.8": its weight in thousandths (RFC 9110 12.4.2); 0 when it is not that language. */
static unsigned weigh(const char *range, size_t len, const char *language)
{
	size_t name = strlen(language);
	if (len < name || strncasecmp(range, language, name) != 0 ||
		(len > name && strchr("-; \t", range[name]) == NULL))
		return 0;
	for (size_t i = name; i + 3 < len; i++) {
		if (range[i] != ';' && range[i] != ' ')
			continue;
		if ((range[i + 1] == 'q' || range[i + 1] == 'Q') && range[i + 2] == '=')
			return range[i + 3] == '1'                  ? 1000
			       : i + 5 < len && range[i + 3] == '0' ? (unsigned)(range[i + 5] - '0') * 100 % 1000
								    : 0;
	}
	return 1000;
}

const char *web_language(const char *accept)
{
	const char *best = languages[0];
	unsigned weight = 0;
	while (accept != NULL && *accept != '\0') {
		accept += strspn(accept, " \t,");
		size_t len = strcspn(accept, ",");
		for (size_t i = 0; i < sizeof(languages) / sizeof(languages[0]); i++) {
			unsigned one = weigh(accept, len, languages[i]);
			if (one > weight) {
				weight = one;
				best = languages[i];
			}
		}
		accept += len;
	}
	return best;
}

bool web_is_same_secret(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t differ = 0;
	for (size_t i = 0; i < len; i++)
		differ |= x[i] ^ y[i];
	return differ == 0;
}
