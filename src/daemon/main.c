/* berthd: decides what the command line means, and how the process begins and ends. */
#include <getopt.h>
#include <jansson.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "daemon/config.h"
#include "daemon/control_json.h"
#include "daemon/machine.h"
#include "daemon/privilege.h"
#include "daemon/server.h"
#include "daemon/settings.h"

#ifndef BERTH_VERSION
#define BERTH_VERSION "unknown"
#endif

struct options {
	const char *config_path;
	bool check, json;
};

static void print_help(FILE *to)
{
	fputs("usage: berthd [-c FILE] [--check [--json]]\n"
	      "A recursive DNS resolver whose every question leaves from a port borrowed for it alone.\n\n"
	      "  -c, --config FILE   read this configuration; without one: a safe resolver on 127.0.0.1 and ::1, port "
	      "53\n"
	      "      --check         read the configuration, say whether it is good, and stop\n"
	      "      --json          with --check: what was found, as a line of JSON\n"
	      "  -V, --version       print the version\n"
	      "  -h, --help          print this\n\n"
	      "It runs in the foreground. SIGTERM ends it, SIGHUP makes it read its configuration again.\n",
		to);
}

static void parse_options(struct options *options, int argc, char *argv[])
{
	static const struct option known[] = {{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'k'}, {"json", no_argument, NULL, 'j'},
		{"version", no_argument, NULL, 'V'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	for (int c; (c = getopt_long(argc, argv, "c:Vh", known, NULL)) != -1;) {
		switch (c) {
		case 'c': options->config_path = optarg; break;
		case 'k': options->check = true; break;
		case 'j': options->json = true; break;
		case 'V': puts("berthd " BERTH_VERSION); exit(0);
		case 'h': print_help(stdout); exit(0);
		default: print_help(stderr); exit(2);
		}
	}
	if (optind < argc)
		fprintf(stderr, "berthd: \"%s\" is not understood; a configuration is named with -c\n", argv[optind]);
	else if (options->json && !options->check)
		fprintf(stderr, "berthd: --json goes with --check\n");
	else
		return;
	exit(2);
}

/* Which ports could be lent on this machine now; to be freed. */
static struct usable *usable_here(const struct config *config)
{
	struct port_space *space = port_space_new();
	struct keeper *keeper = xalloc(sizeof(*keeper));
	struct usable_rules *rules = xalloc(sizeof(*rules));
	struct usable *usable = xalloc(sizeof(*usable));
	keeper_init(keeper, space, NULL);
	keeper_rules_of(rules, config);
	keeper_preview(keeper, rules, usable);
	free(rules);
	free(keeper);
	port_space_free(space);
	return usable;
}

static void print_line(enum preflight_level level, const char *text, void *arg)
{
	(void)arg;
	printf("%-8s %s\n", preflight_level_text(level), text);
}

static void print_findings(const struct config *config, const char *path, const struct usable *usable)
{
	printf("%s: good; %u usable port%s\n", path != NULL ? path : "defaults", usable->count[PORT_USABLE],
		usable->count[PORT_USABLE] == 1 ? "" : "s");
	server_preflight(config, usable, &config->ports.range, print_line, NULL);
	machine_preflight(config, print_line, NULL);
}

static void print_findings_json(const struct config *config, const struct usable *usable)
{
	json_t *lines = json_array();
	unsigned count = usable->count[PORT_USABLE];
	server_preflight(config, usable, &config->ports.range, json_append_line, lines);
	machine_preflight(config, json_append_line, lines);
	json_t *findings = json_pack("{s:i, s:f, s:o}", "usable", (int)count, "bits",
		port_bits(server_among(config, count)), "lines", lines);
	json_dumpf(findings, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(findings);
}

static int check(const struct config *config, const struct options *options)
{
	struct settings *settings = xalloc(sizeof(*settings));
	char why[600];
	int ret = settings_make(settings, config, why, sizeof(why));
	if (ret == 0)
		settings_deinit(settings);
	free(settings);
	if (ret != 0) {
		fprintf(stderr, "berthd: %s\n", why);
		return 1;
	}
	if (config->user != NULL && getpwnam(config->user) == NULL) {
		fprintf(stderr,
			"berthd: %s: user: there is no user %s on this machine; name one, or take the key away\n",
			options->config_path, config->user);
		return 1;
	}
	struct usable *usable = usable_here(config);
	if (options->json)
		print_findings_json(config, usable);
	else
		print_findings(config, options->config_path, usable);
	free(usable);
	return 0;
}

/* --- signals --- */

struct signals {
	struct watch watch;
	struct server *server;
};

static void on_signal(struct watch *watch, uint32_t events)
{
	(void)events;
	struct signals *signals = container_of(watch, struct signals, watch);
	struct signalfd_siginfo info;
	while (read(watch->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGHUP) {
			log_notice("stopping on %s", info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
			loop_stop(&signals->server->loop);
			return;
		}
		server_reload_soon(signals->server);
	}
}

static int watch_signals(struct signals *signals, struct server *server)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a limit of file sizes is as a full disk: the history says so */
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	*signals = (struct signals){.server = server};
	signals->watch = (struct watch){.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), .on_ready = on_signal};
	if (signals->watch.fd < 0)
		return E_SYSTEM;
	return loop_watch(&server->loop, &signals->watch, EPOLLIN);
}

/* As a browser wants it: an IPv6 address in brackets. */
static const char *web_host_text(const struct addr *addr, char out[static ADDR_TEXT])
{
	char host[ADDR_TEXT];
	addr_host_text(addr, host);
	snprintf(out, ADDR_TEXT, addr_is_v6(addr) ? "[%s]" : "%s", host);
	return out;
}

static void tell_ready(const struct server *server)
{
	char all[512] = "", text[SERVER_PLACE];
	size_t len = 0;
	for (size_t i = 0; len < sizeof(all) && server_place(server, i, text) != NULL; i++)
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", i > 0 ? ", " : "", text);
	log_notice("berthd " BERTH_VERSION " is ready on %s with %u worker%s; control socket %s; configuration %s", all,
		server->workers, server->workers == 1 ? "" : "s", server->config->control_socket,
		server->config_path != NULL ? server->config_path : "built in");
	for (size_t i = 0; i < server->config->web.listen_count && server->web != NULL; i++)
		log_notice("web page on http://%s:%u/", web_host_text(&server->config->web.listen[i], text),
			addr_port(&server->config->web.listen[i]));
	if (!server->config->dnssec.validate)
		log_notice("answers are not validated (dnssec.validate)");
}

static int serve(struct config *config, const char *path)
{
	static struct server server;
	static struct signals signals;
	char why[600] = "out of resources";
	privilege_raise_files();
	if (server_init(&server, config, path, why, sizeof(why)) != 0 || watch_signals(&signals, &server) != 0 ||
		privilege_drop(config->user, why, sizeof(why)) != 0) {
		fprintf(stderr, "berthd: %s\n", why);
		return 1;
	}
	if (server_start(&server, why, sizeof(why)) != 0) {
		fprintf(stderr, "berthd: %s\n", why);
		return 1;
	}
	tell_ready(&server);
	loop_run(&server.loop);
	loop_unwatch(&server.loop, &signals.watch);
	close(signals.watch.fd);
	server_stop(&server);
	return 0;
}

int main(int argc, char *argv[])
{
	struct options options = {0};
	parse_options(&options, argc, argv);
	struct config *config;
	char why[CONFIG_ERROR];
	if (config_read(&config, options.config_path, why) != 0) {
		fprintf(stderr, "berthd: %s\n", why);
		return 1;
	}
	if (options.check) {
		int ret = check(config, &options);
		config_free(config);
		return ret;
	}
	hash_init();
	log_init(config->log_level);
	return serve(config, options.config_path);
}
