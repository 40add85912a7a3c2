/* Where ordinary sockets are opened: the addresses that the configuration names, and after them those of the interfaces
 * it names, as they are now.
 *
 *	struct places places;
 *	if (places_find(&places, config, why, size) != 0) ...
 *	places_free(&places);
 *
 * Thread: main. */
#pragma once

#include "daemon/config.h"

struct places {
	struct addr *addr;
	size_t count;
};

/* 0, or an error with one line in `why`: an interface that is not there, or has no address. */
int places_find(struct places *places, const struct config *config, char *why, size_t size)
	__attribute__((nonnull, warn_unused_result));
/* Adds the addresses of an interface, each with that port. */
void places_add_interface(struct places *places, const char *interface, uint16_t port) __attribute__((nonnull));
void places_free(struct places *places) __attribute__((nonnull));
