#include "host/channel_status.h"

#include "host/worker/worker.h"

static void write_time_if(struct kanal_json *json, const char *key, int64_t ms)
{
    if (ms > 0)
        kanal_json_member_time(json, key, ms);
}

void channel_write(struct kanal_json *json, const struct channel *channel, const char *origin)
{
    int healthy = channel->state == CHANNEL_UP && channel->health == KANAL_OK;
    kanal_json_object(json);
    kanal_json_member_str(json, "id", channel->id);
    kanal_json_member_str(json, "plugin", channel->source.plugin);
    kanal_json_member_text(json, "version", channel->plugin->descriptor.version);
    kanal_json_member_text(json, "state", channel_state_name(channel->state));
    kanal_json_member_bool(json, "healthy", healthy);
    if (!healthy && channel->reason[0])
        kanal_json_member_text(json, "reason", channel->reason);
    kanal_json_member_time(json, "since", channel->since_ms);
    kanal_json_member_text(json, "origin", origin);
    write_time_if(json, "last_in", channel->last_in_ms);
    write_time_if(json, "last_out", channel->last_out_ms);
    if (worker_pid(channel) > 0) {
        kanal_json_key(json, "worker");
        kanal_json_object(json);
        kanal_json_member_int(json, "pid", worker_pid(channel));
        kanal_json_member_bool(json, "own", channel->worker->owner != NULL);
        kanal_json_object_end(json);
    }
    kanal_json_member_int(json, "requests_under_way", (int64_t)channel->http);
    kanal_json_member_int(json, "host_calls_under_way", (int64_t)channel->ops);
    kanal_json_object_end(json);
}
