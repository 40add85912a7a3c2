/* What the files of the web page share; nobody else includes this.
 *
 *	web.c          listening, connections, limits: libmicrohttpd inside the main thread's loop
 *	web_parse.c    the words of a request
 *	web_gate.c     who a viewer is, and what is refused at the door
 *	web_local.c    which users of this machine need no password
 *	web_login.c    passwords and sessions
 *	web_files.c    html, css, js
 *	web_api.c      which path is what; the short answers
 *	web_port.c     all about one port
 *	web_map.c      all ports at once
 *	web_events.c   the stream of what changes
 *	web_stats.c    the numbers, and /metrics
 *	web_tour.c     what the workers are asked
 *	web_history.c  what a port did, from the file that outlives restarts
 *	web_votes.c    "Was this page useful?"
 *
 * A visit is one HTTP request. Its route answers with web_reply, at once or after web_wait. Thread: main. */
#pragma once

#include <jansson.h>
#include <microhttpd.h>
#include <stdatomic.h>

#include "base/addr.h"
#include "base/limits.h"
#include "daemon/server.h"
#include "daemon/web.h"
#include "daemon/web_looker.h"

enum {
	WEB_TOKEN = 33, /* 128 bits in hex */
	WEB_PATH = 64,
};

enum web_viewer {
	VIEWER_STRANGER, /* sees what is true of every machine */
	VIEWER_LOCAL,    /* from loopback, not through a proxy, and of a user who may */
	VIEWER_SESSION,  /* has logged in */
};

enum web_method { METHOD_GET, METHOD_POST };

enum web_owner { OWNER_UNASKED, OWNER_LOCAL, OWNER_OTHER };

/* A connection. */
struct web_client {
	struct link link;
	int fd;
	uint64_t since_us;    /* monotonic: it came, or its last request was answered */
	bool is_busy;         /* a whole request is here and being answered */
	bool is_viewer;       /* of events: it stays */
	enum web_owner owner; /* of the other end, once it was asked for */
};

struct visit {
	struct web *web;
	struct MHD_Connection *conn;
	struct web_client *client;
	enum web_method method;
	enum web_viewer viewer;
	bool is_other_user; /* a stranger for no other reason than that */
	bool is_http_1_0;
	const char *language; /* constant */
	char path[WEB_PATH];
	char visitor[WEB_TOKEN]; /* who votes; "" for nobody yet */
	char body[LIMIT_WEB_BODY + 1];
	size_t body_len;
	bool is_too_long, is_waiting, is_routed;
	unsigned status;
	struct MHD_Response *response; /* NULL: not yet */
	bool is_stream;                /* the response belongs to a viewer */
};

struct web_listener {
	struct web *web;
	struct watch watch; /* of libmicrohttpd's own epoll */
	struct timer timer; /* when it wants to be called again */
	struct MHD_Daemon *daemon;
	bool has_lost_one; /* a connection ended in this turn: libmicrohttpd may listen again, but only when called */
	int fd;
	struct addr addr;
};

struct diag_socket;
struct web_events;
struct web_locals;
struct web_login;
struct web_map;
struct web_tours;
struct web_votes;

struct web {
	struct server *server;
	struct looker *looker;
	struct web_listener *listener;
	size_t listeners;
	struct link clients;
	struct timer sweep;
	bool is_ending;
	atomic_bool is_over; /* the same for the looker's thread: what takes long is given up */
	struct web_events *events;
	struct web_locals *locals;
	struct web_login *login;
	struct web_map *map;
	struct web_tours *tours;
	struct web_votes *votes; /* NULL: none are taken */
};

/* --- web.c --- */

/* The answer; takes the response over and adds the headers that every answer has. */
void web_reply(struct visit *visit, unsigned status, struct MHD_Response *response);
/* The same of a JSON value, which is taken over. */
void web_reply_json(struct visit *visit, unsigned status, json_t *value);
/* {"error": "..."} */
void web_reply_error(struct visit *visit, unsigned status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Text that is copied. */
void web_reply_text(struct visit *visit, unsigned status, const char *type, const char *text, size_t len);
/* Goes on with a connection that waits. */
void web_resume(struct web *web, struct MHD_Connection *conn);
/* The answer comes later. */
void web_wait(struct visit *visit);
const char *web_header(const struct visit *visit, const char *name);
/* From the query string; NULL when it is not there. */
const char *web_argument(const struct visit *visit, const char *name);

/* --- web_gate.c --- */

/* Fills in who it is. False: it was refused, and answered. */
bool web_gate(struct visit *visit, const char *method, const char *path);
/* False: answered with what has to be done. */
bool web_must_see_machine(struct visit *visit);
/* Whose tries are counted: the peer, or whom a proxy on this machine names. True: it came from this machine. */
bool web_who(const struct visit *visit, struct addr *out);
void web_token(char out[static WEB_TOKEN]);

/* --- web_local.c --- */

/* While users can be looked up. 0, or an error with one line in `why`; *out is to be freed in any case. */
int locals_new(struct web_locals **out, const struct config *config, char *why, size_t size);
void locals_free(struct web_locals *locals);
/* Whether the process at the other end of a connection within this machine is of a user who may see it; false where
 * that cannot be found out. */
bool locals_have_peer(const struct web_locals *locals, int fd);

/* --- web_login.c --- */

/* 0, or an error with one line in `why`. */
int login_new(struct web_login **out, const char *password_file, char *why, size_t size);
void login_free(struct web_login *login);
bool login_is_possible(const struct web_login *login);
bool login_has_session(const struct web_login *login, const char *token);
void login_run(struct visit *visit, const json_t *request);
void login_end(struct visit *visit);

/* --- web_files.c --- */

/* True when the path is a page or one of its files, which is answered then. */
bool files_run(struct visit *visit);

/* --- web_api.c --- */

void api_run(struct visit *visit);

/* --- web_port.c --- */

void port_run(struct visit *visit, uint16_t port);
/* A socket that may be one of our loans now: neither page nor map may tell it from none. Any thread. */
bool web_hides(const struct server *server, const struct diag_socket *socket);

/* --- web_map.c --- */

struct web_map *map_new(struct web *web);
void map_free(struct web_map *map);
/* Looks at the machine again when it is due; tells the viewers what changed. */
void map_tick(struct web_map *map, uint64_t now_us);
void map_run(struct visit *visit);

/* --- web_events.c --- */

struct web_events *events_new(struct web *web);
/* Ends all streams. */
void events_end(struct web_events *events);
void events_free(struct web_events *events);
void events_run(struct visit *visit);
/* Sends an event of that name to all viewers; takes the value over. */
void events_tell(struct web_events *events, const char *name, json_t *value);
unsigned events_viewers(const struct web_events *events);

/* --- web_tour.c --- */

enum { TOUR_LOANS = 20 };

struct web_tour {
	struct tour tour;
	struct web *web;
	void (*finish)(struct web_tour *tour); /* in the main thread; then it is freed */
	struct visit *visit;                   /* who waits; may be NULL */
	void *arg;
	struct pool_state pool;
	size_t running, lingering, waiting;
	uint16_t port; /* its loans are wanted; 0: none */
	struct ledger_entry loan[2 * TOUR_LOANS];
	size_t loans;
	struct link link; /* waiting for its turn */
};

struct web_tours *tours_new(struct web *web);
/* Those that wait are finished as they are. */
void tours_end(struct web_tours *tours);
void tours_free(struct web_tours *tours);
/* One after the other. 0, or E_BUSY: too many wait. Takes the tour over. */
int tours_begin(struct web_tours *tours, struct web_tour *tour);
struct web_tour *tour_new(struct web *web, void (*finish)(struct web_tour *tour));

/* --- web_stats.c --- */

void stats_run(struct visit *visit);
void metrics_run(struct visit *visit);
json_t *stats_json(const struct web_tour *tour);
/* The text of /metrics; *text is to be freed. Pure but for what it reads. */
size_t metrics_text(const struct web_tour *tour, char **text);

/* --- web_history.c --- */

void history_run(struct visit *visit, uint16_t port);

/* --- web_votes.c --- */

/* NULL: there is no place for votes, which was said. */
struct web_votes *votes_new(struct web *web, const char *path);
void votes_free(struct web_votes *votes);
/* How a port's page was liked; and a vote. */
void votes_tell(struct visit *visit, uint16_t port);
void votes_cast(struct visit *visit, const json_t *request);
