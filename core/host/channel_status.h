/* host/channel_status.h - a channel as /channels and the API show it. [loop] */
#ifndef KANAL_HOST_CHANNEL_STATUS_H
#define KANAL_HOST_CHANNEL_STATUS_H
#include "host/channel.h"
#include "kanal/sdk/json.h"

/* One object, of /channels. */
void channel_write(struct kanal_json *, const struct channel *);
/* Why it is not up: {"code", "scope", "detail"}, as events and the API say it. */
void channel_write_reason(struct kanal_json *, const struct channel *);
/* Its configuration, like an item of `channels`; a secret's value is where it came from, or "(sealed)". */
void channel_write_config(struct kanal_json *, const struct channel *);

#endif
