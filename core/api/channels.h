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

/* One channel as /channels and the API show it. is_run_time: -1: not known. */
struct kanal_json;
void api_write_channel(struct kanal_json *, const struct channel *, int is_run_time);

#endif
