/* api/channels.h - the endpoints channel-list, -get, -add, -update, -remove, -pause, -resume, -restart and -upgrade. [loop] */
#ifndef KANAL_API_CHANNELS_H
#define KANAL_API_CHANNELS_H
#include "api/service.h"
#include "control/control.h"

struct api_channels {
    struct host *host;
    struct control *control;
};

/* Handlers' user: a struct api_channels. */
extern const struct api_endpoint api_channel_endpoints[];
extern const size_t api_channel_endpoint_count;

#endif
