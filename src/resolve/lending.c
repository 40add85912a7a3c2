/* Decides who gets a port when not everybody can, and what a port does after its question timed out. */
#include "resolve/lending.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/limits.h"
#include "cache/facts.h"
#include "net/fiber.h"
#include "resolve/exchange.h"
#include "resolve/match.h"

enum { RETRY_US = 10000, LATE_MAX = 4096, SEED_SERVER = 0x5e12, SEED_ZONE = 0x2013 };

/* A question that was given up, whose reply may still come. */
struct late {
	struct link link;
	struct loan *loan;
	struct resolver *resolver;
	struct match_copy match;
	uint64_t sent_us, until_us;
};

/* An exchange in the queue; lies on its fiber's stack. */
struct waiting {
	struct link link;
	struct fiber *fiber;
};

/* The same where the port could not wait for it. */
struct given_up {
	struct addr server;
	uint16_t port; /* 0: none */
	uint64_t sent_us;
	struct match_copy match;
};

/* Lies in a loan's user bytes for as long as its descriptor lives. */
struct mooring {
	struct watch watch;
	struct fiber *fiber; /* who waits; NULL while idle */
	struct late *late;   /* or nobody does any more */
};

_Static_assert(sizeof(struct mooring) <= RESOLVER_LOAN_USER, "a mooring must fit the user bytes of a loan");

static struct mooring *mooring_of(const struct loan *loan)
{
	return (struct mooring *)(void *)loan->user;
}

/* --- giving back --- */

static struct waiting *first_waiting(const struct lending *lending)
{
	return link_is_empty(&lending->queue) ? NULL : container_of(lending->queue.next, struct waiting, link);
}

static void wake_next(struct lending *lending)
{
	struct waiting *waiting = first_waiting(lending);
	if (waiting != NULL)
		fiber_wake(waiting->fiber, 0);
}

static void set_timer(struct resolver *resolver, uint64_t at_us)
{
	struct timer *timer = &resolver->lending.timer;
	if (at_us != 0 && (timer->place == 0 || at_us < timer->at_us))
		loop_timer_set(resolver->conf.loop, timer, at_us);
}

static void give_back(struct resolver *resolver, struct loan *loan, enum loan_outcome outcome)
{
	struct mooring *mooring = mooring_of(loan);
	bool is_reserved = loan->kind == LOAN_RESERVED;
	mooring->fiber = NULL;
	if (is_reserved && loan->watched && !loan->keeps_watch)
		loop_unwatch(resolver->conf.loop, &mooring->watch);
	pool_return(resolver->conf.pool, loan, outcome);
	if (is_reserved)
		set_timer(resolver, resolver->conf.loop->now_us + LIMIT_DUSK_MS * 1000ull);
	wake_next(&resolver->lending);
}

static void give_back_share(struct resolver *resolver, const struct borrowed *borrowed)
{
	resolver->lending.of_server[borrowed->server_at]--;
	resolver->lending.of_zone[borrowed->zone_at]--;
}

void lending_return(struct resolver *resolver, struct borrowed *borrowed, enum loan_outcome outcome)
{
	give_back_share(resolver, borrowed);
	give_back(resolver, borrowed->loan, outcome);
	borrowed->loan = NULL;
}

/* --- late replies --- */

static void end_linger(struct late *late, enum loan_outcome outcome)
{
	struct resolver *resolver = late->resolver;
	mooring_of(late->loan)->late = NULL;
	link_remove(&late->link);
	resolver->lending.lingering_count--;
	give_back(resolver, late->loan, outcome);
	free(late);
}

/* A port that is not kept for the late reply may be lent to the same server again, and meet it there. */
static void remember(struct resolver *resolver, const struct loan *loan, const struct match *match, uint64_t sent_us)
{
	struct lending *lending = &resolver->lending;
	struct given_up *entry = &lending->given_up[lending->given_up_next++ % LIMIT_GIVEN_UP];
	*entry = (struct given_up){.server = loan->server, .port = loan->port, .sent_us = sent_us};
	match_keep(&entry->match, match);
}

bool lending_is_late(struct resolver *resolver, const struct loan *loan, const uint8_t *wire, size_t len)
{
	uint64_t now_us = clock_mono_us();
	for (unsigned i = 0; i < LIMIT_GIVEN_UP; i++) {
		struct given_up *entry = &resolver->lending.given_up[i];
		if (entry->port != loan->port || now_us - entry->sent_us > LIMIT_GIVEN_UP_S * 1000000ull ||
			!addr_equal(&entry->server, &loan->server) || !match_fits_copy(&entry->match, wire, len))
			continue;
		counters_add(COUNT_LOANS_LATE, 1);
		facts_note_reply(resolver->conf.facts, &loan->server, (uint32_t)(now_us - entry->sent_us));
		entry->port = 0;
		return true;
	}
	return false;
}

void lending_linger(struct resolver *resolver, struct borrowed *borrowed, const struct match *match, uint64_t sent_us)
{
	struct lending *lending = &resolver->lending;
	/* Where ports are short, nobody lingers. */
	if (!pool_can_spare(resolver->conf.pool) || lending->lingering_count >= LIMIT_LINGERING ||
		lending->queued > 0) {
		remember(resolver, borrowed->loan, match, sent_us);
		lending_return(resolver, borrowed, LOAN_TIMEOUT);
		return;
	}
	struct late *late = xzalloc(1, sizeof(*late));
	late->loan = borrowed->loan;
	late->resolver = resolver;
	late->sent_us = sent_us;
	late->until_us = resolver->conf.loop->now_us + LIMIT_LINGER_MS * 1000ull;
	match_keep(&late->match, match);
	link_append(&lending->lingering, &late->link);
	lending->lingering_count++;
	struct mooring *mooring = mooring_of(borrowed->loan);
	mooring->fiber = NULL;
	mooring->late = late;
	borrowed->loan = NULL;
	give_back_share(resolver, borrowed);
	set_timer(resolver, late->until_us);
}

static struct late *oldest_late(struct lending *lending)
{
	return link_is_empty(&lending->lingering) ? NULL : container_of(lending->lingering.next, struct late, link);
}

/* What matches teaches the time it took, nothing else; what does not teaches nothing at all. */
static void on_late(struct late *late)
{
	static _Thread_local uint8_t buffer[LATE_MAX];
	const struct loan *loan = late->loan;
	enum datagram kind;
	ssize_t got = loan_receive(loan, buffer, sizeof(buffer), &kind);
	if (got < 0)
		return; /* nothing, or an ICMP error */
	bool fits = kind == DATAGRAM_WHOLE && (size_t)got <= sizeof(buffer) &&
		    match_fits_copy(&late->match, buffer, (size_t)got);
	if (fits) {
		counters_add(COUNT_LOANS_LATE, 1);
		facts_note_reply(
			late->resolver->conf.facts, &loan->server, (uint32_t)(clock_mono_us() - late->sent_us));
	}
	end_linger(late, fits ? LOAN_LATE : LOAN_MISMATCH);
}

static void on_timer(struct timer *timer)
{
	struct resolver *resolver = container_of(container_of(timer, struct lending, timer), struct resolver, lending);
	uint64_t now_us = resolver->conf.loop->now_us;
	struct late *late;
	while ((late = oldest_late(&resolver->lending)) != NULL && late->until_us <= now_us)
		end_linger(late, LOAN_TIMEOUT);
	if (late != NULL)
		set_timer(resolver, late->until_us);
	set_timer(resolver, pool_tend(resolver->conf.pool, now_us));
}

size_t resolver_lingering(const struct resolver *resolver)
{
	return resolver->lending.lingering_count;
}

size_t resolver_waiting(const struct resolver *resolver)
{
	return resolver->lending.queued;
}

void lending_init(struct resolver *resolver)
{
	struct lending *lending = &resolver->lending;
	link_init(&lending->queue);
	link_init(&lending->lingering);
	lending->timer.on_timer = on_timer;
	lending->given_up = xzalloc(LIMIT_GIVEN_UP, sizeof(*lending->given_up));
	set_timer(resolver, pool_tend(resolver->conf.pool, clock_mono_us()));
}

void lending_deinit(struct resolver *resolver)
{
	struct late *late;
	while ((late = oldest_late(&resolver->lending)) != NULL)
		end_linger(late, LOAN_TIMEOUT);
	loop_timer_cancel(resolver->conf.loop, &resolver->lending.timer);
	free(resolver->lending.given_up);
}

/* --- borrowing --- */

static void on_datagram(struct watch *watch, uint32_t events)
{
	(void)events;
	struct mooring *mooring = container_of(watch, struct mooring, watch);
	char byte;
	if (mooring->fiber != NULL)
		fiber_wake(mooring->fiber, 0);
	else if (mooring->late != NULL)
		on_late(mooring->late);
	else /* nobody waits: whatever it is, it must not wake us again */
		(void)!recv(watch->fd, &byte, sizeof(byte), MSG_DONTWAIT | MSG_TRUNC);
}

static int watch_loan(struct resolver *resolver, struct loan *loan)
{
	struct mooring *mooring = mooring_of(loan);
	mooring->fiber = fiber_self();
	if (loan->watched)
		return 0;
	mooring->watch = (struct watch){.fd = loan->fd, .on_ready = on_datagram};
	int ret = loop_watch(resolver->conf.loop, &mooring->watch, EPOLLIN);
	loan->watched = ret == 0;
	return ret;
}

/* Type and name: so the ledger can say what a port was lent for. */
static struct loan_tag make_tag(const struct question *q)
{
	struct loan_tag tag = {0};
	size_t len = name_len(q->name);
	knot_wire_write_u16(tag.bytes, q->type);
	/* A name that is too long is kept from its end: whole labels, so that it still is a name. */
	const uint8_t *name = q->name;
	while (len > LOAN_TAG - 2) {
		len -= 1u + name[0];
		name += 1 + name[0];
	}
	memcpy(tag.bytes + 2, name, len);
	tag.len = (uint8_t)(2 + len);
	return tag;
}

static void find_shares(const struct exchange *ex, struct borrowed *borrowed)
{
	size_t len;
	const uint8_t *ip = addr_bytes(ex->server, &len);
	borrowed->server_at = (uint16_t)(hash_bytes(SEED_SERVER, ip, len) % SHARES);
	borrowed->zone_at = (uint16_t)(hash_bytes(SEED_ZONE, ex->zone, name_len(ex->zone)) % SHARES);
}

/* Whether one more loan stays within what one server and one zone may hold: a deaf one must not hold the pool. */
static bool is_within_shares(const struct resolver *resolver, const struct borrowed *borrowed)
{
	const struct lending *lending = &resolver->lending;
	unsigned max = pool_max(resolver->conf.pool);
	if (max > LIMIT_REQUESTS)
		max = LIMIT_REQUESTS; /* each of which has one loan at a time */
	return lending->of_server[borrowed->server_at] <= max / LIMIT_SERVER_SHARE &&
	       lending->of_zone[borrowed->zone_at] <= max / LIMIT_ZONE_SHARE;
}

static int lend_now(struct request *rq, const struct exchange *ex, enum transport transport, struct loan **out)
{
	struct resolver *resolver = rq->resolver;
	struct loan_tag tag = make_tag(ex->question);
	int ret = pool_lend(resolver->conf.pool, ex->server, transport, &tag, out);
	struct late *late = oldest_late(&resolver->lending);
	if ((ret != E_BUSY && ret != E_NOPORT) || late == NULL)
		return ret;
	end_linger(late, LOAN_TIMEOUT);
	return pool_lend(resolver->conf.pool, ex->server, transport, &tag, out);
}

static bool may_try(const struct request *rq, const struct waiting *waiting)
{
	return first_waiting(&rq->resolver->lending) == waiting || pool_shares_port(rq->resolver->conf.pool);
}

/* Whoever may not try sleeps until its turn: thousands that look every few milliseconds would leave no time for answers
 * from the cache. */
static uint64_t next_try_us(struct request *rq, const struct waiting *waiting)
{
	return may_try(rq, waiting) ? request_now_us(rq) + RETRY_US : UINT64_MAX;
}

/* Waits in the queue. Who is first tries when a loan has been returned, and now and then: a port that all share may
 * have been at the same server for another worker. */
static int queue_await(struct request *rq, const struct exchange *ex, enum transport transport, struct loan **out)
{
	struct lending *lending = &rq->resolver->lending;
	if (lending->queued >= LIMIT_QUEUE)
		return E_NOPORT;
	struct waiting waiting = {.fiber = fiber_self()};
	uint64_t until_us = request_now_us(rq) + LIMIT_QUEUE_MS * 1000ull;
	if (until_us > rq->budget.deadline_us)
		until_us = rq->budget.deadline_us;
	link_append(&lending->queue, &waiting.link);
	lending->queued++;
	int ret = E_BUSY;
	while (ret == E_BUSY) {
		uint64_t wake_us = next_try_us(rq, &waiting);
		ret = fiber_wait_await(wake_us < until_us ? wake_us : until_us);
		if (ret == E_TIMEOUT)
			ret = request_now_us(rq) < until_us ? 0 : E_NOPORT;
		if (ret == 0)
			ret = may_try(rq, &waiting) ? lend_now(rq, ex, transport, out) : E_BUSY;
	}
	link_remove(&waiting.link);
	lending->queued--;
	wake_next(lending); /* there may be one for the next, too */
	return ret;
}

static int lend_await(struct request *rq, const struct exchange *ex, enum transport transport, struct loan **out)
{
	int ret = E_BUSY;
	if (rq->resolver->lending.queued == 0 || pool_shares_port(rq->resolver->conf.pool))
		ret = lend_now(rq, ex, transport, out);
	if (ret != E_BUSY)
		return ret;
	counters_add(COUNT_LOANS_QUEUED, 1);
	story_add(rq->story, STORY_ASK, clock_mono_us(), "all ports are lent: waiting for one");
	ret = queue_await(rq, ex, transport, out);
	counters_add(COUNT_LOANS_SHED, ret == E_NOPORT);
	return ret;
}

int lending_borrow_await(struct request *rq, const struct exchange *ex, enum transport transport, struct borrowed *out)
{
	struct resolver *resolver = rq->resolver;
	struct lending *lending = &resolver->lending;
	find_shares(ex, out);
	if (!is_within_shares(resolver, out)) {
		counters_add(COUNT_LOANS_CROWDED, 1);
		return E_CROWDED;
	}
	lending->of_server[out->server_at]++;
	lending->of_zone[out->zone_at]++;
	int ret = lend_await(rq, ex, transport, &out->loan);
	if (ret != 0) {
		give_back_share(resolver, out);
		return ret;
	}
	if (transport == TRANSPORT_UDP && (ret = watch_loan(resolver, out->loan)) != 0)
		lending_return(resolver, out, LOAN_ERROR);
	return ret;
}

/* --- the tag of a loan --- */

const char *loan_tag_text(const struct loan_tag *tag, char *out, size_t size)
{
	if (tag->len < 3) {
		snprintf(out, size, "?");
		return out;
	}
	struct question q = {.name = tag->bytes + 2, .type = knot_wire_read_u16(tag->bytes)};
	return question_text(&q, out, size);
}
