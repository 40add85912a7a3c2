/* Decides where the senders of the bench may send. The bench starts them in network namespaces in which every interface
 * is its own, and says in the environment which namespace it came from: that one is never sent from. */
#include "bounds.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *program_name = "?";

static _Noreturn __attribute__((format(printf, 1, 2))) void refuse(const char *format, ...)
{
	va_list args;
	fprintf(stderr, "%s: refused: ", program_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(BOUNDS_REFUSED);
}

static bool is_outside(void)
{
	const char *outside = getenv("BERTH_ATTACK_OUTSIDE");
	struct stat here;
	if (outside == NULL || stat("/proc/self/ns/net", &here) != 0)
		return true;
	return strtoull(outside, NULL, 10) == (unsigned long long)here.st_ino;
}

static void check_interfaces(void)
{
	struct if_nameindex *all = if_nameindex();
	unsigned ours = 0;
	if (all == NULL)
		refuse("the interfaces cannot be listed");
	for (struct if_nameindex *i = all; i->if_name != NULL; i++) {
		if (strncmp(i->if_name, "bench-", 6) == 0)
			ours++;
		else if (strcmp(i->if_name, "lo") != 0)
			refuse("interface %s is not the bench's", i->if_name);
	}
	if_freenameindex(all);
	if (ours == 0)
		refuse("there is no interface of the bench");
}

void bounds_check(const char *program)
{
	program_name = program;
	if (is_outside())
		refuse("not in a network namespace of the bench; ./run attacks makes them");
	check_interfaces();
}

struct in_addr bounds_address(const char *text)
{
	struct in_addr addr;
	if (inet_pton(AF_INET, text, &addr) != 1 || ntohl(addr.s_addr) >> 17 != (198u << 8 | 18) >> 1)
		refuse("%s is not an address of 198.18.0.0/15", text);
	return addr;
}

unsigned long bounds_number(const char *text, unsigned long first, unsigned long last)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);
	if (*text == '\0' || *end != '\0' || value < first || value > last)
		refuse("%s is not a number of %lu to %lu", text, first, last);
	return value;
}

void bounds_seconds(const char *text)
{
	alarm((unsigned)bounds_number(text, 1, BOUNDS_SECONDS_MAX));
}

uint64_t bounds_now_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

void bounds_sleep_until_us(uint64_t then_us)
{
	struct timespec ts = {.tv_sec = (time_t)(then_us / 1000000), .tv_nsec = (long)(then_us % 1000000 * 1000)};
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}
