/* Loans, answers and stories as JSON (doc/control.md). The caller owns what is returned. Thread: any. */
#pragma once

#include <jansson.h>

#include "ports/preflight.h"
#include "resolve/resolver.h"

json_t *json_of_loan(const struct ledger_entry *loan);
/* ["5353", "60100-60199"]: as a configuration has them. */
json_t *json_of_ports(const struct port_set *set);
/* For preflight and its like: {"level", "text"} goes to the end of `lines`, an array. */
void json_append_line(enum preflight_level level, const char *text, void *lines);
json_t *json_of_outcome(const struct outcome *outcome, const struct question *q);
