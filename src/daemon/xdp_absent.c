/* Decides what is said of XDP where it was not built in. */
#include <stdio.h>

#include "base/error.h"
#include "daemon/listen.h"
#include "daemon/xdp.h"

int xdp_open(struct xdp **xdp, struct server *server, const struct config_xdp *conf, char *why, size_t size)
{
	(void)server;
	*xdp = NULL;
	snprintf(why, size,
		"%s@%u xdp: this berthd was built without XDP (meson feature xdp, libknot with libknot/xdp/xdp.h); "
		"ordinary "
		"sockets serve it",
		conf->interface, conf->port);
	return E_NOENT;
}

void xdp_untie(struct xdp *xdp)
{
	(void)xdp;
}

void xdp_close(struct xdp *xdp)
{
	(void)xdp;
}

void xdp_listener_start(struct xdp_listener *listener)
{
	(void)listener;
}

void xdp_listener_flush(struct xdp_listener *listener)
{
	(void)listener;
}

void xdp_listener_free(struct xdp_listener *listener)
{
	(void)listener;
}
