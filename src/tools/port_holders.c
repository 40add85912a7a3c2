/* Decides which namespaces `berth port` searches, and what is put before the sentence that judges a port. */
#include "tools/port_holders.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ports/json.h"
#include "ports/verdict.h"
#include "tools/holder.h"
#include "tools/print.h"

static struct inspection *look(const struct inspect_ask *ask)
{
	struct inspection *seen;
	return inspect(&seen, ask) == 0 ? seen : NULL;
}

struct inspection *port_holders_of(const struct port_here *here, bool everywhere)
{
	struct inspect_ask ask = {
		.ports = {here->port, here->port},
		.reach = everywhere ? INSPECT_ALL : INSPECT_NEAR,
	};
	for (int t = 0; t < PORT_TRANSPORTS; t++) {
		ask.is_free[t] = true;
		for (int f = 0; f < HERE_FAMILIES; f++)
			ask.is_free[t] &= here->probe[t][f] == PROBE_FREE || here->probe[t][f] == PROBE_ABSENT;
	}
	return look(&ask);
}

struct inspection *port_holders_of_range(struct port_range range, bool everywhere)
{
	struct inspect_ask ask = {.ports = range, .reach = everywhere ? INSPECT_ALL : INSPECT_NEAR};
	return look(&ask);
}

/* The ports of a pool, looked at one after another, would all ask the same. */
static unsigned share_of(const struct holder *lead)
{
	static const struct netns *ns;
	static struct diag_socket last;
	static unsigned share;
	if (!verdict_wants_share(lead))
		return 0;
	addr_set_port(&last.local, addr_port(&lead->socket.local));
	if (ns != lead->ns || last.uid != lead->socket.uid || last.cgroup != lead->socket.cgroup ||
		!addr_equal(&last.local, &lead->socket.local))
		share = inspect_share(lead, port_class_range(PORT_DYNAMIC));
	ns = lead->ns;
	last = lead->socket;
	return share;
}

static uint64_t ago_us(double at)
{
	double now = (double)clock_wall_us() / 1e6;
	return now > at ? (uint64_t)((now - at) * 1e6) : 0;
}

static void add_loans(struct verdict_daemon *daemon, const json_t *reply)
{
	static char since[PRINT_TIME];
	const json_t *last = json_array_get(json_object_get(reply, "loans"), 0);
	daemon->loans = (size_t)count_of(reply, "loan_count");
	if (daemon->loans > 0)
		daemon->since = moment(number_of(reply, "loans_since"), since);
	if (!json_is_object(last))
		return;
	daemon->last_question = text_of(last, "question");
	daemon->last_server = text_of(last, "server");
	daemon->last_ago_us = ago_us(number_of(last, "at") + (double)count_of(last, "took_us") / 1e6);
}

static struct verdict_facts facts_of(const struct inspection *seen, const struct port_here *here, const json_t *reply)
{
	const json_t *lent = json_object_get(reply, "lent");
	struct verdict_facts facts = {.port = here->port, .is_reserved = here->reserved};
	memcpy(facts.probe, here->probe, sizeof(facts.probe));
	if (seen != NULL)
		facts.holders = inspect_of_port(seen, here->port, &facts.count);
	facts.daemon.is_held = json_is_true(json_object_get(reply, "held"));
	if (json_is_object(lent)) {
		facts.daemon.question = text_of(lent, "question");
		facts.daemon.server = text_of(lent, "server");
		facts.daemon.ago_us = ago_us(number_of(lent, "at"));
	}
	add_loans(&facts.daemon, reply);
	return facts;
}

/* --- for people --- */

static enum style style_of(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_FREE: return STYLE_GOOD;
	case VERDICT_SQUAT:
	case VERDICT_UNLISTED: return STYLE_NOTE;
	default: return STYLE_BOLD;
	}
}

void port_holders_print(const struct inspection *seen, const struct port_here *here, const json_t *reply, int column)
{
	static char words[VERDICT_WORDS];
	struct verdict_facts facts = facts_of(seen, here, reply);
	facts.share = share_of(verdict_lead(&facts));
	enum verdict verdict = verdict_of(&facts, words);
	print_label("verdict", column);
	printf("%s", style(style_of(verdict)));
	print_wrapped(words, column);
	printf("%s", style(STYLE_PLAIN));
	holder_print(facts.holders, facts.count, column);
	if (seen != NULL)
		holder_print_limits(seen, column);
	else
		print_item("holder", column, "not known: the kernel's socket tables (sock_diag) could not be asked");
}

const char *port_holders_short(const struct inspection *seen, const struct port_here *here)
{
	static char text[VERDICT_WHO];
	char user[PROCESS_USER];
	struct verdict_facts facts = facts_of(seen, here, NULL);
	const struct holder *lead = verdict_lead(&facts);
	if (lead == NULL)
		return "-";
	if (lead->owner_count > 0)
		snprintf(text, sizeof(text), "%s %d%s", lead->owners[0]->name, (int)lead->owners[0]->pid,
			lead->ns->is_ours ? "" : " (other netns)");
	else if (lead->how == OWNER_DENIED)
		snprintf(text, sizeof(text), "user %s", process_user_text(lead->socket.uid, user));
	else
		snprintf(text, sizeof(text), "the kernel");
	return text;
}

/* --- for programs --- */

void port_holders_add_json(
	json_t *entry, const struct inspection *seen, const struct port_here *here, const json_t *reply)
{
	static char words[VERDICT_WORDS];
	struct verdict_facts facts = facts_of(seen, here, reply);
	facts.share = share_of(verdict_lead(&facts));
	enum verdict verdict = verdict_of(&facts, words);
	json_object_set_new(entry, "verdict", json_pack("{s:s, s:s}", "key", verdict_key(verdict), "text", words));
	json_object_set_new(entry, "holders", holders_json(facts.holders, facts.count));
	json_object_set_new(entry, "searched", seen != NULL ? holder_search_json(seen) : json_null());
}
