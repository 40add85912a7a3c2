/* Decides how loans are laid out. */
#include "tools/loans.h"

#include <stdio.h>
#include <string.h>

#include "tools/client.h"
#include "tools/print.h"

static const char *transport_note(const json_t *loan)
{
	return strcmp(text_of(loan, "transport"), "tcp") == 0 ? ", tcp" : "";
}

static const char *time_taken(const json_t *loan, char out[static PRINT_NUMBER])
{
	out[0] = '\0';
	return json_object_get(loan, "took_us") != NULL ? duration(count_of(loan, "took_us"), out) : out;
}

/* Where a table does not fit. */
static void print_loan_as_text(const json_t *loan, bool with_port)
{
	char when[PRINT_TIME], took[PRINT_NUMBER];
	static char text[CLIENT_ERROR];
	snprintf(text, sizeof(text), "%s%s%s%s: %.300s, asked of %.100s", text_of(loan, "outcome"),
		transport_note(loan), json_object_get(loan, "took_us") != NULL ? " after " : "", time_taken(loan, took),
		text_of(loan, "question"), text_of(loan, "server"));
	printf("  ");
	if (with_port)
		printf("%s%-5lld%s  ", style(STYLE_PORT), (long long)count_of(loan, "port"), style(STYLE_PLAIN));
	printf("%s  ", moment(json_number_value(json_object_get(loan, "at")), when));
	print_wrapped(text, 2 + (with_port ? 7 : 0) + width_of(when) + 2);
}

struct loan_widths {
	int question, server, outcome, port; /* port: with the gap behind it; 0: without */
};

static int larger(int a, int b)
{
	return a > b ? a : b;
}

static void print_loan(const json_t *loan, const struct loan_widths *w)
{
	char when[PRINT_TIME], took[PRINT_NUMBER];
	printf("  ");
	if (w->port > 0)
		printf("%s%-*lld%s", style(STYLE_PORT), w->port, (long long)count_of(loan, "port"), style(STYLE_PLAIN));
	printf("%s  ", moment(json_number_value(json_object_get(loan, "at")), when));
	print_padded(text_of(loan, "question"), w->question);
	printf("  ");
	print_padded(text_of(loan, "server"), w->server);
	printf("  %9s  %s%s\n", time_taken(loan, took), text_of(loan, "outcome"), transport_note(loan));
}

void loans_print(const json_t *loans, bool with_port)
{
	enum { WHEN = 23, TOOK = 9, GAPS = 10 };
	struct loan_widths w = {8, 6, 7, with_port ? 7 : 0};
	size_t i;
	json_t *loan;
	json_array_foreach(loans, i, loan)
	{
		w.question = larger(w.question, width_of(text_of(loan, "question")));
		w.server = larger(w.server, width_of(text_of(loan, "server")));
		w.outcome = larger(w.outcome, width_of(text_of(loan, "outcome")) + width_of(transport_note(loan)));
	}
	int columns = print_columns(), width = WHEN + w.question + w.server + TOOK + w.outcome + w.port + GAPS;
	bool fits = columns == 0 || width <= columns;
	w.question = w.question > 60 ? 60 : w.question;
	putchar('\n');
	if (fits)
		printf("  %s%-*s%-*s  %-*s  %-*s  %*s  %s%s\n", style(STYLE_DIM), w.port, with_port ? "port" : "", WHEN,
			"lent at", w.question, "question", w.server, "server", TOOK, "took", "outcome",
			style(STYLE_PLAIN));
	json_array_foreach(loans, i, loan)
	{
		if (fits)
			print_loan(loan, &w);
		else
			print_loan_as_text(loan, with_port);
	}
}
