/* Loans as a table, or a paragraph each where the terminal is too narrow for one.
 *
 *	loans_print(json_object_get(reply, "loans"), false);
 *
 * A loan is a LOAN of doc/control.md. Thread: one. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* An empty line comes first. `with_port`: they are of several ports. */
void loans_print(const json_t *loans, bool with_port);
