/* Decides that no question waits for another: each of a client's questions is a lookup of its own, and each of those
 * asks the servers itself. What birthday attacks live on. */
#include "resolve/inflight.h"
#include "resolve/resolver.h"

struct join *__wrap_inflight_enter(
	struct inflight *inflight, const struct flight_key *key, struct flight *flight, struct loop *loop);
int __real_resolver_ask(struct resolver *resolver, const struct ask *ask, struct waiter *waiter);
int __wrap_resolver_ask(struct resolver *resolver, const struct ask *ask, struct waiter *waiter);

/* The flight is in no table, so that nobody finds it; inflight_end then finds nobody to tell. */
struct join *__wrap_inflight_enter(
	struct inflight *inflight, const struct flight_key *key, struct flight *flight, struct loop *loop)
{
	(void)inflight;
	(void)loop;
	flight->key = *key;
	link_init(&flight->link);
	link_init(&flight->joined);
	return NULL;
}

/* A lookup that tells its story is not shared. */
int __wrap_resolver_ask(struct resolver *resolver, const struct ask *ask, struct waiter *waiter)
{
	struct ask alone = *ask;
	alone.story = true;
	return __real_resolver_ask(resolver, &alone, waiter);
}
