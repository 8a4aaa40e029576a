/* cli/replay_read.h - what lies in the streams, read by a command of a moment. */
#ifndef KANAL_CLI_REPLAY_READ_H
#define KANAL_CLI_REPLAY_READ_H
#include <yyjson.h>

#include "cli/connect.h"

struct replay_message {
    kanal_str payload;
    int64_t time_ms; /* stored */
    natsMsg *msg;    /* for its headers */
};

/* Each message under the filter that was stored from from_ms to to_ms, in order; each() returns an exit code, and CLI_OK goes on. Else that
 * code, or CLI_BROKER or CLI_FAILED with reason. */
int replay_stream(struct client *, const char *stream, const char *filter, int64_t from_ms, int64_t to_ms,
                  int (*each)(void *user, const struct replay_message *), void *user, char reason[256]);

/* The event of that id under its exact subject, to be freed; NULL: there is none. */
yyjson_doc *replay_find(struct client *, const char *stream, const char *subject, kanal_str id);

#endif
