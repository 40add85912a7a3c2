/* Decides when zones with trust anchors are asked for their keys, and keeps what was learnt in a file. */
#include "daemon/anchor_keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/random.h"
#include "resolve/rollover.h"

enum { FOLLOWED_MAX = 64, FIRST_MS = 10000, SPREAD_MS = 50000, LINE_MAX_LEN = 4096, TYPE_NULL = 10, SIGNAL_TAGS = 12 };

/* A zone whose keys are followed. */
struct followed {
	uint64_t due_us; /* monotonic */
	struct rollover rollover;
};

struct anchor_keeper {
	struct server *server;
	struct anchors *configured; /* NULL: nothing is validated */
	bool follows;
	char path[PATH_FOLDER + 16]; /* empty: nothing is remembered */
	struct timer timer;
	struct keyring *keyring;
	struct followed *followed[FOLLOWED_MAX];
	unsigned count;
	struct errand *errand; /* the question that is out; NULL: none */
};

/* A question for a zone's keys: to a worker, and home with what it found. */
struct errand {
	struct mail mail;
	struct waiter waiter;
	struct anchor_keeper *keeper; /* NULL: it has forgotten */
	struct server *server;
	uint8_t zone[NAME_MAX_LEN];
	bool is_good;
	struct rrset keys; /* rdatas are copies */
};

/* --- the file --- */

static void read_line(struct anchor_keeper *keeper, const char *line)
{
	for (unsigned i = 0; i < keeper->count && line[0] != '#'; i++) {
		int ret = rollover_read_line(&keeper->followed[i]->rollover, line);
		if (ret == E_MALFORMED)
			log_warning("%s: a line that is none is passed over", keeper->path);
		if (ret != E_NOENT)
			return;
	}
}

static void read_file(struct anchor_keeper *keeper)
{
	FILE *file = keeper->path[0] != '\0' ? fopen(keeper->path, "re") : NULL;
	char *line = xalloc(LINE_MAX_LEN);
	while (file != NULL && fgets(line, LINE_MAX_LEN, file) != NULL)
		read_line(keeper, line);
	free(line);
	if (file != NULL)
		fclose(file);
}

/* All of it, beside the old one first: a crash leaves the one or the other. */
static int write_file(const struct anchor_keeper *keeper)
{
	char beside[sizeof(keeper->path) + 4];
	snprintf(beside, sizeof(beside), "%s.new", keeper->path);
	FILE *file = fopen(beside, "we");
	if (file == NULL)
		return E_SYSTEM;
	int ret = fputs("# Keys that berthd follows (RFC 5011): state, since, zone, the sum of the\n# configured "
			"anchors that they grew from, DNSKEY. Written by berthd.\n",
			  file) < 0
			  ? E_SYSTEM
			  : 0;
	for (unsigned i = 0; i < keeper->count && ret == 0; i++)
		ret = rollover_write(&keeper->followed[i]->rollover, file);
	if (ret == 0 && (fflush(file) != 0 || fsync(fileno(file)) != 0))
		ret = E_SYSTEM;
	if (fclose(file) != 0)
		ret = E_SYSTEM;
	return ret == 0 && rename(beside, keeper->path) == 0 ? 0 : E_SYSTEM;
}

static void find_path(struct anchor_keeper *keeper)
{
	char folder[PATH_FOLDER];
	if (path_state_dir(folder, sizeof(folder)) == 0)
		snprintf(keeper->path, sizeof(keeper->path), "%s/anchors", folder);
}

/* --- what is followed --- */

static void forget(struct anchor_keeper *keeper)
{
	for (unsigned i = 0; i < keeper->count; i++) {
		rollover_deinit(&keeper->followed[i]->rollover);
		free(keeper->followed[i]);
	}
	keeper->count = 0;
	if (keeper->errand != NULL)
		keeper->errand->keeper = NULL;
	keeper->errand = NULL;
}

static void follow(struct anchor_keeper *keeper, const struct anchor *anchor)
{
	if (keeper->count >= FOLLOWED_MAX)
		return;
	struct followed *followed = xzalloc(1, sizeof(*followed));
	rollover_init(&followed->rollover, anchor);
	followed->due_us = clock_mono_us() + (FIRST_MS + random_below(SPREAD_MS)) * 1000ull;
	keeper->followed[keeper->count++] = followed;
}

void anchor_keeper_obey(struct anchor_keeper *keeper, const struct anchors *configured, bool rollover)
{
	forget(keeper);
	anchors_unref(keeper->configured);
	keeper->configured = anchors_ref((struct anchors *)configured);
	keeper->follows = rollover && configured != NULL;
	if (!keeper->follows)
		return;
	for (const struct anchor *anchor = NULL; (anchor = anchors_next(configured, anchor)) != NULL;)
		if (!anchor->is_negative)
			follow(keeper, anchor);
	read_file(keeper);
}

struct anchors *anchor_keeper_trusted(const struct anchor_keeper *keeper)
{
	if (!keeper->follows)
		return anchors_ref(keeper->configured);
	struct anchors *trusted = anchors_new();
	for (const struct anchor *anchor = NULL; (anchor = anchors_next(keeper->configured, anchor)) != NULL;)
		if (anchor->is_negative)
			(void)!anchors_add_negative(trusted, anchor->zone, anchor->until_s);
	for (unsigned i = 0; i < keeper->count; i++)
		rollover_add(&keeper->followed[i]->rollover, trusted);
	return trusted;
}

/* --- asking --- */

static void set_timer(struct anchor_keeper *keeper);

static struct followed *find_followed(const struct anchor_keeper *keeper, const uint8_t *zone)
{
	for (unsigned i = 0; i < keeper->count; i++)
		if (name_is_equal(keeper->followed[i]->rollover.zone, zone))
			return keeper->followed[i];
	return NULL;
}

static void learn(struct anchor_keeper *keeper, struct followed *followed, const struct rrset *keys)
{
	struct arena scratch;
	char zone[NAME_TEXT];
	arena_init(&scratch);
	bool changed = rollover_see(&followed->rollover, keeper->keyring, &scratch, keys, clock_wall_s());
	arena_deinit(&scratch);
	if (!changed)
		return;
	log_notice("the keys of trust anchor %s have changed; `berth anchors` tells", name_text(keys->owner, zone));
	if (keeper->path[0] != '\0' && write_file(keeper) != 0)
		log_warning("the keys of trust anchors cannot be remembered: %s: %s", keeper->path, strerror(errno));
	server_trust(keeper->server, anchor_keeper_trusted(keeper));
}

static void free_errand(struct errand *errand)
{
	free(errand->keys.data.rdata);
	free(errand->keys.sigs.rdata);
	free(errand);
}

static void on_home(struct mail *mail)
{
	struct errand *errand = container_of(mail, struct errand, mail);
	struct anchor_keeper *keeper = errand->keeper;
	struct followed *followed = keeper != NULL ? find_followed(keeper, errand->zone) : NULL;
	if (keeper != NULL)
		keeper->errand = NULL;
	if (followed != NULL) {
		const struct rrset *keys = errand->is_good ? &errand->keys : NULL;
		followed->due_us = clock_mono_us() + rollover_wait_s(keys, clock_wall_s()) * 1000000ull;
		if (keys != NULL)
			learn(keeper, followed, keys);
		set_timer(keeper);
	}
	free_errand(errand);
}

static knot_rdataset_t copy_of(const knot_rdataset_t *set)
{
	knot_rdataset_t copy = {.count = set->count, .size = set->size};
	if (set->size > 0)
		copy.rdata = memcpy(xalloc(set->size), set->rdata, set->size);
	return copy;
}

static void send_home(struct errand *errand)
{
	errand->mail.on_mail = on_home;
	loop_post(&errand->server->loop, &errand->mail);
}

static void on_answer(struct waiter *waiter, const struct outcome *outcome)
{
	struct errand *errand = container_of(waiter, struct errand, waiter);
	const struct answer *answer = outcome->answer;
	const struct rrset *set = answer->count[SECTION_ANSWER] == 1 ? answer->set[SECTION_ANSWER][0] : NULL;
	if (answer->security == SECURITY_SECURE && set != NULL && set->type == KNOT_RRTYPE_DNSKEY) {
		errand->is_good = true;
		errand->keys = (struct rrset){.owner = errand->zone,
			.type = set->type,
			.rclass = set->rclass,
			.ttl_s = set->ttl_s,
			.data = copy_of(&set->data),
			.sigs = copy_of(&set->sigs)};
	}
	send_home(errand);
}

static void on_arrival(struct mail *mail)
{
	struct errand *errand = container_of(mail, struct errand, mail);
	struct resolver *resolver = errand->server->worker[0].resolver;
	struct ask ask = {
		.question = {.name = errand->zone, .type = KNOT_RRTYPE_DNSKEY, .rclass = KNOT_CLASS_IN},
		.dnssec_ok = true,
		.fresh = true,
	};
	errand->waiter.on_answer = on_answer;
	if (resolver == NULL || resolver_ask(resolver, &ask, &errand->waiter) != 0)
		send_home(errand);
}

static void ask(struct anchor_keeper *keeper, const struct followed *followed)
{
	struct errand *errand = xzalloc(1, sizeof(*errand));
	errand->keeper = keeper;
	errand->server = keeper->server;
	memcpy(errand->zone, followed->rollover.zone, sizeof(errand->zone));
	errand->mail.on_mail = on_arrival;
	keeper->errand = errand;
	loop_post(&keeper->server->worker[0].loop, &errand->mail);
}

/* --- signalling (RFC 8145 5) --- */

/* A question that nobody needs the answer of: it tells the zone which keys are trusted. */
struct signal {
	struct mail mail;
	struct waiter waiter;
	struct server *server;
	uint8_t name[NAME_MAX_LEN];
};

static void on_signal_done(struct waiter *waiter, const struct outcome *outcome)
{
	(void)outcome;
	free(container_of(waiter, struct signal, waiter));
}

static void on_signal(struct mail *mail)
{
	struct signal *signal = container_of(mail, struct signal, mail);
	struct resolver *resolver = signal->server->worker[0].resolver;
	struct ask ask = {
		.question = {.name = signal->name, .type = TYPE_NULL, .rclass = KNOT_CLASS_IN}, .fresh = true};
	signal->waiter.on_answer = on_signal_done;
	if (resolver == NULL || resolver_ask(resolver, &ask, &signal->waiter) != 0)
		free(signal);
}

static int compare_tags(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

static unsigned tags_of(const struct anchor *anchor, uint16_t tags[static SIGNAL_TAGS])
{
	unsigned count = 0;
	const knot_rdata_t *rdata = anchor->ds.rdata;
	for (uint16_t i = 0; i < anchor->ds.count && count < SIGNAL_TAGS;
		i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata)) {
		struct ds ds;
		if (ds_read(&ds, rdata) == 0)
			tags[count++] = ds.tag;
	}
	rdata = anchor->keys.rdata;
	for (uint16_t i = 0; i < anchor->keys.count && count < SIGNAL_TAGS;
		i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata)) {
		struct dnskey key;
		if (dnskey_read(&key, rdata) == 0)
			tags[count++] = key.tag;
	}
	qsort(tags, count, sizeof(*tags), compare_tags);
	return count;
}

/* "_ta-4f66-9728." and the zone. 0, or E_SPACE. */
static int signal_name(uint8_t out[static NAME_MAX_LEN], const struct anchor *anchor)
{
	uint16_t tags[SIGNAL_TAGS];
	unsigned count = tags_of(anchor, tags);
	char label[4 + SIGNAL_TAGS * 5] = "_ta";
	size_t len = 3;
	for (unsigned i = 0; i < count; i++)
		if (i == 0 || tags[i] != tags[i - 1])
			len += (size_t)snprintf(label + len, sizeof(label) - len, "-%04x", tags[i]);
	size_t zone_len = name_len(anchor->zone);
	if (count == 0 || len > 63 || 1 + len + zone_len > NAME_MAX_LEN)
		return E_SPACE;
	out[0] = (uint8_t)len;
	memcpy(out + 1, label, len);
	memcpy(out + 1 + len, anchor->zone, zone_len);
	return 0;
}

static void signal_tags(const struct anchor_keeper *keeper, const uint8_t *zone)
{
	struct anchors *trusted = anchor_keeper_trusted(keeper);
	const struct anchor *anchor = anchors_find(trusted, zone, clock_wall_s());
	struct signal *signal = xzalloc(1, sizeof(*signal));
	signal->server = keeper->server;
	signal->mail.on_mail = on_signal;
	if (anchor != NULL && name_is_equal(anchor->zone, zone) && signal_name(signal->name, anchor) == 0)
		loop_post(&keeper->server->worker[0].loop, &signal->mail);
	else
		free(signal);
	anchors_unref(trusted);
}

static struct followed *next_due(const struct anchor_keeper *keeper)
{
	struct followed *next = NULL;
	for (unsigned i = 0; i < keeper->count; i++)
		if (next == NULL || keeper->followed[i]->due_us < next->due_us)
			next = keeper->followed[i];
	return next;
}

static void on_timer(struct timer *timer)
{
	struct anchor_keeper *keeper = container_of(timer, struct anchor_keeper, timer);
	struct followed *next = next_due(keeper);
	if (next == NULL || next->due_us > clock_mono_us() || keeper->errand != NULL) {
		set_timer(keeper);
		return;
	}
	ask(keeper, next);
	if (keeper->server->config->dnssec.key_tags)
		signal_tags(keeper, next->rollover.zone);
}

static void set_timer(struct anchor_keeper *keeper)
{
	const struct followed *next = next_due(keeper);
	if (next != NULL && keeper->errand == NULL)
		loop_timer_set(&keeper->server->loop, &keeper->timer, next->due_us);
}

/* --- begin and end --- */

struct anchor_keeper *anchor_keeper_new(struct server *server, const struct anchors *configured, bool rollover)
{
	struct anchor_keeper *keeper = xzalloc(1, sizeof(*keeper));
	keeper->server = server;
	keeper->timer.on_timer = on_timer;
	keeper->keyring = keyring_new();
	find_path(keeper);
	anchor_keeper_obey(keeper, configured, rollover);
	return keeper;
}

void anchor_keeper_start(struct anchor_keeper *keeper)
{
	set_timer(keeper);
}

void anchor_keeper_free(struct anchor_keeper *keeper)
{
	if (keeper == NULL)
		return;
	loop_timer_cancel(&keeper->server->loop, &keeper->timer);
	forget(keeper);
	anchors_unref(keeper->configured);
	keyring_free(keeper->keyring);
	free(keeper);
}

/* --- told --- */

static json_t *tags_json(const struct anchor *anchor)
{
	json_t *list = json_array();
	const knot_rdata_t *rdata = anchor->ds.rdata;
	for (uint16_t i = 0; i < anchor->ds.count; i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata)) {
		struct ds ds;
		if (ds_read(&ds, rdata) == 0)
			json_array_append_new(list, json_pack("{s:i, s:i, s:s}", "tag", ds.tag, "algorithm",
							    ds.algorithm, "state", "configured"));
	}
	rdata = anchor->keys.rdata;
	for (uint16_t i = 0; i < anchor->keys.count; i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata)) {
		struct dnskey key;
		if (dnskey_read(&key, rdata) == 0)
			json_array_append_new(list, json_pack("{s:i, s:i, s:s}", "tag", key.tag, "algorithm",
							    key.algorithm, "state", "configured"));
	}
	return list;
}

static json_t *keys_json(const struct rollover *rollover)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < rollover->count; i++) {
		const struct rollover_key *key = &rollover->key[i];
		knot_rdata_t *rdata = rollover_rdata(key);
		struct dnskey read;
		if (dnskey_read(&read, rdata) == 0)
			json_array_append_new(list,
				json_pack("{s:i, s:i, s:s, s:I}", "tag", read.tag, "algorithm", read.algorithm, "state",
					rollover_state_text(key->state), "since", (json_int_t)key->since_s));
		free(rdata);
	}
	return list;
}

static json_t *anchor_json(const struct anchor_keeper *keeper, const struct anchor *anchor)
{
	char zone[NAME_TEXT];
	name_text(anchor->zone, zone);
	if (anchor->is_negative)
		return json_pack("{s:s, s:b, s:I}", "zone", zone, "negative", 1, "until", (json_int_t)anchor->until_s);
	const struct followed *followed = find_followed(keeper, anchor->zone);
	bool known = followed != NULL && followed->rollover.count > 0;
	return json_pack("{s:s, s:b, s:b, s:o}", "zone", zone, "negative", 0, "followed", followed != NULL, "keys",
		known ? keys_json(&followed->rollover) : tags_json(anchor));
}

json_t *anchor_keeper_json(const struct anchor_keeper *keeper)
{
	json_t *list = json_array();
	if (keeper->configured == NULL)
		return list;
	for (const struct anchor *anchor = NULL; (anchor = anchors_next(keeper->configured, anchor)) != NULL;)
		json_array_append_new(list, anchor_json(keeper, anchor));
	return list;
}
