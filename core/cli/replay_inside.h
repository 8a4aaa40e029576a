/* cli/replay_inside.h - what the files of `kanal replay` share. */
#ifndef KANAL_CLI_REPLAY_INSIDE_H
#define KANAL_CLI_REPLAY_INSIDE_H
#include "cli/replay_child.h"
#include "cli/replay_read.h"
#include "event/envelope.h"

/* An event of the time that is looked at. */
struct replay_stored {
    yyjson_doc *document;
    kanal_str id, traceparent; /* of it */
    int is_made;               /* the plugin makes it now, too */
};

struct replay {
    const struct cli_command *command;
    struct client_options client_options;
    struct client client;
    struct setup setup;
    struct replay_child *child;
    const struct config_channel *channel;
    struct ids *ids;
    struct envelope_context context;
    struct envelope envelope;
    char base_url[300];
    const char *channel_id, *plugins;
    int64_t from_ms, to_ms;
    int is_publishing, with_json;
    struct replay_stored *stored; /* sorted by id */
    size_t stored_count, stored_room;
    struct {
        int64_t requests, payloads, refused, same, made_new, changed, gone, published;
    } count;
    kanal_str traceparent; /* of the request that is being run */
    char reason[256];
};

/* replay_events.c. Every event that is in the streams from `from` to some time after `to`. */
int replay_load_stored(struct replay *);
/* One event that the plugin makes of a request: compared, told, published if that is wanted. */
int replay_made(struct replay *, yyjson_val *event);
/* What came of the request then and does not now. */
void replay_tell_gone(struct replay *, kanal_str traceparent);
void replay_release_stored(struct replay *);

#endif
