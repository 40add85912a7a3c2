/* Decides which questions share a lookup, and how a lookup begins and ends. */
#include "resolve/resolver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "net/fiber.h"
#include "resolve/anchors.h"
#include "resolve/cuts.h"
#include "resolve/lending.h"
#include "resolve/lookup.h"
#include "resolve/routes.h"
#include "resolve/sentinel.h"
#include "resolve/waiters.h"

enum { JOB_BUCKETS = 4096 };

/* A running lookup and everybody who waits for it. */
struct job {
	struct job *next; /* in its bucket */
	struct link link; /* among all */
	struct waiters waiters;
	bool shared;
	bool dnssec_ok;
	struct answer_key key;
	struct question question;
	uint64_t begin_us;
	uint32_t failed_for_s;    /* it failed a moment ago and is not tried again for so long; 0: it is tried */
	struct timer stale_timer; /* set while an old answer could be given */
	struct request request;
};

struct resolver *resolver_new(const struct resolver_conf *conf)
{
	struct resolver *resolver = xzalloc(1, sizeof(*resolver));
	resolver->conf = *conf;
	link_init(&resolver->jobs);
	resolver->bucket = xzalloc(JOB_BUCKETS, sizeof(*resolver->bucket));
	lending_init(resolver);
	upstreams_init(&resolver->upstreams);
	resolver->keyring = keyring_new();
	resolver->cuts = cuts_new();
	return resolver;
}

void resolver_configure(struct resolver *resolver, const struct hints *hints, const struct resolve_options *options)
{
	routes_ref(options->routes);
	routes_unref(resolver->options.routes);
	anchors_ref(options->anchors);
	anchors_unref(resolver->options.anchors);
	resolver->hints = *hints;
	resolver->options = *options;
	cuts_clear(resolver->cuts);
}

void resolver_trust(struct resolver *resolver, struct anchors *anchors)
{
	anchors_ref(anchors);
	anchors_unref(resolver->options.anchors);
	resolver->options.anchors = anchors;
}

/* Keeps the sum over all requests of the worker. */
static void count_bytes(struct request *rq, size_t now)
{
	rq->resolver->bytes += now - rq->counted;
	rq->counted = now;
}

int request_take(struct request *rq, enum budget_line line)
{
	count_bytes(rq, arena_used(&rq->arena));
	if (rq->counted > LIMIT_REQUEST_BYTES || rq->resolver->bytes > LIMIT_REQUESTS_BYTES)
		return E_BUDGET;
	if (line == BUDGET_QUESTION && rq->depth > 0) {
		int ret = budget_take(&rq->budget, BUDGET_SERVER_QUESTION, request_now_us(rq));
		if (ret != 0)
			return ret;
	}
	return budget_take(&rq->budget, line, request_now_us(rq));
}

void request_give_back(struct request *rq, enum budget_line line)
{
	rq->budget.left[line]++;
	if (line == BUDGET_QUESTION && rq->depth > 0)
		rq->budget.left[BUDGET_SERVER_QUESTION]++;
}

void resolver_forget(struct resolver *resolver)
{
	failures_clear(&resolver->failures);
	cuts_clear(resolver->cuts);
}

size_t resolver_running(const struct resolver *resolver)
{
	return resolver->job_count;
}

/* --- running lookups by question --- */

static struct job **find_job(struct resolver *resolver, const struct answer_key *key)
{
	struct job **at = &resolver->bucket[key->hash % JOB_BUCKETS];
	for (; *at != NULL; at = &(*at)->next)
		if ((*at)->key.hash == key->hash && (*at)->key.len == key->len &&
			memcmp((*at)->key.bytes, key->bytes, key->len) == 0)
			break;
	return at;
}

static void forget_job(struct resolver *resolver, struct job *job)
{
	if (job->shared)
		*find_job(resolver, &job->key) = job->next;
	job->shared = false;
	link_remove(&job->link);
	resolver->job_count--;
}

/* --- how a lookup ends --- */

static void explain_no_server(const struct request *rq, struct answer *answer, char *text, size_t size)
{
	const uint64_t *until_us = rq->resolver->no_route_until_us, now_us = request_now_us(rq);
	bool v4 = rq->options.ipv4 && now_us >= until_us[0], v6 = rq->options.ipv6 && now_us >= until_us[1];
	if (!v4 && !v6) {
		answer->ede = EDE_NETWORK_ERROR;
		snprintf(text, size, "this machine has no route to the servers: is the network up?");
		return;
	}
	const struct route *route = routes_find(rq->options.routes, rq->question->name);
	if (route != NULL && route->kind == ROUTE_FORWARD)
		snprintf(text, size, "none of the resolvers that resolver.forward names gave a useful answer");
	else
		snprintf(text, size, "no server of the zone gave a useful answer");
}

static void explain(struct request *rq, struct answer *answer, int ret)
{
	char text[160];
	answer->ede = EDE_NO_REACHABLE;
	switch (ret) {
	case E_BUDGET:
		answer->ede = EDE_OTHER;
		snprintf(text, sizeof(text), "limit of one request reached: %s",
			rq->budget.spent < BUDGET_LINES ? budget_line_text(rq->budget.spent) : "memory");
		break;
	case E_TIMEOUT:
		snprintf(text, sizeof(text), "no server answered within %.1f s", LIMIT_DEADLINE_MS / 1e3);
		break;
	case E_NOSERVER: explain_no_server(rq, answer, text, sizeof(text)); break;
	case E_CROWDED:
		snprintf(text, sizeof(text), "too many questions wait for the servers of this zone already");
		break;
	case E_NOPORT:
		answer->ede = EDE_NETWORK_ERROR;
		snprintf(text, sizeof(text), "no source port could be borrowed");
		break;
	case E_MALFORMED:
		answer->ede = EDE_INVALID_DATA;
		snprintf(text, sizeof(text), "an alias leads nowhere");
		break;
	default:
		answer->ede = EDE_OTHER;
		snprintf(text, sizeof(text), "%s", error_text(ret));
		break;
	}
	answer->ede_extra = arena_copy(&rq->arena, text, strlen(text) + 1);
	story_add(rq->story, STORY_BUDGET, clock_mono_us(), "given up: %s", text);
	char question[NAME_TEXT + TYPE_TEXT];
	log_info("failed: %s: %s", question_text(rq->question, question, sizeof(question)), text);
}

static void fail(struct request *rq, struct answer *answer, int ret)
{
	struct answer chain = *answer;
	*answer = (struct answer){.rcode = KNOT_RCODE_SERVFAIL};
	if (ret == E_MALFORMED) { /* RFC 1034 3.6.2: the loop is shown */
		answer->set[SECTION_ANSWER] = chain.set[SECTION_ANSWER];
		answer->count[SECTION_ANSWER] = chain.count[SECTION_ANSWER];
	}
	explain(rq, answer, ret);
}

/* RFC 4035 5.5. */
static void fail_bogus(struct request *rq, struct answer *answer)
{
	*answer = (struct answer){.rcode = KNOT_RCODE_SERVFAIL,
		.security = SECURITY_BOGUS,
		.ede = answer->ede != EDE_NONE ? answer->ede : EDE_DNSSEC_BOGUS,
		.ede_extra = answer->ede_extra};
	char text[NAME_TEXT + TYPE_TEXT];
	const char *why = answer->ede_extra != NULL ? answer->ede_extra : "as a moment ago";
	log_info("bogus: %s: %s", question_text(rq->question, text, sizeof(text)), why);
	story_add(rq->story, STORY_CHAIN, clock_mono_us(), "bogus: %s", why);
}

/* RFC 8509: the answer is good, and SERVFAIL says no. */
static void refuse_sentinel(struct request *rq, struct answer *answer)
{
	*answer = (struct answer){.rcode = KNOT_RCODE_SERVFAIL,
		.ede = EDE_OTHER,
		.ede_extra = "no fault: a root key sentinel (RFC 8509) asked which keys are trusted here"};
	story_add(rq->story, STORY_CHAIN, clock_mono_us(), "%s", answer->ede_extra);
}

static void count(const struct answer *answer)
{
	counters_add(COUNT_ANSWERS_SECURE, answer->security == SECURITY_SECURE);
	counters_add(COUNT_ANSWERS_BOGUS, answer->security == SECURITY_BOGUS);
	switch (answer->rcode) {
	case KNOT_RCODE_NOERROR: counters_add(COUNT_ANSWERS_NOERROR, 1); break;
	case KNOT_RCODE_NXDOMAIN: counters_add(COUNT_ANSWERS_NXDOMAIN, 1); break;
	default: counters_add(COUNT_ANSWERS_SERVFAIL, 1); break;
	}
}

/* What failed for want of our own ports, in a crowd, or because the daemon ends, says nothing of the name. */
static bool is_worth_keeping(int ret)
{
	return ret != 0 && ret != E_NOPORT && ret != E_CROWDED && ret != E_CANCELED;
}

static void write_answer(struct job *job, struct answer *answer, struct answer_wire *wire, int ret)
{
	struct request *rq = &job->request;
	if (answer_write(wire, &rq->arena, answer, &job->question, job->dnssec_ok) != 0) {
		fail(rq, answer, E_SPACE);
		ret = E_SPACE;
		if (answer_write(wire, &rq->arena, answer, &job->question, job->dnssec_ok) != 0)
			*wire = (struct answer_wire){0};
	}
	if (is_worth_keeping(ret) || answer->security == SECURITY_BOGUS)
		wire->ttl_s = job->failed_for_s > 0 ? job->failed_for_s : LIMIT_FAILURE_TTL_S;
}

static void deliver(struct job *job, struct answer *answer, int ret)
{
	struct answer_wire wire;
	write_answer(job, answer, &wire, ret);
	uint64_t now_us = clock_mono_us();
	story_add(job->request.story, STORY_ANSWER, now_us, "%s, with %u rrset%s", rcode_text(answer->rcode),
		answer->count[SECTION_ANSWER], answer->count[SECTION_ANSWER] == 1 ? "" : "s");
	struct outcome outcome = {
		.answer = answer,
		.wire = &wire,
		.key = &job->key,
		.story = job->request.story,
		.is_known = answer->rcode != KNOT_RCODE_SERVFAIL && budget_has_all_questions(&job->request.budget),
		.arena = &job->request.arena,
		.elapsed_us = now_us - job->begin_us,
	};
	struct waiter *waiter;
	while ((waiter = waiters_take(&job->waiters)) != NULL)
		waiter->on_answer(waiter, &outcome);
}

static void free_job(struct job *job)
{
	loop_timer_cancel(job->request.resolver->conf.loop, &job->stale_timer);
	count_bytes(&job->request, 0);
	routes_unref(job->request.options.routes);
	anchors_unref(job->request.options.anchors);
	arena_deinit(&job->request.arena);
	free(job);
}

/* RFC 8767: an old answer instead of none. */
static bool answer_stale(struct job *job, struct answer *answer)
{
	struct request *rq = &job->request;
	struct answer *old = arena_alloc(&rq->arena, sizeof(*old));
	if (!rq->options.stale || rq->fresh || !lookup_stale(rq, &job->question, old))
		return false;
	*answer = *old;
	counters_add(COUNT_ANSWERS_STALE, 1);
	story_add(rq->story, STORY_CACHE, clock_mono_us(), "an expired answer is better than none");
	return true;
}

/* RFC 8767 5: who waits gets the old answer now, and the search goes on for those who come later. */
static void on_stale(struct timer *timer)
{
	struct job *job = container_of(timer, struct job, stale_timer);
	struct answer *answer = arena_zalloc(&job->request.arena, sizeof(*answer));
	if (answer_stale(job, answer))
		deliver(job, answer, 0);
}

/* Nobody waits long where an old answer is better than none. */
static void limit_wait(struct job *job)
{
	struct request *rq = &job->request;
	if (!rq->options.stale || rq->fresh || rq->refresh)
		return;
	struct answer *answer = arena_alloc(&rq->arena, sizeof(*answer));
	struct story *story = rq->story; /* what could be said is no part of it yet */
	rq->story = NULL;
	if (lookup_stale(rq, &job->question, answer))
		loop_timer_set(rq->resolver->conf.loop, &job->stale_timer, job->begin_us + LIMIT_STALE_MS * 1000ull);
	rq->story = story;
}

/* RFC 9520: what failed a moment ago is not tried again. */
static bool has_just_failed(struct job *job, struct answer *answer, int *ret)
{
	struct request *rq = &job->request;
	uint64_t now_us = request_now_us(rq);
	const struct failure *failure =
		rq->fresh ? NULL : failures_find(&rq->resolver->failures, &job->question, rq->cd, now_us);
	if (failure == NULL)
		return false;
	job->failed_for_s = (uint32_t)((failure->until_us - now_us + 999999) / 1000000);
	*ret = failure->error;
	*answer = (struct answer){.ede = failure->ede};
	if (failure->why[0] != '\0')
		answer->ede_extra = arena_copy(&rq->arena, failure->why, sizeof(failure->why));
	if (failure->error == 0)
		answer->security = SECURITY_BOGUS;
	return true;
}

static void note_failure(struct job *job, struct answer *answer, int ret)
{
	struct request *rq = &job->request;
	bool is_bogus = answer->security == SECURITY_BOGUS;
	if (job->failed_for_s > 0) {
		if (!is_bogus)
			answer->ede = EDE_CACHED_ERROR;
		return;
	}
	struct failure failure = {.error = ret, .ede = answer->ede};
	if (is_bogus && answer->ede_extra != NULL)
		snprintf(failure.why, sizeof(failure.why), "%s", answer->ede_extra);
	if ((is_worth_keeping(ret) || is_bogus) && !rq->fresh && !rq->refresh)
		failures_note(&rq->resolver->failures, &job->question, rq->cd, &failure, request_now_us(rq));
}

static void run_job(void *arg)
{
	struct job *job = arg;
	struct request *rq = &job->request;
	struct frame frame = {.question = &job->question};
	struct answer *answer = arena_alloc(&rq->arena, sizeof(*answer));
	limit_wait(job);
	int ret = 0;
	if (!has_just_failed(job, answer, &ret))
		ret = lookup_await(rq, &frame, answer);
	if (ret != 0)
		fail(rq, answer, ret);
	else if (answer->security == SECURITY_BOGUS)
		fail_bogus(rq, answer);
	else if (sentinel_says_no(rq, answer))
		refuse_sentinel(rq, answer);
	note_failure(job, answer, ret);
	if (ret != 0 && answer_stale(job, answer))
		ret = 0;
	count(answer);
	forget_job(rq->resolver, job);
	deliver(job, answer, ret);
	free_job(job);
}

/* --- how it begins --- */

static struct job *make_job(struct resolver *resolver, const struct ask *ask, const struct answer_key *key)
{
	struct job *job = xzalloc(1, sizeof(*job));
	struct request *rq = &job->request;
	job->key = *key;
	job->dnssec_ok = ask->dnssec_ok;
	job->begin_us = clock_mono_us();
	waiters_init(&job->waiters);
	link_init(&job->link);
	job->stale_timer.on_timer = on_stale;
	rq->resolver = resolver;
	rq->options = resolver->options;
	routes_ref(rq->options.routes);
	anchors_ref(rq->options.anchors);
	rq->verdict.ede = EDE_NONE;
	rq->cd = ask->cd;
	rq->fresh = ask->fresh;
	rq->refresh = ask->refresh;
	arena_init(&rq->arena);
	budget_init(&rq->budget, job->begin_us);
	if (ask->story)
		rq->story = story_new(&rq->arena, job->begin_us);
	job->question = ask->question;
	job->question.name = name_copy(&rq->arena, ask->question.name);
	rq->question = &job->question;
	return job;
}

static void remember_job(struct resolver *resolver, struct job *job, bool shared)
{
	job->shared = shared;
	if (shared) {
		struct job **bucket = &resolver->bucket[job->key.hash % JOB_BUCKETS];
		job->next = *bucket;
		*bucket = job;
	}
	link_append(&resolver->jobs, &job->link);
	resolver->job_count++;
}

int resolver_ask(struct resolver *resolver, const struct ask *ask, struct waiter *waiter)
{
	struct answer_key key;
	answer_key_make(&key, &ask->question, ask->dnssec_ok, ask->cd);
	bool shared = !ask->fresh && !ask->story && !ask->refresh;
	struct job *job = shared ? *find_job(resolver, &key) : NULL;
	if (job != NULL) {
		int ret = waiters_add(&job->waiters, waiter);
		counters_add(COUNT_ANSWERS_MERGED, ret == 0);
		return ret;
	}
	if (resolver->job_count >= LIMIT_REQUESTS || resolver->bytes > LIMIT_REQUESTS_BYTES) {
		counters_add(COUNT_LOOKUPS_SHED, 1);
		return E_BUSY;
	}
	job = make_job(resolver, ask, &key);
	if (waiters_add(&job->waiters, waiter) != 0 || fiber_spawn(resolver->conf.loop, run_job, job) != 0) {
		free_job(job);
		return E_BUSY;
	}
	remember_job(resolver, job, shared);
	return 0;
}

void resolver_free(struct resolver *resolver)
{
	upstreams_deinit(&resolver->upstreams);
	while (!link_is_empty(&resolver->jobs)) {
		struct job *job = container_of(resolver->jobs.next, struct job, link);
		struct answer answer;
		if (job->request.join != NULL)
			inflight_discard(job->request.join);
		fail(&job->request, &answer, E_CANCELED);
		forget_job(resolver, job);
		deliver(job, &answer, E_CANCELED);
		free_job(job);
	}
	lending_deinit(resolver);
	routes_unref(resolver->options.routes);
	anchors_unref(resolver->options.anchors);
	keyring_free(resolver->keyring);
	cuts_free(resolver->cuts);
	free(resolver->bucket);
	free(resolver);
}
