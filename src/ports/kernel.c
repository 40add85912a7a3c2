/* Decides how the kernel's settings for ports are read, and what stands in when they cannot be. */
#include "ports/kernel.h"

#include <linux/capability.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports/moor.h"

void kernel_local_range(struct port_range *range)
{
	unsigned first = 0, last = 0;
	*range = (struct port_range){32768, 60999}; /* Linux's default */
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	if (file == NULL)
		return;
	if (fscanf(file, "%u %u", &first, &last) == 2 && first > 0 && first <= last && last < PORTS_ALL)
		*range = (struct port_range){(uint16_t)first, (uint16_t)last};
	fclose(file);
}

void kernel_reserved_ports(char *list, size_t size)
{
	list[0] = '\0';
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_reserved_ports", "re");
	if (file == NULL)
		return;
	if (fgets(list, (int)size, file) == NULL)
		list[0] = '\0';
	list[strcspn(list, "\n")] = '\0';
	fclose(file);
}

static bool may_bind_all(void)
{
	char line[128];
	unsigned long long effective = 0;
	FILE *file = fopen("/proc/thread-self/status", "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "CapEff: %llx", &effective) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return effective >> CAP_NET_BIND_SERVICE & 1;
}

unsigned kernel_first_port(void)
{
	unsigned first = 1024;
	FILE *file = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
	if (file != NULL && fscanf(file, "%u", &first) != 1)
		first = 1024;
	if (file != NULL)
		fclose(file);
	return may_bind_all() ? 1 : first;
}

bool kernel_has_route(const struct addr *to)
{
	int fd = socket(to->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool has = connect(fd, &to->sa, addr_socklen(to)) == 0;
	close(fd);
	return has;
}

bool kernel_can_moor(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool can = moor_set_port(fd, 50000) == 0;
	close(fd);
	return can;
}
