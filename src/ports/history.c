/* Decides what becomes of loans on their way to the disk: a queue that any thread may add to, a thread that empties it
 * once a second, and what happens when the disk or the file fails. The rows themselves are ports/history_rows.c's. */
#include "ports/history.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "ports/history_rows.h"
#include "ports/history_watch.h"

enum { PERIOD_US = 1000000, QUEUE_FIRST = 256, REASON = 600, BATCH_LEAST = 2 * PACK_LOAN, BATCH_SHARE = 32, NICE = 10 };

/* Loans that wait for the disk. */
struct queue {
	struct ledger_entry *entries;
	size_t count, room;
	uint64_t lost;
};

struct history {
	char *path;
	const char *(*tag_text)(const struct loan_tag *tag, char *out, size_t size);
	pthread_t thread;
	int wake_fd; /* written to by history_free, and when the queue is long */
	pthread_mutex_t lock;
	/* under the lock */
	struct queue queue;
	struct history_state state;
	bool is_ending;
	/* the thread's own */
	struct history_rows *rows; /* NULL: it has stopped */
	struct history_watch *watch;
	struct pack *pack;
	struct queue taken;
	size_t taken_at; /* those before are packed */
};

/* --- the queue: any thread --- */

static bool make_room(struct queue *queue, size_t count)
{
	size_t room = queue->room == 0 ? QUEUE_FIRST : queue->room;
	while (room < queue->count + count && room < LIMIT_HISTORY_QUEUE)
		room *= 2;
	if (room > queue->room) {
		queue->entries = xrealloc(queue->entries, room * sizeof(queue->entries[0]));
		queue->room = room;
	}
	return queue->count + count <= room;
}

static void wake(struct history *history)
{
	const uint64_t one = 1;
	(void)!write(history->wake_fd, &one, sizeof(one));
}

void history_add_loans(struct history *history, const struct ledger_entry *entries, size_t count, uint64_t lost)
{
	struct queue *queue = &history->queue;
	pthread_mutex_lock(&history->lock);
	bool was_short = queue->count < LIMIT_HISTORY_QUEUE / 2;
	queue->lost += lost;
	if (history->state.is_broken)
		queue->lost = 0;
	else if (!make_room(queue, count))
		queue->lost += count;
	else if (count > 0) {
		memcpy(queue->entries + queue->count, entries, count * sizeof(*entries));
		queue->count += count;
	}
	bool is_long = was_short && queue->count >= LIMIT_HISTORY_QUEUE / 2;
	pthread_mutex_unlock(&history->lock);
	if (is_long)
		wake(history);
}

void history_state(const struct history *history, struct history_state *out)
{
	pthread_mutex_t *lock = &((struct history *)(uintptr_t)history)->lock;
	pthread_mutex_lock(lock);
	*out = history->state;
	out->lost += history->queue.lost;
	pthread_mutex_unlock(lock);
}

/* --- the disk: the history's thread --- */

/* Once, whatever went wrong; then there is no history until the next start. */
static void stop_for_good(struct history *history, int code)
{
	char why[REASON];
	history_rows_undo(history->rows);
	(void)history_file_complain(history->rows->file.db, code, history->path, why, sizeof(why));
	log_warning("history: %s; nothing more is recorded until then, all else goes on", why);
	history_rows_close(history->rows);
	history->rows = NULL;
	pthread_mutex_lock(&history->lock);
	history->state.is_broken = true;
	history->queue.count = 0;
	pthread_mutex_unlock(&history->lock);
}

static bool is_passing(int code)
{
	return (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED;
}

/* False: the transaction came to nothing. Somebody else's lock passes, all else is for good. */
static bool went_well(struct history *history, int code)
{
	if (code == SQLITE_OK)
		return true;
	if (is_passing(code))
		history_rows_undo(history->rows);
	else
		stop_for_good(history, code);
	return false;
}

static void pack_some(struct history *history)
{
	char question[HISTORY_QUESTION];
	struct queue *taken = &history->taken;
	pack_clear(history->pack);
	for (; history->taken_at < taken->count; history->taken_at++) {
		const struct ledger_entry *entry = &taken->entries[history->taken_at];
		if (!pack_add(history->pack, entry, history->tag_text(&entry->tag, question, sizeof(question))))
			break;
		if (history->watch != NULL)
			history_watch_note_loan(history->watch, entry);
	}
}

/* One batch, one transaction; what cannot be written now is counted as lost with the next one. */
static void write_batch(struct history *history)
{
	struct history_rows *rows = history->rows;
	uint64_t lost = history->taken.lost, packed = history->pack->count;
	int code = SQLITE_OK;
	history->taken.lost = 0;
	if (rows->is_jammed)
		code = history_rows_unjam(rows);
	if (code == SQLITE_OK && !rows->is_jammed) {
		code = history_rows_begin(rows);
		if (code == SQLITE_OK)
			code = history_rows_add_batch(rows, history->pack, lost);
		if (code == SQLITE_OK)
			code = history_rows_commit(rows, clock_wall_us());
	} else if (code == SQLITE_OK) {
		code = SQLITE_BUSY;
	}
	if (!went_well(history, code))
		history->taken.lost = lost + packed;
}

static void take_queue(struct history *history)
{
	uint64_t lost = history->taken.lost;
	pthread_mutex_lock(&history->lock);
	struct queue empty = history->taken;
	history->taken = history->queue;
	history->queue = empty;
	history->queue.count = 0;
	history->queue.lost = 0;
	pthread_mutex_unlock(&history->lock);
	history->taken.lost += lost;
	history->taken_at = 0;
}

static void tell_state(struct history *history)
{
	struct history_state state;
	if (history->rows == NULL)
		return;
	history_rows_state(history->rows, &state);
	state.lost += history->taken.lost;
	pthread_mutex_lock(&history->lock);
	history->state = state;
	pthread_mutex_unlock(&history->lock);
}

static void write_all(struct history *history)
{
	take_queue(history);
	while (history->rows != NULL && (history->taken_at < history->taken.count)) {
		pack_some(history);
		write_batch(history);
	}
	if (history->rows != NULL && history->watch != NULL)
		(void)went_well(history, history_watch_turn(history->watch, history->rows, clock_wall_us()));
	tell_state(history);
}

/* --- the thread --- */

static bool is_ending(struct history *history)
{
	pthread_mutex_lock(&history->lock);
	bool ending = history->is_ending;
	pthread_mutex_unlock(&history->lock);
	return ending;
}

static void sleep_until(struct history *history, uint64_t until_us)
{
	uint64_t count, now_us;
	struct pollfd fds[] = {{.fd = history->wake_fd, .events = POLLIN},
		{.fd = history->watch != NULL ? history_watch_fd(history->watch) : -1, .events = POLLIN}};
	while ((now_us = clock_mono_us()) < until_us) {
		int ready = poll(fds, 2, (int)((until_us - now_us) / 1000) + 1);
		if (ready > 0 && fds[1].revents != 0)
			history_watch_read(history->watch, clock_wall_us());
		if (ready > 0 && fds[0].revents != 0) {
			(void)!read(history->wake_fd, &count, sizeof(count));
			return;
		}
		if (ready < 0 && errno != EINTR)
			return;
	}
}

/* Nobody waits for this thread: where it shares a core with a worker, the worker goes first. */
static void step_back(void)
{
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
}

static void *run(void *arg)
{
	struct history *history = arg;
	step_back();
	while (history->rows != NULL && !is_ending(history)) {
		sleep_until(history, clock_mono_us() + PERIOD_US);
		write_all(history);
	}
	if (history->rows != NULL)
		write_all(history); /* what came since */
	if (history->rows != NULL && history->watch != NULL)
		(void)went_well(history, history_watch_end(history->watch, history->rows, clock_wall_us()));
	return NULL;
}

/* --- begin, end --- */

static size_t batch_bytes(uint64_t file_bytes)
{
	uint64_t share = file_bytes / BATCH_SHARE;
	return share > HISTORY_BATCH ? HISTORY_BATCH : share < BATCH_LEAST ? BATCH_LEAST : (size_t)share;
}

static int start_thread(struct history *history)
{
	sigset_t all, old;
	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int ret = pthread_create(&history->thread, NULL, run, history);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret == 0 ? 0 : E_SYSTEM;
}

static void free_all(struct history *history)
{
	history_watch_free(history->watch);
	history_rows_close(history->rows);
	pack_free(history->pack);
	pthread_mutex_destroy(&history->lock);
	close(history->wake_fd);
	free(history->queue.entries);
	free(history->taken.entries);
	free(history->path);
	free(history);
}

int history_new(struct history **out, const struct history_conf *conf, char *why, size_t size)
{
	struct history_rows *rows;
	*out = NULL;
	int ret = history_rows_open(&rows, conf, why, size);
	if (ret != 0)
		return ret;
	struct history *history = xzalloc(1, sizeof(*history));
	history->rows = rows;
	history->path = strcpy(xalloc(strlen(conf->path) + 1), conf->path);
	history->tag_text = conf->tag_text;
	history->pack = pack_new(batch_bytes(conf->bytes));
	history->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&history->lock, NULL);
	if (conf->watch)
		history->watch = history_watch_new(conf->is_own, conf->arg, conf->scout);
	tell_state(history);
	if (history->wake_fd < 0 || start_thread(history) != 0) {
		snprintf(why, size, "no thread or descriptor is left for the history");
		free_all(history);
		return E_SYSTEM;
	}
	*out = history;
	return 0;
}

void history_free(struct history *history)
{
	if (history == NULL)
		return;
	pthread_mutex_lock(&history->lock);
	history->is_ending = true;
	pthread_mutex_unlock(&history->lock);
	history_watch_hurry(history->watch);
	wake(history);
	pthread_join(history->thread, NULL);
	free_all(history);
}
