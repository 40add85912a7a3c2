/* Decides how something is asked of every worker: a letter that goes from one to the next and home again. */
#include "daemon/server.h"

static void pass_on(struct tour *tour);

static void on_visit(struct mail *mail)
{
	struct tour *tour = container_of(mail, struct tour, mail);
	tour->visit(tour, &tour->server->worker[tour->at]);
	tour->at++;
	pass_on(tour);
}

static void on_home(struct mail *mail)
{
	struct tour *tour = container_of(mail, struct tour, mail);
	tour->done(tour);
}

static void pass_on(struct tour *tour)
{
	struct server *server = tour->server;
	if (tour->at < server->workers) {
		tour->mail.on_mail = on_visit;
		loop_post(&server->worker[tour->at].loop, &tour->mail);
	} else {
		tour->mail.on_mail = on_home;
		loop_post(&server->loop, &tour->mail);
	}
}

void tour_begin(struct tour *tour, struct server *server)
{
	tour->server = server;
	tour->at = 0;
	pass_on(tour);
}
