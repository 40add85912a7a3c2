/* Decides the JSON form of what the control socket tells. */
#include "daemon/control_json.h"

static void set_text(json_t *object, const char *key, const char *text)
{
	/* Names and texts are ASCII with escapes; what is not UTF-8 all the same is left out. */
	json_t *value = json_string(text);
	json_object_set_new(object, key, value != NULL ? value : json_string("?"));
}

json_t *json_of_loan(const struct ledger_entry *loan)
{
	char server[ADDR_TEXT], question[NAME_TEXT + TYPE_TEXT];
	json_t *object = json_pack("{s:i, s:s, s:s, s:f, s:s}", "port", (int)loan->port, "server",
		addr_text(&loan->server, server), "transport", transport_text((enum transport)loan->transport), "at",
		(double)loan->begin_us / 1e6, "outcome", loan_outcome_text((enum loan_outcome)loan->outcome));
	set_text(object, "question", loan_tag_text(&loan->tag, question, sizeof(question)));
	if (loan->outcome != LOAN_LENT)
		json_object_set_new(object, "took_us", json_integer(loan->took_us));
	return object;
}

static void append_set(json_t *list, struct arena *arena, const struct rrset *set)
{
	char owner[NAME_TEXT], type[TYPE_TEXT];
	for (uint16_t i = 0; i < set->data.count; i++) {
		json_t *record = json_pack("{s:i, s:s}", "ttl_s", (int)set->ttl_s, "type", type_text(set->type, type));
		set_text(record, "name", name_text(set->owner, owner));
		set_text(record, "data", rrset_rdata_text(arena, set, i));
		json_array_append_new(list, record);
	}
}

static json_t *section_json(const struct outcome *outcome, enum section section)
{
	json_t *list = json_array();
	const struct answer *answer = outcome->answer;
	for (uint16_t i = 0; i < answer->count[section]; i++)
		append_set(list, outcome->arena, answer->set[section][i]);
	return list;
}

static json_t *event_json(const struct story_event *event)
{
	json_t *object = json_pack("{s:I, s:i, s:s}", "after_us", (json_int_t)event->after_us, "depth",
		(int)event->depth, "event", story_kind_text(event->kind));
	set_text(object, "text", event->text);
	if (event->server.sa.sa_family == 0)
		return object;
	char server[ADDR_TEXT];
	set_text(object, "server", addr_text(&event->server, server));
	set_text(object, "transport", transport_text(event->transport));
	set_text(object, "question", event->question);
	if (event->port != 0)
		json_object_set_new(object, "port", json_integer(event->port));
	if (event->kind == STORY_REPLY)
		json_object_set_new(object, "rtt_us", json_integer(event->rtt_us));
	if (event->reply != NULL)
		set_text(object, "kind", event->reply);
	return object;
}

static const char *security_text(enum security security)
{
	static const char *const words[] = {"unchecked", "indeterminate", "insecure", "secure", "bogus"};
	return words[security];
}

static json_t *story_json(const struct story *story)
{
	json_t *list = json_array();
	for (const struct story_event *event = story->first; event != NULL; event = event->next)
		json_array_append_new(list, event_json(event));
	return list;
}

void json_append_line(enum preflight_level level, const char *text, void *lines)
{
	json_array_append_new(lines, json_pack("{s:s, s:s}", "level", preflight_level_text(level), "text", text));
}

json_t *json_of_outcome(const struct outcome *outcome, const struct question *q)
{
	const struct answer *answer = outcome->answer;
	char name[NAME_TEXT], type[TYPE_TEXT];
	json_t *object = json_pack("{s:s, s:s, s:s, s:[s], s:o, s:o, s:I}", "security", security_text(answer->security),
		"type", type_text(q->type, type), "rcode", rcode_text(answer->rcode), "flags", "ra", "answer",
		section_json(outcome, SECTION_ANSWER), "authority", section_json(outcome, SECTION_AUTHORITY),
		"elapsed_us", (json_int_t)outcome->elapsed_us);
	set_text(object, "name", name_text(q->name, name));
	if (answer->ede != EDE_NONE) {
		const char *words = answer->ede_extra != NULL ? answer->ede_extra : ede_text(answer->ede);
		json_object_set_new(object, "ede", json_pack("[{s:i, s:s}]", "code", answer->ede, "text", words));
	}
	if (outcome->story != NULL) {
		json_object_set_new(object, "story", story_json(outcome->story));
		json_object_set_new(object, "story_left_out", json_integer(outcome->story->left_out));
	}
	return object;
}

json_t *json_of_ports(const struct port_set *set)
{
	json_t *list = json_array();
	for (unsigned first = 1, last; first < PORTS_ALL; first = last + 1) {
		char text[16];
		last = first;
		if (!port_set_has(set, (uint16_t)first))
			continue;
		while (last + 1 < PORTS_ALL && port_set_has(set, (uint16_t)(last + 1)))
			last++;
		int len = snprintf(text, sizeof(text), "%u", first);
		if (last > first)
			snprintf(text + len, sizeof(text) - (size_t)len, "-%u", last);
		json_array_append_new(list, json_string(text));
	}
	return list;
}
