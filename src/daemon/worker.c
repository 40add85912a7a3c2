/* Decides what a worker consists of and how it begins and ends. */
#include "daemon/worker.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "daemon/listen.h"
#include "daemon/settings.h"

enum { SLICE_NS = 100 * 1000 }; /* the least there is */

static void on_turn(void *arg)
{
	listen_flush(arg);
}

static unsigned share(unsigned all, unsigned workers, unsigned index)
{
	return all / workers + (index < all % workers);
}

static void make_pool(struct worker *worker, unsigned sockets)
{
	const struct server *server = worker->server;
	worker->ledger = ledger_new(LIMIT_LEDGER / server->workers);
	struct pool_conf conf = {
		.space = server->space,
		.ledger = worker->ledger,
		.reserve = server->reserve,
		.single = server->single,
		.alone = server->workers == 1,
		.size = share(sockets, server->workers, worker->index),
		.max = share(server->config->ports.max > server->workers ? server->config->ports.max : server->workers,
			server->workers, worker->index), /* at least one each */
		.ipv4 = server->config->resolver.ipv4,
		.ipv6 = server->config->resolver.ipv6,
		.user_size = RESOLVER_LOAN_USER,
	};
	worker->pool = pool_new(&conf);
}

static void make_resolver(struct worker *worker)
{
	struct resolver_conf conf = {
		.loop = &worker->loop,
		.rrcache = worker->server->rrcache,
		.denials = worker->server->denials,
		.facts = worker->server->facts,
		.inflight = worker->server->inflight,
		.pool = worker->pool,
	};
	worker->resolver = resolver_new(&conf);
}

int worker_init(struct worker *worker, struct server *server, unsigned index, char *why, size_t size)
{
	worker->server = server;
	worker->index = index;
	if (loop_init(&worker->loop) != 0) {
		snprintf(why, size,
			"no event loop can be made (epoll, eventfd); raise the descriptor limit (LimitNOFILE=)");
		return E_SYSTEM;
	}
	worker->loop.on_turn = on_turn;
	worker->loop.on_turn_arg = worker;
	worker->answers = answers_new(server_answers_bytes(server->config) / server->workers);
	return 0;
}

void worker_equip(struct worker *worker, unsigned sockets)
{
	make_pool(worker, sockets);
	make_resolver(worker);
}

void worker_apply(struct worker *worker, const struct settings *settings)
{
	if (worker->resolver == NULL)
		return; /* the daemon ends */
	resolver_configure(worker->resolver, &settings->hints, &settings->options);
	if (settings->forget) {
		resolver_forget(worker->resolver);
		answers_clear(worker->answers);
	}
	worker->identity = settings->identity;
	worker->prefetch = settings->prefetch;
	free((void *)worker->access.allow);
	struct prefix *allow = xzalloc(settings->allow_count, sizeof(*allow));
	if (settings->allow_count > 0)
		memcpy(allow, settings->allow, settings->allow_count * sizeof(*allow));
	worker->access = (struct access_list){.allow = allow, .count = settings->allow_count};
}

/* The cores that this process may run on: a container's, or those that taskset left it. False on machines with more cores
 * than a cpu_set_t has bits. */
static bool cores_of_process(cpu_set_t *cores)
{
	CPU_ZERO(cores);
	return sched_getaffinity(0, sizeof(*cores), cores) == 0 && CPU_COUNT(cores) > 0;
}

unsigned worker_cores(void)
{
	cpu_set_t cores;
	if (cores_of_process(&cores))
		return (unsigned)CPU_COUNT(&cores);
	long count = sysconf(_SC_NPROCESSORS_ONLN);
	return count > 0 ? (unsigned)count : 1;
}

/* To the core of its number among those; with more workers than cores they share. */
static void pin_to_core(const struct worker *worker)
{
	cpu_set_t cores, one;
	if (!cores_of_process(&cores)) {
		log_warning("worker %u runs where the kernel likes: it is not known which cores there are (pin)",
			worker->index);
		return;
	}
	unsigned skip = worker->index % (unsigned)CPU_COUNT(&cores);
	size_t core = 0;
	while (!CPU_ISSET(core, &cores) || skip-- > 0)
		core++;
	CPU_ZERO(&one);
	CPU_SET(core, &one);
	if (pthread_setaffinity_np(pthread_self(), sizeof(one), &one) != 0)
		log_warning("worker %u cannot be kept on core %zu (pin); it runs where the kernel likes", worker->index,
			core);
}

/* The kernel's struct sched_attr, of which the C library has none (sched_setattr(2)). */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns, deadline_ns, period_ns;
};

/* A worker runs for some microseconds at a time. With a short slice the kernel (6.12 and later) gives it the core as soon
 * as a query comes, though the history's thread or another program has not used up its own, of milliseconds. */
static void ask_for_short_slices(void)
{
	struct scheduling attr;
	if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) != 0 || attr.policy != SCHED_OTHER)
		return;
	attr.runtime_ns = SLICE_NS;
	(void)syscall(SYS_sched_setattr, 0, &attr, 0);
}

static void *run(void *arg)
{
	struct worker *worker = arg;
	counters_attach(&worker->counters);
	ask_for_short_slices();
	if (worker->server->config->pin)
		pin_to_core(worker);
	listen_start(worker);
	loop_run(&worker->loop);
	return NULL;
}

int worker_start(struct worker *worker)
{
	sigset_t all, old;
	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int ret = pthread_create(&worker->thread, NULL, run, worker);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret == 0 ? 0 : E_SYSTEM;
}

void worker_join(struct worker *worker)
{
	loop_stop(&worker->loop);
	pthread_join(worker->thread, NULL);
}

void worker_end_lookups(struct worker *worker)
{
	if (worker->resolver != NULL)
		resolver_free(worker->resolver);
	worker->resolver = NULL;
}

void worker_deinit(struct worker *worker)
{
	listen_close(worker);
	pool_free(worker->pool);
	ledger_free(worker->ledger);
	answers_free(worker->answers);
	free((void *)worker->access.allow);
	loop_deinit(&worker->loop);
}
