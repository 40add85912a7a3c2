/* A holder of a port in words for people; as JSON: ports/json.h.
 *
 *	holder_print(first, count, 11);
 *
 * Thread: one. */
#pragma once

#include "ports/inspect.h"

/* The lines of a page, their text from `column` on. Of many holders the first some are printed, and how many there are. */
void holder_print(const struct holder *holders, size_t count, int column);
/* What was not looked at, and what would help; nothing where all was. */
void holder_print_limits(const struct inspection *seen, int column);
/* "blue (4026532008, where pid 812 lives)" */
const char *holder_namespace_words(const struct netns *ns);
/* "sshd.service", "docker 0123456789ab", ""; short. */
const char *holder_place_words(const struct process *process);
