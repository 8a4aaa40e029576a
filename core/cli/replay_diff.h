/* cli/replay_diff.h - two events compared: what was stored, and what the plugin makes of the same payload now. */
#ifndef KANAL_CLI_REPLAY_DIFF_H
#define KANAL_CLI_REPLAY_DIFF_H
#include "kanal/sdk/json.h"

/* Tells each member that differs: pointer as in JSON Pointer; stored or made is NULL where it is absent. How many. Not compared is what differs by
 * itself: when and why it was recorded, who the customer turned out to be, the signed part of media URLs, and the time where
 * the provider told none. tell may be NULL. */
size_t replay_diff(yyjson_val *stored, yyjson_val *made, int has_time,
                   void (*tell)(void *user, kanal_str pointer, yyjson_val *stored, yyjson_val *made),
                   void *user);

#endif
