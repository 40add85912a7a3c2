/* Decides how the registered services are found by port and by name. What the rows are is decided by
 * scripts/make-registry, which wrote registry_table.c. */
#include "ports/registry.h"

#include <stdio.h>
#include <string.h>

#include "base/words.h"
#include "ports/registry_table.h"

static const struct registry *in_use; /* NULL: the built-in table */

void registry_use(const struct registry *registry)
{
	in_use = registry;
}

static size_t row_count(void)
{
	return in_use != NULL ? in_use->count : registry_table_count;
}

static const struct service *all_rows(void)
{
	return in_use != NULL ? in_use->rows : registry_table;
}

const char *registry_description(const struct service *row)
{
	if (in_use == NULL || in_use->descriptions == NULL || row < in_use->rows || row >= in_use->rows + in_use->count)
		return "";
	return in_use->texts + in_use->descriptions[row - in_use->rows];
}

const char *registry_date(void)
{
	return in_use != NULL ? in_use->date : registry_table_date;
}

const struct service *registry_row(size_t index)
{
	return index < row_count() ? all_rows() + index : NULL;
}

/* --- by port --- */

/* The first row whose port is not below. */
static size_t find_port(uint16_t port)
{
	size_t low = 0, high = row_count();
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (all_rows()[middle].port < port)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct service *registry_of_port(uint16_t port, size_t nth)
{
	const struct service *row = port != 0 ? registry_row(find_port(port) + nth) : NULL;
	return row != NULL && row->port == port ? row : NULL;
}

void registry_udp_ports(struct port_set *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = find_port(1); i < row_count(); i++) {
		const struct service *row = all_rows() + i;
		if (row->transports == 0 || row->transports & SERVICE_UDP)
			port_set_add(out, row->port);
	}
}

/* --- by name --- */

static const struct service *row_by_name(size_t place)
{
	return all_rows() + (in_use != NULL ? in_use->by_name : registry_table_by_name)[place];
}

/* The first place in the order of names whose name is not before. */
static size_t find_name(const char *name)
{
	size_t low = 0, high = row_count();
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (word_compare(row_by_name(middle)->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct service *registry_of_name(const char *name, size_t nth)
{
	size_t place = find_name(name) + nth;
	if (place >= row_count() || word_compare(row_by_name(place)->name, name) != 0)
		return NULL;
	return row_by_name(place);
}

const char *registry_nearest(const char *name)
{
	struct near near = near_to(name);
	size_t first = find_port(1);
	for (size_t i = 0; i < row_count(); i++)
		near_try(&near, all_rows()[(first + i) % row_count()].name);
	return near.word;
}

/* --- words --- */

const char *service_transport_words(uint8_t transports, char out[static SERVICE_WORDS])
{
	static const char *const words[] = {"UDP", "TCP", "SCTP", "DCCP"};
	size_t len = 0;
	out[0] = '\0';
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (transports >> i & 1)
			len += (size_t)snprintf(out + len, SERVICE_WORDS - len, "%s%s",
				len == 0                    ? ""
				: transports >> (i + 1) > 0 ? ", "
							    : " and ",
				words[i]);
	return out;
}
