/* Decides how much may wait for the looker, and in which order it is done. */
#include "daemon/web_looker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"

struct looker {
	struct loop *home;
	pthread_t thread;
	bool is_running;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	struct look *first, **last;
	unsigned count;
	bool is_ending;
};

static void on_home(struct mail *mail)
{
	struct look *look = container_of(mail, struct look, mail);
	look->done(look);
}

static void send_home(struct looker *looker, struct look *look)
{
	look->mail.on_mail = on_home;
	loop_post(looker->home, &look->mail);
}

/* The next job; NULL: it is over. */
static struct look *take(struct looker *looker)
{
	pthread_mutex_lock(&looker->lock);
	while (looker->first == NULL && !looker->is_ending)
		pthread_cond_wait(&looker->wake, &looker->lock);
	struct look *look = looker->is_ending ? NULL : looker->first;
	if (look != NULL) {
		looker->first = look->next;
		looker->count--;
		if (looker->first == NULL)
			looker->last = &looker->first;
	}
	pthread_mutex_unlock(&looker->lock);
	return look;
}

static void *run(void *arg)
{
	struct looker *looker = arg;
	for (struct look *look; (look = take(looker)) != NULL;) {
		look->run(look);
		send_home(looker, look);
	}
	return NULL;
}

struct looker *looker_new(struct loop *home)
{
	struct looker *looker = xzalloc(1, sizeof(*looker));
	looker->home = home;
	looker->last = &looker->first;
	pthread_mutex_init(&looker->lock, NULL);
	pthread_cond_init(&looker->wake, NULL);
	return looker;
}

int looker_start(struct looker *looker)
{
	sigset_t all, old;
	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	looker->is_running = pthread_create(&looker->thread, NULL, run, looker) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return looker->is_running ? 0 : E_SYSTEM;
}

void looker_stop(struct looker *looker)
{
	pthread_mutex_lock(&looker->lock);
	looker->is_ending = true;
	pthread_cond_signal(&looker->wake);
	pthread_mutex_unlock(&looker->lock);
	if (looker->is_running)
		pthread_join(looker->thread, NULL);
	looker->is_running = false;
	for (struct look *look = looker->first, *next; look != NULL; look = next) {
		next = look->next;
		look->is_late = true;
		send_home(looker, look);
	}
	looker->first = NULL;
}

void looker_free(struct looker *looker)
{
	pthread_cond_destroy(&looker->wake);
	pthread_mutex_destroy(&looker->lock);
	free(looker);
}

int looker_begin(struct looker *looker, struct look *look)
{
	look->next = NULL;
	look->is_late = false;
	pthread_mutex_lock(&looker->lock);
	bool is_full = looker->count >= LIMIT_WEB_LOOKS || looker->is_ending || !looker->is_running;
	if (!is_full) {
		*looker->last = look;
		looker->last = &look->next;
		looker->count++;
		pthread_cond_signal(&looker->wake);
	}
	pthread_mutex_unlock(&looker->lock);
	return is_full ? E_BUSY : 0;
}
