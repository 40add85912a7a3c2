/* Decides how much of a port's history is told at once. The file is read by the looker's thread. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "daemon/web_parts.h"
#include "ports/history.h"

enum { ROWS_USUAL = 50, ROWS_MOST = 500, PATIENCE_US = 1000000 };

struct past {
	struct look look;
	struct visit *visit;
	const char *file;
	struct history_ask ask;
	json_t *loans, *holdings;
	bool loans_wanted, holdings_wanted; /* what is kept no more is told no more */
	int error;
	char why[300];
};

/* What a program chose, or a server wrote into a name, need not be UTF-8. */
static json_t *text_json(const char *text)
{
	json_t *value = json_string(text);
	return value != NULL ? value : json_string("?");
}

static bool on_loan(void *arg, const struct history_loan *loan)
{
	struct past *past = arg;
	json_array_append_new(
		past->loans, json_pack("{s:f, s:I, s:s, s:s, s:o, s:o}", "at", (double)loan->begin_us / 1e6, "took_us",
				     (json_int_t)loan->took_us, "transport", transport_text(loan->transport), "outcome",
				     loan_outcome_text(loan->outcome), "server", text_json(loan->server), "question",
				     text_json(loan->question)));
	return true;
}

static bool on_holding(void *arg, const struct history_holding *h)
{
	struct past *past = arg;
	json_array_append_new(past->holdings,
		json_pack("{s:f, s:o, s:s, s:I, s:o, s:o, s:o, s:o}", "from", (double)h->from_us / 1e6, "until",
			h->until_us != 0 ? json_real((double)h->until_us / 1e6) : json_null(), "transport",
			port_transport_text(h->transport), "uid", (json_int_t)h->uid, "who", text_json(h->who), "local",
			text_json(h->local), "peer", text_json(h->peer), "state", text_json(h->state)));
	return true;
}

static void run(struct look *look)
{
	struct past *past = container_of(look, struct past, look);
	struct history_reader *reader;
	past->error = history_reader_open(&reader, past->file, past->why, sizeof(past->why));
	if (past->error == E_NOENT)
		past->error = 0; /* nothing was ever written */
	else if (past->error == 0 && past->loans_wanted)
		past->error = history_read_loans(reader, &past->ask, on_loan, past);
	if (reader != NULL && past->error == 0 && past->holdings_wanted)
		past->error = history_read_holdings(reader, &past->ask, on_holding, past);
	history_reader_close(reader);
}

static void done(struct look *look)
{
	struct past *past = container_of(look, struct past, look);
	if (look->is_late || past->error != 0) {
		web_reply_error(past->visit, MHD_HTTP_SERVICE_UNAVAILABLE, "the history cannot be read now: %s",
			look->is_late          ? "berthd ends"
			: past->why[0] != '\0' ? past->why
					       : error_text(past->error));
		json_decref(past->loans);
		json_decref(past->holdings);
	} else {
		web_reply_json(past->visit, MHD_HTTP_OK,
			json_pack("{s:i, s:o, s:o}", "port", (int)past->ask.ports.first, "loans", past->loans,
				"holdings", past->holdings));
	}
	free(past);
}

/* A whole number of at most `most`, or what is usual. */
static uint64_t argument(const struct visit *visit, const char *name, uint64_t usual, uint64_t most)
{
	const char *text = web_argument(visit, name);
	if (text == NULL || *text == '\0' || strlen(text) > 11 || text[strspn(text, "0123456789")] != '\0')
		return usual;
	uint64_t value = strtoull(text, NULL, 10);
	return value < most ? value : most;
}

void history_run(struct visit *visit, uint16_t port)
{
	const struct config *config = visit->web->server->first;
	if (config->history.file == NULL || !(config->history.loans || config->history.watch)) {
		web_reply_error(visit, MHD_HTTP_NOT_FOUND, "no history is kept here (history.file)");
		return;
	}
	struct past *past = xzalloc(1, sizeof(*past));
	uint64_t now_s = clock_wall_s();
	past->look = (struct look){.run = run, .done = done};
	past->visit = visit;
	past->file = config->history.file;
	past->ask = (struct history_ask){
		.ports = {port, port},
		.since_us = argument(visit, "since", 0, now_s) * 1000000,
		.until_us = argument(visit, "until", 0, now_s) * 1000000,
		.limit = argument(visit, "limit", ROWS_USUAL, ROWS_MOST),
		/* The looker has other things to do, and the end waits for it. */
		.patience_us = PATIENCE_US,
		.over = &visit->web->is_over,
	};
	past->loans_wanted = config->history.loans;
	past->holdings_wanted = config->history.watch;
	past->loans = json_array();
	past->holdings = json_array();
	if (looker_begin(visit->web->looker, &past->look) == 0) {
		web_wait(visit);
		return;
	}
	past->look.is_late = true;
	done(&past->look);
}
