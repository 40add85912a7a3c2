/* Decides that each question over TCP has a connection of its own, as it was before they were shared. */
#include "resolve/upstreams.h"

int __real_upstreams_ask_await(struct tcp_talk *talk);
int __wrap_upstreams_ask_await(struct tcp_talk *talk);

int __wrap_upstreams_ask_await(struct tcp_talk *talk)
{
	talk->alone = true;
	return __real_upstreams_ask_await(talk);
}
