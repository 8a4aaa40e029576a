/* host/channel_status.h - a channel as /channels and the API show it. [loop] */
#ifndef KANAL_HOST_CHANNEL_STATUS_H
#define KANAL_HOST_CHANNEL_STATUS_H
#include "host/channel.h"
#include "kanal/sdk/json.h"

/* One object. origin: "file", "run_time", or NULL. */
void channel_write(struct kanal_json *, const struct channel *, const char *origin);

#endif
