/* What the loop and the fibers share: the pool of stacks and the run queue. For net/ only. */
#pragma once

struct loop;
struct fiber_pool;

struct fiber_pool *fiber_pool_new(void);
/* Unmaps all kept stacks. Fibers that have not ended are abandoned: their stacks go, their functions never return. */
void fiber_pool_free(struct fiber_pool *pool);
/* Runs each fiber that is ready now, once. */
void fiber_run_ready(struct loop *loop);
