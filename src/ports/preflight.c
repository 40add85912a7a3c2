/* Decides what an operator should know of the pool's worth and limits, and what is worth a warning. */
#include "ports/preflight.h"

#include <dirent.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "ports/kernel.h"

enum { PORT_UNPRIVILEGED = 1024, TEXT = 400, FILES_BESIDE = 600, CONNTRACK_SPARE = 20000 };

struct report {
	void (*say)(enum preflight_level, const char *, void *);
	void *arg;
};

static void tell(const struct report *report, enum preflight_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void tell(const struct report *report, enum preflight_level level, const char *format, ...)
{
	char text[TEXT];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	report->say(level, text, report->arg);
}

double port_bits(unsigned count)
{
	return count > 0 ? log2(count) : 0;
}

/* --- the set --- */

static void tell_set(const struct preflight *flight, const struct report *report)
{
	static const char *const words[PORT_WHYS] = {[PORT_EXCLUDED] = "excluded",
		[PORT_RESERVED] = "in ip_local_reserved_ports",
		[PORT_PRIVILEGED] = "that need CAP_NET_BIND_SERVICE",
		[PORT_HELD] = "held by other programs",
		[PORT_REGISTERED] = "registered for UDP services",
		[PORT_CLASHING] = "known clashes"};
	char away[TEXT / 2] = "";
	size_t len = 0;
	for (int why = PORT_EXCLUDED; why < PORT_WHYS; why++)
		if (flight->usable->count[why] > 0 && len < sizeof(away))
			len += (size_t)snprintf(away + len, sizeof(away) - len, "%s%u %s", len > 0 ? ", " : "",
				flight->usable->count[why], words[why]);
	bool any = flight->usable->count[PORT_USABLE] > 0;
	tell(report, any ? PREFLIGHT_GOOD : PREFLIGHT_WARNING, "%u ports of %u-%u are usable%s%s%s",
		flight->usable->count[PORT_USABLE], flight->range.first, flight->range.last, len > 0 ? " (not: " : "",
		away, len > 0 ? ")" : "");
}

static const char *way_of(const struct preflight *flight)
{
	if (!flight->reserved)
		return "a port is drawn of all of them for each question";
	return flight->wanted == 0 ? "one port is shared by all questions"
				   : "a port is drawn for each question of those that are held";
}

static void tell_bits(const struct preflight *flight, const struct report *report)
{
	bool few = flight->among < LIMIT_FEW_PORTS;
	const char *advice = ": widen ports.range or exclude less";
	if (flight->reserved && flight->wanted < LIMIT_FEW_PORTS)
		advice = ": make ports.pool larger, or lend fresh ones";
	tell(report, few ? PREFLIGHT_WARNING : PREFLIGHT_GOOD, "%s: %.1f bits to guess, %.1f with the ID%s%s",
		way_of(flight), port_bits(flight->among), port_bits(flight->among) + 16, few ? "; that is few" : "",
		few ? advice : "");
	if (flight->pool >= flight->wanted)
		return;
	if (flight->reserved)
		tell(report, PREFLIGHT_WARNING,
			"ports.pool is %u, but %u ports are held of each family: more descriptors or usable ports are "
			"not to "
			"be had (an eighth of these is left for TCP)",
			flight->wanted, flight->pool);
	else
		tell(report, PREFLIGHT_WARNING,
			"ports.pool is %u, but descriptors allow %u sockets; raise LimitNOFILE= or "
			"ulimit -n",
			flight->wanted, flight->pool);
}

/* --- the machine --- */

static unsigned count_between(const struct usable *usable, const struct port_range *range)
{
	unsigned count = 0;
	for (unsigned port = range->first; port <= range->last; port++)
		count += port_set_has(&usable->set, (uint16_t)port);
	return count;
}

/* The kernel takes no range that begins below 1024. */
static void tell_wider(const struct preflight *flight, const struct port_range *kernel, const struct report *report)
{
	unsigned usable = flight->usable->count[PORT_USABLE], now = count_between(flight->usable, kernel);
	uint16_t first = flight->range.first < PORT_UNPRIVILEGED ? PORT_UNPRIVILEGED : flight->range.first;
	struct port_range wide = {first < kernel->first ? first : kernel->first,
		flight->range.last > kernel->last ? flight->range.last : kernel->last};
	unsigned then = count_between(flight->usable, &wide);
	tell(report, PREFLIGHT_NOTE,
		"ip_local_port_range is %u-%u: %u of the usable ports go the fast way, the other %u cost a fresh "
		"socket; sysctl -w net.ipv4.ip_local_port_range=\"%u %u\" would give %u more",
		kernel->first, kernel->last, now, usable - now, wide.first, wide.last, then - now);
}

static void tell_kernel_range(const struct preflight *flight, const struct report *report)
{
	struct port_range kernel;
	unsigned usable = flight->usable->count[PORT_USABLE];
	kernel_local_range(&kernel);
	if (flight->reserved || usable == 0)
		return;
	if (!kernel_can_moor()) {
		tell(report, PREFLIGHT_NOTE,
			"this kernel cannot re-moor sockets (Linux 6.3 can): each question costs a fresh socket, "
			"nearly twice "
			"the work of a moored one");
		return;
	}
	unsigned moorable = count_between(flight->usable, &kernel);
	if (moorable == usable) {
		tell(report, PREFLIGHT_GOOD,
			"ip_local_port_range %u-%u covers all of them: every question goes the fast way", kernel.first,
			kernel.last);
		return;
	}
	tell_wider(flight, &kernel, report);
}

static void tell_files(const struct preflight *flight, const struct report *report)
{
	unsigned long wanted = (unsigned long)(flight->reserved ? 2 * flight->wanted : flight->wanted) + FILES_BESIDE;
	unsigned long most = wanted + (flight->max > flight->wanted ? flight->max - flight->wanted : 0);
	if (flight->files == 0 || flight->files >= most)
		tell(report, PREFLIGHT_GOOD, "descriptors: enough for the pool of %u and for all %u loans of ports.max",
			flight->wanted, flight->max);
	else
		tell(report, flight->files < wanted ? PREFLIGHT_WARNING : PREFLIGHT_NOTE,
			"descriptors: %lu are allowed, the pool of %u and %u loans at once want %lu; raise "
			"LimitNOFILE= or "
			"ulimit -n",
			flight->files, flight->wanted, flight->max, most);
}

static bool read_number(const char *path, unsigned long *out)
{
	FILE *file = fopen(path, "re");
	bool read = file != NULL && fscanf(file, "%lu", out) == 1;
	if (file != NULL)
		fclose(file);
	return read;
}

static void tell_selinux(const struct report *report)
{
	unsigned long enforcing;
	if (read_number("/sys/fs/selinux/enforce", &enforcing) && enforcing == 1)
		tell(report, PREFLIGHT_NOTE,
			"SELinux is enforcing: berthd's domain must be allowed to bind UDP ports of the range; what it "
			"denies is "
			"counted as ports.denied");
}

static void tell_conntrack(const struct preflight *flight, const struct report *report)
{
	unsigned long count, max;
	if (!read_number("/proc/sys/net/netfilter/nf_conntrack_count", &count) ||
		!read_number("/proc/sys/net/netfilter/nf_conntrack_max", &max) || max == 0)
		return;
	bool tight = max < count + CONNTRACK_SPARE || max < count + 2ul * flight->max;
	tell(report, tight ? PREFLIGHT_WARNING : PREFLIGHT_GOOD,
		"conntrack: %lu of %lu entries are used; each question takes one for half a minute%s", count, max,
		tight ? ": raise net.netfilter.nf_conntrack_max, or exempt the resolver (notrack)" : "");
}

static bool conf_says(const char *interface, const char *key)
{
	char path[TEXT];
	unsigned long value = 0;
	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/%s", interface, key);
	return read_number(path, &value) && value != 0;
}

/* Both the interface and "all" have a say: either one on a host, both together on a router. */
static bool obeys_redirects(const char *interface)
{
	bool own = conf_says(interface, "accept_redirects"), all = conf_says("all", "accept_redirects");
	return conf_says(interface, "forwarding") ? own && all : own || all;
}

/* An ICMP redirect that quotes an open port changes the way to its server, for all sockets, and side channels tell of
 * the change (SAD DNS 2.0, CVE-2021-20322). No option of a socket keeps that off. */
static void tell_redirects(const struct report *report)
{
	DIR *conf = opendir("/proc/sys/net/ipv4/conf");
	bool obeyed = false;
	for (const struct dirent *i; conf != NULL && (i = readdir(conf)) != NULL;)
		if (i->d_name[0] != '.' && strcmp(i->d_name, "all") != 0 && strcmp(i->d_name, "lo") != 0)
			obeyed |= obeys_redirects(i->d_name);
	if (conf != NULL)
		closedir(conf);
	if (obeyed)
		tell(report, PREFLIGHT_NOTE,
			"this machine obeys ICMP redirects, and forged ones find out lent ports: set "
			"net.ipv4.conf.all.accept_redirects, and the same of \"default\" and of each interface, to 0");
}

void preflight(
	const struct preflight *flight, void (*say)(enum preflight_level, const char *text, void *arg), void *arg)
{
	const struct report report = {say, arg};
	tell_set(flight, &report);
	tell_bits(flight, &report);
	tell_kernel_range(flight, &report);
	tell_files(flight, &report);
	tell_selinux(&report);
	tell_conntrack(flight, &report);
	tell_redirects(&report);
}

const char *preflight_level_text(enum preflight_level level)
{
	static const char *const words[PREFLIGHT_LEVELS] = {"good", "note", "warning"};
	return level < PREFLIGHT_LEVELS ? words[level] : "?";
}
