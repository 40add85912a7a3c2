/* What an exchange costs by the way its port was had, in microseconds of CPU, and how long it takes to reserve ports.
 *
 *	pool [--rounds N] [--window N] [--json]
 *	perf record build/bench/pool --only reserved       one way, over and over, for a profile
 *
 * One thread works like a worker under load: it lends `window` ports, watches those that its epoll does not know yet and
 * sends on each, to one of 64 servers at random; then collects with epoll_wait, receives, and returns each. The servers
 * answer between those two halves, in the same thread, and their time is not counted: the thread's CPU clock is read
 * around each half. So nothing sleeps, no other thread disturbs, and what is measured is the client's system calls with
 * the kernel's work for them.
 * (On loopback a sender also pays for the delivery to the receiver; that is the same for all rows.)
 *
 * All of it in a network namespace of its own, on an address that is not loopback's, with ip_local_port_range as wide as
 * the default ports.range. Others hold 0, 50, 90 and 99 % of the range: helper processes, which sleep. As in berthd, the
 * kernel is asked who holds what, and those ports are not drawn; what a loan costs before that is known is the row
 * "unaware". The ways take turns within each round; figures are medians of the rounds, with the smallest and largest. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/random.h"
#include "ports/kernel.h"
#include "ports/pool.h"
#include "ports/reserve.h"
#include "ports/sockets.h"
#include "ports/usable.h"

enum { FIRST = 49152, LAST = 65535, POOL = 2500, WINDOW_MAX = 256, ROUNDS_MAX = 25, EXCHANGES = 12000 };
enum { SERVERS = 64, QUESTION = 40, HELPERS_MAX = 64, FILES_BESIDE = 64 };

static const char address[] = "192.0.2.53"; /* RFC 5737; this namespace's own */

static unsigned window = 16;
static struct addr server[SERVERS];
static int server_fd[SERVERS], epoll_fd;
static unsigned asked[WINDOW_MAX]; /* the servers of this window */
static struct epoll_event events[WINDOW_MAX];

static void check(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "pool: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- the place --- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	check(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), path);
	close(fd);
}

static void enter_namespace(void)
{
	struct ifreq lo = {.ifr_name = "lo"};
	struct rlimit files;
	check(unshare(CLONE_NEWNET) == 0, "a network namespace cannot be made; be root");
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	lo.ifr_flags = IFF_UP | IFF_RUNNING;
	check(ioctl(fd, SIOCSIFFLAGS, &lo) == 0, "lo up");
	struct sockaddr_in *own = (struct sockaddr_in *)(void *)&lo.ifr_addr;
	*own = (struct sockaddr_in){.sin_family = AF_INET};
	inet_pton(AF_INET, address, &own->sin_addr);
	memcpy(lo.ifr_name, "lo:1", 5);
	check(ioctl(fd, SIOCSIFADDR, &lo) == 0, address);
	close(fd);
	write_file("/proc/sys/net/ipv4/ip_local_port_range", "49152 65535");
	check(getrlimit(RLIMIT_NOFILE, &files) == 0, "getrlimit");
	if (files.rlim_max < 20000) /* root may */
		files.rlim_max = 20000;
	files.rlim_cur = files.rlim_max;
	check(setrlimit(RLIMIT_NOFILE, &files) == 0, "descriptors");
}

static void open_servers(void)
{
	for (int i = 0; i < SERVERS; i++) {
		check(addr_parse(&server[i], address, (uint16_t)(5300 + i)) == 0, address);
		server_fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		check(bind(server_fd[i], &server[i].sa, addr_socklen(&server[i])) == 0, "bind a server");
	}
}

/* --- others, who hold ports --- */

static int helper_end[2]; /* helpers live until this pipe is closed */
static pid_t helper[HELPERS_MAX];
static unsigned helpers;

static void hold(const uint16_t *port, unsigned count, int ready)
{
	char byte = 'y';
	struct addr any;
	close(helper_end[1]);
	for (unsigned i = 0; i < count && byte == 'y'; i++) {
		int fd = socket(AF_INET, SOCK_DGRAM, 0);
		if (addr_parse(&any, "0.0.0.0", port[i]) != 0 || fd < 0 || bind(fd, &any.sa, addr_socklen(&any)) != 0)
			byte = 'n';
	}
	(void)!write(ready, &byte, 1);
	(void)!read(helper_end[0], &byte, 1);
	_exit(0);
}

static void shuffle(uint16_t *port, unsigned count)
{
	for (unsigned i = count; i > 1; i--) {
		unsigned j = random_below(i);
		uint16_t kept = port[i - 1];
		port[i - 1] = port[j];
		port[j] = kept;
	}
}

/* Ports at random places, in helpers of as many as one process may open. */
static void let_others_hold(unsigned percent)
{
	static uint16_t port[LAST - FIRST + 1];
	struct rlimit files;
	int ready[2];
	char byte = 0;
	check(pipe2(helper_end, O_CLOEXEC) == 0 && pipe2(ready, O_CLOEXEC) == 0, "pipe");
	check(getrlimit(RLIMIT_NOFILE, &files) == 0, "getrlimit");
	for (unsigned i = 0; i <= LAST - FIRST; i++)
		port[i] = (uint16_t)(FIRST + i);
	shuffle(port, LAST - FIRST + 1);
	unsigned wanted = (LAST - FIRST + 1) * percent / 100, each = (unsigned)files.rlim_cur - FILES_BESIDE;
	for (unsigned done = 0; done < wanted; done += each) {
		unsigned count = wanted - done < each ? wanted - done : each;
		check(helpers < HELPERS_MAX && (helper[helpers] = fork()) >= 0, "helpers");
		if (helper[helpers] == 0)
			hold(port + done, count, ready[1]);
		helpers++;
		check(read(ready[0], &byte, 1) == 1 && byte == 'y', "a helper could not hold its ports");
	}
	close(ready[0]);
	close(ready[1]);
}

static void let_others_go(void)
{
	close(helper_end[1]);
	close(helper_end[0]);
	while (helpers > 0)
		(void)waitpid(helper[--helpers], NULL, 0);
}

/* As daemon/keeper does it. */
static void find_usable(struct usable *usable)
{
	struct sockets_survey *survey = xalloc(sizeof(*survey));
	struct usable_rules *rules = xzalloc(1, sizeof(*rules));
	rules->range = (struct port_range){FIRST, LAST};
	check(sockets_survey(survey, NULL) == 0, "sock_diag");
	usable_make(usable, rules, &survey->listened);
	free(rules);
	free(survey);
}

/* --- the ways --- */

enum way { STATIC, KEPT, FRESH, MOORED, RESERVED, RESERVED_DARK, RESERVED_MANY, UNAWARE, WAYS };

static const char *const way_key[WAYS] = {
	"unconnected", "kept", "fresh", "remoored", "reserved", "reserved_dark", "reserved_workers", "unaware"};
static const char *const way_text[WAYS] = {
	[STATIC] = "unconnected static pool (Windows' way)",
	[KEPT] = "static pool, each socket connected for ever",
	[FRESH] = "fresh socket",
	[MOORED] = "re-moored",
	[RESERVED] = "reserved, lent again within 50 ms",
	[RESERVED_DARK] = "reserved, dark between its loans",
	[RESERVED_MANY] = "reserved, shared by several workers",
	[UNAWARE] = "re-moored, unaware of others' ports",
};

struct bench {
	enum way way;
	struct port_space *space;
	struct reserve *reserve;
	struct ledger *ledger;
	struct pool *pool;
	int *fd;        /* of the static pools */
	unsigned *peer; /* of KEPT: the server of each */
	struct port_draw draw;
	unsigned count;
};

static bool is_static(enum way way)
{
	return way == STATIC || way == KEPT;
}

static bool is_reserved(enum way way)
{
	return way == RESERVED || way == RESERVED_DARK || way == RESERVED_MANY;
}

static void watch(int fd, void *what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
	check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

static void open_static(struct bench *b, unsigned size)
{
	b->fd = xzalloc(size, sizeof(*b->fd));
	b->peer = xzalloc(size, sizeof(*b->peer));
	for (; b->count < size; b->count++) {
		struct addr any;
		uint16_t port;
		check(port_draw(&b->draw, &port) == 0, "no port for the static pool");
		int *fd = &b->fd[b->count];
		*fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		check(addr_parse(&any, "0.0.0.0", port) == 0 && bind(*fd, &any.sa, addr_socklen(&any)) == 0, "bind");
		const struct addr *to = &server[b->peer[b->count] = random_below(SERVERS)];
		check(b->way == STATIC || connect(*fd, &to->sa, addr_socklen(to)) == 0, "connect");
		watch(*fd, fd);
	}
}

static struct loan *lend(struct bench *b, const struct addr *to)
{
	static const struct loan_tag tag;
	struct loan *loan = NULL;
	int tries = b->way == UNAWARE ? 100 : 1; /* where 99 of 100 draws meet others, a loan may fail */
	while (pool_lend(b->pool, to, TRANSPORT_UDP, &tag, &loan) != 0)
		check(--tries > 0, "no loan");
	if (!loan->watched) {
		watch(loan->fd, loan);
		loan->watched = true;
	}
	return loan;
}

static void begin(struct bench *b, enum way way, const struct usable *usable)
{
	unsigned size = usable->count[PORT_USABLE] / 8 * 7;
	size = size < POOL ? size : POOL;
	*b = (struct bench){.way = way, .space = port_space_new(), .ledger = ledger_new(LIMIT_LEDGER)};
	struct port_set *set = xalloc(sizeof(*set));
	*set = usable->set;
	if (way == UNAWARE)
		port_set_fill(set, FIRST, LAST);
	port_space_set_usable(b->space, set);
	free(set);
	b->draw.space = b->space;
	struct reserve_conf held = {.space = b->space, .size = size, .uses = 1000, .age_s = 3600, .ipv4 = true};
	if (is_reserved(way))
		b->reserve = reserve_new(&held);
	struct pool_conf conf = {.space = b->space,
		.ledger = b->ledger,
		.reserve = b->reserve,
		.alone = way != RESERVED_MANY,
		.size = way == FRESH ? 0 : size,
		.max = 4 * POOL,
		.ipv4 = true,
		.user_size = 32};
	b->pool = pool_new(&conf);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (is_static(way))
		open_static(b, size);
}

static void end(struct bench *b)
{
	close(epoll_fd);
	for (unsigned i = 0; i < b->count; i++)
		close(b->fd[i]);
	free(b->fd);
	free(b->peer);
	pool_free(b->pool);
	if (b->reserve != NULL)
		reserve_free(b->reserve);
	port_draw_deinit(&b->draw);
	ledger_free(b->ledger);
	port_space_free(b->space);
}

/* --- an exchange --- */

static void ask_static(const struct bench *b, const uint8_t *question, unsigned *to)
{
	unsigned at = random_below(b->count);
	ssize_t sent;
	if (b->way == KEPT) {
		*to = b->peer[at];
		sent = send(b->fd[at], question, QUESTION, MSG_NOSIGNAL);
	} else {
		sent = sendto(b->fd[at], question, QUESTION, MSG_NOSIGNAL, &server[*to].sa, addr_socklen(&server[*to]));
	}
	check(sent == QUESTION, "send");
}

static void ask_all(struct bench *b)
{
	uint8_t question[QUESTION] = {0};
	for (unsigned i = 0; i < window; i++) {
		asked[i] = random_below(SERVERS);
		if (is_static(b->way))
			ask_static(b, question, &asked[i]);
		else
			check(send(lend(b, &server[asked[i]])->fd, question, QUESTION, MSG_NOSIGNAL) == QUESTION,
				"send");
	}
}

static void answer_all(void)
{
	for (unsigned i = 0; i < window; i++) {
		uint8_t data[QUESTION];
		struct addr from;
		socklen_t len = sizeof(from);
		int fd = server_fd[asked[i]];
		ssize_t got = recvfrom(fd, data, sizeof(data), MSG_DONTWAIT, &from.sa, &len);
		check(got == QUESTION && sendto(fd, data, QUESTION, 0, &from.sa, len) == QUESTION, "answer");
	}
}

/* Two questions of one window may have left from the same socket: then the next epoll_wait tells of the second. */
static void receive_static(int fd)
{
	struct addr from;
	uint8_t data[512];
	socklen_t len = sizeof(from);
	ssize_t got = recvfrom(fd, data, sizeof(data), MSG_DONTWAIT | MSG_TRUNC, &from.sa, &len);
	check(got == QUESTION && addr_port(&from) >= 5300, "receive");
}

static void receive_loan(struct bench *b, struct loan *loan)
{
	uint8_t data[512];
	enum datagram kind;
	check(loan_receive(loan, data, sizeof(data), &kind) == QUESTION && kind == DATAGRAM_WHOLE, "receive");
	if (loan->kind == LOAN_RESERVED && !loan->keeps_watch) {
		check(epoll_ctl(epoll_fd, EPOLL_CTL_DEL, loan->fd, NULL) == 0, "epoll_ctl");
		loan->watched = false;
	}
	pool_return(b->pool, loan, LOAN_REPLY);
}

static void collect_all(struct bench *b)
{
	for (unsigned done = 0; done < window;) {
		int count = epoll_wait(epoll_fd, events, (int)window, 1000);
		check(count > 0, "a reply is missing");
		for (int i = 0; i < count; i++) {
			if (is_static(b->way))
				receive_static(*(int *)events[i].data.ptr);
			else
				receive_loan(b, events[i].data.ptr);
		}
		done += (unsigned)count;
	}
	uint64_t now_us = clock_mono_us();
	pool_tend(b->pool, b->way == RESERVED_DARK ? now_us + LIMIT_DUSK_MS * 1000 : now_us);
}

static double cpu_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double run_us(struct bench *b, unsigned exchanges)
{
	double us = 0;
	unsigned done = 0;
	for (; done < exchanges; done += window) {
		double at = cpu_us();
		ask_all(b);
		us += cpu_us() - at;
		answer_all();
		at = cpu_us();
		collect_all(b);
		us += cpu_us() - at;
	}
	return us / done;
}

static double measure_us(enum way way, const struct usable *usable)
{
	struct bench b;
	begin(&b, way, usable);
	if (way != UNAWARE)                  /* which is about the first loans */
		(void)run_us(&b, EXCHANGES); /* each of 2,500 sockets has been used and is watched */
	double us = run_us(&b, way == UNAWARE ? EXCHANGES / 12 : EXCHANGES);
	end(&b);
	return us;
}

/* --- figures --- */

struct figure {
	double value[ROUNDS_MAX];
	unsigned count;
};

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;
	return left < right ? -1 : left > right;
}

static double median(struct figure *f)
{
	qsort(f->value, f->count, sizeof(f->value[0]), compare);
	return f->value[f->count / 2];
}

static void json_figure(const char *key, struct figure *f)
{
	double mid = median(f);
	printf("\"%s\": {\"median\": %.3f, \"least\": %.3f, \"most\": %.3f}", key, mid, f->value[0],
		f->value[f->count - 1]);
}

struct level {
	unsigned taken, usable; /* percent; ports left */
	struct figure way[WAYS];
};

static void measure_level(struct level *level, unsigned rounds)
{
	struct usable *usable = xalloc(sizeof(*usable));
	let_others_hold(level->taken);
	find_usable(usable);
	level->usable = usable->count[PORT_USABLE];
	for (unsigned round = 0; round < rounds; round++)
		for (enum way way = 0; way < WAYS; way++)
			level->way[way].value[level->way[way].count++] = measure_us(way, usable);
	let_others_go();
	free(usable);
}

static void print_level(struct level *level)
{
	printf("\n%u %% of the range held by others, %u ports usable\n", level->taken, level->usable);
	double fresh = median(&level->way[FRESH]);
	for (enum way way = 0; way < WAYS; way++) {
		double mid = median(&level->way[way]);
		const struct figure *f = &level->way[way];
		printf("  %-42s %8.2f us (%.2f-%.2f) %6.2f of fresh\n", way_text[way], mid, f->value[0],
			f->value[f->count - 1], mid / fresh);
	}
}

static void json_level(struct level *level, bool last)
{
	printf("  {\"taken_percent\": %u, \"usable\": %u", level->taken, level->usable);
	for (enum way way = 0; way < WAYS; way++) {
		printf(",\n   ");
		json_figure(way_key[way], &level->way[way]);
	}
	printf("}%s\n", last ? "" : ",");
}

/* --- opening --- */

struct opening {
	unsigned ports;
	struct figure wall_ms, cpu_ms;
};

static void measure_opening(struct opening *opening, const struct usable *usable)
{
	struct port_space *space = port_space_new();
	port_space_set_usable(space, &usable->set);
	struct reserve_conf conf = {.space = space, .size = opening->ports, .ipv4 = true};
	uint64_t begin_us = clock_mono_us();
	double begin_cpu = cpu_us();
	struct reserve *reserve = reserve_new(&conf);
	opening->cpu_ms.value[opening->cpu_ms.count++] = (cpu_us() - begin_cpu) / 1000;
	opening->wall_ms.value[opening->wall_ms.count++] = (double)(clock_mono_us() - begin_us) / 1000;
	check(reserve_held(reserve) == opening->ports, "not all ports could be opened");
	reserve_free(reserve);
	port_space_free(space);
}

static void print_opening(struct opening *opening, bool json, bool last)
{
	if (json) {
		printf("  {\"ports\": %u, ", opening->ports);
		json_figure("wall_ms", &opening->wall_ms);
		printf(", ");
		json_figure("cpu_ms", &opening->cpu_ms);
		printf("}%s\n", last ? "" : ",");
		return;
	}
	double wall = median(&opening->wall_ms), cpu = median(&opening->cpu_ms);
	printf("opening %5u ports: %6.1f ms (%.1f-%.1f), %.1f ms of CPU\n", opening->ports, wall,
		opening->wall_ms.value[0], opening->wall_ms.value[opening->wall_ms.count - 1], cpu);
}

/* --- all --- */

struct options {
	unsigned rounds;
	bool json;
	const char *only; /* a way's key */
};

static struct options parse(int argc, char *argv[])
{
	static const struct option known[] = {{"rounds", required_argument, NULL, 'r'},
		{"window", required_argument, NULL, 'w'}, {"json", no_argument, NULL, 'j'},
		{"only", required_argument, NULL, 'o'}, {0}};
	struct options o = {.rounds = 5};
	for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
		if (c == 'r')
			o.rounds = (unsigned)atoi(optarg);
		else if (c == 'w')
			window = (unsigned)atoi(optarg);
		else if (c == 'j')
			o.json = true;
		else if (c == 'o')
			o.only = optarg;
		else
			exit(2);
	}
	if (o.rounds < 1 || o.rounds > ROUNDS_MAX || window < 1 || window > WINDOW_MAX || optind < argc) {
		fprintf(stderr, "pool: 1 to %d rounds, a window of 1 to %d\n", ROUNDS_MAX, WINDOW_MAX);
		exit(2);
	}
	return o;
}

static int profile(const char *key)
{
	struct usable *usable = xalloc(sizeof(*usable));
	enum way way = 0;
	while (way < WAYS && strcmp(way_key[way], key) != 0)
		way++;
	check(way < WAYS, "no such way");
	find_usable(usable);
	for (int i = 0; i < 20; i++)
		printf("%.2f us\n", measure_us(way, usable));
	free(usable);
	return 0;
}

int main(int argc, char *argv[])
{
	static struct level level[] = {{.taken = 0}, {.taken = 50}, {.taken = 90}, {.taken = 99}};
	static struct opening opening[] = {{.ports = 2500}, {.ports = 10000}};
	enum { LEVELS = sizeof(level) / sizeof(level[0]), OPENINGS = sizeof(opening) / sizeof(opening[0]) };
	struct options o = parse(argc, argv);
	log_init(LOG_LEVEL_ERROR);
	hash_init();
	enter_namespace();
	open_servers();
	check(kernel_can_moor(), "this kernel cannot re-moor (Linux 6.3 can)");
	if (o.only != NULL)
		return profile(o.only);
	for (int i = 0; i < LEVELS; i++)
		measure_level(&level[i], o.rounds);
	struct usable *usable = xalloc(sizeof(*usable));
	find_usable(usable);
	for (unsigned round = 0; round < o.rounds; round++)
		for (int i = 0; i < OPENINGS; i++)
			measure_opening(&opening[i], usable);
	free(usable);
	if (o.json)
		printf("{\"rounds\": %u, \"window\": %u, \"unit\": \"us of CPU for each exchange\", \"levels\": [\n",
			o.rounds, window);
	else
		printf("CPU of an exchange, the server's part left out; median (least-most) of %u rounds, %u in "
		       "flight\n",
			o.rounds, window);
	for (int i = 0; i < LEVELS; i++)
		o.json ? json_level(&level[i], i + 1 == LEVELS) : print_level(&level[i]);
	printf(o.json ? " ], \"opening\": [\n" : "\n");
	for (int i = 0; i < OPENINGS; i++)
		print_opening(&opening[i], o.json, i + 1 == OPENINGS);
	if (o.json)
		printf(" ]}\n");
	return 0;
}
