/* Decides where a thread counts. */
#include "base/counters.h"

static struct counters common;
static _Thread_local struct counters *mine;

void counters_attach(struct counters *block)
{
	mine = block;
}

/* Only this thread writes its block: a load and a store do, without a locked instruction. */
static void add(_Atomic uint64_t *value, uint64_t by)
{
	if (mine == NULL) {
		atomic_fetch_add_explicit(value, by, memory_order_relaxed);
		return;
	}
	uint64_t old = atomic_load_explicit(value, memory_order_relaxed);
	atomic_store_explicit(value, old + by, memory_order_relaxed);
}

static struct counters *here(void)
{
	return mine != NULL ? mine : &common;
}

void counters_add(enum counter which, uint64_t by)
{
	add(&here()->value[which], by);
}

/* Bucket 0 ends below 64 us, each next one below twice as many. */
static unsigned bucket_of(uint64_t us)
{
	unsigned bits = us < 64 ? 0 : 58 - (unsigned)__builtin_clzll(us);
	return bits < TIMING_BUCKETS ? bits : TIMING_BUCKETS - 1;
}

void counters_time(enum timing which, uint64_t us)
{
	add(&here()->timing[which][bucket_of(us)], 1);
	add(&here()->timing_us[which], us);
}

void counters_ede(int code)
{
	if (code >= 0 && code < COUNTED_EDES)
		add(&here()->ede[code], 1);
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

static uint64_t sum(struct counters *const blocks[], size_t count, size_t offset)
{
	const char *from = (const char *)&common;
	uint64_t total =
		atomic_load_explicit((const _Atomic uint64_t *)(const void *)(from + offset), memory_order_relaxed);
	for (size_t b = 0; b < count; b++) {
		from = (const char *)blocks[b];
		total += atomic_load_explicit(
			(const _Atomic uint64_t *)(const void *)(from + offset), memory_order_relaxed);
	}
	return total;
}

void counters_sum_timing(struct counters *const blocks[], size_t count, enum timing which, struct timing_sum *out)
{
	for (unsigned i = 0; i < TIMING_BUCKETS; i++)
		out->bucket[i] = sum(blocks, count, offsetof(struct counters, timing[which][i]));
	out->us = sum(blocks, count, offsetof(struct counters, timing_us[which]));
}

void counters_sum_ede(struct counters *const blocks[], size_t count, uint64_t total[COUNTED_EDES])
{
	for (unsigned i = 0; i < COUNTED_EDES; i++)
		total[i] = sum(blocks, count, offsetof(struct counters, ede[i]));
}

uint64_t timing_limit_us(unsigned bucket)
{
	return bucket + 1 < TIMING_BUCKETS ? UINT64_C(64) << bucket : 0;
}

static const char *const timing_keys[] = {
#define X(name, key, text) key,
	TIMING_LIST(X)
#undef X
};

static const char *const timing_helps[] = {
#define X(name, key, text) text,
	TIMING_LIST(X)
#undef X
};

const char *timing_key(enum timing which)
{
	return timing_keys[which];
}

const char *timing_help(enum timing which)
{
	return timing_helps[which];
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
