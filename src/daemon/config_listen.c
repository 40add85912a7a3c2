/* Decides what an entry of listen means: an address, or an interface whose queries come by XDP. */
#include <string.h>

#include "base/error.h"
#include "daemon/config_parts.h"

enum { DNS_PORT = 53, PORT_MAX = 65535 };

/* Where the interface ends, when the entry is "INTERFACE[@PORT] xdp"; else NULL. */
static const char *find_xdp(const char *text)
{
	size_t len = strcspn(text, " \t"), gap = strspn(text + len, " \t");
	return gap > 0 && strcmp(text + len + gap, "xdp") == 0 ? text + len : NULL;
}

/* What the kernel takes for a name (dev_valid_name), but "@", which begins the port here. */
static bool read_interface(char out[static IF_NAMESIZE], const char *text, size_t len)
{
	if (len == 0 || len >= IF_NAMESIZE || memchr(text, '/', len) != NULL || memchr(text, ':', len) != NULL)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return strcmp(out, ".") != 0 && strcmp(out, "..") != 0;
}

static bool parse_xdp(struct config_xdp *out, const char *text, const char *end)
{
	char digits[8] = "";
	unsigned port = DNS_PORT;
	const char *at = memchr(text, '@', (size_t)(end - text));
	if (at != NULL && ((size_t)(end - at) < 2 || (size_t)(end - at) > sizeof(digits)))
		return false;
	if (at != NULL)
		memcpy(digits, at + 1, (size_t)(end - at) - 1);
	if (at != NULL && !config_parse_count(digits, 1, PORT_MAX, &port))
		return false;
	out->port = (uint16_t)port;
	return read_interface(out->interface, text, (size_t)((at != NULL ? at : end) - text));
}

static int add_xdp(struct config_reader *r, const struct config_node *node, unsigned index, const char *text)
{
	struct config *config = r->config;
	struct config_xdp *xdp = &config->xdp[config->xdp_count];
	struct addr addr;
	if (!parse_xdp(xdp, text, find_xdp(text)) || addr_parse(&addr, xdp->interface, xdp->port) == 0)
		return config_refuse(r, node, index,
			"is not an interface for XDP; write INTERFACE@PORT xdp, for example eth0@53 xdp");
	for (size_t i = 0; i < config->xdp_count; i++)
		if (strcmp(config->xdp[i].interface, xdp->interface) == 0)
			return config_refuse(r, node, index,
				"is an interface that is named already; XDP takes the queries of one port of each");
	config->xdp_count++;
	return 0;
}

static int add_address(struct config_reader *r, const struct config_node *node, unsigned index, const char *text)
{
	struct config *config = r->config;
	struct addr *addr = &config->listen[config->listen_count];
	if (addr_parse(addr, text, DNS_PORT) != 0)
		return config_refuse(r, node, index,
			"is not an address; write ADDRESS or ADDRESS@PORT, for example "
			"127.0.0.1@53, or INTERFACE@PORT xdp");
	const struct addr *other = config_find_place(config->listen, config->listen_count, addr);
	char place[ADDR_TEXT];
	if (other != NULL && addr_equal(other, addr))
		return config_refuse(r, node, index, "is named twice; keep one of them");
	if (other != NULL)
		return config_refuse(r, node, index,
			"and %s are one place, for the one stands for every address; keep one of them",
			addr_text(other, place));
	config->listen_count++;
	return 0;
}

const struct addr *config_find_place(const struct addr *list, size_t count, const struct addr *addr)
{
	for (size_t i = 0; i < count; i++)
		if (addr_covers(&list[i], addr) || addr_covers(addr, &list[i]))
			return &list[i];
	return NULL;
}

int config_read_listen(struct config_reader *r, const struct config_raw *raw)
{
	const struct config_node *node = config_find(r, NULL, "listen");
	if (node == NULL)
		return 0;
	if (raw->listen_count == 0)
		return config_complain(r->report, node->line, "listen",
			"an empty list; name at least one address, or take the key away for 127.0.0.1 and ::1");
	struct config *config = r->config;
	config->listen = arena_alloc(r->arena, raw->listen_count * sizeof(*config->listen));
	config->xdp = arena_alloc(r->arena, raw->listen_count * sizeof(*config->xdp));
	config->listen_count = config->xdp_count = 0;
	for (unsigned i = 0; i < raw->listen_count; i++) {
		const char *text = raw->listen[i];
		int ret = find_xdp(text) != NULL ? add_xdp(r, node, i, text) : add_address(r, node, i, text);
		if (ret != 0)
			return ret;
	}
	return 0;
}
