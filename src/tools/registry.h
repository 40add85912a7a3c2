/* Which registry the tool goes by: the user's own import, the system's, or what is built in.
 *
 *	registry_choose();           before the first look at it
 *
 * Thread: one. */
#pragma once

void registry_choose(void);
