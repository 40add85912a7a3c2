/* Any bytes as a client's query or a server's reply: read or refused, and what was read can be walked to its end,
 * answered, cached and printed. The first byte chooses. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cache/answers.h"
#include "dns/message.h"
#include "resolve/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static struct answer_wire refusal(struct arena *arena, const struct query *query)
{
	struct answer answer = {.rcode = KNOT_RCODE_SERVFAIL, .ede = EDE_OTHER, .ede_extra = "fuzz"};
	uint8_t name[NAME_MAX_LEN];
	memcpy(name, query->raw_name, query->name_len);
	name_lower(name);
	struct question q = {.name = name_copy(arena, name), .type = query->type, .rclass = query->rclass};
	struct answer_wire wire;
	must(answer_write(&wire, arena, &answer, &q, query->dnssec_ok) == 0);
	return wire;
}

static void try_query(struct arena *arena, const uint8_t *data, size_t size)
{
	struct query query;
	uint8_t *wire = arena_copy(arena, data, size), out[512];
	enum query_verdict verdict = query_read(&query, wire, size);
	if (verdict == QUERY_DROP)
		return;
	must(query.question_end <= size);
	if (verdict == QUERY_OK) {
		struct answer_key key;
		answer_key_of(&key, &query);
		struct answer_wire answer = refusal(arena, &query);
		size_t len = answer_fill_wire(out, sizeof(out), &answer, &query);
		must(len <= sizeof(out));
		must(message_match(out, len, query.id, query.raw_name, query.type, query.rclass) == MATCH_YES);
		struct message msg;
		must(message_read(&msg, arena, out, len) == 0 && msg.rcode == KNOT_RCODE_SERVFAIL);
	}
	must(query_write_error(wire, &query, KNOT_RCODE_FORMERR) <= size);
}

static void walk_set(struct arena *arena, const struct rrset *set)
{
	must(set->data.count > 0 && name_wire_len(set->owner, NAME_MAX_LEN) > 0 && set->ttl_s <= INT32_MAX);
	for (uint16_t i = 0; i < set->data.count; i++) {
		rrset_target(arena, set, i);
		must(rrset_rdata_text(arena, set, i) != NULL);
	}
	if (set->type == KNOT_RRTYPE_SOA)
		must(rrset_negative_ttl(set) <= set->ttl_s);
}

/* What was read is given to a client, and read again. */
static void answer_with(struct arena *arena, const struct message *msg)
{
	struct answer answer = {.ede = EDE_NONE};
	struct answer_wire wire;
	struct message again;
	for (int s = 0; s < SECTIONS; s++) {
		answer.count[s] = msg->count[s];
		answer.set[s] = arena_alloc(arena, (msg->count[s] + 1u) * sizeof(*answer.set[s]));
		for (uint16_t i = 0; i < msg->count[s]; i++)
			answer.set[s][i] = &msg->set[s][i];
	}
	if (answer_write(&wire, arena, &answer, &msg->question, true) == 0)
		must(message_read(&again, arena, wire.wire, wire.len) == 0);
}

static void try_reply(struct arena *arena, const uint8_t *data, size_t size)
{
	struct message msg;
	if (message_read(&msg, arena, arena_copy(arena, data, size), size) != 0)
		return;
	for (int s = 0; s < SECTIONS; s++)
		for (uint16_t i = 0; i < msg.count[s]; i++)
			walk_set(arena, &msg.set[s][i]);
	if (msg.question.name == NULL)
		return;
	const uint8_t *zone = name_suffix(msg.question.name, 1);
	enum reply_kind kind = reply_kind(&msg, zone, &msg.question, true);
	if (kind == REPLY_REFERRAL)
		must(reply_referral(&msg, zone, &msg.question) != NULL);
	message_match(data, size, msg.id, msg.question.name, msg.question.type, msg.question.rclass);
	answer_with(arena, &msg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena;
	if (size == 0 || size > LIMIT_MESSAGE)
		return 0;
	arena_init(&arena);
	if (data[0] % 2 == 0)
		try_query(&arena, data + 1, size - 1);
	else
		try_reply(&arena, data + 1, size - 1);
	arena_deinit(&arena);
	return 0;
}
