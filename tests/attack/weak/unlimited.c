/* Decides that ports.max is no limit: a pool lends as many ports as questions want. */
#include "ports/pool.h"

enum { NO_LIMIT = 60000 };

struct pool *__real_pool_new(const struct pool_conf *conf);
struct pool *__wrap_pool_new(const struct pool_conf *conf);

struct pool *__wrap_pool_new(const struct pool_conf *conf)
{
	struct pool_conf unlimited = *conf;
	unlimited.max = NO_LIMIT;
	return __real_pool_new(&unlimited);
}
