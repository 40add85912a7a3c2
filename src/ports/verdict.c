/* Decides what is worth saying of a port first. */
#include "ports/verdict.h"

#include <stdio.h>
#include <string.h>

#include "ports/model.h"
#include "ports/registry.h"

enum { AGO = 32 };

/* --- who --- */

const char *verdict_who(const struct holder *holder, char out[static VERDICT_WHO])
{
	char user[PROCESS_USER];
	if (holder->how == OWNER_KERNEL || holder->how == OWNER_NOBODY) {
		snprintf(out, VERDICT_WHO, "%s",
			holder->how == OWNER_KERNEL
				? "the kernel"
				: "the kernel itself (for a tunnel or a network file system; no process has it)");
		return out;
	}
	if (holder->owner_count == 0) {
		process_user_text(holder->socket.uid, user);
		snprintf(out, VERDICT_WHO, "a process of user %s", user);
		return out;
	}
	const struct process *first = holder->owners[0];
	char more[48] = "";
	if (holder->owner_count > 1)
		snprintf(more, sizeof(more), " and %zu more", holder->owner_count - 1);
	snprintf(out, VERDICT_WHO, "%s (pid %d%s, user %s)", first->name, (int)first->pid, more,
		process_user_text(first->uid != (uid_t)-1 ? first->uid : holder->socket.uid, user));
	return out;
}

/* --- the lead --- */

/* States are in the order in which they matter. */
const struct holder *verdict_lead(const struct verdict_facts *facts)
{
	const struct holder *lead = NULL;
	for (size_t i = 0; i < facts->count; i++) {
		const struct holder *one = &facts->holders[i];
		if (lead == NULL || (one->ns->is_ours && !lead->ns->is_ours) ||
			(one->ns->is_ours == lead->ns->is_ours && one->socket.state < lead->socket.state))
			lead = one;
	}
	return lead;
}

/* A process with few descriptors holds no good part of a range, and that is cheaper to know than the share. */
bool verdict_wants_share(const struct holder *lead)
{
	enum { MANY = 256 };
	if (lead == NULL || lead->socket.state != DIAG_UNCONNECTED ||
		port_class(addr_port(&lead->socket.local)) != PORT_DYNAMIC)
		return false;
	const struct process *process = lead->owner_count > 0 ? lead->owners[0] : NULL;
	return process == NULL || process->descriptors == 0 || process->descriptors >= MANY;
}

static bool is_any_probe(const struct verdict_facts *facts, enum port_probe probe)
{
	for (int t = 0; t < PORT_TRANSPORTS; t++)
		for (int f = 0; f < VERDICT_FAMILIES; f++)
			if (facts->probe[t][f] == probe)
				return true;
	return false;
}

/* --- sentences --- */

static const struct service *service_of(const struct verdict_facts *facts, enum port_transport transport)
{
	const struct service *service;
	for (size_t i = 0; (service = registry_of_port(facts->port, i)) != NULL; i++)
		if (service->transports >> transport & 1)
			return service;
	return NULL;
}

static enum verdict of_free(const struct verdict_facts *facts, char *out)
{
	const struct service *service = registry_of_port(facts->port, 0);
	if (facts->is_reserved)
		snprintf(out, VERDICT_WORDS,
			"free, but kept back in ip_local_reserved_ports: take it if it was kept for you");
	else if (service != NULL)
		snprintf(out, VERDICT_WORDS, "free; registered for %s, so take it for that", service->name);
	else
		snprintf(out, VERDICT_WORDS, "free: take it");
	return VERDICT_FREE;
}

/* In our namespace nobody is known to hold it. */
static enum verdict of_nobody(const struct verdict_facts *facts, char *out)
{
	if (is_any_probe(facts, PROBE_HELD)) {
		snprintf(out, VERDICT_WORDS,
			"held, but the kernel does not list by whom: a TCP socket that is bound and silent (Linux "
			"lists those from 6.8 on), or one that is gone by now");
		return VERDICT_UNLISTED;
	}
	if (is_any_probe(facts, PROBE_DENIED) || is_any_probe(facts, PROBE_FAILED)) {
		snprintf(out, VERDICT_WORDS, "nobody holds it, but whether it is free could not be tried%s",
			is_any_probe(facts, PROBE_DENIED) ? ": only root may take it" : "");
		return VERDICT_UNTRIED;
	}
	return of_free(facts, out);
}

static enum verdict of_listener(const struct verdict_facts *facts, const struct holder *lead, char *out)
{
	char who[VERDICT_WHO], text[ADDR_TEXT];
	const struct addr *at = &lead->socket.local;
	const struct service *service = service_of(facts, lead->socket.transport);
	snprintf(out, VERDICT_WORDS, "%s %s here on %s%s%s%s", verdict_who(lead, who),
		lead->socket.transport == PORT_TCP ? "listens" : "hears everybody",
		addr_is_any(at) ? "every address" : addr_host_text(at, text), service != NULL ? ", the port of " : "",
		service != NULL ? service->name : "", addr_is_loopback(at) ? ": for this machine alone" : "");
	return VERDICT_SERVICE;
}

static enum verdict of_unconnected(const struct verdict_facts *facts, const struct holder *lead, char *out)
{
	char who[VERDICT_WHO];
	if (facts->share < VERDICT_POOL_SHARE)
		return of_listener(facts, lead, out);
	snprintf(out, VERDICT_WORDS,
		"held by the pool of %s: it holds about %u%% of the dynamic range, some %u UDP ports, as the DNS "
		"Server "
		"of Windows does",
		verdict_who(lead, who), facts->share, facts->share * 16384 / 100);
	return VERDICT_SQUAT;
}

static enum verdict of_connection(const struct verdict_facts *facts, const struct holder *lead, char *out)
{
	char who[VERDICT_WHO], peer[ADDR_TEXT], more[48] = "";
	if (facts->count > 1)
		snprintf(more, sizeof(more), " (and %zu more)", facts->count - 1);
	bool is_ephemeral = lead->origin.who == ORIGIN_KERNEL;
	snprintf(out, VERDICT_WORDS, "%s %s, %s %s%s%s", is_ephemeral ? "an ephemeral port of" : "a port of",
		verdict_who(lead, who), lead->socket.state == DIAG_CONNECTED ? "connected to" : "with a connection to",
		addr_text(&lead->socket.peer, peer), more,
		is_ephemeral                          ? ": unremarkable"
		: lead->origin.who == ORIGIN_LISTENER ? ", which was accepted here"
						      : "; it chose the number itself");
	return is_ephemeral ? VERDICT_CLIENT : VERDICT_CHOSEN;
}

static enum verdict of_lead(const struct verdict_facts *facts, const struct holder *lead, char *out)
{
	char text[VERDICT_WHO];
	switch (lead->socket.state) {
	case DIAG_LISTENING: return of_listener(facts, lead, out);
	case DIAG_UNCONNECTED: return of_unconnected(facts, lead, out);
	case DIAG_INACTIVE:
		snprintf(out, VERDICT_WORDS, "%s has bound it and does nothing with it: no listening, no connection",
			verdict_who(lead, text));
		return VERDICT_INACTIVE;
	case DIAG_TIME_WAIT:
		snprintf(out, VERDICT_WORDS,
			"nobody's any more: the kernel keeps it for a connection to %s that ended (TIME_WAIT), a "
			"minute "
			"at most",
			addr_text(&lead->socket.peer, text));
		return VERDICT_ENDED;
	default: return of_connection(facts, lead, out);
	}
}

static enum verdict of_other_namespace(const struct verdict_facts *facts, const struct holder *lead, char *out)
{
	char who[VERDICT_WHO];
	enum verdict verdict = of_nobody(facts, out);
	size_t len = strlen(out);
	snprintf(out + len, VERDICT_WORDS - len, "; in another network namespace, %s has it", verdict_who(lead, who));
	return verdict;
}

/* "12 ms", "3.1 s", "14 min": of something that was a moment ago, exact as a person wants it. */
static const char *ago_text(uint64_t us, char out[static AGO])
{
	const double s = (double)us / 1e6;
	if (s < 1)
		snprintf(out, AGO, "%.0f ms", s * 1e3);
	else if (s < 120)
		snprintf(out, AGO, s < 10 ? "%.1f s" : "%.0f s", s);
	else
		snprintf(out, AGO, "%.0f min", s / 60);
	return out;
}

static void add_loans(const struct verdict_daemon *daemon, char *out)
{
	size_t len = strlen(out);
	if (daemon->loans > 0 && daemon->since != NULL)
		snprintf(out + len, VERDICT_WORDS - len, "; %zu loan%s since %.40s", daemon->loans,
			daemon->loans == 1 ? "" : "s", daemon->since);
}

/* What nobody has now berthd may have lent a moment ago. */
static void add_last_loan(const struct verdict_daemon *daemon, char *out)
{
	char ago[AGO];
	size_t len = strlen(out);
	if (daemon->last_question == NULL)
		return;
	snprintf(out + len, VERDICT_WORDS - len, "; berthd lent it for %.200s to %.80s until %s ago",
		daemon->last_question, daemon->last_server != NULL ? daemon->last_server : "a server",
		ago_text(daemon->last_ago_us, ago));
	add_loans(daemon, out);
}

enum verdict verdict_of(const struct verdict_facts *facts, char out[static VERDICT_WORDS])
{
	const struct holder *lead = verdict_lead(facts);
	char who[VERDICT_WHO];
	if (facts->daemon.question != NULL) {
		char ago[AGO];
		snprintf(out, VERDICT_WORDS, "lent by berthd, to ask %.80s for %.300s, %s ago: unremarkable",
			facts->daemon.server != NULL ? facts->daemon.server : "a server", facts->daemon.question,
			ago_text(facts->daemon.ago_us, ago));
		add_loans(&facts->daemon, out);
		return VERDICT_LENT;
	}
	if (facts->daemon.is_held && lead != NULL) {
		snprintf(out, VERDICT_WORDS, "held by the DNS pool of %s (lend: reserved), idle now, to be lent again",
			verdict_who(lead, who));
		add_loans(&facts->daemon, out);
		return VERDICT_POOL;
	}
	if (lead == NULL) {
		enum verdict verdict = of_nobody(facts, out);
		add_last_loan(&facts->daemon, out);
		return verdict;
	}
	return lead->ns->is_ours ? of_lead(facts, lead, out) : of_other_namespace(facts, lead, out);
}

const char *verdict_key(enum verdict verdict)
{
	static const char *const keys[VERDICTS] = {
		[VERDICT_FREE] = "free",
		[VERDICT_LENT] = "lent",
		[VERDICT_POOL] = "pool",
		[VERDICT_SQUAT] = "foreign-pool",
		[VERDICT_SERVICE] = "service",
		[VERDICT_CLIENT] = "client",
		[VERDICT_CHOSEN] = "chosen",
		[VERDICT_INACTIVE] = "inactive",
		[VERDICT_ENDED] = "ended",
		[VERDICT_UNLISTED] = "unlisted",
		[VERDICT_UNTRIED] = "untried",
	};
	return verdict < VERDICTS ? keys[verdict] : "unknown";
}
