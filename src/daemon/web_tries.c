/* Decides whose tries are counted together, and who is forgotten when there are too many. */
#include "daemon/web_tries.h"

#include <string.h>

enum { MINUTE_US = 60000000, NETWORK = 8 };

static void key_of(uint8_t out[static 16], const struct addr *who)
{
	size_t size;
	const uint8_t *bytes = addr_bytes(who, &size);
	memset(out, 0, 16);
	if (size == 4) {
		out[10] = out[11] = 0xff; /* as an IPv4-mapped address: RFC 4291 2.5.5.2 */
		memcpy(out + 12, bytes, 4);
	} else {
		memcpy(out, bytes, NETWORK);
	}
}

static bool is_of_now(const struct tries_row *row, uint64_t now_us)
{
	return row->count > 0 && now_us - row->begin_us < MINUTE_US;
}

static const struct tries_row *find(const struct tries *tries, const struct addr *who)
{
	uint8_t key[16];
	if (who == NULL)
		return &tries->all;
	key_of(key, who);
	for (size_t i = 0; i < TRIES_ADDRESSES; i++)
		if (tries->row[i].count > 0 && memcmp(tries->row[i].who, key, sizeof(key)) == 0)
			return &tries->row[i];
	return NULL;
}

bool tries_have_room(const struct tries *tries, const struct addr *who, unsigned limit, uint64_t now_us)
{
	const struct tries_row *row = find(tries, who);
	return row == NULL || !is_of_now(row, now_us) || row->count < limit;
}

static struct tries_row *new_row(struct tries *tries, const struct addr *who)
{
	struct tries_row *oldest = &tries->row[0];
	for (size_t i = 1; i < TRIES_ADDRESSES; i++)
		if (tries->row[i].begin_us < oldest->begin_us)
			oldest = &tries->row[i];
	key_of(oldest->who, who);
	oldest->count = 0;
	return oldest;
}

void tries_count(struct tries *tries, const struct addr *who, uint64_t now_us)
{
	const struct tries_row *known = find(tries, who);
	struct tries_row *row = known == NULL          ? new_row(tries, who)
				: known == &tries->all ? &tries->all
						       : &tries->row[known - tries->row];
	if (!is_of_now(row, now_us)) {
		row->begin_us = now_us;
		row->count = 0;
	}
	row->count++;
}
