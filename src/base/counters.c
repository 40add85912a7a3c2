/* Decides where a thread counts. */
#include "base/counters.h"

static struct counters common;
static _Thread_local struct counters *mine;

void counters_attach(struct counters *block)
{
	mine = block;
}

void counters_add(enum counter which, uint64_t by)
{
	struct counters *block = mine;
	if (block == NULL) {
		atomic_fetch_add_explicit(&common.value[which], by, memory_order_relaxed);
		return;
	}
	/* Only this thread writes the block: a load and a store do, without a locked instruction. */
	uint64_t old = atomic_load_explicit(&block->value[which], memory_order_relaxed);
	atomic_store_explicit(&block->value[which], old + by, memory_order_relaxed);
}

void counters_max(enum counter which, uint64_t value)
{
	struct counters *block = mine != NULL ? mine : &common;
	if (atomic_load_explicit(&block->value[which], memory_order_relaxed) < value)
		atomic_store_explicit(&block->value[which], value, memory_order_relaxed);
}

uint64_t counters_get(const struct counters *block, enum counter which)
{
	return atomic_load_explicit(&block->value[which], memory_order_relaxed);
}

/* Most are sums; a peak is the highest of all. */
static uint64_t join(enum counter which, uint64_t a, uint64_t b)
{
	if (which == COUNT_FIBERS_PEAK_STACK)
		return a > b ? a : b;
	return a + b;
}

void counters_sum(struct counters *const blocks[], size_t count, uint64_t total[COUNTERS])
{
	for (int i = 0; i < COUNTERS; i++) {
		total[i] = counters_get(&common, (enum counter)i);
		for (size_t b = 0; b < count; b++)
			total[i] = join((enum counter)i, total[i], counters_get(blocks[b], (enum counter)i));
	}
}

static const char *const keys[] = {
#define X(name, key, text) key,
	COUNTER_LIST(X)
#undef X
};

static const char *const helps[] = {
#define X(name, key, text) text,
	COUNTER_LIST(X)
#undef X
};

const char *counter_key(enum counter which)
{
	return keys[which];
}

const char *counter_help(enum counter which)
{
	return helps[which];
}
