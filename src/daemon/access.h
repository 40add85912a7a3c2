/* Who may ask: a list of prefixes. Not being on it means REFUSED, so that nobody has an open resolver by accident.
 * Thread: any; the list must not change while it is used. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

struct access_list {
	const struct prefix *allow;
	size_t count;
};

static inline bool access_may_ask(const struct access_list *list, const struct addr *client)
{
	for (size_t i = 0; i < list->count; i++)
		if (prefix_has(&list->allow[i], client))
			return true;
	return false;
}
