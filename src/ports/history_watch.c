/* Decides which of this machine's sockets are worth a row, when it is written, and how much may be spent on that.
 *
 * A socket is written down when two lists have seen it on the same port and neither found the port to be the pool's: a
 * loan that ended while the kernel told us of it would look like a stranger's socket. What ended before that waits until
 * the loans of that moment are known, for the same reason. */
#include "ports/history_watch.h"

#include <stdio.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "ports/diag.h"
#include "ports/scout.h"

enum {
	BUCKETS = 16384,
	SIGHTINGS = 2,      /* lists that must have seen a socket */
	LOANS_US = 3000000, /* by then the loans that ended at that moment were collected */
	SEARCH_US = 50000,  /* for owners, at a time */
	PERIOD_US = LIMIT_HISTORY_WATCH_S * 1000000,
};

/* A socket of this machine. */
struct held {
	struct held *next; /* in its bucket */
	struct diag_socket socket;
	uint64_t from_us;
	int64_t row;        /* 0: not written */
	unsigned list;      /* the last one that had it */
	unsigned sightings; /* in a row, on a port that is not the pool's */
	bool is_early;
	char who[HISTORY_WHO];
	pid_t pid;
};

/* One that ended before it was written. */
struct brief {
	struct diag_socket socket;
	uint64_t from_us, until_us;
	bool is_early, has_user;
};

struct ended {
	uint64_t at_us;
	struct diag_socket socket;
};

struct history_watch {
	bool (*is_own)(void *arg, uint16_t port);
	void *arg;
	struct scout *scout; /* NULL: none, or it ended */
	atomic_bool is_over; /* set by another thread: nothing is waited for any more */
	struct diag *ends;   /* NULL: the kernel does not tell */
	struct held *bucket[BUCKETS];
	size_t count;
	struct ended *ended; /* [LIMIT_HISTORY_ENDED], those of this turn */
	size_t ended_count;
	struct brief *brief; /* [LIMIT_HISTORY_ENDED], by their end */
	size_t brief_count;
	struct port_set listening;             /* over TCP, in the last list */
	uint64_t loan_us[PORTS_ALL];           /* end of the last one */
	uint64_t looked_us, now_us;            /* wall clock: of the last list, of this turn */
	uint64_t look_mono_us, search_mono_us; /* monotonic: when to list, when to search for owners again */
	unsigned list;
	bool is_blind; /* the lists cannot be had; said once */
};

/* --- begin, end --- */

static bool is_nobody(void *arg, uint16_t port)
{
	(void)arg;
	(void)port;
	return false;
}

struct history_watch *history_watch_new(bool (*is_own)(void *arg, uint16_t port), void *arg, struct scout *scout)
{
	struct history_watch *watch = xzalloc(1, sizeof(*watch));
	watch->is_own = is_own != NULL ? is_own : is_nobody;
	watch->arg = arg;
	watch->scout = scout;
	if (scout != NULL)
		scout_heed(scout, &watch->is_over);
	watch->ended = xalloc(LIMIT_HISTORY_ENDED * sizeof(watch->ended[0]));
	watch->brief = xalloc(LIMIT_HISTORY_ENDED * sizeof(watch->brief[0]));
	if (diag_open_ended(&watch->ends) != 0)
		log_notice("history.watch: this kernel does not tell when sockets end; they are listed every %d s",
			LIMIT_HISTORY_WATCH_S);
	return watch;
}

void history_watch_hurry(struct history_watch *watch)
{
	if (watch != NULL)
		atomic_store(&watch->is_over, true);
}

void history_watch_free(struct history_watch *watch)
{
	if (watch == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct held *held = watch->bucket[i], *next; held != NULL; held = next) {
			next = held->next;
			free(held);
		}
	scout_end(watch->scout);
	diag_close(watch->ends);
	free(watch->ended);
	free(watch->brief);
	free(watch);
}

/* --- the table --- */

static struct held **place_of(struct history_watch *watch, uint64_t cookie)
{
	struct held **place = &watch->bucket[cookie % BUCKETS];
	while (*place != NULL && (*place)->socket.cookie != cookie)
		place = &(*place)->next;
	return place;
}

static void forget(struct history_watch *watch, struct held **place)
{
	struct held *gone = *place;
	*place = gone->next;
	watch->count--;
	free(gone);
}

static void begin_held(struct history_watch *watch, struct held **place, const struct diag_socket *socket)
{
	/* Of TIME_WAIT and of what no process has, the socket has ended already. */
	if (watch->count == LIMIT_HISTORY_SOCKETS || socket->inode == 0)
		return;
	struct held *held = xzalloc(1, sizeof(*held));
	held->socket = *socket;
	held->from_us = watch->now_us;
	held->is_early = watch->list == 1;
	held->next = *place;
	*place = held;
	watch->count++;
}

/* --- what the kernel says --- */

int history_watch_fd(const struct history_watch *watch)
{
	return watch->ends != NULL ? diag_fd(watch->ends) : -1;
}

static void on_end(void *arg, const struct diag_socket *socket)
{
	struct history_watch *watch = arg;
	if (watch->ended_count < LIMIT_HISTORY_ENDED)
		watch->ended[watch->ended_count++] = (struct ended){watch->now_us, *socket};
}

/* What is missed here, the next list finds gone. */
void history_watch_read(struct history_watch *watch, uint64_t now_us)
{
	watch->now_us = now_us;
	(void)!diag_read_ended(watch->ends, on_end, watch);
}

void history_watch_note_loan(struct history_watch *watch, const struct ledger_entry *entry)
{
	watch->loan_us[entry->port] = entry->begin_us + entry->took_us;
}

static void on_listed(void *arg, const struct diag_socket *socket)
{
	struct history_watch *watch = arg;
	uint16_t port = addr_port(&socket->local);
	if (socket->state == DIAG_LISTENING)
		port_set_add(&watch->listening, port);
	struct held **place = place_of(watch, socket->cookie);
	if (*place == NULL)
		begin_held(watch, place, socket);
	struct held *held = *place;
	/* With another port the old one is not seen any more, and the next list begins anew with it. */
	if (held == NULL || addr_port(&held->socket.local) != port)
		return;
	held->list = watch->list;
	held->sightings = watch->is_own(watch->arg, port) ? 0 : held->sightings + 1;
}

static int list_all(struct history_watch *watch)
{
	struct diag *diag;
	int ret = diag_open(&diag);
	for (int i = 0; i < 4 && ret == 0; i++) {
		struct diag_ask ask = {i / 2 == 0 ? PORT_UDP : PORT_TCP, i % 2 == 0 ? AF_INET : AF_INET6,
			{1, PORTS_ALL - 1}, DIAG_ALL};
		ret = diag_dump(diag, &ask, on_listed, watch);
	}
	diag_close(diag);
	return ret;
}

/* --- rows --- */

/* Its port is the listener's, whose row says who has it. */
static bool is_accepted(const struct history_watch *watch, const struct diag_socket *socket)
{
	return socket->transport == PORT_TCP && socket->state != DIAG_LISTENING &&
	       port_set_has(&watch->listening, addr_port(&socket->local));
}

static int write_holding(
	struct history_rows *rows, const struct diag_socket *socket, struct history_holding *holding, int64_t *row)
{
	char local[ADDR_TEXT], peer[ADDR_TEXT] = "";
	holding->port = addr_port(&socket->local);
	holding->transport = socket->transport;
	holding->local = addr_text(&socket->local, local);
	holding->peer = addr_port(&socket->peer) != 0 ? addr_text(&socket->peer, peer) : "";
	return history_rows_add_holding(rows, holding, row);
}

static int write_held(struct history_rows *rows, struct held *held)
{
	struct history_holding holding = {
		.from_us = held->from_us,
		.from_is_early = held->is_early,
		.uid = held->socket.uid,
		.pid = held->pid,
		.who = held->who,
		.state = diag_state_text(held->socket.state),
	};
	return write_holding(rows, &held->socket, &holding, &held->row);
}

static int write_brief(struct history_rows *rows, const struct brief *brief)
{
	int64_t row;
	struct history_holding holding = {
		.from_us = brief->from_us,
		.until_us = brief->until_us,
		.from_is_early = brief->is_early,
		.uid = brief->has_user ? brief->socket.uid : HISTORY_NO_USER,
		.who = "",
		.state = diag_state_text(brief->socket.state),
	};
	return write_holding(rows, &brief->socket, &holding, &row);
}

/* --- ends --- */

/* The kernel calls a TCP socket closed when it ends; what it was is told by its peer. */
static enum diag_state state_before(const struct diag_socket *socket)
{
	bool has_peer = addr_port(&socket->peer) != 0;
	if (socket->transport == PORT_TCP)
		return has_peer ? DIAG_CONNECTED : DIAG_INACTIVE;
	return has_peer ? DIAG_CONNECTED : DIAG_UNCONNECTED;
}

/* Of a pool that holds ports ahead, while it swaps one: it never was lent (ports/moor.h, moor_darken). */
static bool is_dark(const struct diag_socket *socket)
{
	return socket->transport == PORT_UDP && addr_port(&socket->peer) == 1 && addr_is_loopback(&socket->peer);
}

static void remember_brief(struct history_watch *watch, const struct ended *end, const struct held *held)
{
	if (watch->brief_count == LIMIT_HISTORY_ENDED || is_dark(&end->socket))
		return;
	struct brief *brief = &watch->brief[watch->brief_count++];
	*brief = (struct brief){end->socket, end->at_us, end->at_us, true, false};
	brief->socket.state = state_before(&end->socket);
	if (held == NULL)
		return;
	brief->socket = held->socket;
	brief->from_us = held->from_us;
	brief->is_early = held->is_early;
	brief->has_user = true;
}

static int take_ends(struct history_watch *watch, struct history_rows *rows)
{
	int code = SQLITE_OK;
	for (size_t i = 0; i < watch->ended_count && code == SQLITE_OK; i++) {
		const struct ended *end = &watch->ended[i];
		struct held **place = place_of(watch, end->socket.cookie), *held = *place;
		if (held != NULL && held->row != 0)
			code = history_rows_end_holding(rows, held->row, end->at_us, HISTORY_EXACT);
		else if ((held == NULL || held->sightings > 0) &&
			 !is_accepted(watch, held != NULL ? &held->socket : &end->socket))
			remember_brief(watch, end, held);
		if (held != NULL)
			forget(watch, place);
	}
	watch->ended_count = 0;
	return code;
}

static bool was_loan(const struct history_watch *watch, const struct brief *brief)
{
	uint64_t loan_us = watch->loan_us[addr_port(&brief->socket.local)];
	return loan_us + LOANS_US > brief->until_us && loan_us < brief->until_us + LOANS_US;
}

/* Those whose loans would be known by now. */
static int take_briefs(struct history_watch *watch, struct history_rows *rows)
{
	size_t done = 0;
	int code = SQLITE_OK;
	for (; done < watch->brief_count && code == SQLITE_OK; done++) {
		const struct brief *brief = &watch->brief[done];
		/* A clock that was set back must not keep them for ever. */
		if (watch->now_us - brief->until_us < LOANS_US)
			break;
		if (!was_loan(watch, brief) && !watch->is_own(watch->arg, addr_port(&brief->socket.local)))
			code = write_brief(rows, brief);
	}
	watch->brief_count -= done;
	memmove(watch->brief, watch->brief + done, watch->brief_count * sizeof(watch->brief[0]));
	return code;
}

/* --- whose --- */

/* One that cannot be asked any more is not asked again: then what this process itself may see is all there is. */
static void ask_owners(struct history_watch *watch, struct owner_want *want, size_t count, struct scout_answer *answers)
{
	if (watch->scout != NULL && scout_ask(watch->scout, want, count, answers) == 0)
		return;
	if (atomic_load(&watch->is_over)) {
		memset(answers, 0, count * sizeof(*answers));
		return;
	}
	if (watch->scout != NULL)
		log_notice("history.watch: the process that finds the owners of sockets has ended; users are recorded "
			   "alone");
	scout_end(watch->scout);
	watch->scout = NULL;
	scout_look(want, count, answers);
}

static void search_some(struct history_watch *watch, struct held **fresh, size_t count)
{
	struct owner_want *want = xzalloc(count, sizeof(*want));
	struct scout_answer *answers = xzalloc(count, sizeof(*answers));
	for (size_t i = 0; i < count; i++)
		want[i] = (struct owner_want){.inode = fresh[i]->socket.inode,
			.cgroup = fresh[i]->socket.cgroup,
			.uid = fresh[i]->socket.uid};
	ask_owners(watch, want, count, answers);
	for (size_t i = 0; i < count; i++) {
		fresh[i]->pid = answers[i].pid;
		memcpy(fresh[i]->who, answers[i].who, sizeof(answers[i].who));
	}
	free(answers);
	free(want);
}

/* As many as the time allows; how many. The rest waits for its turn. */
static size_t search_owners(struct history_watch *watch, struct held **fresh, size_t count)
{
	uint64_t begin_us = clock_mono_us(), now_us = begin_us;
	size_t done = 0;
	if (begin_us < watch->search_mono_us)
		return 0;
	while (done < count && now_us - begin_us < SEARCH_US) {
		size_t some = count - done < SCOUT_MOST ? count - done : SCOUT_MOST;
		search_some(watch, fresh + done, some);
		done += some;
		now_us = clock_mono_us();
	}
	watch->search_mono_us = now_us + (now_us - begin_us) * LIMIT_HISTORY_SEARCH;
	return done;
}

/* --- the list --- */

/* Those that two lists have seen are written, with their owners; those that the last one has not seen are gone. */
static int sweep(struct history_watch *watch, struct history_rows *rows, struct held **fresh, size_t *count)
{
	int code = SQLITE_OK;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct held **place = &watch->bucket[i]; *place != NULL && code == SQLITE_OK;) {
			struct held *held = *place;
			if (held->list == watch->list) {
				if (held->row == 0 && held->sightings >= SIGHTINGS &&
					!is_accepted(watch, &held->socket))
					fresh[(*count)++] = held;
				place = &held->next;
				continue;
			}
			if (held->row != 0)
				code = history_rows_end_holding(rows, held->row, watch->now_us, HISTORY_BEFORE);
			forget(watch, place);
		}
	return code;
}

static int look(struct history_watch *watch, struct history_rows *rows)
{
	watch->list++;
	watch->looked_us = watch->now_us;
	memset(&watch->listening, 0, sizeof(watch->listening));
	if (list_all(watch) != 0) {
		if (!watch->is_blind)
			log_warning("history.watch: the kernel does not list its sockets (sock_diag); holders of ports "
				    "are not recorded");
		watch->is_blind = true;
		return SQLITE_OK;
	}
	struct held **fresh = xalloc((watch->count + 1) * sizeof(struct held *));
	size_t count = 0;
	int code = sweep(watch, rows, fresh, &count);
	if (count > 0 && code == SQLITE_OK)
		count = search_owners(watch, fresh, count);
	for (size_t i = 0; i < count && code == SQLITE_OK; i++)
		code = write_held(rows, fresh[i]);
	free(fresh);
	return code == SQLITE_OK ? history_rows_looked(rows, watch->now_us) : code;
}

/* --- turns --- */

static bool is_due(const struct history_watch *watch)
{
	return clock_mono_us() >= watch->look_mono_us;
}

static int write_turn(struct history_watch *watch, struct history_rows *rows)
{
	int code = history_rows_begin(rows);
	if (code == SQLITE_OK)
		code = take_ends(watch, rows);
	if (code == SQLITE_OK)
		code = take_briefs(watch, rows);
	if (code == SQLITE_OK && is_due(watch)) {
		watch->look_mono_us = clock_mono_us() + PERIOD_US;
		code = look(watch, rows);
	}
	return code == SQLITE_OK ? history_rows_commit(rows, watch->now_us) : code;
}

int history_watch_turn(struct history_watch *watch, struct history_rows *rows, uint64_t now_us)
{
	watch->now_us = now_us;
	if (rows->is_jammed || (watch->ended_count == 0 && watch->brief_count == 0 && !is_due(watch)))
		return SQLITE_OK;
	return write_turn(watch, rows);
}

int history_watch_end(struct history_watch *watch, struct history_rows *rows, uint64_t now_us)
{
	watch->now_us = now_us;
	int code = history_rows_begin(rows);
	if (code == SQLITE_OK)
		code = take_ends(watch, rows);
	for (size_t i = 0; i < BUCKETS && code == SQLITE_OK; i++)
		for (struct held *held = watch->bucket[i]; held != NULL && code == SQLITE_OK; held = held->next)
			if (held->row != 0)
				code = history_rows_end_holding(rows, held->row, now_us, HISTORY_CUT);
	return code == SQLITE_OK ? history_rows_commit(rows, now_us) : code;
}
