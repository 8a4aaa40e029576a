/* cli/replay_child.h - the plugin of a replay in a process of its own: sandboxed like a worker, with a host that sends and stores nothing.
 *
 * The host is that of `kanal plugin check`: its network answers nothing, its state is empty and ends with it, its clock shows the time of
 * the request. What the plugin publishes comes back through a pipe. The process is made before this one has threads. */
#ifndef KANAL_CLI_REPLAY_CHILD_H
#define KANAL_CLI_REPLAY_CHILD_H
#include "cli/setup.h"
#include "kanal/sdk/json.h"

struct replay_child;

/* Forks; the child gives up everything but this channel of the setup. NULL: reason says why. */
struct replay_child *replay_child_new(struct setup *, size_t channel, char reason[256]);
/* One kept request, restored, as it came at that time. NULL: the child has ended, reason says how. Else (to be freed)
 * {"status": of the answer, 0: none, "notes": [texts], "events": [{"type", "dedupe" (base64), "external_id", "command_id", "address", "chat", "time_ms",
 * "data"}]}. */
yyjson_doc *replay_child_run(struct replay_child *, int64_t time_ms, kanal_str request, char reason[256]);
void replay_child_free(struct replay_child *); /* NULL is fine */

#endif
