/* Keeps the set of usable ports right: what the configuration says, what was changed while running, what this machine's
 * kernel and other programs hold.
 *
 *	keeper_init(&keeper, space, &loop);
 *	keeper_obey(&keeper, &rules);                      now, and at each change
 *	keeper_start(&keeper);                             looks at the machine now and then
 *
 * Thread: main. */
#pragma once

#include "daemon/config.h"
#include "net/loop.h"
#include "ports/sockets.h"
#include "ports/usable.h"

struct keeper {
	struct port_space *space;
	struct loop *loop;
	struct timer timer;
	struct usable_rules rules; /* in force */
	struct usable usable;      /* by them */
	struct sockets_survey survey;
	struct port_set connected_before; /* in the survey before this one */
	bool is_blind;                    /* the kernel does not say who holds what */
	char top[32];                     /* the user who holds most UDP ports */
	uint64_t looked_us;               /* monotonic */
	bool changed;                     /* while running: the rules are not the configuration's any more */
};

void keeper_init(struct keeper *keeper, struct port_space *space, struct loop *loop);
/* From now on these rules; lent ports finish their loans. */
void keeper_obey(struct keeper *keeper, const struct usable_rules *rules);
/* What would be with other rules. */
void keeper_preview(const struct keeper *keeper, const struct usable_rules *rules, struct usable *out);
void keeper_start(struct keeper *keeper);
void keeper_stop(struct keeper *keeper);

void keeper_rules_of(struct usable_rules *rules, const struct config *config);
