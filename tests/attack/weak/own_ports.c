/* Decides that each worker has ports of its own, an eighth of all, scattered over the range. */
#include <stdatomic.h>

#include "ports/space.h"

enum { WORKERS = 8 };

int __real_port_draw(struct port_draw *draw, uint16_t *port);
int __wrap_port_draw(struct port_draw *draw, uint16_t *port);

static unsigned own_number(void)
{
	static atomic_uint threads;
	static _Thread_local unsigned number; /* 0: none yet */
	if (number == 0)
		number = atomic_fetch_add(&threads, 1) + 1;
	return number;
}

int __wrap_port_draw(struct port_draw *draw, uint16_t *port)
{
	for (;;) {
		int ret = __real_port_draw(draw, port);
		if (ret != 0 || (*port * 2654435761u >> 16) % WORKERS == own_number() % WORKERS)
			return ret;
		port_space_release(draw->space, *port);
	}
}
