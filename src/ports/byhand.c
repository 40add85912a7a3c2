/* Decides which commands are worth typing to look at a port without berth. Each is one that the system brings along, or
 * that nearly everybody has, in the form that shows numbers instead of names. */
#include "ports/byhand.h"

#include <stdio.h>
#include <string.h>

static const struct byhand rows[] = {
	{BYHAND_LINUX, "ss -uapn 'sport = :PORT'", "UDP sockets of the port, and whose they are", true},
	{BYHAND_LINUX, "ss -tapn 'sport = :PORT'", "the same for TCP", true},
	{BYHAND_LINUX, "lsof -nP -i :PORT", "every process that has it open, also as its peer's port", true},
	{BYHAND_LINUX, "fuser -v PORT/udp PORT/tcp", "user, process and command", true},
	{BYHAND_LINUX, "sysctl net.ipv4.ip_local_port_range net.ipv4.ip_local_reserved_ports",
		"which ports the kernel itself gives out", false},
	{BYHAND_MACOS, "lsof -nP -i :PORT", "every process that has it open, also as its peer's port", true},
	{BYHAND_MACOS, "netstat -anv -p udp | grep '[.]PORT '", "UDP sockets, with the process's number", false},
	{BYHAND_MACOS, "sysctl net.inet.ip.portrange", "which ports the kernel itself gives out", false},
	{BYHAND_WINDOWS, "netstat -ano | findstr :PORT", "sockets, with the process's number at the end", false},
	{BYHAND_WINDOWS, "Get-NetUDPEndpoint -LocalPort PORT | Select-Object LocalAddress, OwningProcess",
		"PowerShell: who has it for UDP", false},
	{BYHAND_WINDOWS, "Get-NetTCPConnection -LocalPort PORT | Select-Object State, OwningProcess",
		"PowerShell: who has it for TCP", false},
	{BYHAND_WINDOWS, "netsh interface ipv4 show excludedportrange protocol=udp",
		"ranges that nobody is given (Hyper-V, WSL, Docker)", false},
	{BYHAND_WINDOWS, "dnscmd /Info /SocketPoolSize", "on a DNS server: how many ports its socket pool holds", true},
};

const struct byhand *byhand_row(size_t index)
{
	return index < sizeof(rows) / sizeof(rows[0]) ? &rows[index] : NULL;
}

const char *byhand_command(const struct byhand *row, uint16_t port, char out[static BYHAND_COMMAND])
{
	static const char mark[] = "PORT";
	const char *rest = row->form;
	size_t len = 0;
	out[0] = '\0';
	for (const char *at; (at = strstr(rest, mark)) != NULL && len < BYHAND_COMMAND; rest = at + strlen(mark))
		len += (size_t)snprintf(out + len, BYHAND_COMMAND - len, "%.*s%u", (int)(at - rest), rest, port);
	if (len < BYHAND_COMMAND)
		snprintf(out + len, BYHAND_COMMAND - len, "%s", rest);
	return out;
}

const char *byhand_system_text(enum byhand_system system)
{
	static const char *const texts[BYHAND_SYSTEMS] = {"Linux", "macOS", "Windows"};
	return system < BYHAND_SYSTEMS ? texts[system] : "?";
}
