/* The folders of what outlives a restart: history and votes.
 *
 *	state_prepare(config);          before privileges are dropped, and before either file is opened
 *
 * Thread: main. */
#pragma once

#include "daemon/config.h"

/* Makes them, and gives them to the user that the daemon becomes. */
void state_prepare(const struct config *config) __attribute__((nonnull));
/* Whether that is the folder that berthd makes for itself. */
bool state_is_usual(const char *folder) __attribute__((nonnull));
