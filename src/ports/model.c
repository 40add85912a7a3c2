/* Decides which class a port belongs to, and the words for it. */
#include "ports/model.h"

static const struct {
	struct port_range range;
	const char *text, *help;
} classes[PORT_CLASSES] = {
	{{0, 1023}, "System", "assigned by the IETF; only a privileged program may listen there"},
	{{1024, 49151}, "User", "assigned by the IANA on request; anybody may listen there"},
	{{49152, 65535}, "Dynamic", "never assigned; programs borrow these for a while"},
};

enum port_class port_class(uint16_t port)
{
	return port <= 1023 ? PORT_SYSTEM : port <= 49151 ? PORT_USER : PORT_DYNAMIC;
}

const char *port_class_text(enum port_class class)
{
	return classes[class].text;
}

const char *port_class_help(enum port_class class)
{
	return classes[class].help;
}

struct port_range port_class_range(enum port_class class)
{
	return classes[class].range;
}
