/* Keeps the trust anchors right while berthd runs: follows their zones' keys (RFC 5011), and remembers them in a file.
 *
 *	anchor_keeper_begin(server);                          before the workers are equipped: reads the file
 *	struct anchors *trusted = anchor_keeper_trusted(server->anchor_keeper, configured);
 *	anchor_keeper_start(server->anchor_keeper);           workers run: asks now and then
 *
 * Without dnssec.rollover the anchors stay what the configuration says. Thread: main; a question's answer comes home as
 * mail. */
#pragma once

#include <jansson.h>

#include "daemon/server.h"
#include "resolve/anchors.h"

struct anchor_keeper;

/* What the configuration says; NULL: nothing is validated. */
struct anchor_keeper *anchor_keeper_new(struct server *server, const struct anchors *configured, bool rollover);
void anchor_keeper_start(struct anchor_keeper *keeper);
/* After the workers were joined and their mail drained. */
void anchor_keeper_free(struct anchor_keeper *keeper);
/* Another configuration. */
void anchor_keeper_obey(struct anchor_keeper *keeper, const struct anchors *configured, bool rollover);
/* What is trusted now; NULL: nothing is validated. A reference for the caller. */
struct anchors *anchor_keeper_trusted(const struct anchor_keeper *keeper);
/* All anchors and, of keys that are followed, their states; a new reference. */
json_t *anchor_keeper_json(const struct anchor_keeper *keeper);
