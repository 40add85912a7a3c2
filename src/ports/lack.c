/* Decides what the operator hears when ports run out, and how often. */
#include "ports/lack.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"

static const struct {
	enum counter counter;
	const char *cause, *advice;
} words[LACKS] = {
	[LACK_MAX] = {COUNT_LOANS_QUEUED, "all loans that ports.max allows are out, questions wait in a queue",
		"raise ports.max if this load is real"},
	[LACK_PORTS] = {COUNT_LOANS_FAILED, "every usable port is lent or held by others", "widen ports.range"},
	[LACK_TAKEN] = {COUNT_PORTS_TAKEN, "draws met ports of other programs (EADDRINUSE)",
		"see who holds them, or exclude their range"},
	[LACK_DENIED] = {COUNT_PORTS_DENIED, "the system does not permit the ports (EACCES)",
		"see the rules of SELinux or AppArmor for binding UDP ports"},
	[LACK_FILES] = {COUNT_PORTS_NOFILES, "no descriptor is left (EMFILE)", "raise LimitNOFILE= or ulimit -n"},
	[LACK_MEMORY] = {COUNT_PORTS_NOBUFS, "the kernel has no memory for sockets (ENOBUFS)",
		"see net.core and memory limits of the service"},
};

enum lack lack_of_errno(int number)
{
	switch (number) {
	case EADDRINUSE: return LACK_TAKEN;
	case EACCES:
	case EPERM: return LACK_DENIED;
	case EMFILE:
	case ENFILE: return LACK_FILES;
	case ENOBUFS:
	case ENOMEM: return LACK_MEMORY;
	default: return LACKS;
	}
}

void lack_count(enum lack lack)
{
	if (lack < LACKS && lack != LACK_PORTS)
		counters_add(words[lack].counter, 1);
}

int lack_judge(int number, enum lack *lack)
{
	*lack = lack_of_errno(number);
	lack_count(*lack);
	switch (*lack) {
	case LACK_TAKEN:
	case LACK_DENIED: return E_EXIST;
	case LACK_FILES:
	case LACK_MEMORY: return E_NOPORT;
	default: return number == EADDRNOTAVAIL || number == EAFNOSUPPORT ? E_UNREACH : E_SYSTEM;
	}
}

int lack_judge_way(int number)
{
	return lack_of_errno(number) == LACK_MEMORY ? E_NOPORT : E_UNREACH;
}

/* True for one caller a minute. */
static bool is_time(enum lack lack)
{
	static _Atomic uint64_t said_us[LACKS];
	uint64_t now_us = clock_mono_us(), before_us = atomic_load_explicit(&said_us[lack], memory_order_relaxed);
	if (before_us != 0 && now_us - before_us < LIMIT_LACK_S * 1000000ull)
		return false;
	return atomic_compare_exchange_strong(&said_us[lack], &before_us, now_us);
}

void lack_tell(enum lack lack, struct port_space *space)
{
	if (lack >= LACKS || !is_time(lack))
		return;
	struct port_others others;
	char holder[128] = "";
	port_space_others(space, &others);
	if (others.top_held > 0)
		snprintf(holder, sizeof(holder), "; of other programs, user %s holds most UDP ports: %u of %u",
			others.top, others.top_held, others.held);
	unsigned usable = port_space_usable(space, 1, PORTS_ALL - 1), lent = port_space_lent(space);
	log_warning("ports are short: %s; %u of %u usable ports are lent, %u left%s; %s (said once a minute; "
		    "berth ports has the numbers)",
		words[lack].cause, lent, usable, usable > lent ? usable - lent : 0, holder, words[lack].advice);
}
