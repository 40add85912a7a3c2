/* Decides what of a configuration this machine cannot do as it stands, ports apart (ports/preflight.c). */
#include "daemon/machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/paths.h"
#include "daemon/places.h"
#include "daemon/state.h"
#include "daemon/worker.h"

static void tell_of_snapshot(
	const char *path, void (*say)(enum preflight_level, const char *text, void *arg), void *arg)
{
	char folder[PATH_FOLDER], text[PATH_FOLDER + 100];
	struct stat st;
	if (path == NULL || (size_t)snprintf(folder, sizeof(folder), "%s", path) >= sizeof(folder))
		return;
	bool is_folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	if (is_folder)
		snprintf(text, sizeof(text), "cache.snapshot: %s is a directory; name a file in it", path);
	*strrchr(folder, '/') = '\0';
	bool has_folder =
		folder[0] == '\0' || (stat(folder, &st) == 0 && S_ISDIR(st.st_mode)) || state_is_usual(folder);
	if (!has_folder)
		snprintf(text, sizeof(text), "cache.snapshot: there is no directory %s; make it, or name another file",
			folder);
	if (is_folder || !has_folder)
		say(PREFLIGHT_WARNING, text, arg);
}

/* Of the range, and that alone, questions leave; what is excluded outside of it does no harm. */
static unsigned included_outside(const struct config *config)
{
	struct port_range range = config->ports.range;
	unsigned count = 0;
	for (unsigned port = 1; port <= UINT16_MAX; port++)
		if ((port < range.first || port > range.last) && port_set_has(config->ports.include, (uint16_t)port))
			count++;
	return count;
}

/* What is hardly meant. */
static void tell_of_slips(
	const struct config *config, void (*say)(enum preflight_level, const char *text, void *arg), void *arg)
{
	char text[400];
	uint32_t now_s = clock_wall_s();
	if (config->allow_count == 0)
		say(PREFLIGHT_WARNING, "access.allow is empty: nobody may ask; name who may", arg);
	unsigned outside = included_outside(config);
	if (outside > 0) {
		snprintf(text, sizeof(text),
			"ports.include: %u port%s outside of ports.range, and no question leaves there; widen the "
			"range",
			outside, outside == 1 ? " lies" : "s lie");
		say(PREFLIGHT_WARNING, text, arg);
	}
	for (size_t i = 0; i < config->dnssec.negative_count; i++) {
		const struct config_negative *negative = &config->dnssec.negative[i];
		if (negative->until_s == 0 || negative->until_s > now_s)
			continue;
		snprintf(text, sizeof(text), "dnssec.negative: the time of %.255s is over: it is validated again",
			negative->zone);
		say(PREFLIGHT_WARNING, text, arg);
	}
}

void machine_preflight(
	const struct config *config, void (*say)(enum preflight_level, const char *text, void *arg), void *arg)
{
	char text[400];
	struct places places;
	unsigned cores = worker_cores();
	if (config->pin && config->workers != CONFIG_WORKERS_AUTO && config->workers > cores) {
		snprintf(text, sizeof(text), "pin: %u workers share %u core%s; write workers: %u or fewer",
			config->workers, cores, cores == 1 ? "" : "s", cores);
		say(PREFLIGHT_WARNING, text, arg);
	}
	if (places_find(&places, config, text, sizeof(text)) != 0)
		say(PREFLIGHT_WARNING, text, arg);
	places_free(&places);
	tell_of_snapshot(config->cache.snapshot, say, arg);
	tell_of_slips(config, say, arg);
}
