/* berth service: which port a service has, and which service a port. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/words.h"
#include "ports/json.h"
#include "tools/known.h"
#include "tools/print.h"
#include "tools/tool.h"

enum { ROWS_MAX = 256 }; /* of one name or port; x11 has the most, 64 */

/* What one word of the command was found to be. */
struct finding {
	const char *asked;
	size_t count;
	struct service row[ROWS_MAX];
	bool is_local; /* only this machine's /etc/services knows it */
	const char *near;
};

/* --- looking it up --- */

static void find_port(struct finding *f, uint16_t port)
{
	const struct service *s;
	while (f->count < ROWS_MAX && (s = registry_of_port(port, f->count)) != NULL)
		f->row[f->count++] = *s;
}

static void find_name(struct finding *f)
{
	const struct service *s;
	while (f->count < ROWS_MAX && (s = registry_of_name(f->asked, f->count)) != NULL)
		f->row[f->count++] = *s;
}

/* Names that an administrator gave; at most one row a transport. */
static void find_local(struct finding *f)
{
	static const char *const words[] = {"udp", "tcp"};
	for (unsigned t = 0; t < 2; t++) {
		const struct servent *found = getservbyname(f->asked, words[t]);
		if (found == NULL || strlen(found->s_name) >= SERVICE_NAME)
			continue;
		struct service *row = &f->row[f->count++];
		*row = (struct service){.port = ntohs((uint16_t)found->s_port), .transports = (uint8_t)(1u << t)};
		strcpy(row->name, found->s_name);
		f->is_local = true;
	}
}

static void look_up(struct finding *f, const char *asked)
{
	struct port_range range;
	*f = (struct finding){.asked = asked};
	if (port_range_parse(&range, asked) == 0 && range.first == range.last) {
		find_port(f, range.first);
		return;
	}
	find_name(f);
	if (f->count == 0)
		find_local(f);
	if (f->count == 0)
		f->near = registry_nearest(asked);
}

/* --- telling it --- */

/* Neighbours that differ in the port alone are one line. */
static bool joins(const struct service *a, const struct service *b)
{
	return b->port == a->port + 1 && strcmp(a->name, b->name) == 0 && a->transports == b->transports &&
	       a->rfc == b->rfc && a->is_alias == b->is_alias;
}

/* The rows of a finding are copies. */
static const char *description_of(const struct service *copy)
{
	const struct service *row;
	for (size_t i = 0; (row = registry_of_name(copy->name, i)) != NULL; i++)
		if (row->port == copy->port && row->rfc == copy->rfc)
			return registry_description(row);
	return "";
}

static void print_line(const struct finding *f, const struct service *first, const struct service *last)
{
	char port[PRINT_NUMBER] = "-", note[64] = "", transports[SERVICE_WORDS];
	if (first->port != 0)
		known_range_words((struct port_range){first->port, last->port}, port);
	if (first->rfc != 0)
		snprintf(note, sizeof(note), "RFC %u%s", first->rfc, first->is_alias ? ", a second name" : "");
	else if (first->is_alias || f->is_local)
		snprintf(note, sizeof(note), "%s", f->is_local ? "by /etc/services alone" : "a second name");
	const char *description = description_of(first);
	service_transport_words(first->transports, transports);
	printf("%s%-15s%s  %s%-11s%s  %-*s", style(STYLE_BOLD), safe(first->name), style(STYLE_PLAIN),
		style(STYLE_PORT), port, style(STYLE_PLAIN), *note != '\0' || *description != '\0' ? 16 : 0,
		transports[0] != '\0' ? transports : "-");
	printf("%s%s%s", *note != '\0' ? "  " : "", note, *description != '\0' ? "  " : "\n");
	if (*description != '\0')
		print_rest(description, 50 + (*note != '\0' ? 2 + width_of(note) : 0), 50);
}

/* A row without a port adds nothing to those that have one: it is there for DNS. */
static void print_finding(const struct finding *f, bool is_first)
{
	if (is_first)
		printf("%s%-15s  %-11s  %-16s  %s%s\n", style(STYLE_DIM), "service", "port", "on", "note",
			style(STYLE_PLAIN));
	bool has_port = f->count > 0 && f->row[f->count - 1].port != 0;
	for (size_t i = 0, last; i < f->count; i = last + 1) {
		for (last = i; last + 1 < f->count && joins(&f->row[last], &f->row[last + 1]);)
			last++;
		if (!has_port || f->row[i].port != 0)
			print_line(f, &f->row[i], &f->row[last]);
	}
}

static json_t *service_json(const struct service *copy)
{
	json_t *object = known_service_json(copy);
	const char *description = description_of(copy);
	if (*description != '\0')
		json_object_set_new(object, "description", json_string(description));
	return object;
}

static json_t *finding_json(const struct finding *f)
{
	const struct known_use *use;
	json_t *found = json_array(), *known = json_array();
	for (size_t i = 0; (use = clash_of_name(f->asked, i)) != NULL; i++)
		json_array_append_new(known, known_use_json(use));
	for (size_t i = 0; i < f->count; i++)
		json_array_append_new(found, service_json(&f->row[i]));
	return json_pack("{s:s, s:o, s:s, s:o, s:o}", "asked", safe(f->asked), "found", found, "by",
		f->is_local ? "services file" : "registry", "known_uses", known, "did_you_mean",
		f->near != NULL ? json_string(f->near) : json_null());
}

static void complain(const struct finding *f)
{
	const struct known_use *use = clash_of_name(f->asked, 0);
	char range[PRINT_NUMBER], transports[SERVICE_WORDS];
	if (use != NULL)
		fprintf(stderr, "berth: \"%s\" is no registered service; %s is known to use %s on %s: %s\n",
			safe(f->asked), use->who, known_range_words(use->ports, range),
			service_transport_words(use->transports, transports), use->why);
	else if (f->near != NULL)
		fprintf(stderr, "berth: \"%s\" is no registered service; did you mean %s?\n", safe(f->asked), f->near);
	else
		fprintf(stderr, "berth: nothing is registered as \"%s\"\n", safe(f->asked));
}

static int run_service(const struct tool *tool, int argc, char **argv)
{
	static struct finding f; /* 6 KiB */
	json_t *list = tool->json ? json_array() : NULL;
	int missing = 0;
	if (argc == 0)
		return tool_usage(&verb_service, "no service to look up");
	for (int i = 0; i < argc; i++) {
		look_up(&f, argv[i]);
		missing += f.count == 0;
		if (tool->json)
			json_array_append_new(list, finding_json(&f));
		else if (f.count == 0)
			complain(&f);
		else
			print_finding(&f, missing == i);
	}
	if (tool->json)
		print_json(json_pack("{s:s, s:o}", "registry", registry_date(), "services", list));
	return missing > 0 ? EXIT_FAILED : EXIT_GOOD;
}

const struct verb verb_service = {
	"service",
	"NAME | N ...",
	"say which port a service has, or which service a port",
	"Says which ports IANA's registry gives to a service, on which transports, by\n"
	"which RFC; of a port number, which services it belongs to. \"-\" in the column of\n"
	"ports: the name has none, and DNS says where it is. A name that the registry\n"
	"does not have is looked up in /etc/services.\n\n"
	"  berth service domain https\n"
	"  berth service 853 --json\n",
	run_service,
};
