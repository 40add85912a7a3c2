/* Decides which unregistered uses of ports are worth knowing, and which of those keep a port from being lent.
 *
 * What makes a clash is said in clash.h. A row without a document that says so has no place here, nor has a port
 * that a program merely sends to: only what is bound on this machine can collide. */
#include "ports/clash.h"

#include <stdio.h>
#include <string.h>

#include "base/words.h"
#include "ports/registry.h"

enum { UDP = SERVICE_UDP, TCP = SERVICE_TCP };
enum { KNOWN, CLASH };

#define FIREWALLD "firewalld, config/services/"

static const struct known_use uses[] = {
	{{6881, 6889}, UDP | TCP, KNOWN, "BitTorrent clients", "peers and DHT; they take the first one that is free",
		"BitTorrent BEP 3, BEP 5"},
	{{7946, 7946}, UDP | TCP, CLASH, "Docker Swarm", "gossip of the nodes; without it a node is lost to its swarm",
		FIREWALLD "docker-swarm.xml"},
	{{8125, 8125}, UDP, CLASH, "StatsD", "metrics from programs, which know no other port",
		"StatsD, exampleConfig.js"},
	{{8285, 8285}, UDP, CLASH, "flannel, udp backend", "packets between the nodes of a Kubernetes cluster",
		"flannel, Documentation/backends.md"},
	{{9777, 9777}, UDP, CLASH, "Kodi", "remote controls (EventServer)", FIREWALLD "kodi-eventserver.xml"},
	{{10000, 20000}, UDP, KNOWN, "Asterisk", "voice (RTP); a free pair is searched for each call",
		"Asterisk, configs/samples/rtp.conf"},
	{{12201, 12201}, UDP, CLASH, "Graylog", "logs from programs (GELF), which know no other port",
		"Graylog, GELF inputs"},
	{{19132, 19133}, UDP, CLASH, "Minecraft Bedrock server", "players, IPv4 and IPv6",
		"Bedrock Dedicated Server, server.properties"},
	{{21027, 21027}, UDP, CLASH, "Syncthing", "how devices of one network find each other", "syncthing-config(5)"},
	{{24727, 24727}, UDP, CLASH, "AusweisApp", "phones as card readers announce themselves here",
		FIREWALLD "ausweisapp2.xml"},
	{{25826, 25826}, UDP, CLASH, "collectd", "metrics of other machines", "collectd.conf(5), plugin network"},
	{{27015, 27015}, UDP, CLASH, "Source game servers",
		"players and server lists; the address is published with it", "LinuxGSM, Ports"},
	{{27036, 27036}, UDP, CLASH, "Steam", "how machines find each other for Remote Play",
		FIREWALLD "steam-streaming.xml"},
	{{30000, 32767}, UDP | TCP, KNOWN, "Kubernetes", "services of type NodePort, on every node of a cluster",
		"Kubernetes, Ports and Protocols"},
	{{30303, 30303}, UDP | TCP, CLASH, "Ethereum clients", "discovery of peers (discv4, discv5)",
		"go-ethereum, command-line options"},
	{{32410, 32410}, UDP, CLASH, "Plex Media Server", "how players find it (GDM)", FIREWALLD "plex.xml"},
	{{32412, 32414}, UDP, CLASH, "Plex Media Server", "how players find it (GDM)", FIREWALLD "plex.xml"},
	{{33434, 33533}, UDP, KNOWN, "traceroute", "it sends its probes to these, on whatever host is traced",
		"traceroute(8)"},
	{{34197, 34197}, UDP, CLASH, "Factorio server", "players; the address is published with it",
		FIREWALLD "factorio.xml"},
	{{41000, 61000}, UDP | TCP, KNOWN, "Apache Geode, GemFire", "messages of cluster members, which draw theirs",
		"Apache Geode, membership-port-range"},
	{{41641, 41641}, UDP, KNOWN, "Tailscale", "WireGuard between devices, which tell each other the port",
		"Tailscale, tailscaled --port"},
	{{42000, 42000}, UDP | TCP, CLASH, "Warpinator", "files within a network", FIREWALLD "warpinator.xml"},
	{{47998, 47999}, UDP, CLASH, "Sunshine", "video and control of a game stream; clients know no other port",
		"Sunshine, src/stream.h"},
	{{49152, 49215}, TCP, KNOWN, "libvirt", "virtual machines that come from another host",
		"libvirt, qemu.conf, migration_port_min and _max"},
	{{49152, 60999}, TCP, KNOWN, "GlusterFS", "bricks, from the lowest upwards",
		"GlusterFS, glusterd.vol, base-port and max-port"},
	{{49152, 65535}, UDP, KNOWN, "Windows DNS Server", "its socket pool: 2,500 ports, drawn at start and held",
		"Microsoft, Configure the Socket Pool"},
	{{49152, 65535}, UDP | TCP, KNOWN, "Windows", "short-lived ports of programs; RPC services over TCP",
		"Microsoft, Service overview and network port requirements for Windows"},
	{{49152, 65535}, TCP, KNOWN, "Xsan", "the file system of macOS storage networks",
		"Apple, TCP and UDP ports used by Apple software products"},
	{{49152, 65535}, UDP, KNOWN, "coturn", "relayed voice and video (TURN); a free one is searched for each",
		"coturn, turnserver.conf, min-port and max-port"},
	{{50000, 50059}, UDP, KNOWN, "Microsoft Teams", "voice, video and screens, as the client's own port",
		"Microsoft, Set-CsTeamsMeetingConfiguration"},
	{{51413, 51413}, UDP | TCP, CLASH, "Transmission", "peers and DHT; the router may forward just this one",
		"Transmission, Editing Configuration Files, peer-port"},
	{{51820, 51820}, UDP, CLASH, "WireGuard",
		"the usual ListenPort, also of flannel and Calico; needed for the interface to come up",
		FIREWALLD "wireguard.xml; Calico, wireguardListeningPort"},
	{{51821, 51821}, UDP, CLASH, "WireGuard of flannel and Calico",
		"the tunnel for IPv6; needed for the interface to come up",
		"flannel, Documentation/backends.md, ListenPortV6; Calico, wireguardListeningPortV6"},
	{{51871, 51871}, UDP, CLASH, "Cilium", "WireGuard between the nodes of a Kubernetes cluster",
		"Cilium, WireGuard Transparent Encryption"},
	{{53317, 53317}, UDP | TCP, CLASH, "LocalSend", "how devices of one network find each other",
		FIREWALLD "localsend.xml"},
	{{53413, 53413}, UDP, KNOWN, "Netis and Netcore routers",
		"a backdoor of theirs, for which the Internet is scanned",
		"Shadowserver, Vulnerable Netis Router Scanning Project"},
	{{54327, 54327}, UDP, CLASH, "Hazelcast", "how members of a cluster find each other by multicast",
		"Hazelcast, MulticastConfig.DEFAULT_MULTICAST_PORT"},
	{{54925, 54925}, UDP, CLASH, "Brother scanners", "the scan key of the device, which knows the machine by it",
		"brother-mfc, Brother MFC Network details"},
	{{55200, 55200}, UDP, CLASH, "WildFly, JBoss EAP", "messages within a cluster (jgroups-udp)",
		"WildFly, socket bindings of standalone-ha.xml"},
	{{56700, 56700}, UDP, KNOWN, "LIFX lamps", "the lamps listen here; programs that ask them use any port",
		"aiolifx, UDP_BROADCAST_PORT"},
	{{57621, 57621}, UDP | TCP, CLASH, "Spotify", "how players of one network find each other",
		FIREWALLD "spotify-sync.xml"},
	{{60000, 61000}, UDP, KNOWN, "mosh", "shells over bad networks; the first free one is taken", "mosh-server(1)"},
	{{60023, 60081}, UDP, KNOWN, "Windows DNS Server", "where administrators saw its socket pool",
		"reports of administrators"},
	{{64738, 64738}, UDP | TCP, CLASH, "Mumble server", "voice; clients know no other port",
		"Mumble, mumble-server.ini"},
	{{65001, 65001}, UDP | TCP, KNOWN, "HDHomeRun", "the tuners listen here, and programs that pass for one",
		"libhdhomerun, hdhomerun_pkt.h"},
};

enum { USES = sizeof(uses) / sizeof(uses[0]) };

const struct known_use *clash_row(size_t index)
{
	return index < USES ? &uses[index] : NULL;
}

static bool has(const struct known_use *use, uint16_t port)
{
	return use->ports.first <= port && port <= use->ports.last;
}

static bool is_before(const struct known_use *a, const struct known_use *b)
{
	int width_a = a->ports.last - a->ports.first, width_b = b->ports.last - b->ports.first;
	return width_a != width_b ? width_a < width_b : a < b;
}

/* How many rows of the port come before this one. Rows overlap, so there is nothing to bisect; they are few. */
static size_t rank(const struct known_use *use, uint16_t port)
{
	size_t rank = 0;
	for (size_t i = 0; i < USES; i++)
		rank += has(&uses[i], port) && is_before(&uses[i], use);
	return rank;
}

const struct known_use *clash_of_port(uint16_t port, size_t nth)
{
	for (size_t i = 0; i < USES; i++)
		if (has(&uses[i], port) && rank(&uses[i], port) == nth)
			return &uses[i];
	return NULL;
}

const struct known_use *clash_of_name(const char *name, size_t nth)
{
	for (size_t i = 0; i < USES; i++) {
		char first[32];
		snprintf(first, sizeof(first), "%.*s", (int)strcspn(uses[i].who, " ,"), uses[i].who);
		if (word_compare(first, name) == 0 && nth-- == 0)
			return &uses[i];
	}
	return NULL;
}

const struct port_set *clash_ports(struct port_set *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < USES; i++)
		if (uses[i].is_clash)
			port_set_add_range(out, uses[i].ports);
	return out;
}
