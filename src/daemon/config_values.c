/* Decides what the words of the file mean, which of them are nonsense, and what holds when the file is silent. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/escape.h"
#include "base/limits.h"
#include "base/paths.h"
#include "daemon/config_parts.h"
#include "ports/list.h"
#include "ports/reserve.h"

enum { POOL_MAX = 60000, LOANS_LEAST = 1000, LOANS_MAX = 1000000, USES_MAX = 1000000000, AGE_MAX_S = 31536000 };
enum { HISTORY_AGE_MAX_S = 315360000, HISTORY_PATH_MAX = 500 };
enum { WEB_PORT = 8053 };

static const uint64_t memory_min = UINT64_C(1) << 20, memory_max = UINT64_C(1) << 40;

/* --- the defaults --- */

static struct addr *parse_listen(const char *const *texts, size_t count, struct arena *arena)
{
	struct addr *list = arena_alloc(arena, count * sizeof(*list));
	for (size_t i = 0; i < count; i++)
		(void)addr_parse(&list[i], texts[i], 53);
	return list;
}

/* RFC 1122 3.2.1.3, RFC 1918, RFC 3927, RFC 4193, RFC 4291 2.5.6: nobody from the Internet is among them. */
static const char *const allow_default[] = {"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
	"169.254.0.0/16", "fc00::/7", "fe80::/10"};
static const char *const listen_default[] = {"127.0.0.1", "::1"};

static void default_web(struct config *config, struct arena *arena)
{
	static const char *const listen[] = {"127.0.0.1@8053"};
	char path[512];
	config->web.listen = parse_listen(listen, 1, arena);
	config->web.listen_count = 1;
	config->web.by_default = true;
	size_t room = sizeof(path) - sizeof("/votes.db");
	if (path_state_dir(path, room) != 0)
		return;
	strcat(path, "/votes.db");
	config->web.votes = arena_copy(arena, path, strlen(path) + 1);
}

static const char *default_history(struct arena *arena)
{
	static const char name[] = "/history.db";
	char path[PATH_FOLDER + sizeof(name)];
	if (path_state_dir(path, PATH_FOLDER) != 0)
		return NULL;
	strcat(path, name);
	return arena_copy(arena, path, strlen(path) + 1);
}

void config_values_default(struct config *config, struct arena *arena)
{
	char path[PATH_SOCKET];
	const size_t allow_count = sizeof(allow_default) / sizeof(allow_default[0]);
	*config = (struct config){
		.listen = parse_listen(listen_default, 2, arena),
		.listen_count = 2,
		.workers = CONFIG_WORKERS_AUTO,
		.ports = {.range = {49152, 65535}, .pool = 2500, .max = 10000, .uses = 1000, .age_s = 3600},
		.resolver = {.minimise = true, .ipv4 = true, .ipv6 = true, .query_private = true, .priming = true},
		.dnssec = {.validate = true,
			.builtin = true,
			.sha1 = true,
			.sentinel = true,
			.rollover = true,
			.nsec3_iterations = 50},
		.cache = {.memory = 256 << 20, .ttl_max = LIMIT_CACHE_TTL_S, .prefetch = true},
		.allow = arena_alloc(arena, allow_count * sizeof(struct prefix)),
		.allow_count = allow_count,
		.history = {.loans = true, .bytes = 64 << 20, .age_s = 86400},
		.log_level = LOG_LEVEL_NOTICE,
	};
	for (size_t i = 0; i < allow_count; i++)
		(void)prefix_parse(&config->allow[i], allow_default[i]);
	config->ports.exclude = arena_zalloc(arena, sizeof(struct port_set));
	config->ports.include = arena_zalloc(arena, sizeof(struct port_set));
	config->history.file = default_history(arena);
	config->control_socket = config_default_socket(path, sizeof(path));
	config->control_socket = arena_copy(arena, path, strlen(path) + 1);
	default_web(config, arena);
}

/* --- complaints --- */

const struct config_node *config_find(const struct config_reader *r, const char *section, const char *key)
{
	const struct config_node *node = section != NULL ? config_tree_child(r->root, section) : r->root;
	return config_tree_child(node, key);
}

int config_refuse(const struct config_reader *r, const struct config_node *node, size_t index, const char *format, ...)
{
	char path[CONFIG_KEY], quote[CONFIG_QUOTE], words[CONFIG_ERROR / 2];
	config_tree_path(node, path);
	if (node->kind == CONFIG_LIST)
		for (node = node->first; index > 0 && node->next != NULL; index--)
			node = node->next;
	va_list args;
	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	return config_complain(
		r->report, node->line, path, "\"%s\" %s", escape_text(quote, sizeof(quote), node->text), words);
}

/* --- single values --- */

/* Decimal digits only: YAML's 0x10 and 010 are traps. False when there is anything else or too much of it. */
static bool parse_number(const char *text, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	if (*text == '\0' || strlen(text) > 15)
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (uint64_t)(*text - '0');
	*out = value;
	return *text == '\0' && value <= max;
}

static bool parse_memory(const char *text, uint64_t *out)
{
	char digits[16];
	size_t len = strspn(text, "0123456789");
	static const char units[] = "KMGT";
	if (len == 0 || len >= sizeof(digits) || (text[len] != '\0' && text[len + 1] != '\0'))
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	const char *unit = text[len] != '\0' ? strchr(units, text[len] & ~0x20) : NULL;
	if ((text[len] != '\0' && unit == NULL) || !parse_number(digits, memory_max, out))
		return false;
	unsigned shift = unit != NULL ? 10 * (unsigned)(unit - units + 1) : 0;
	if (*out > memory_max >> shift)
		return false;
	*out <<= shift;
	return *out >= memory_min && *out <= SIZE_MAX / 2;
}

/* "90", "90s", "15m", "24h", "7d" */
static bool parse_span(const char *text, uint64_t max_s, uint64_t *out)
{
	static const struct {
		char unit;
		unsigned seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	char digits[16];
	unsigned seconds = 1;
	size_t len = strspn(text, "0123456789");
	if (len == 0 || len >= sizeof(digits) || (text[len] != '\0' && text[len + 1] != '\0'))
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	for (size_t i = 0; text[len] != '\0' && i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].unit == (text[len] | 0x20))
			seconds = units[i].seconds;
	if (text[len] != '\0' && seconds == 1 && (text[len] | 0x20) != 's')
		return false;
	if (!parse_number(digits, max_s / seconds, out))
		return false;
	*out *= seconds;
	return true;
}

static int read_workers(struct config_reader *r, const char *text)
{
	uint64_t value;
	if (text == NULL)
		return 0;
	if (!parse_number(text, LIMIT_WORKERS, &value))
		return config_refuse(r, config_find(r, NULL, "workers"), 0,
			"is not a number of workers; write 1 to %d, or 0 for one per core", LIMIT_WORKERS);
	r->config->workers = (unsigned)value;
	return 0;
}

static int read_user(struct config_reader *r, const char *text)
{
	if (text == NULL)
		return 0;
	/* useradd(8): 32 characters; whether the account exists is seen when berthd becomes it. */
	if (strlen(text) > 32 || text[0] == '-' || strpbrk(text, " :/,\"'") != NULL)
		return config_refuse(
			r, config_find(r, NULL, "user"), 0, "is not the name of an account; write for example berth");
	r->config->user = arena_copy(r->arena, text, strlen(text) + 1);
	return 0;
}

static int read_ttl(struct config_reader *r, const char *key, const char *text, uint32_t *out)
{
	uint64_t value;
	if (text == NULL)
		return 0;
	if (!parse_number(text, LIMIT_CONFIG_TTL_S, &value))
		return config_refuse(r, config_find(r, "cache", key), 0, "is not a number of seconds; write 0 to %d",
			LIMIT_CONFIG_TTL_S);
	*out = (uint32_t)value;
	return 0;
}

int config_read_file_name(
	struct config_reader *r, const struct config_node *node, size_t index, const char *text, const char **out)
{
	if (text == NULL)
		return 0;
	const char *slash = strrchr(r->report->file, '/');
	size_t folder = text[0] != '/' && slash != NULL ? (size_t)(slash - r->report->file) + 1 : 0;
	char *path = arena_alloc(r->arena, folder + strlen(text) + 1);
	memcpy(path, r->report->file, folder);
	strcpy(path + folder, text);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int number = fd < 0 ? errno : fstat(fd, &st) != 0 ? errno : S_ISDIR(st.st_mode) ? EISDIR : 0;
	if (fd >= 0)
		close(fd);
	*out = path;
	if (number == 0)
		return 0;
	return config_refuse(r, node, index, "cannot be opened: %s; name a file that berthd can read%s",
		strerror(number), folder > 0 ? ", seen from the folder of this file" : "");
}

void config_read_switch(enum config_switch word, bool *out)
{
	if (word != CONFIG_UNSET)
		*out = word == CONFIG_ON;
}

/* --- lists --- */

/* Each entry of ports.exclude and ports.include is a list of its own. */
static int read_port_list(struct config_reader *r, const char *key, const char *const *entries, struct port_set *out)
{
	const struct config_node *node = config_find(r, "ports", key), *entry = node != NULL ? node->first : NULL;
	char path[CONFIG_KEY], why[PORT_LIST_WHY];
	for (unsigned i = 0; entry != NULL; i++, entry = entry->next)
		if (port_list_parse(out, entries[i], why, sizeof(why)) != 0)
			return config_complain(r->report, entry->line, config_tree_path(node, path), "%s", why);
	return 0;
}

static int read_allow(struct config_reader *r, const struct config_raw_access *raw)
{
	const struct config_node *node = config_find(r, "access", "allow");
	if (node == NULL)
		return 0;
	struct prefix *list = arena_alloc(r->arena, (raw->allow_count + 1) * sizeof(*list));
	for (unsigned i = 0; i < raw->allow_count; i++)
		if (prefix_parse(&list[i], raw->allow[i]) != 0)
			return config_refuse(r, node, i,
				"is not a network; write ADDRESS/BITS with no bit set after the first BITS, for "
				"example "
				"10.0.0.0/8");
	r->config->allow = list;
	r->config->allow_count = raw->allow_count;
	return 0;
}

/* --- sections --- */

static int check_ports_left(struct config_reader *r)
{
	const struct port_range *range = &r->config->ports.range;
	struct port_set *set = arena_alloc(r->arena, sizeof(*set)); /* 8 KiB: too much for a stack */
	port_set_fill(set, range->first, range->last);
	port_set_subtract(set, r->config->ports.exclude);
	if (port_set_count(set) > 0)
		return 0;
	return config_complain(r->report, config_find(r, "ports", "exclude")->line, "ports.exclude",
		"leaves no port of the range %u-%u; exclude fewer ports, or widen ports.range", range->first,
		range->last);
}

/* False when the text is no number between the two; nothing changes when it is not there. */
bool config_parse_count(const char *text, unsigned least, unsigned most, unsigned *out)
{
	uint64_t value;
	if (text == NULL)
		return true;
	if (!parse_number(text, most, &value) || value < least)
		return false;
	*out = (unsigned)value;
	return true;
}

static int read_ports(struct config_reader *r, const struct config_raw_ports *raw)
{
	if (raw == NULL)
		return 0;
	if (raw->range != NULL && port_range_parse(&r->config->ports.range, raw->range) != 0)
		return config_refuse(r, config_find(r, "ports", "range"), 0,
			"is not a range of ports; write FIRST-LAST, for example 49152-65535");
	struct config *c = r->config;
	c->ports.reserved = raw->lend == 2;
	unsigned least = c->ports.reserved ? 0 : 1, most = c->ports.reserved ? RESERVE_MAX : POOL_MAX;
	if (!config_parse_count(raw->pool, least, most, &c->ports.pool))
		return config_refuse(r, config_find(r, "ports", "pool"), 0,
			"is not a number of sockets for the pool; write %u to %u", least, most);
	c->ports.max = 4 * c->ports.pool > LOANS_LEAST ? 4 * c->ports.pool : LOANS_LEAST;
	if (!config_parse_count(raw->max, 1, LOANS_MAX, &c->ports.max) || c->ports.max < c->ports.pool)
		return config_refuse(r, config_find(r, "ports", "max"), 0,
			"is not a number of loans; write %u, which ports.pool is, to %d",
			c->ports.pool > 0 ? c->ports.pool : 1, LOANS_MAX);
	if (!config_parse_count(raw->uses, 0, USES_MAX, &c->ports.uses))
		return config_refuse(r, config_find(r, "ports", "uses"), 0,
			"is not a number of exchanges; write 1 to %d, or 0 for any number", USES_MAX);
	if (!config_parse_count(raw->age, 0, AGE_MAX_S, &c->ports.age_s))
		return config_refuse(r, config_find(r, "ports", "age"), 0,
			"is not a number of seconds; write 1 to %d, or 0 for any number", AGE_MAX_S);
	if (read_port_list(r, "exclude", raw->exclude, c->ports.exclude) != 0 ||
		read_port_list(r, "include", raw->include, c->ports.include) != 0)
		return E_INVAL;
	return check_ports_left(r);
}

static int read_stale(struct config_reader *r, const char *text)
{
	uint64_t value;
	if (text == NULL)
		return 0;
	if (!parse_span(text, LIMIT_CONFIG_TTL_S, &value))
		return config_refuse(r, config_find(r, "cache", "stale"), 0,
			"is not a time; write for example 1d, 12h or 86400, at most 7d, or 0 for never");
	r->config->cache.stale = (uint32_t)value;
	return 0;
}

/* It need not be there yet. */
static int read_snapshot(struct config_reader *r, const char *path)
{
	if (path == NULL || strcmp(path, "none") == 0)
		return 0;
	size_t len = strlen(path);
	if (path[0] != '/' || path[len - 1] == '/' || len > HISTORY_PATH_MAX)
		return config_refuse(r, config_find(r, "cache", "snapshot"), 0,
			"is not a file's path from the root; write for example /var/lib/berth/cache, or none");
	r->config->cache.snapshot = arena_copy(r->arena, path, len + 1);
	return 0;
}

static int read_cache(struct config_reader *r, const struct config_raw_cache *raw)
{
	uint64_t value;
	if (raw == NULL)
		return 0;
	if (raw->memory != NULL) {
		if (!parse_memory(raw->memory, &value))
			return config_refuse(r, config_find(r, "cache", "memory"), 0,
				"is not a size of memory; write 1M to 1T, for example 256M");
		r->config->cache.memory = (size_t)value;
	}
	uint32_t *min = &r->config->cache.ttl_min, *max = &r->config->cache.ttl_max;
	config_read_switch(raw->prefetch, &r->config->cache.prefetch);
	if (read_ttl(r, "ttl-min", raw->ttl_min, min) != 0 || read_ttl(r, "ttl-max", raw->ttl_max, max) != 0 ||
		read_stale(r, raw->stale) != 0 || read_snapshot(r, raw->snapshot) != 0)
		return E_INVAL;
	if (*min <= *max)
		return 0;
	const char *key = raw->ttl_min != NULL ? "ttl-min" : "ttl-max";
	return config_refuse(r, config_find(r, "cache", key), 0,
		"leaves no TTL between ttl-min, %u, and ttl-max, %u; change one", *min, *max);
}

/* Nobody asked for the default address; a list that the file has is meant, and an empty one means no page. */
static int read_web_listen(struct config_reader *r, const struct config_raw_web *raw)
{
	const struct config_node *node = config_find(r, "web", "listen");
	if (node == NULL)
		return 0;
	struct addr *list = arena_alloc(r->arena, (raw->listen_count + 1) * sizeof(*list));
	for (unsigned i = 0; i < raw->listen_count; i++) {
		if (addr_parse(&list[i], raw->listen[i], WEB_PORT) != 0 || addr_port(&list[i]) == 0)
			return config_refuse(r, node, i,
				"is not an address; write ADDRESS or ADDRESS@PORT, for example 127.0.0.1@8053");
		if (config_find_place(r->config->listen, r->config->listen_count, &list[i]) != NULL)
			return config_refuse(r, node, i, "is where DNS is listened for (listen); choose another port");
		if (config_find_place(list, i, &list[i]) != NULL)
			return config_refuse(
				r, node, i, "is part of another entry, or has one in it; keep one of them");
	}
	r->config->web.listen = list;
	r->config->web.listen_count = raw->listen_count;
	r->config->web.by_default = false;
	return 0;
}

static int read_web_hosts(struct config_reader *r, const struct config_raw_web *raw)
{
	const char **list = arena_alloc(r->arena, (raw->hosts_count + 1) * sizeof(*list));
	for (unsigned i = 0; i < raw->hosts_count; i++) {
		const char *name = raw->hosts[i];
		if (strlen(name) > 253 ||
			name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")] != '\0')
			return config_refuse(r, config_find(r, "web", "hosts"), i,
				"is not the name of a host; write for example berth.example.net");
		list[i] = arena_copy(r->arena, name, strlen(name) + 1);
	}
	r->config->web.hosts = list;
	r->config->web.host_count = raw->hosts_count;
	return 0;
}

static int read_web_local(struct config_reader *r, const struct config_raw_web *raw)
{
	const char **list = arena_alloc(r->arena, (raw->local_count + 1) * sizeof(*list));
	for (unsigned i = 0; i < raw->local_count; i++) {
		const char *name = raw->local[i];
		if (*name == '\0' || strlen(name) > 32)
			return config_refuse(r, config_find(r, "web", "local"), i,
				"is not the name of an account; write for example alice");
		list[i] = arena_copy(r->arena, name, strlen(name) + 1);
	}
	r->config->web.local = list;
	r->config->web.local_count = raw->local_count;
	r->config->web.has_local = config_find(r, "web", "local") != NULL;
	return 0;
}

static int read_web(struct config_reader *r, const struct config_raw_web *raw)
{
	if (raw == NULL)
		return 0;
	if (read_web_listen(r, raw) != 0 || read_web_hosts(r, raw) != 0 || read_web_local(r, raw) != 0)
		return E_INVAL;
	if (raw->votes != NULL && strcmp(raw->votes, "none") == 0)
		r->config->web.votes = NULL;
	else if (raw->votes != NULL && raw->votes[0] != '/')
		return config_refuse(r, config_find(r, "web", "votes"), 0,
			"is not a path from the root; write for example /var/lib/berth/votes.db, or none");
	else if (raw->votes != NULL)
		r->config->web.votes = arena_copy(r->arena, raw->votes, strlen(raw->votes) + 1);
	return config_read_file_name(
		r, config_find(r, "web", "password-file"), 0, raw->password_file, &r->config->web.password_file);
}

static int read_history_file(struct config_reader *r, const char *path)
{
	if (path == NULL)
		return 0;
	size_t len = strlen(path);
	if (path[0] != '/' || path[len - 1] == '/')
		return config_refuse(r, config_find(r, "history", "file"), 0,
			"is not a file's path from the root; write for example /var/lib/berth/history.db");
	if (len > HISTORY_PATH_MAX)
		return config_refuse(r, config_find(r, "history", "file"), 0,
			"is too long; write at most %d characters", HISTORY_PATH_MAX);
	r->config->history.file = arena_copy(r->arena, path, len + 1);
	r->config->history.is_named = true;
	return 0;
}

static int read_history(struct config_reader *r, const struct config_raw_history *raw)
{
	uint64_t value;
	if (raw == NULL)
		return 0;
	config_read_switch(raw->loans, &r->config->history.loans);
	config_read_switch(raw->watch, &r->config->history.watch);
	if (raw->size != NULL && !parse_memory(raw->size, &r->config->history.bytes))
		return config_refuse(r, config_find(r, "history", "size"), 0,
			"is not a size of the file; write 1M to 1T, for example 64M");
	if (raw->age != NULL) {
		if (!parse_span(raw->age, HISTORY_AGE_MAX_S, &value))
			return config_refuse(r, config_find(r, "history", "age"), 0,
				"is not an age; write for example 24h, 7d or 3600, at most 3650d, or 0 for any");
		r->config->history.age_s = (uint32_t)value;
	}
	return read_history_file(r, raw->file);
}

static int read_identity(struct config_reader *r, const struct config_raw_identity *raw)
{
	if (raw == NULL)
		return 0;
	const char *text[] = {raw->version, raw->name}, *key[] = {"version", "name"};
	const char **out[] = {&r->config->identity.version, &r->config->identity.name};
	for (int i = 0; i < 2; i++) {
		if (text[i] == NULL)
			continue;
		if (strlen(text[i]) > LIMIT_CONFIG_IDENTITY)
			return config_refuse(r, config_find(r, "identity", key[i]), 0,
				"is too long; write at most %d bytes", LIMIT_CONFIG_IDENTITY);
		*out[i] = arena_copy(r->arena, text[i], strlen(text[i]) + 1);
	}
	return 0;
}

static int read_control(struct config_reader *r, const struct config_raw_control *raw)
{
	const char *path = raw != NULL ? raw->socket : NULL;
	if (path == NULL)
		return 0;
	if (path[0] != '/')
		return config_refuse(r, config_find(r, "control", "socket"), 0,
			"is not a path from the root; write for example /run/berth/control");
	if (strlen(path) >= PATH_SOCKET)
		return config_refuse(r, config_find(r, "control", "socket"), 0,
			"is too long for a socket; write at most %d characters", PATH_SOCKET - 1);
	r->config->control_socket = arena_copy(r->arena, path, strlen(path) + 1);
	return 0;
}

int config_values_read(struct config *config, const struct config_raw *raw, const struct config_node *root,
	struct arena *arena, const struct config_report *report)
{
	struct config_reader r = {config, root, arena, report};
	static const struct config_raw_access no_access;
	int ret;
	config_read_switch(raw->pin, &config->pin);
	if ((ret = config_read_listen(&r, raw)) != 0 || (ret = read_workers(&r, raw->workers)) != 0 ||
		(ret = read_user(&r, raw->user)) != 0 || (ret = read_ports(&r, raw->ports)) != 0 ||
		(ret = config_read_resolver(&r, raw->resolver)) != 0 ||
		(ret = config_read_dnssec(&r, raw->dnssec)) != 0 || (ret = read_cache(&r, raw->cache)) != 0 ||
		(ret = read_allow(&r, raw->access != NULL ? raw->access : &no_access)) != 0 ||
		(ret = read_history(&r, raw->history)) != 0 || (ret = read_identity(&r, raw->identity)) != 0 ||
		(ret = read_web(&r, raw->web)) != 0 || (ret = read_control(&r, raw->control)) != 0)
		return ret;
	if (raw->log != NULL && raw->log->level != 0)
		config->log_level = (enum log_level)(raw->log->level - 1);
	return 0;
}
