/* Decides when the machine is looked at, and when the workers hear of a new set of ports. */
#include "daemon/keeper.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

enum { TICK_US = 1000000 };

static void name_user(uid_t uid, char *out, size_t size)
{
	const struct passwd *user = getpwuid(uid);
	if (user != NULL)
		snprintf(out, size, "%s", user->pw_name);
	else
		snprintf(out, size, "%u", (unsigned)uid);
}

/* Ports that others hold. One with a peer may be a loan of ours that ended while the kernel told us, so it has to be seen
 * twice. */
static void held_by_others(const struct keeper *keeper, struct port_set *out)
{
	*out = keeper->survey.listened;
	for (unsigned i = 0; i < PORT_SET_WORDS; i++)
		out->word[i] |= keeper->survey.connected.word[i] & keeper->connected_before.word[i];
}

static void look(struct keeper *keeper)
{
	keeper->looked_us = clock_mono_us();
	uid_t before = keeper->survey.top;
	keeper->connected_before = keeper->survey.connected;
	bool failed = sockets_survey(&keeper->survey, keeper->space) != 0;
	if (failed && !keeper->is_blind)
		log_warning("the kernel does not say who holds which ports (sock_diag); ports of others are found out "
			    "one by "
			    "one");
	keeper->is_blind = failed;
	/* The name may come from a directory far away: it is not asked for again and again. */
	if (keeper->survey.top_held > 0 && (keeper->top[0] == '\0' || keeper->survey.top != before))
		name_user(keeper->survey.top, keeper->top, sizeof(keeper->top));
	port_space_note_others(keeper->space, keeper->survey.held, keeper->top, keeper->survey.top_held);
}

void keeper_preview(const struct keeper *keeper, const struct usable_rules *rules, struct usable *out)
{
	struct port_set *held = xalloc(sizeof(*held)); /* 8 KiB */
	held_by_others(keeper, held);
	usable_make(out, rules, held);
	free(held);
}

static void renew(struct keeper *keeper)
{
	struct usable *now = xalloc(sizeof(*now)); /* 72 KiB */
	keeper_preview(keeper, &keeper->rules, now);
	bool same = memcmp(&now->set, &keeper->usable.set, sizeof(now->set)) == 0;
	bool were_few = keeper->usable.count[PORT_USABLE] < LIMIT_FEW_PORTS;
	keeper->usable = *now;
	free(now);
	if (same)
		return;
	port_space_set_usable(keeper->space, &keeper->usable.set);
	unsigned usable = keeper->usable.count[PORT_USABLE], held = keeper->usable.count[PORT_HELD];
	if (were_few || usable >= LIMIT_FEW_PORTS)
		return;
	char others[160] = "";
	if (held > 0)
		snprintf(others, sizeof(others),
			", other programs hold %u of the range (user %s has most: %u UDP ports)", held, keeper->top,
			keeper->survey.top_held);
	log_warning("only %u port%s usable now%s: forged answers have less to guess; see berth audit", usable,
		usable == 1 ? " is" : "s are", others);
}

void keeper_obey(struct keeper *keeper, const struct usable_rules *rules)
{
	keeper->rules = *rules;
	renew(keeper);
}

static void on_timer(struct timer *timer)
{
	struct keeper *keeper = container_of(timer, struct keeper, timer);
	uint64_t now_us = clock_mono_us();
	bool met = port_space_met_taken(keeper->space);
	if (met || now_us - keeper->looked_us >= LIMIT_LOOK_S * 1000000ull) {
		look(keeper);
		renew(keeper);
	}
	loop_timer_set(keeper->loop, timer, now_us + TICK_US);
}

void keeper_init(struct keeper *keeper, struct port_space *space, struct loop *loop)
{
	memset(keeper, 0, sizeof(*keeper));
	keeper->space = space;
	keeper->loop = loop;
	keeper->timer.on_timer = on_timer;
	look(keeper);
}

void keeper_start(struct keeper *keeper)
{
	loop_timer_set(keeper->loop, &keeper->timer, clock_mono_us() + TICK_US);
}

void keeper_stop(struct keeper *keeper)
{
	loop_timer_cancel(keeper->loop, &keeper->timer);
}

void keeper_rules_of(struct usable_rules *rules, const struct config *config)
{
	memset(rules, 0, sizeof(*rules));
	rules->range = config->ports.range;
	rules->exclude = *config->ports.exclude;
	rules->include = *config->ports.include;
}
