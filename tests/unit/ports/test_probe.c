/* Ports held by the test itself, in a network namespace of its own: the same number is free otherwise. */
#include "unit/unit.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "ports/probe.h"
#include "unit/sockets.h"

static int hold(const char *address, int type, uint16_t *port)
{
	struct addr addr;
	socklen_t len = sizeof(addr);
	assert_int_equal(addr_parse(&addr, address, 53), 0);
	addr_set_port(&addr, 0);
	int fd = socket(addr.sa.sa_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, &addr.sa, addr_socklen(&addr)) != 0)
		skip();
	assert_int_equal(getsockname(fd, &addr.sa, &len), 0);
	*port = addr_port(&addr);
	return fd;
}

/* Held on one address of one family for one transport: held there, and the others are not confused by it. */
static void test_held(void **state)
{
	static const struct {
		const char *address;
		int type, family, other_family;
		enum port_transport transport, other;
	} cases[] = {
		{"127.0.0.1", SOCK_DGRAM, AF_INET, AF_INET6, PORT_UDP, PORT_TCP},
		{"::1", SOCK_STREAM, AF_INET6, AF_INET, PORT_TCP, PORT_UDP},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint16_t port;
		int fd = hold(cases[i].address, cases[i].type, &port);
		assert_int_equal(port_probe(port, cases[i].transport, cases[i].family), PROBE_HELD);
		assert_int_not_equal(port_probe(port, cases[i].transport, cases[i].other_family), PROBE_HELD);
		assert_int_not_equal(port_probe(port, cases[i].other, cases[i].family), PROBE_HELD);
		close(fd);
		assert_int_equal(port_probe(port, cases[i].transport, cases[i].family), PROBE_FREE);
		/* Probing leaves nothing behind. */
		assert_int_equal(port_probe(port, cases[i].transport, cases[i].family), PROBE_FREE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_held)};
	sockets_enter_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
