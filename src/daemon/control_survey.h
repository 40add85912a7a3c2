/* What the control socket collects from all workers before it answers. For daemon/control*.c.
 *
 *	struct survey *survey = survey_new(call, finish_status);
 *	survey_begin(survey);                     finish_status(survey) is called in the main thread, then it is freed
 *
 * Thread: main; each worker is visited in its own. */
#pragma once

#include "daemon/control_commands.h"

enum { LOANS_SHOWN = 20 };

struct survey {
	struct tour tour;
	struct control_call *call;
	void (*finish)(struct survey *survey);
	struct pool_state pool;
	struct port_range moorable;
	size_t running, lingering, waiting;
	/* of one port, when `port` is not 0 */
	uint16_t port;
	struct ledger_entry loan[2 * LOANS_SHOWN], lent; /* the second half: room while a worker's are added */
	size_t loans;
	size_t loan_count;       /* of all that the ledgers know, */
	uint64_t loans_since_us; /* and the begin of the first */
	bool is_lent;
};

struct survey *survey_new(struct control_call *call, void (*finish)(struct survey *survey));
void survey_begin(struct survey *survey);
/* PORTS of doc/control.md. */
json_t *survey_ports_json(const struct survey *survey);
/* All counters whose keys begin so; "" for all. */
json_t *survey_counters_json(const struct server *server, const char *begin);
