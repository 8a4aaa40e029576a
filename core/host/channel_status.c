#include "host/channel_status.h"

#include "host/worker/worker.h"

static void write_time_if(struct kanal_json *json, const char *key, int64_t ms)
{
    if (ms > 0)
        kanal_json_member_time(json, key, ms);
}

void channel_write(struct kanal_json *json, const struct channel *channel)
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
    write_time_if(json, "last_in", channel->last_in_ms);
    write_time_if(json, "last_out", channel->last_out_ms);
    if (channel->config->spool || channel->spooled > 0)
        kanal_json_member_int(json, "spooled", (int64_t)channel->spooled);
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

/* ---- Reasons ---- */

static const char *health_code(kanal_status status)
{
    switch (status) {
    case KANAL_E_NETWORK:
    case KANAL_E_MAYBE:
        return "network";
    case KANAL_E_TIMEOUT:
        return "timeout";
    case KANAL_E_REJECTED:
        return "provider_rejected";
    case KANAL_E_DENIED:
        return "denied";
    case KANAL_E_BUSY:
        return "rate_limited";
    default:
        return "channel_down";
    }
}

void channel_write_reason(struct kanal_json *json, const struct channel *channel)
{
    kanal_json_object(json);
    kanal_json_member_text(json, "code", health_code(channel->health));
    kanal_json_member_text(json, "scope", "channel");
    kanal_json_member_text(json, "detail",
                           channel->reason[0] ? channel->reason : channel_state_name(channel->state));
    kanal_json_object_end(json);
}

/* ---- Configuration ---- */

static void write_secrets(struct kanal_json *json, const struct config_channel *config)
{
    kanal_json_key(json, "secrets");
    kanal_json_object(json);
    for (size_t i = 0; i < config->secret_count; i++) {
        const char *origin = config->secrets[i].origin;
        kanal_json_key_str(json, kanal_str_c(config->secrets[i].name));
        if (strncmp(origin, "env:", 4) != 0 && strncmp(origin, "file:", 5) != 0) {
            kanal_json_str(json, KANAL_LIT("(sealed)"));
            continue;
        }
        struct kanal_buffer reference = { 0 };
        kanal_buffer_text(&reference, "${");
        kanal_buffer_text(&reference, origin);
        kanal_buffer_byte(&reference, '}');
        kanal_json_str(json, kanal_buffer_view(&reference));
        kanal_buffer_release(&reference);
    }
    kanal_json_object_end(json);
}

void channel_write_config(struct kanal_json *json, const struct channel *channel)
{
    static const char *const policies[] = { "retry", "fail", "ask" };
    static const char *const logs[] = { "failed", "all", "off" };
    const struct config_channel *config = channel->config;
    kanal_json_object(json);
    kanal_json_member_text(json, "id", config->id);
    kanal_json_member_text(json, "plugin", config->plugin);
    kanal_json_key(json, "settings");
    kanal_json_raw(json, config->settings);
    write_secrets(json, config);
    if (config->egress) {
        kanal_json_key(json, "egress");
        kanal_json_array(json);
        for (const char *const *host = config->egress; *host; host++)
            kanal_json_str(json, kanal_str_c(*host));
        kanal_json_array_end(json);
    }
    kanal_json_member_text(json, "worker", config->worker_own ? "own" : "shared");
    kanal_json_member_text(json, "when_broker_down", config->spool ? "spool" : "refuse");
    kanal_json_member_text(json, "on_unknown", policies[config->on_unknown % 3]);
    kanal_json_member_text(json, "log", logs[config->log % 3]);
    kanal_json_object_end(json);
}
